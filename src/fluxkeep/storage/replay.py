"""Turn the WAL's records back into memtable rows.

Parsing a payload again gives the batch that was written; the record says which
of its points were refused, so no check is repeated and none can come out
differently. Deletes that came after a record are applied to its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.points import Int64s, PointBatch
from fluxkeep.instants import Precision
from fluxkeep.storage.catalog import Catalog
from fluxkeep.storage.columns import Column, Rows, take_rows
from fluxkeep.storage.outcomes import StoredBucket
from fluxkeep.storage.series_index import SeriesIndex
from fluxkeep.storage.shards import Shard
from fluxkeep.storage.wal import PointsRecord, ReplayedSegment
from fluxkeep.storage.write_plan import plan_write

Decoder: TypeAlias = Callable[[bytes, Precision, int], PointBatch]


@dataclass(frozen=True, slots=True)
class ReplayedPortion:
    """Rows of one record for one partition."""

    sequence: int
    shard: Shard
    index: SeriesIndex
    ids: npt.NDArray[np.uint32]
    time: Int64s
    columns: dict[str, Column]


def line_protocol_decoder() -> Decoder:
    """The decoder of payloads; series seen before are parsed once."""
    from fluxkeep.lineprotocol import SeriesMemory, parse

    memory = SeriesMemory()
    return lambda payload, precision, now_ns: parse(payload, precision=precision, now_ns=now_ns, memory=memory).batch


def replay(segment: ReplayedSegment, catalog: Catalog, decode: Decoder | None) -> Iterator[ReplayedPortion]:
    """The rows of a segment that are not in data files yet, in order.

    Points of shard groups that were dropped since stay dropped.
    """
    for sequence, record in segment.records:
        if sequence < catalog.flushed or sequence < catalog.dropped_at(record.bucket):
            continue
        if decode is None:
            decode = line_protocol_decoder()
        yield from _portions(sequence, record, catalog, decode)


def _portions(sequence: int, record: PointsRecord, catalog: Catalog, decode: Decoder) -> Iterator[ReplayedPortion]:
    batch = decode(record.payload, Precision(record.precision_ns), record.arrival_ns)
    shards = catalog.shards_of(record.bucket)
    plan = plan_write(StoredBucket(record.bucket), batch, record.refused, None, shards, catalog.types)
    for portion in plan.portions:
        measurement = portion.batch.measurement
        catalog.types(portion.shard, measurement).update(portion.claims)
        index = catalog.index(record.bucket, measurement)
        ids = index.ids([series.tags for series in portion.batch.series])[portion.batch.series_index]
        at = portion.rows
        rows = Rows(
            ids if at is None else ids[at],
            portion.batch.time if at is None else portion.batch.time[at],
            portion.columns(),
        )
        for tombstone in catalog.tombstones(record.bucket):
            if tombstone.sequence > sequence:
                doomed = index.select(tombstone.predicate, "", absent_is_empty=True)[rows.ids]
                doomed &= (rows.time >= tombstone.time_range.start) & (rows.time < tombstone.time_range.stop)
                rows = take_rows(rows, np.flatnonzero(~doomed))
        if len(rows):
            yield ReplayedPortion(sequence, portion.shard, index, rows.ids, rows.time, rows.columns)
