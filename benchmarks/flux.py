"""The Flux engine alone, on a reader that hands out columns from memory: what operators and encoding cost.

10 000 series of 100 rows, and 100 series of 10 000 rows: a million rows each. Best of three, in milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.memory_reader import MemoryReader
from fluxkeep.datamodel.reader import FieldSeries, Reader, Scan, ScanBatch, ScanRequest
from fluxkeep.flux.engine import Engine
from fluxkeep.flux.sources import BucketInfo
from fluxkeep.formats.annotated_csv import encode
from fluxkeep.instants import SECOND

STEP_NS = 10 * SECOND


class ColumnReader(MemoryReader):
    """One field of many hosts, made once; answers scans without aggregates, which is all that is measured here."""

    def __init__(self, hosts: int, rows: int) -> None:
        super().__init__()
        self._series = [
            FieldSeries("cpu", (("host", f"host_{i:05d}"), ("region", f"r{i % 5}")), "usage", FieldType.FLOAT)
            for i in range(hosts)
        ]
        values = np.random.default_rng(1).normal(50, 10, hosts * rows).round(3)
        self._frame = pl.DataFrame(
            {
                "series": np.repeat(np.arange(hosts, dtype=np.uint32), rows),
                "time": np.tile(np.arange(rows, dtype=np.int64) * STEP_NS, hosts),
                "value": values,
            }
        )

    def scan(self, request: ScanRequest) -> Scan:  # noqa: ARG002 - the protocol's
        """Everything, whatever is asked."""

        def batches() -> Iterator[ScanBatch]:
            yield ScanBatch(FieldType.FLOAT, self._frame)

        return Scan(self._series, batches())


class OneSource:
    """A single bucket."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def reader(self, *, bucket: str | None = None, bucket_id: str | None = None) -> Reader:  # noqa: ARG002 - likewise
        """It."""
        return self._reader

    def buckets(self) -> Sequence[BucketInfo]:
        """None are listed."""
        return []


READ = 'from(bucket: "b") |> range(start: 0, stop: {stop})'
QUERIES = {
    "read": f"{READ}",
    "filter rows": f"{READ} |> filter(fn: (r) => r._value * 2.0 > 120.0)",
    "map": f"{READ} |> map(fn: (r) => ({{{{r with _value: r._value * 1.8 + 32.0}}}}))",
    "window mean": f"{READ} |> map(fn: (r) => r) |> aggregateWindow(every: 1m, fn: mean)",
    "group mean": f'{READ} |> group(columns: ["region"]) |> mean()',
    "sort top": f"{READ} |> top(n: 3)",
    "derivative": f"{READ} |> derivative(unit: 1s, nonNegative: true)",
    "pivot": f'{READ} |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")',
}


def run() -> None:
    """Print a line for each query and shape: tables without and with the encoding of the answer."""
    for hosts, rows in ((10_000, 100), (100, 10_000)):
        sources = OneSource(ColumnReader(hosts, rows))
        print(f"{hosts} series of {rows} rows")
        for name, text in QUERIES.items():
            script = text.format(stop=rows * STEP_NS // SECOND)
            tables, csv = (min(_timed(script, sources, encoded=e) for _ in range(3)) for e in (False, True))
            print(f"  {name:14} {tables:8.1f} ms   with CSV {csv:8.1f} ms")


def _timed(text: str, sources: OneSource, *, encoded: bool) -> float:
    begin = time.perf_counter()
    results = Engine(push_down=False).run(text, now_ns=0, sources=sources)
    if encoded:
        sum(len(piece) for piece in encode(results))
    else:
        list(results)
    return (time.perf_counter() - begin) * 1000


if __name__ == "__main__":
    run()
