"""Turn the WAL's records back into memtable rows.

Parsing a payload again gives the batch that was written; the record says which
of its points were refused, so no check is repeated and none can come out
differently. Deletes that came after a record are applied to its rows.

Records of one bucket that follow each other are parsed and entered as one, for
most of what a small one costs does not depend on its size: a log of a million
lines, each a write of its own, is replayed as fast as one of big requests.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.points import PointBatch
from fluxkeep.errors import Corruption
from fluxkeep.ids import BucketID
from fluxkeep.instants import Precision
from fluxkeep.storage.catalog import Catalog
from fluxkeep.storage.columns import Rows, take_rows
from fluxkeep.storage.outcomes import StoredBucket
from fluxkeep.storage.series_index import SeriesIndex
from fluxkeep.storage.shards import Shard
from fluxkeep.storage.wal import ReplayedSegment, record_head, unpack_record
from fluxkeep.storage.write_plan import entering_rows, plan_write

_THREADS = 2
_AHEAD = 4
# Plain bytes of records that are parsed as one: some ten thousand lines, beyond which nothing is gained.
_TOGETHER_BYTES = 2 << 20

Decoder: TypeAlias = Callable[[Sequence[tuple[bytes, int]], Precision], tuple[PointBatch, Sequence[int]]]


@dataclass(frozen=True, slots=True)
class ReplayedPortion:
    """Rows of some records for one partition; `sequence` is the last record's."""

    sequence: int
    shard: Shard
    index: SeriesIndex
    rows: Rows


@dataclass(frozen=True, slots=True)
class _Bucket:
    """What the manifest says of a bucket: records below `dropped_at` are void; sequence numbers of its deletes."""

    id: BucketID
    dropped_at: int
    deletes: Sequence[int]


@dataclass(slots=True)
class _Group:
    """Records of one bucket and precision between two of its deletes, in order."""

    bucket: BucketID
    precision_ns: int
    deletes: int
    records: list[bytes] = field(default_factory=list)
    size: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class _Parsed:
    group: _Group
    batch: PointBatch
    refused: npt.NDArray[np.uint32]


def line_protocol_decoder() -> Decoder:
    """The decoder of payloads with the times they arrived at; series seen before are parsed once.

    It gives the points of all, and how many the first payload has, the first two, and so on.
    """
    from fluxkeep.lineprotocol import SeriesMemory, parse_together

    memory = SeriesMemory()

    def decode(payloads: Sequence[tuple[bytes, int]], precision: Precision) -> tuple[PointBatch, Sequence[int]]:
        parsed = parse_together(payloads, precision=precision, memory=memory)
        return parsed.batch, parsed.ends

    return decode


def replay(segment: ReplayedSegment, catalog: Catalog, decode: Decoder | None) -> Iterator[ReplayedPortion]:
    """The rows of a segment that are not in data files yet; those of one bucket in order.

    Payloads are unpacked and parsed a few groups ahead, on threads of their own: both
    leave the interpreter free. Points of shard groups that were dropped since stay dropped.

    Raises:
        Corruption: A record verifies and yet can't be read.
    """
    pending = [(sequence, raw) for sequence, raw in segment.records if sequence >= catalog.flushed]
    if not pending:
        return
    chosen = decode or line_protocol_decoder()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="storage-replay") as pool:
        ahead: deque[Future[_Parsed]] = deque()
        try:
            for group in _groups(pending, catalog):
                ahead.append(pool.submit(_parse, group, chosen))
                if len(ahead) > _AHEAD:
                    yield from _portions(ahead.popleft().result(), catalog)
            while ahead:
                yield from _portions(ahead.popleft().result(), catalog)
        except ValueError as error:
            name = f"wal/{segment.path.name}"
            raise Corruption(f"a record of {name} can't be read: {error}", file=name) from error


def _groups(pending: Sequence[tuple[int, bytes]], catalog: Catalog) -> Iterator[_Group]:
    """Records put together; a group is given once it is full or one of its bucket comes that can't join."""
    open_groups: dict[int, _Group] = {}
    buckets: dict[int, _Bucket] = {}
    for sequence, raw in pending:
        number, precision_ns, size = record_head(raw)
        bucket = buckets.get(number)
        if bucket is None:
            identifier = BucketID.of(number)
            deletes = sorted(tombstone.sequence for tombstone in catalog.tombstones(identifier))
            bucket = buckets[number] = _Bucket(identifier, catalog.dropped_at(identifier), deletes)
        if sequence < bucket.dropped_at:
            continue
        before = bisect.bisect(bucket.deletes, sequence) if bucket.deletes else 0
        group = open_groups.get(number)
        if group is not None and (group.precision_ns != precision_ns or group.deletes != before):
            yield open_groups.pop(number)
            group = None
        if group is None:
            group = open_groups[number] = _Group(bucket.id, precision_ns, before)
        group.records.append(raw)
        group.size += size
        group.sequence = sequence
        if group.size >= _TOGETHER_BYTES:
            yield open_groups.pop(number)
    yield from open_groups.values()


def _parse(group: _Group, decode: Decoder) -> _Parsed:
    records = [unpack_record(raw) for raw in group.records]
    batch, ends = decode([(r.payload, r.arrival_ns) for r in records], Precision(group.precision_ns))
    refused = [r.refused + np.uint32(first) for r, first in zip(records, (0, *ends), strict=False) if len(r.refused)]
    return _Parsed(group, batch, np.concatenate(refused) if refused else np.empty(0, np.uint32))


def _portions(parsed: _Parsed, catalog: Catalog) -> Iterator[ReplayedPortion]:
    group = parsed.group
    shards = catalog.shards_of(group.bucket)
    plan = plan_write(StoredBucket(group.bucket), parsed.batch, parsed.refused, None, shards, catalog.types)
    for portion in plan.portions:
        catalog.types(portion.shard, portion.batch.measurement).update(portion.claims)
    for shard, index, rows in entering_rows(plan, catalog.index):
        for tombstone in catalog.tombstones(group.bucket):
            if tombstone.sequence > group.sequence:
                doomed = index.select(tombstone.predicate, "", absent_is_empty=True)[rows.ids]
                doomed &= (rows.time >= tombstone.time_range.start) & (rows.time < tombstone.time_range.stop)
                rows = take_rows(rows, np.flatnonzero(~doomed))
        if len(rows):
            yield ReplayedPortion(group.sequence, shard, index, rows)
