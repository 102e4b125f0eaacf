"""Window aggregates over sorted rows: one pass of numpy per field, no grouping by hash.

Rows arrive sorted by series, then time, so the rows of one series and window
stand together and `reduceat` reduces each run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.points import Int64s, Strings
from fluxkeep.datamodel.reader import Aggregate, answer_type, unsupported_aggregate
from fluxkeep.storage.columns import Column, Positions, concatenate, take


@dataclass(frozen=True, slots=True)
class Partials:
    """Reduced rows, sorted by ordinal, then window.

    Attributes:
        ordinal: Of the field series or, after `regroup`, of the group.
        window: Index of the window; zero without windows.
        time: Of the selected row; of count, sum and mean the time of the first.
        column: The selected values, sums (of mean: float sums) or counts.
        count: Rows behind each.
    """

    ordinal: Int64s
    window: Int64s
    time: Int64s
    column: Column
    count: Int64s

    def __len__(self) -> int:
        return len(self.ordinal)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.ordinal.nbytes + self.window.nbytes + self.time.nbytes + self.column.nbytes + self.count.nbytes


def edges_of(place: npt.NDArray[Any], window: Int64s | None) -> Positions:
    """The first row of each run of equal (place, window)."""
    if not len(place):
        return np.empty(0, np.int64)
    changed = place[1:] != place[:-1]
    if window is not None:
        changed |= window[1:] != window[:-1]
    return np.concatenate(([0], np.flatnonzero(changed) + 1))


def reduce(
    ordinal: Int64s, window: Int64s | None, time: Int64s, column: Column, edges: Positions, aggregate: Aggregate
) -> Partials:
    """Reduce runs of rows; every row has a value. `ordinal` has one entry a run.

    Raises:
        InvalidInput: The type has no such aggregate.
    """
    count = np.diff(np.append(edges, len(time)))
    windows = np.zeros(len(edges), np.int64) if window is None else window[edges]
    at, reduced = _reduced(column, edges, count, aggregate)
    return Partials(ordinal, windows, time[at], reduced, count)


def _reduced(column: Column, edges: Positions, count: Int64s, aggregate: Aggregate) -> tuple[Positions, Column]:
    """The row that stands for each run, and the run's value."""
    if aggregate is Aggregate.COUNT:
        return edges, Column(FieldType.INTEGER, count, None)
    if aggregate is Aggregate.FIRST:
        return edges, take(column, edges)
    if aggregate is Aggregate.LAST:
        last = edges + count - 1
        return last, take(column, last)
    if not column.type.is_numeric or isinstance(column.values, Strings):
        raise unsupported_aggregate(column.type)
    values = column.values
    if aggregate is Aggregate.SUM:
        return edges, Column(column.type, np.add.reduceat(values, edges), None)
    if aggregate is Aggregate.MEAN:
        sums = np.add.reduceat(values.astype(np.float64, copy=False), edges)
        return edges, Column(FieldType.FLOAT, sums, None)
    extreme = np.minimum if aggregate is Aggregate.MIN else np.maximum
    at = _first_equal(values, extreme.reduceat(values, edges), edges, count)
    return at, Column(column.type, values[at], None)


def _first_equal(values: npt.NDArray[Any], wanted: npt.NDArray[Any], edges: Positions, count: Int64s) -> Positions:
    """The first row of each run that has the wanted value."""
    hits = np.flatnonzero(values == np.repeat(wanted, count))
    return hits[np.searchsorted(hits, edges)]


def finish(partials: Partials, stored: FieldType, aggregate: Aggregate) -> Column:
    """The answer's values."""
    if aggregate is Aggregate.MEAN:
        assert not isinstance(partials.column.values, Strings)
        return Column(FieldType.FLOAT, partials.column.values / partials.count, None)
    return Column(answer_type(stored, aggregate), partials.column.values, None)


def join(parts: Sequence[Partials]) -> Partials:
    """Partials of one value type one behind the other, sorted by ordinal, then window."""
    whole = gather(parts)
    if len(parts) == 1:
        return whole
    return _ordered(whole, np.lexsort((whole.window, whole.ordinal)))


def gather(parts: Sequence[Partials]) -> Partials:
    """Partials of one value type one behind the other, as they come."""
    if len(parts) == 1:
        return parts[0]
    return Partials(
        np.concatenate([p.ordinal for p in parts]),
        np.concatenate([p.window for p in parts]),
        np.concatenate([p.time for p in parts]),
        concatenate([p.column for p in parts]),
        np.concatenate([p.count for p in parts]),
    )


def regroup(partials: Partials, group: Int64s, aggregate: Aggregate) -> Partials:
    """Merge partials of one value type whose ordinals fall into one group.

    Args:
        partials: As `reduce` made them, in any order.
        group: Ordinal to group.
        aggregate: What the partials are. Of equal times the lower ordinal counts as earlier.
    """
    groups = group[partials.ordinal]
    if aggregate is Aggregate.COUNT and len(groups) and not partials.window.any():
        # Counts need no order, and of a million series sorting is what takes the time.
        count = np.zeros(int(groups.max()) + 1, np.int64)
        np.add.at(count, groups, partials.count)
        met = np.flatnonzero(count)
        nought = np.zeros(len(met), np.int64)
        return Partials(met, nought, nought, Column(FieldType.INTEGER, count[met], None), count[met])
    order = np.lexsort((partials.ordinal, partials.time, partials.window, groups))
    return _merged(_ordered(partials, order), groups[order], aggregate)


def combine(parts: Sequence[Partials], aggregate: Aggregate) -> Partials:
    """Merge partials of one field whose rows follow each other in time, part after part."""
    if len(parts) == 1:
        return parts[0]
    whole = join(parts)
    return _merged(whole, whole.ordinal, aggregate)


def _merged(p: Partials, groups: Int64s, aggregate: Aggregate) -> Partials:
    """Reduce runs of equal (group, window), in which earlier rows come first."""
    edges = edges_of(groups, p.window)
    runs = np.diff(np.append(edges, len(p)))
    count = np.add.reduceat(p.count, edges)
    if aggregate is Aggregate.COUNT:
        at, column = edges, Column(FieldType.INTEGER, count, None)
    else:
        # Sums of sums are sums, the first of firsts is first, and so on.
        step = Aggregate.SUM if aggregate is Aggregate.MEAN else aggregate
        at, column = _reduced(p.column, edges, runs, step)
    return Partials(groups[edges], p.window[edges], p.time[at], column, count)


def _ordered(p: Partials, order: Positions) -> Partials:
    return Partials(p.ordinal[order], p.window[order], p.time[order], take(p.column, order), p.count[order])
