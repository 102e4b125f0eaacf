"""Scans of the store's Reader over `cpu` lines: median milliseconds.

    python -m benchmarks.scan [--state flushed|memory|mixed] [--lines N] [--hosts N]
    python -m benchmarks.flush --folder DIR && python -m benchmarks.scan --folder DIR

`memory` keeps all rows in the memtable, `mixed` the younger half; the others are in files.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.data import START_NS, STEP_NS, cpu_lines
from benchmarks.flush import BATCH, BUCKET
from fluxkeep.clock import SystemClock
from fluxkeep.datamodel.predicates import And, Compare, Op
from fluxkeep.datamodel.reader import Aggregate, Reader, ScanRequest
from fluxkeep.datamodel.timerange import TimeRange, Window
from fluxkeep.instants import HOUR, MINUTE, Duration, Precision
from fluxkeep.lineprotocol import SeriesMemory, parse
from fluxkeep.logs import configure
from fluxkeep.storage import Engine, StorageOptions

CPU = Compare("_measurement", Op.EQ, "cpu")
FIELDS = ("usage_user", "usage_system", "usage_idle", "usage_nice", "usage_iowait")


def every(ns: int) -> Window:
    return Window(every=Duration(ns=ns), period=Duration(ns=ns))


def scan(reader: Reader, request: ScanRequest) -> int:
    return sum(len(batch.frame) for batch in reader.scan(request).batches)


def fill(engine: Engine, lines: int, hosts: int, state: str) -> None:
    """Write lines and leave them where they are asked for."""
    memory = SeriesMemory()
    source = cpu_lines(lines, hosts)
    written = 0
    while chunk := b"".join(itertools.islice(source, BATCH)):
        batch = parse(chunk, precision=Precision.NS, now_ns=START_NS, memory=memory).batch
        engine.write(BUCKET, batch, chunk, Precision.NS, START_NS)
        written += batch.point_count
        if state == "mixed" and written - batch.point_count < lines // 2 <= written:
            engine.flush()
    if state == "flushed":
        engine.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="what `benchmarks.flush` left; nothing is written")
    parser.add_argument("--state", choices=["flushed", "memory", "mixed"], default="flushed")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--hosts", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="part of the names of the scans to time")
    arguments = parser.parse_args()
    configure("error")
    with tempfile.TemporaryDirectory() as scratch:
        options = StorageOptions(background=False, memtable_bytes_max=1 << 40)
        engine = Engine(arguments.folder or Path(scratch), SystemClock(), options)
        if arguments.folder is None:
            fill(engine, arguments.lines, arguments.hosts, arguments.state)
        measure(engine, arguments.rounds, arguments.only)
        engine.close()


def measure(engine: Engine, rounds: int, only: str) -> None:
    """Print each scan's time."""
    reader = engine.reader(BUCKET.id)
    hour = TimeRange(START_NS, START_NS + HOUR)
    half_day = TimeRange(START_NS, START_NS + 12 * HOUR)
    whole = TimeRange(START_NS, START_NS + 100_000 * STEP_NS)
    host = And((CPU, Compare("hostname", Op.EQ, "host_7")))
    user = ("usage_user",)
    maxima = Aggregate.MAX
    work: dict[str, Callable[[], int]] = {
        "1 host, 1 field, 1 h raw": lambda: scan(reader, ScanRequest(time_range=hour, predicate=host, fields=user)),
        "1 host, 5 fields, max per minute, 12 h": lambda: scan(
            reader,
            ScanRequest(time_range=half_day, predicate=host, fields=FIELDS, aggregate=maxima, window=every(MINUTE)),
        ),
        "last point of 1 field per host": lambda: scan(
            reader, ScanRequest(time_range=whole, predicate=CPU, fields=user, aggregate=Aggregate.LAST)
        ),
        "mean of 1 field per host and hour": lambda: scan(
            reader,
            ScanRequest(time_range=whole, predicate=CPU, fields=user, aggregate=Aggregate.MEAN, window=every(HOUR)),
        ),
        "mean of 10 fields per host and hour": lambda: scan(
            reader, ScanRequest(time_range=whole, predicate=CPU, aggregate=Aggregate.MEAN, window=every(HOUR))
        ),
        "count of everything": lambda: scan(
            reader, ScanRequest(time_range=whole, aggregate=Aggregate.COUNT, group=("_field",))
        ),
        "count of everything, per series": lambda: scan(
            reader, ScanRequest(time_range=whole, aggregate=Aggregate.COUNT)
        ),
        "max of each field of each series": lambda: scan(reader, ScanRequest(time_range=whole, aggregate=maxima)),
        "raw, everything": lambda: scan(reader, ScanRequest(time_range=whole)),
        "tag values": lambda: len(reader.tag_values("hostname", whole)),
        "field keys": lambda: len(reader.field_keys(whole)),
    }
    for name, act in work.items():
        if only not in name:
            continue
        rows = act()
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            act()
            times.append((time.perf_counter() - start) * 1e3)
        print(f"{name:42} {statistics.median(times):9.2f} ms  {min(times):9.2f} best  {rows:>9} rows")


if __name__ == "__main__":
    main()
