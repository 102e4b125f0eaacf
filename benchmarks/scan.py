"""Scans of the store's Reader over what `benchmarks.flush --folder DIR` left: median milliseconds.

python -m benchmarks.flush --folder DIR && python -m benchmarks.scan DIR
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.data import START_NS, STEP_NS
from benchmarks.flush import BUCKET
from fluxkeep.clock import SystemClock
from fluxkeep.datamodel.predicates import And, Compare, Op
from fluxkeep.datamodel.reader import Aggregate, Reader, ScanRequest
from fluxkeep.datamodel.timerange import TimeRange, Window
from fluxkeep.instants import HOUR, MINUTE, Duration
from fluxkeep.logs import configure
from fluxkeep.storage import Engine, StorageOptions

CPU = Compare("_measurement", Op.EQ, "cpu")
FIELDS = ("usage_user", "usage_system", "usage_idle", "usage_nice", "usage_iowait")


def every(ns: int) -> Window:
    return Window(every=Duration(ns=ns), period=Duration(ns=ns))


def scan(reader: Reader, request: ScanRequest) -> int:
    return sum(len(batch.frame) for batch in reader.scan(request).batches)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    configure("error")
    engine = Engine(arguments.folder, SystemClock(), StorageOptions(background=False))
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
        rows = act()
        times = []
        for _ in range(arguments.rounds):
            start = time.perf_counter()
            act()
            times.append((time.perf_counter() - start) * 1e3)
        print(f"{name:42} {statistics.median(times):9.2f} ms  {min(times):9.2f} best  {rows:>9} rows")
    engine.close()


if __name__ == "__main__":
    main()
