"""Turn the WAL's records back into memtable rows.

Parsing a payload again gives the batch that was written; the record says which
of its points were refused, so no check is repeated and none can come out
differently. Deletes that came after a record are applied to its rows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from fluxkeep.datamodel.points import PointBatch
from fluxkeep.errors import Corruption
from fluxkeep.instants import Precision
from fluxkeep.storage.catalog import Catalog
from fluxkeep.storage.columns import Rows, take_rows
from fluxkeep.storage.outcomes import StoredBucket
from fluxkeep.storage.series_index import SeriesIndex
from fluxkeep.storage.shards import Shard
from fluxkeep.storage.wal import PointsRecord, ReplayedSegment, unpack_record
from fluxkeep.storage.write_plan import entering_rows, plan_write

_THREADS = 2
_AHEAD = 4

Decoder: TypeAlias = Callable[[bytes, Precision, int], PointBatch]


@dataclass(frozen=True, slots=True)
class ReplayedPortion:
    """Rows of one record for one partition."""

    sequence: int
    shard: Shard
    index: SeriesIndex
    rows: Rows


def line_protocol_decoder() -> Decoder:
    """The decoder of payloads; series seen before are parsed once."""
    from fluxkeep.lineprotocol import SeriesMemory, parse

    memory = SeriesMemory()
    return lambda payload, precision, now_ns: parse(payload, precision=precision, now_ns=now_ns, memory=memory).batch


def replay(segment: ReplayedSegment, catalog: Catalog, decode: Decoder | None) -> Iterator[ReplayedPortion]:
    """The rows of a segment that are not in data files yet, in order.

    Payloads are unpacked and parsed a few records ahead, on threads of their own: both
    leave the interpreter free. Points of shard groups that were dropped since stay dropped.

    Raises:
        Corruption: A record verifies and yet can't be read.
    """
    pending = [(sequence, raw) for sequence, raw in segment.records if sequence >= catalog.flushed]
    if not pending:
        return
    chosen = decode or line_protocol_decoder()

    def prepare(raw: bytes) -> tuple[PointsRecord, PointBatch]:
        record = unpack_record(raw)
        return record, chosen(record.payload, Precision(record.precision_ns), record.arrival_ns)

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="storage-replay") as pool:
        ahead: deque[tuple[int, Future[tuple[PointsRecord, PointBatch]]]] = deque()
        for sequence, raw in pending:
            ahead.append((sequence, pool.submit(prepare, raw)))
            if len(ahead) > _AHEAD:
                yield from _taken(segment, *ahead.popleft(), catalog)
        while ahead:
            yield from _taken(segment, *ahead.popleft(), catalog)


def _taken(
    segment: ReplayedSegment, sequence: int, future: Future[tuple[PointsRecord, PointBatch]], catalog: Catalog
) -> Iterator[ReplayedPortion]:
    try:
        record, batch = future.result()
    except ValueError as error:
        name = f"wal/{segment.path.name}"
        raise Corruption(f"a record of {name} can't be read: {error}", file=name) from error
    if sequence >= catalog.dropped_at(record.bucket):
        yield from _portions(sequence, record, batch, catalog)


def _portions(sequence: int, record: PointsRecord, batch: PointBatch, catalog: Catalog) -> Iterator[ReplayedPortion]:
    shards = catalog.shards_of(record.bucket)
    plan = plan_write(StoredBucket(record.bucket), batch, record.refused, None, shards, catalog.types)
    for portion in plan.portions:
        catalog.types(portion.shard, portion.batch.measurement).update(portion.claims)
    for shard, index, rows in entering_rows(plan, catalog.index):
        for tombstone in catalog.tombstones(record.bucket):
            if tombstone.sequence > sequence:
                doomed = index.select(tombstone.predicate, "", absent_is_empty=True)[rows.ids]
                doomed &= (rows.time >= tombstone.time_range.start) & (rows.time < tombstone.time_range.stop)
                rows = take_rows(rows, np.flatnonzero(~doomed))
        if len(rows):
            yield ReplayedPortion(sequence, shard, index, rows)
