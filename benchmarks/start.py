"""Start: replay of the log in lines a second, and opening a gigabyte of data files.

    python -m benchmarks.start [--lines 1000000] [--data-mb 1000] [--rounds 5]

Each log is written through the engine, every request synced, by a process that ends without a flush as a kill would
end it: `cpu` and mixed lines in requests of 5 000, and `cpu` lines in requests of one. Then fresh processes open it:
the least time of some, and its processor time, over all threads. For the gigabyte, rows of 1 000 series with ten
floats of noise are written until the data files are that big, closed and opened again; then a log of `cpu` lines as
big as a memtable becomes before it is flushed comes on top.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks.data import START_NS, STEP_NS, cpu_lines, mixed_lines
from benchmarks.flush import BATCH, BUCKET
from fluxkeep.clock import SystemClock
from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.points import FieldColumn, MeasurementBatch, PointBatch
from fluxkeep.datamodel.series import Series
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol import SeriesMemory, parse
from fluxkeep.logs import configure
from fluxkeep.storage import Engine, StorageOptions

MB = 1_000_000
SERIES = 1_000
ROUND = 100
UNFLUSHED = StorageOptions(background=False, memtable_bytes_max=1 << 40, memtable_flush_bytes=1 << 40)
LOGS: dict[str, tuple[Callable[[int], Iterator[bytes]], int, int]] = {
    "cpu": (cpu_lines, BATCH, 1),
    "mixed": (mixed_lines, BATCH, 1),
    "cpu, one line a write": (cpu_lines, 1, 20),
}


def fill_log(folder: Path, kind: str, lines: int) -> None:
    """Write lines and end as a kill ends a process."""
    configure("error")
    source, batch, _ = LOGS[kind]
    made = source(lines)
    engine = Engine(folder, SystemClock(), UNFLUSHED)
    memory = SeriesMemory()
    while chunk := b"".join(itertools.islice(made, batch)):
        points = parse(chunk, precision=Precision.NS, now_ns=START_NS, memory=memory).batch
        engine.write(BUCKET, points, chunk, Precision.NS, START_NS)
    os._exit(0)


def fill_files(folder: Path, size: int) -> None:
    """Write rows of noise until the data files have a size, and close."""
    configure("error")
    engine = Engine(folder, SystemClock(), StorageOptions(write_wait_seconds_max=60))
    draw = np.random.default_rng(1)
    series = tuple(Series("noise", (("host", f"host_{i}"),)) for i in range(SERIES))
    rows = SERIES * ROUND
    index = np.tile(np.arange(SERIES, dtype=np.uint32), ROUND)
    for turn in itertools.count():
        if not turn % 10 and data_bytes(folder) >= size:
            break
        times = START_NS + STEP_NS * (turn * ROUND + np.arange(rows, dtype=np.int64) // SERIES)
        fields = tuple(FieldColumn(f"f{i}", FieldType.FLOAT, draw.normal(size=rows), None) for i in range(10))
        part = MeasurementBatch("noise", series, index, times, np.arange(rows, dtype=np.uint32), fields)
        engine.write(BUCKET, PointBatch((part,)), b"", Precision.NS, START_NS)
    engine.close()


def open_once(folder: Path, options: StorageOptions, told: Connection) -> None:
    """Tell the wall and processor seconds that opening takes; leave all as it was."""
    configure("error")
    cpu, began = time.process_time(), time.perf_counter()
    Engine(folder, SystemClock(), options)
    told.send((time.perf_counter() - began, time.process_time() - cpu))
    os._exit(0)


def opened(folder: Path, options: StorageOptions, rounds: int) -> tuple[float, float]:
    """The least wall and processor seconds of some fresh processes."""
    found: list[tuple[float, float]] = []
    for _ in range(rounds):
        ours, theirs = multiprocessing.Pipe()
        in_process(open_once, folder, options, theirs)
        found.append(ours.recv())
    return min(wall for wall, _ in found), min(cpu for _, cpu in found)


def in_process(work: Callable[..., None], *arguments: object) -> None:
    """Run in a fresh process."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{work.__name__} failed")


def data_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "data").rglob("*.parquet"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--data-mb", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for kind, (_, _, divisor) in LOGS.items():
        lines = arguments.lines // divisor
        with tempfile.TemporaryDirectory(prefix="start-") as name:
            folder = Path(name)
            in_process(fill_log, folder, kind, lines)
            wall, cpu = opened(folder, UNFLUSHED, arguments.rounds)
        print(
            f"replay {kind}: {lines:,} lines in {wall:.2f} s, {lines / wall:,.0f} lines/s;"
            f" {lines / cpu:,.0f} for a second of CPU",
            flush=True,
        )
    if arguments.data_mb:
        with tempfile.TemporaryDirectory(prefix="start-") as name:
            folder = Path(name)
            in_process(fill_files, folder, arguments.data_mb * MB)
            wall, cpu = opened(folder, StorageOptions(background=False), arguments.rounds)
            count = len(list((folder / "data").rglob("*.parquet"))) // 2
            print(f"open {data_bytes(folder) / MB:,.0f} MB in {count} files: {wall:.3f} s, CPU {cpu:.3f} s")
            in_process(fill_log, folder, "cpu", arguments.lines)
            wall, cpu = opened(folder, UNFLUSHED, arguments.rounds)
            print(f"and {arguments.lines:,} lines of log after a kill: {wall:.2f} s, CPU {cpu:.2f} s")


if __name__ == "__main__":
    main()
