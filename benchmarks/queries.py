"""Query latency on 1 M lines of cpu data: Flux and InfluxQL of fluxkeep beside InfluxQL 1.6 and VictoriaMetrics.

Each query again and again over one kept connection; median milliseconds and, behind a slash, the
least, which other work on the machine moves less. fluxkeep twice: with everything in memory, as
it is right after a write, and with everything in files. Then disk and start with the same data.

    python -m benchmarks queries            (or main(lines=…) of this module for fewer lines)
"""

from __future__ import annotations

import http.client
import json
import statistics
import tempfile
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.data import START_NS, STEP_NS, cpu_lines
from benchmarks.ingest import bodies, send_all
from benchmarks.rivals import Rival, all_rivals

RUNS = 15
FIELDS = ("usage_user", "usage_system", "usage_idle", "usage_nice", "usage_iowait")


@dataclass(frozen=True)
class Question:
    """One request, asked again and again over one connection."""

    rival: Rival
    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, connection: http.client.HTTPConnection) -> tuple[int, bytes]:
        connection.request(self.method, self.path, self.body, {**self.rival.headers, **self.headers})
        answer = connection.getresponse()
        return answer.status, answer.read()


def flux(rival: Rival, text: str) -> Question:
    body = json.dumps({"query": text, "dialect": {"annotations": ["datatype", "group", "default"]}}).encode()
    return Question(rival, "POST", "/api/v2/query?org=bench", body, {"Content-Type": "application/json"})


def influxql(rival: Rival, text: str) -> Question:
    return Question(rival, "GET", "/query?" + urllib.parse.urlencode({"db": "bench", "q": text, "epoch": "ns"}))


def promql(rival: Rival, text: str, start: int, stop: int, step: str) -> Question:
    query = {"query": text, "start": start / 1e9, "end": stop / 1e9, "step": step, "nocache": "1"}
    return Question(rival, "GET", "/api/v1/query_range?" + urllib.parse.urlencode(query))


def times_ms(question: Question) -> tuple[float, float]:
    """Median and least of some runs, after two that warm up."""
    connection = question.rival.connect()
    times: list[float] = []
    for i in range(RUNS + 2):
        began = time.perf_counter()
        status, body = question.ask(connection)
        if status != 200 or b'"error"' in body[:200] or b",error,reference" in body[-400:]:
            raise RuntimeError(f"{status} {body[:300]!r}")
        if i > 1:
            times.append(time.perf_counter() - began)
        if sum(times) > 20:
            break
    connection.close()
    return statistics.median(times) * 1000, min(times) * 1000


def main(lines: int = 1_000_000) -> None:
    rounds = lines // 1_000
    stop = START_NS + rounds * STEP_NS
    hour = START_NS + min(rounds, 360) * STEP_NS
    rng = f"|> range(start: time(v: {START_NS}), stop: time(v: {stop}))"
    rng_hour = f"|> range(start: time(v: {START_NS}), stop: time(v: {hour}))"
    base = 'from(bucket: "bench") '
    where = f"time >= {START_NS} AND time < {stop}"
    five = " or ".join(f'r._field == "{f}"' for f in FIELDS)
    maxes = ", ".join(f"max({f})" for f in FIELDS)
    tag_values = f'schema.tagValues(bucket: "bench", tag: "region", start: time(v: {START_NS}), stop: time(v: {stop}))'
    cases: list[tuple[str, str, str, tuple[str, int, int, str] | None]] = [
        (
            "1 host, 1 field, 1 h raw",
            base + rng_hour + ' |> filter(fn: (r) => r._measurement == "cpu" and r._field == "usage_user" '
            'and r.hostname == "host_7")',
            f"SELECT usage_user FROM cpu WHERE hostname = 'host_7' AND time >= {START_NS} AND time < {hour}",
            ('cpu_usage_user{hostname="host_7"}', START_NS, hour, "10s"),
        ),
        (
            "1 host, 5 fields, max per minute",
            base + rng + f' |> filter(fn: (r) => r._measurement == "cpu" and r.hostname == "host_7" and ({five})) '
            "|> aggregateWindow(every: 1m, fn: max, createEmpty: false)",
            f"SELECT {maxes} FROM cpu WHERE hostname = 'host_7' AND {where} GROUP BY time(1m) fill(none)",
            (
                'max_over_time({__name__=~"cpu_usage_(user|system|idle|nice|iowait)",hostname="host_7"}[1m])',
                START_NS,
                stop,
                "1m",
            ),
        ),
        (
            "last point of 1 field per host",
            base + rng + ' |> filter(fn: (r) => r._measurement == "cpu" and r._field == "usage_user") |> last()',
            f"SELECT last(usage_user) FROM cpu WHERE {where} GROUP BY hostname",
            ("last_over_time(cpu_usage_user[1h])", stop, stop, "1h"),
        ),
        (
            "mean of 1 field per host and hour",
            base + rng + ' |> filter(fn: (r) => r._measurement == "cpu" and r._field == "usage_user") '
            "|> aggregateWindow(every: 1h, fn: mean, createEmpty: false)",
            f"SELECT mean(usage_user) FROM cpu WHERE {where} GROUP BY hostname, time(1h) fill(none)",
            ("avg_over_time(cpu_usage_user[1h])", START_NS, stop, "1h"),
        ),
        (
            "mean of 10 fields per host and hour",
            base + rng + ' |> filter(fn: (r) => r._measurement == "cpu") '
            "|> aggregateWindow(every: 1h, fn: mean, createEmpty: false)",
            f"SELECT mean(*) FROM cpu WHERE {where} GROUP BY hostname, time(1h) fill(none)",
            ('avg_over_time({__name__=~"cpu_usage_.*"}[1h])', START_NS, stop, "1h"),
        ),
        (
            "mean of 10 fields, 130 000 rows out",
            base + rng + ' |> filter(fn: (r) => r._measurement == "cpu") '
            "|> aggregateWindow(every: 13m, fn: mean, createEmpty: false)",
            f"SELECT mean(*) FROM cpu WHERE {where} GROUP BY hostname, time(13m) fill(none)",
            ('avg_over_time({__name__=~"cpu_usage_.*"}[13m])', START_NS, stop, "13m"),
        ),
        (
            "count of everything",
            base + rng + " |> group() |> count()",
            f"SELECT count(*) FROM cpu WHERE {where}",
            ('sum(count_over_time({__name__=~"cpu_usage_.*"}[1d]))', stop, stop, "1d"),
        ),
        (
            "max of each field of each series",
            base + rng + ' |> filter(fn: (r) => r._measurement == "cpu") |> max()',
            f"SELECT max(*) FROM cpu WHERE {where} GROUP BY *",
            ('max_over_time({__name__=~"cpu_usage_.*"}[1d])', stop, stop, "1d"),
        ),
        (
            "tag values",
            f'import "influxdata/influxdb/schema" {tag_values}',
            'SHOW TAG VALUES FROM cpu WITH KEY = "region"',
            None,
        ),
    ]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        rivals = all_rivals(Path(folder))
        try:
            requests = bodies(cpu_lines(lines))
            for rival in rivals:
                send_all(rival, requests, 2, packed=False)
            del requests
            time.sleep(5)
            ours = rivals[0]
            in_memory = [_asked(ours, flux_text, ql_text) for _, flux_text, ql_text, _ in cases]
            ours.stop()
            ours.command += ["--storage-cache-snapshot-write-cold-duration", "1s"]
            ours.start()
            time.sleep(15)  # let each flush and merge what it holds
            print(f"\nqueries on {lines:,} lines of cpu data, ms: median / least of {RUNS}")
            heads = (
                "Flux, memory",
                "InfluxQL, memory",
                "Flux, files",
                "InfluxQL, files",
                *(r.name for r in rivals[1:]),
            )
            print(f"  {'':<36}" + "".join(f"{head:>21}" for head in heads) + "   times as fast")
            for (title, flux_text, ql_text, prom), memory in zip(cases, in_memory, strict=True):
                files = _asked(ours, flux_text, ql_text)
                others = []
                for rival in rivals[1:]:
                    if rival.name.startswith("InfluxDB"):
                        others.append(_times(influxql(rival, ql_text)))
                    else:
                        others.append(_times(promql(rival, *prom)) if prom else None)
                ratios = (f"{other[0] / files[1][0]:.1f}" if other and files[1] else "–" for other in others)
                cells = "".join(f"{_cell(found):>21}" for found in (*memory, *files, *others))
                print(f"  {title:<36}{cells}   {', '.join(ratios)}", flush=True)
            for rival in rivals:
                rival.stop()
                started = rival.start() * 1000
                values = lines * 10
                print(
                    f"  {rival.name:<16} disk {rival.disk_bytes() / values:5.2f} bytes a value, "
                    f"start to healthy {started:6.0f} ms, peak {rival.peak_mb():.0f} MB after the start"
                )
        finally:
            for rival in rivals:
                rival.stop()


def _asked(rival: Rival, flux_text: str, ql_text: str) -> list[tuple[float, float] | None]:
    return [_times(flux(rival, flux_text)), _times(influxql(rival, ql_text))]


def _times(question: Question) -> tuple[float, float] | None:
    try:
        return times_ms(question)
    except (RuntimeError, OSError, http.client.HTTPException) as error:
        print(f"  {question.rival.name} failed: {str(error)[:200]}")
        return None


def _cell(found: tuple[float, float] | None) -> str:
    return "–" if found is None else f"{found[0]:.2f} / {found[1]:.2f}"


if __name__ == "__main__":
    main()
