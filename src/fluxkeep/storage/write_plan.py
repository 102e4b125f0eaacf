"""Which points of a write are taken: retention, shard groups, field types.

Pure: it looks at a batch and at what is known of the shard groups, and decides.

Source: http-api.md §6.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.points import FieldColumn, MeasurementBatch, PointBatch
from fluxkeep.ids import BucketID
from fluxkeep.storage.columns import Column, Positions, Rows, concatenate_rows, take, take_rows
from fluxkeep.storage.outcomes import BeyondRetention, Refusal, RefusedPoint, StoredBucket, TypeConflicts
from fluxkeep.storage.series_index import SeriesIndex
from fluxkeep.storage.shards import Shard, ShardMap

Mask = npt.NDArray[np.bool_]
Schema = Mapping[str, FieldType]

# Quirk: a field of this name is dropped from every point. Source: http-api.md §6.5.
_TIME_FIELD = "time"


@dataclass(frozen=True, slots=True)
class Portion:
    """The accepted rows of one measurement that fall into one shard group.

    Attributes:
        shard: The group.
        batch: The measurement's batch.
        rows: Positions in the batch; None for all of it.
        fields: The columns that have values there, one per name.
        claims: Fields that the group did not know yet, and their types.
    """

    shard: Shard
    batch: MeasurementBatch
    rows: Positions | None
    fields: Sequence[FieldColumn]
    claims: Schema

    def columns(self) -> dict[str, Column]:
        """The rows' columns."""
        columns = {}
        for f in self.fields:
            column = Column(f.type, f.values, f.valid)
            if self.rows is not None:
                column = take(column, self.rows)
                if column.valid is not None and column.valid.all():
                    column = Column(column.type, column.values, None)
            columns[f.name] = column
        return columns


@dataclass(frozen=True, slots=True)
class WritePlan:
    """What a write becomes.

    Attributes:
        portions: What to store.
        accepted: How many points that is.
        refused: Ordinals of the refused points, ascending.
        refusals: Why.
    """

    portions: Sequence[Portion]
    accepted: int
    refused: npt.NDArray[np.uint32]
    refusals: tuple[Refusal, ...]


@dataclass(slots=True)
class _Conflict:
    line: int
    measurement: str
    field: str
    new: FieldType
    existing: FieldType


def retention_bound(bucket: StoredBucket, now_ns: int) -> int | None:
    """The oldest instant that a bucket takes now; None if it takes all."""
    return now_ns - bucket.retention_ns if bucket.retention_ns else None


def times_of(batch: PointBatch, bound: int | None) -> npt.NDArray[np.int64]:
    """The times of the points that retention lets through."""
    times = [m.time if bound is None else m.time[m.time >= bound] for m in batch.measurements]
    return np.concatenate(times) if times else np.empty(0, np.int64)


def plan_write(
    bucket: StoredBucket,
    batch: PointBatch,
    refused: npt.NDArray[np.uint32],
    bound: int | None,
    shards: ShardMap,
    schema: Callable[[Shard, str], Schema],
) -> WritePlan:
    """Decide about every point of a write.

    Args:
        bucket: Where to.
        batch: The points.
        refused: Ordinals of points refused before; ascending.
        bound: From `retention_bound`.
        shards: Holds a group for every time that is not too old.
        schema: The types known for a measurement in a shard group.
    """
    portions: list[Portion] = []
    dropped: list[npt.NDArray[np.uint32]] = [refused]
    old: list[tuple[int, int, str]] = []
    conflicts: dict[int, tuple[Shard, int, _Conflict]] = {}
    claims: dict[tuple[int, str], dict[str, FieldType]] = {}
    accepted = 0
    for m in batch.measurements:
        alive = _alive(m, refused, bound)
        if alive is not None and bound is not None:
            late = np.flatnonzero(m.time < bound)
            late = late[~np.isin(m.line[late], refused)] if len(refused) else late
            dropped.append(m.line[late])
            old += [(int(m.time[i]), int(m.line[i]), m.series[int(m.series_index[i])].key) for i in late.tolist()]
        for shard, rows in _by_shard(m, alive, shards):
            # A sparse measurement comes in several batches; what the earlier ones claim holds for the later.
            claimed = claims.setdefault((shard.id, m.measurement), {})
            known = schema(shard, m.measurement)
            portion, lost, first = _typed(m, shard, rows, {**known, **claimed} if claimed else known)
            if first is not None:
                _, count, former = conflicts.get(shard.id, (shard, 0, first))
                keep = former if former.line <= first.line else first
                conflicts[shard.id] = (shard, count + len(lost), keep)
                dropped.append(m.line[lost])
            if portion is not None:
                portions.append(portion)
                claimed.update(portion.claims)
                accepted += len(m) if portion.rows is None else len(portion.rows)
    refusals: list[Refusal] = [
        TypeConflicts(shard.id, count, c.line, c.measurement, c.field, c.new, c.existing)
        for shard, count, c in sorted(conflicts.values(), key=lambda entry: entry[0].start)
    ]
    if old and bound is not None:
        oldest, newest = min(old), max(old, key=lambda entry: (entry[0], -entry[1]))
        refusals.append(
            BeyondRetention(
                len(old),
                bucket.retention_ns,
                bound,
                RefusedPoint(oldest[2], oldest[0]),
                RefusedPoint(newest[2], newest[0]),
            )
        )
    all_refused = refused if len(dropped) == 1 else np.unique(np.concatenate(dropped))
    return WritePlan(portions, accepted, all_refused, tuple(refusals))


def entering_rows(
    plan: WritePlan, index_of: Callable[[BucketID, str], SeriesIndex]
) -> list[tuple[Shard, SeriesIndex, Rows]]:
    """The rows of a plan for each partition, in the order of the request's lines.

    A measurement that comes in several batches is put together again: of two lines with
    the same series and time the later one must win whatever batch it is in.
    """
    by_partition: dict[tuple[int, str], list[Portion]] = {}
    for portion in plan.portions:
        by_partition.setdefault((portion.shard.id, portion.batch.measurement), []).append(portion)
    entering: list[tuple[Shard, SeriesIndex, Rows]] = []
    for portions in by_partition.values():
        shard, measurement = portions[0].shard, portions[0].batch.measurement
        index = index_of(shard.bucket, measurement)
        rows = concatenate_rows([_rows_of(portion, index) for portion in portions])
        if len(portions) > 1:
            lines = np.concatenate([p.batch.line if p.rows is None else p.batch.line[p.rows] for p in portions])
            rows = take_rows(rows, np.argsort(lines, kind="stable"))
        entering.append((shard, index, rows))
    return entering


def _rows_of(portion: Portion, index: SeriesIndex) -> Rows:
    batch, at = portion.batch, portion.rows
    ids = index.ids_of(batch)
    row_ids = ids[batch.series_index] if at is None else ids[batch.series_index[at]]
    return Rows(row_ids, batch.time if at is None else batch.time[at], portion.columns())


def _alive(m: MeasurementBatch, refused: npt.NDArray[np.uint32], bound: int | None) -> Mask | None:
    """The rows that are neither refused nor too old; None for all."""
    alive: Mask | None = None
    if len(refused):
        alive = ~np.isin(m.line, refused)
    if bound is not None and len(m) and int(m.time.min()) < bound:
        young = m.time >= bound
        alive = young if alive is None else alive & young
    return None if alive is None or bool(alive.all()) else alive


def _by_shard(m: MeasurementBatch, alive: Mask | None, shards: ShardMap) -> list[tuple[Shard, Positions | None]]:
    """The rows of each shard group, in order of time; None for all rows."""
    if not len(m):
        return []
    if alive is None:
        first = shards.find(int(m.time.min()))
        if first is not None and int(m.time.max()) < first.stop:
            return [(first, None)]
    rows = np.arange(len(m)) if alive is None else np.flatnonzero(alive)
    times = m.time[rows]
    found: list[tuple[Shard, Positions | None]] = []
    for shard in shards.all():
        hit = rows[(times >= shard.start) & (times < shard.stop)]
        if len(hit):
            found.append((shard, hit))
    return found


def _typed(
    m: MeasurementBatch, shard: Shard, rows: Positions | None, known: Schema
) -> tuple[Portion | None, Positions, _Conflict | None]:
    """The rows whose fields have the group's types; those that do not, and the first conflict."""
    names = [f.name for f in m.fields if f.name != _TIME_FIELD]
    simple = len(set(names)) == len(names) and all(known.get(f.name, f.type) is f.type for f in m.fields)
    if simple and rows is None:
        fields = [f for f in m.fields if f.name != _TIME_FIELD]
        claims = {f.name: f.type for f in fields if f.name not in known}
        rows = _with_fields(fields, None, len(m))
        if rows is not None and not len(rows):
            return None, _none(), None
        return Portion(shard, m, rows, fields, claims), _none(), None
    at = np.arange(len(m)) if rows is None else rows
    present = {i: at if f.valid is None else at[f.valid[at]] for i, f in enumerate(m.fields) if f.name != _TIME_FIELD}
    winners = dict(known)
    # Of several types for a new field the earliest point's counts.
    for i in sorted((i for i in present if len(present[i])), key=lambda i: int(m.line[present[i]].min())):
        winners.setdefault(m.fields[i].name, m.fields[i].type)
    lost = _none()
    first: _Conflict | None = None
    for i, hit in present.items():
        f = m.fields[i]
        if len(hit) and winners[f.name] is not f.type:
            lost = np.union1d(lost, hit)
            line = int(m.line[hit].min())
            if first is None or line < first.line:
                first = _Conflict(line, m.measurement, f.name, f.type, winners[f.name])
    kept = at if not len(lost) else np.setdiff1d(at, lost)
    fields = [f for i, f in enumerate(m.fields) if i in present and winners.get(f.name) is f.type]
    fields = [f for f in fields if f.valid is None or bool(f.valid[kept].any())]
    alive = _with_fields(fields, kept, len(m))
    kept = kept if alive is None else alive
    if not len(kept) or not fields:
        return None, lost, first
    claims = {f.name: f.type for f in fields if f.name not in known}
    return Portion(shard, m, None if len(kept) == len(m) else kept, fields, claims), lost, first


def _with_fields(fields: Sequence[FieldColumn], rows: Positions | None, count: int) -> Positions | None:
    """The rows that have any field left; None if that leaves the rows as they were."""
    if any(f.valid is None for f in fields):
        return None
    any_valid = np.zeros(count, np.bool_)
    for f in fields:
        assert f.valid is not None
        any_valid |= f.valid
    if rows is None:
        return None if bool(any_valid.all()) else np.flatnonzero(any_valid)
    hit = any_valid[rows]
    return None if bool(hit.all()) else rows[hit]


def _none() -> Positions:
    return np.empty(0, np.int64)
