"""Aggregates that need not read every row: counts from the indexes, first and last rows by position.

What follows each other in time is looked at one by one: shard groups, and within
one its files and memory, unless they overlap. A part is plain when it is one sorted run,
a file's or memory's, of which no delete hides a row. There the index knows each
series' count, and where its first and last row stand, if the range holds what is
asked; the last of a series is looked for from the newest part backwards. All other
series and parts are read as usual.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.points import Int64s, Strings
from fluxkeep.datamodel.reader import Aggregate, ScanRequest
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.storage.aggregates import Partials, edges_of, reduce
from fluxkeep.storage.columns import Column, concatenate, take
from fluxkeep.storage.plan import Plan
from fluxkeep.storage.sources import FileSource, Part, RunSource, ShardSources, column_key, parts_of

Mask = npt.NDArray[np.bool_]
Ids = npt.NDArray[np.uint32]

# Ids, times and values of rows of one field.
_Found = tuple[Ids, Int64s, Column]


def shortcut(plan: Plan, aggregate: Aggregate, request: ScanRequest) -> Sequence[tuple[FieldType, Partials]] | None:
    """The aggregate of each field series of a plan, if it is one that can be had so; None if not.

    The request has no windows and nothing of its predicate looks at rows.
    """
    if aggregate not in (Aggregate.COUNT, Aggregate.FIRST, Aggregate.LAST):
        return None
    parts = [part for shard in plan.snapshot.shards for part in parts_of(shard)]
    if all(part.plain is None for part in parts):
        return None
    answers: list[tuple[FieldType, Partials]] = []
    for number, (name, type_) in enumerate(plan.fields):
        wanted = plan.masks[number]
        if aggregate is Aggregate.COUNT:
            found = _counted(plan, parts, name, type_, wanted, request.time_range)
        else:
            found = _ends(plan, parts, name, type_, wanted, request.time_range, last=aggregate is Aggregate.LAST)
        if found is not None and len(found[0]):
            answers.append((type_, _partials(plan, number, found, aggregate)))
    return answers


def _partials(plan: Plan, number: int, found: _Found, aggregate: Aggregate) -> Partials:
    """Values of distinct series as partials, in order."""
    ids, time, column = found
    # Distinct series into their order without sorting.
    at = np.full(len(plan.order), -1, np.int64)
    at[plan.place[ids]] = np.arange(len(ids))
    order = at[at >= 0]
    ids = ids[order]
    ordinal = plan.place[ids] * len(plan.fields) + (plan.base + number)
    ordered = take(column, order)
    count: Int64s = np.ones(len(ids), np.int64)
    if aggregate is Aggregate.COUNT:
        assert not isinstance(ordered.values, Strings)
        count = ordered.values
    return Partials(ordinal, np.zeros(len(ids), np.int64), time[order], ordered, count)


def _counted(
    plan: Plan, parts: Sequence[Part], name: str, type_: FieldType, wanted: Mask, time_range: TimeRange
) -> _Found | None:
    counts = np.zeros(len(plan.rank), np.int64)
    for part in parts:
        source = part.plain
        looked_at = wanted
        if source is not None:
            if source.types.get(name) is not type_:
                continue
            series = source.series
            at = series.positions(wanted)
            within = (series.first[at] >= time_range.start) & (series.last[at] < time_range.stop)
            counts[series.ids[at[within]]] += series.counts[name][at[within]]
            looked_at = _mask(len(wanted), series.ids[at[~within]])
        if looked_at.any():
            rows = _rows(part.sources, plan, name, type_, looked_at, time_range)
            if rows is not None:
                counts += np.bincount(rows[0], minlength=len(counts))
    ids = np.flatnonzero(counts).astype(np.uint32)
    return ids, np.zeros(len(ids), np.int64), Column(FieldType.INTEGER, counts[ids], None)


def _ends(
    plan: Plan,
    parts: Sequence[Part],
    name: str,
    type_: FieldType,
    wanted: Mask,
    time_range: TimeRange,
    *,
    last: bool,
) -> _Found | None:
    """The first or last row of each series."""
    open_ = wanted.copy()
    found: list[_Found] = []
    for part in reversed(parts) if last else parts:
        if not open_.any():
            break
        source = part.plain
        looked_at = open_
        if source is not None:
            if source.types.get(name) is not type_:
                continue
            quick, rest = _end_rows(source, name, open_, time_range, last=last)
            found.append(quick)
            open_ = open_.copy()
            open_[quick[0]] = False
            looked_at = rest
        if looked_at.any():
            rows = _rows(part.sources, plan, name, type_, looked_at, time_range)
            if rows is not None and len(rows[0]):
                edges = edges_of(rows[0], None)
                aggregate = Aggregate.LAST if last else Aggregate.FIRST
                reduced = reduce(rows[0][edges].astype(np.int64), None, rows[1], rows[2], edges, aggregate)
                found.append((rows[0][edges], reduced.time, reduced.column))
                open_ = open_.copy()
                open_[rows[0]] = False
    if not found:
        return None
    return (
        np.concatenate([ids for ids, _, _ in found]),
        np.concatenate([time for _, time, _ in found]),
        concatenate([column for _, _, column in found]),
    )


def _end_rows(
    source: FileSource | RunSource, name: str, wanted: Mask, time_range: TimeRange, *, last: bool
) -> tuple[_Found, Mask]:
    """The end rows of the series that have the field in every row and that end within the range.

    And the series whose rows must be looked at: they have the field in some rows, or end outside of the range.
    """
    series = source.series
    at = series.positions(wanted)
    at = at[
        (series.counts[name][at] > 0) & (series.first[at] < time_range.stop) & (series.last[at] >= time_range.start)
    ]
    ends = series.last[at] if last else series.first[at]
    quick = (series.counts[name][at] == series.rows[at]) & (ends >= time_range.start) & (ends < time_range.stop)
    rest = _mask(len(wanted), series.ids[at[~quick]])
    at = at[quick]
    places = series.start[at + 1] - 1 if last else series.start[at]
    return (series.ids[at], ends[quick], source.values_at(name, places)), rest


def _mask(count: int, ids: Ids) -> Mask:
    mask = np.zeros(count, np.bool_)
    mask[ids] = True
    return mask


def _rows(
    shard: ShardSources, plan: Plan, name: str, type_: FieldType, wanted: Mask, time_range: TimeRange
) -> _Found | None:
    """All rows that wanted series have of a field in a shard group, sorted."""
    if shard.types.get(name) is not type_:
        return None
    rows = shard.read(wanted, [name], time_range, plan.rank)
    column = None if rows is None else rows.columns.get(column_key(name, type_))
    if rows is None or column is None:
        return None
    if column.valid is None:
        return rows.ids, rows.time, column
    at = np.flatnonzero(column.valid)
    return rows.ids[at], rows.time[at], Column(type_, take(column, at).values, None)
