"""Ingest: prepared requests of 5 000 lines over 1, 2 and 4 connections, plain and gzip, beside the rivals.

Every server gets the same bodies in the same order, fresh each time; client
and server share the machine. A server's figure is the best of its connections.
"""

from __future__ import annotations

import gzip
import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.data import cpu_lines, mixed_lines
from benchmarks.rivals import Rival, fluxkeep, influxdb, prepare, victoria_metrics

LINES_PER_REQUEST = 5_000


@dataclass(frozen=True)
class Run:
    lines_per_second: float
    p99_ms: float
    cpu_seconds: float
    peak_mb: float


def bodies(lines: Iterator[bytes]) -> list[bytes]:
    made = []
    while chunk := list(itertools.islice(lines, LINES_PER_REQUEST)):
        made.append(b"".join(chunk))
    return made


def values_per_line(requests: list[bytes]) -> float:
    """How many field values a line holds on average; both kinds of data escape spaces and quote no `=` or comma."""
    values = lines = 0
    for line in itertools.chain.from_iterable(body.splitlines() for body in requests):
        # An escaped space is not the one in front of the fields.
        fields = line.replace(b"\\ ", b"_").split(b" ", 1)[1]
        values += fields.count(b"=")
        lines += 1
    return values / lines


def send_all(rival: Rival, requests: list[bytes], connections: int, packed: bool) -> Run:
    """Send every request once, spread over the connections."""
    queue = iter(requests)
    lock = threading.Lock()
    times: list[float] = []
    headers = {**rival.headers, **({"Content-Encoding": "gzip"} if packed else {})}
    failures: list[str] = []

    def work() -> None:
        connection = rival.connect()
        while True:
            with lock:
                body = next(queue, None)
            if body is None:
                connection.close()
                return
            began = time.perf_counter()
            connection.request("POST", rival.write_path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            times.append(time.perf_counter() - began)
            if answer.status != 204:
                failures.append(f"{answer.status} {text[:200]!r}")
                return

    cpu = rival.cpu_seconds()
    threads = [threading.Thread(target=work) for _ in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - began
    if failures:
        raise RuntimeError(f"{rival.name}: {failures[0]}")
    p99 = statistics.quantiles(times, n=100)[98] * 1000 if len(times) > 1 else times[0] * 1000
    lines = len(requests) * LINES_PER_REQUEST
    return Run(lines / elapsed, p99, rival.cpu_seconds() - cpu, rival.peak_mb())


def measure(make: Callable[[Path], Rival | None], requests: list[bytes], packed: bool) -> dict[int, Run] | None:
    """A fresh server for each number of connections."""
    runs: dict[int, Run] = {}
    for connections in (1, 2, 4):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            rival = make(Path(folder))
            if rival is None:
                return None
            rival.start()
            try:
                prepare(rival)
                runs[connections] = send_all(rival, requests, connections, packed)
            finally:
                rival.stop()
    return runs


def main(lines: int = 200_000) -> None:
    for title, source in (("cpu", cpu_lines(lines)), ("mix", mixed_lines(lines))):
        plain = bodies(source)
        values = values_per_line(plain)
        for packed in (False, True):
            if title == "mix" and packed:
                continue
            requests = [gzip.compress(body, 1) for body in plain] if packed else plain
            print(f"\n{title}, {'gzip' if packed else 'plain'}, {lines:,} lines of {values:.1f} values")
            print(
                f"  {'':<16}{'1':>10}{'2':>10}{'4 conn.':>10}   best lines/s      values/s"
                "   p99 ms (4)   CPU s (1)   peak MB"
            )
            ours = 0.0
            for make in (fluxkeep, influxdb, victoria_metrics):
                runs = measure(make, requests, packed)
                if runs is None:
                    continue
                best = max(run.lines_per_second for run in runs.values())
                ours = ours or best
                name = make.__name__
                figures = "".join(f"{run.lines_per_second:>10,.0f}" for run in runs.values())
                ratio = "" if make is fluxkeep else f"   fluxkeep is {ours / best:.1f} times as fast"
                print(
                    f"  {name:<16}{figures}{best:>15,.0f}{best * values:>14,.0f}"
                    f"{runs[4].p99_ms:>13.0f}{runs[1].cpu_seconds:>12.1f}"
                    f"{max(run.peak_mb for run in runs.values()):>10.0f}{ratio}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
