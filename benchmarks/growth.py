"""How the store behaves as it grows: points in steps, series by the hundred thousand, memory per series.

    python -m benchmarks.growth [--points 50000000] [--hosts 1000 100000] [--series 1000000] [--steady 20000000]

Lines of `cpu` data (10 values each) through the parser and the engine, one writer, every request synced, flush
and compaction beside it. After each eighth, quarter, half and the whole: the rate of that step, what it takes on
the device and in memory, and what a question costs the Reader once nothing is left to merge: the least processor
time of some, which other work on the machine hardly moves. A question of one host should not grow, a scan of
everything grow as the data does. Then so many series of one point each, for the
memory that a series takes; and so many lines without a pause, a row for each tenth, for the rate beside flush
and compaction as the data grows. Making the lines is neither in the rate nor in the processor time.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.data import START_NS, STEP_NS, cpu_lines
from benchmarks.flush import BATCH, BUCKET
from benchmarks.scan import CPU, every, scan
from fluxkeep.clock import SystemClock
from fluxkeep.datamodel.predicates import And, Compare, Op
from fluxkeep.datamodel.reader import Aggregate, Reader, ScanRequest
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.instants import HOUR, Precision
from fluxkeep.lineprotocol import SeriesMemory, parse
from fluxkeep.logs import configure
from fluxkeep.storage import Engine, StorageOptions

VALUES = 10
STEPS = (8, 4, 2, 1)
SETTLE_SECONDS = 2.0
WHOLE = TimeRange(START_NS, START_NS + 10_000_000 * STEP_NS)
USER = ("usage_user",)


def questions(reader: Reader) -> dict[str, Callable[[], object]]:
    """What is timed, by the heading of its column."""
    host = And((CPU, Compare("hostname", Op.EQ, "host_7")))
    hour = TimeRange(START_NS, START_NS + HOUR)
    return {
        "1 host 1 h": lambda: scan(reader, ScanRequest(time_range=hour, predicate=host, fields=USER)),
        "1 host last": lambda: scan(
            reader, ScanRequest(time_range=WHOLE, predicate=host, fields=USER, aggregate=Aggregate.LAST)
        ),
        "all last": lambda: scan(
            reader, ScanRequest(time_range=WHOLE, predicate=CPU, fields=USER, aggregate=Aggregate.LAST)
        ),
        "mean/h": lambda: scan(
            reader,
            ScanRequest(time_range=WHOLE, predicate=CPU, fields=USER, aggregate=Aggregate.MEAN, window=every(HOUR)),
        ),
        "count": lambda: scan(reader, ScanRequest(time_range=WHOLE, aggregate=Aggregate.COUNT, group=("_field",))),
        "tag values": lambda: len(reader.tag_values("region", WHOLE)),
    }


def resident_mb() -> float:
    """Memory of this process now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the system does not tell")


def points(total: int, hosts: int, rounds: int) -> None:
    """Print a row for each step towards a number of points."""
    lines = total // VALUES
    source = cpu_lines(lines, hosts)
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        engine = Engine(Path(folder), SystemClock(), StorageOptions())
        memory = SeriesMemory()
        asked = questions(engine.reader(BUCKET.id))
        print(f"\n{hosts:,} series of 10 fields")
        print(
            f"{'points':>12} {'lines/s':>9} {'MB':>6} {'B/value':>8} {'files':>6}" + "".join(f"{n:>13}" for n in asked)
        )
        written = 0
        for step in STEPS:
            busy = 0.0
            began = written
            while written < lines // step and (chunk := b"".join(itertools.islice(source, BATCH))):
                start = time.perf_counter()
                batch = parse(chunk, precision=Precision.NS, now_ns=START_NS, memory=memory).batch
                engine.write(BUCKET, batch, chunk, Precision.NS, START_NS)
                busy += time.perf_counter() - start
                written += batch.point_count
            engine.flush()
            while engine.compact():
                pass
            # A merge that the background has done lets its sources go a moment after it was committed.
            time.sleep(SETTLE_SECONDS)
            size, files = taken(Path(folder), "*.parquet")
            times = "".join(f"{least_ms(ask, rounds):>10.2f} ms" for ask in asked.values())
            print(
                f"{written * VALUES:>12,} {(written - began) / busy:>9,.0f} {resident_mb():>6.0f}"
                f" {size / written / VALUES:>8.3f} {files // 2:>6}{times}",
                flush=True,
            )
        engine.close()


def least_ms(ask: Callable[[], object], rounds: int) -> float:
    ask()
    times = []
    for _ in range(rounds):
        start = time.process_time()
        ask()
        times.append((time.process_time() - start) * 1e3)
    return min(times)


def series(count: int) -> None:
    """Print the memory that series of three tags and one point each take, written, flushed and read back."""
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        engine = Engine(Path(folder), SystemClock(), StorageOptions())
        memory = SeriesMemory()
        gc.collect()
        before = resident_mb()
        start = time.perf_counter()
        for first in range(0, count, BATCH):
            body = "".join(
                f"m,host=host_{i % 1_000},process=process_{i},zone=z{i % 7} v={i}i {START_NS}\n"
                for i in range(first, min(first + BATCH, count))
            ).encode()
            batch = parse(body, precision=Precision.NS, now_ns=START_NS, memory=memory).batch
            engine.write(BUCKET, batch, body, Precision.NS, START_NS)
        written = time.perf_counter() - start
        engine.flush()
        gc.collect()
        held = resident_mb()
        found = engine.reader(BUCKET.id).cardinality()
        print(f"\n{found:,} series of one point each: {count / written:,.0f} new series a second")
        print(f"memory {held - before:.0f} MB, {(held - before) * 1024 * 1024 / count:.0f} bytes a series")
        one = Compare("process", Op.EQ, f"process_{count // 2}")
        reader = engine.reader(BUCKET.id)
        print(f"one of them by a tag: {least_ms(lambda: scan(reader, ScanRequest(predicate=one)), 5):.1f} ms")
        engine.close()


def steady(total: int) -> None:
    """Print a row for each tenth of so many lines, written one request after the other."""
    source = cpu_lines(total)
    with tempfile.TemporaryDirectory(prefix="growth-") as folder:
        engine = Engine(Path(folder), SystemClock(), StorageOptions())
        memory = SeriesMemory()
        print(f"\n{total:,} lines without a pause, 1,000 series of 10 fields")
        print(
            f"{'lines':>12} {'lines/s':>9} {'CPU s/M':>8} {'p50 ms':>7} {'p99 ms':>7} {'most ms':>8} {'MB':>6}"
            f" {'B/value':>8} {'log MB':>7} {'files':>6}"
        )
        written = 0
        while written < total:
            began, cpu, waits = written, time.process_time(), list[float]()
            while written < min(began + total // 10, total):
                making = time.thread_time()
                chunk = b"".join(itertools.islice(source, BATCH))
                cpu += time.thread_time() - making
                start = time.perf_counter()
                batch = parse(chunk, precision=Precision.NS, now_ns=START_NS, memory=memory).batch
                engine.write(BUCKET, batch, chunk, Precision.NS, START_NS)
                waits.append(time.perf_counter() - start)
                written += batch.point_count
            cpu = time.process_time() - cpu
            done = written - began
            rate = done / sum(waits)
            waits.sort()
            size, files = taken(Path(folder), "*.parquet")
            log, _ = taken(Path(folder), "*.wal")
            print(
                f"{written:>12,} {rate:>9,.0f} {cpu / done * 1e6:>8.2f} {waits[len(waits) // 2] * 1e3:>7.1f}"
                f" {waits[len(waits) * 99 // 100] * 1e3:>7.1f} {waits[-1] * 1e3:>8.0f} {resident_mb():>6.0f}"
                f" {size / written / VALUES:>8.3f} {log / 1e6:>7.0f} {files // 2:>6}",
                flush=True,
            )
        engine.close()


def taken(folder: Path, pattern: str) -> tuple[int, int]:
    """Bytes and number of the files that are there; the engine may remove some meanwhile."""
    sizes: list[int] = []
    for path in folder.rglob(pattern):
        with contextlib.suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return sum(sizes), len(sizes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--hosts", type=int, nargs="*", default=[1_000, 100_000])
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--steady", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    configure("error")
    for hosts in arguments.hosts:
        points(arguments.points, hosts, arguments.rounds)
    if arguments.series:
        series(arguments.series)
    if arguments.steady:
        steady(arguments.steady)


if __name__ == "__main__":
    main()
