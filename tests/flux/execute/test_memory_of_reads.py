"""A read that is larger than a query may be is refused while it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl
import pytest

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.memory_account import MemoryExceeded
from fluxkeep.datamodel.memory_reader import MemoryReader
from fluxkeep.datamodel.reader import FieldSeries, Reader, Scan, ScanBatch, ScanRequest
from fluxkeep.flux.engine import Engine
from fluxkeep.flux.sources import BucketInfo

ROWS = 1_000


class Endless(MemoryReader):
    """Batches of a series each, for as long as they are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.given = 0

    def scan(self, request: ScanRequest) -> Scan:
        def batches() -> Iterator[ScanBatch]:
            while True:
                frame = pl.DataFrame(
                    {"series": [0] * ROWS, "time": range(ROWS), "value": [1.5] * ROWS},
                    schema={"series": pl.UInt32, "time": pl.Int64, "value": pl.Float64},
                )
                self.given += 1
                yield ScanBatch(FieldType.FLOAT, frame)

        return Scan([FieldSeries("m", (), "f", FieldType.FLOAT)], batches())


class OneSource:
    """A single bucket."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def reader(self, *, bucket: str | None = None, bucket_id: str | None = None) -> Reader:
        return self._reader

    def buckets(self) -> Sequence[BucketInfo]:
        return []


def test_reading_ends_where_the_limit_is() -> None:
    reader = Endless()
    engine = Engine(memory_bytes_max=10 * ROWS * 20)
    with pytest.raises(MemoryExceeded, match="memory allocation limit reached: limit 200000 bytes"):
        list(engine.run('from(bucket: "b") |> range(start: 0)', now_ns=ROWS, sources=OneSource(reader)))
    assert reader.given == 11
