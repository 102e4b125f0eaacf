"""Write, flush, compaction and replay: lines a second, bytes a value, peak memory.

    python -m benchmarks.flush [--lines 1000000] [--data cpu|cpu-noise|mixed|mixed-noise] [--folder DIR]

Data: see `benchmarks.data`, fixed seed, 5 000 lines a request, one writer,
every request synced. The folder is kept if named, for `benchmarks.scan`.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.data import START_NS, cpu_lines, cpu_noise_lines, mixed_lines, mixed_noise_lines
from fluxkeep.clock import SystemClock
from fluxkeep.ids import BucketID
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol import SeriesMemory, parse
from fluxkeep.logs import configure
from fluxkeep.storage import Engine, StorageOptions, StoredBucket

BUCKET = StoredBucket(BucketID("00000000000000aa"))
BATCH = 5_000
DATA: dict[str, Callable[[int], Iterator[bytes]]] = {
    "cpu-noise": cpu_noise_lines,
    "cpu": cpu_lines,
    "mixed-noise": mixed_noise_lines,
    "mixed": mixed_lines,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--data", choices=list(DATA), default="cpu")
    arguments = parser.parse_args()
    configure("error")
    folder = arguments.folder or Path(tempfile.mkdtemp())
    shutil.rmtree(folder, ignore_errors=True)
    lines = DATA[arguments.data](arguments.lines)
    payloads = [b"".join(batch) for batch in iter(lambda: list(itertools.islice(lines, BATCH)), [])]
    before = _memory()
    engine = Engine(folder, SystemClock(), StorageOptions())
    parsing, values, waits = 0.0, 0, []
    memory = SeriesMemory()
    cpu = time.process_time()
    began = time.perf_counter()
    for payload in payloads:
        start = time.perf_counter()
        batch = parse(payload, precision=Precision.NS, now_ns=START_NS, memory=memory).batch
        middle = time.perf_counter()
        parsing += middle - start
        engine.write(BUCKET, batch, payload, Precision.NS, START_NS)
        waits.append(time.perf_counter() - start)
        values += sum(
            int(f.valid.sum()) if f.valid is not None else len(m) for m in batch.measurements for f in m.fields
        )
    written = time.perf_counter() - began
    start = time.perf_counter()
    engine.flush()
    flushed = time.perf_counter() - start
    start = time.perf_counter()
    while engine.compact():
        pass
    compacted = time.perf_counter() - start
    cpu = time.process_time() - cpu
    engine.close()
    size = sum(path.stat().st_size for path in (folder / "data").rglob("*.parquet"))
    waits.sort()
    print(f"lines            {arguments.lines}")
    print(f"write            {written:.2f} s, {arguments.lines / written:,.0f} lines/s, of it parsing {parsing:.2f} s")
    print(f"request p50 p99  {waits[len(waits) // 2] * 1e3:.1f} {waits[len(waits) * 99 // 100] * 1e3:.1f} ms")
    print(f"last flush       {flushed:.2f} s, compaction {compacted:.2f} s, CPU in all {cpu:.2f} s")
    print(f"disk             {size:,} bytes, {size / values:.3f} bytes a value")
    print(f"peak memory      {_memory():.0f} MB, before writing {before:.0f} MB")
    start = time.perf_counter()
    Engine(folder, SystemClock(), StorageOptions(background=False)).close()
    print(f"open and close   {(time.perf_counter() - start) * 1e3:.0f} ms")
    if arguments.folder is None:
        shutil.rmtree(folder)


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
