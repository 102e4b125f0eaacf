"""Shapes that the operators of this room pass on.

    points   g u32, time i64, then named columns      groups of rows, by time within a group
    values   g u32, time i64, v, then named columns   what one function gives

`g` is an ordinal in `Groups`. Times ascend within a group, or descend when the
query does; a null value stands for a window without points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from fluxkeep.influxql.types import DataType

DTYPES: dict[DataType, pl.DataType] = {
    DataType.FLOAT: pl.Float64(),
    DataType.INTEGER: pl.Int64(),
    DataType.UNSIGNED: pl.UInt64(),
    DataType.STRING: pl.String(),
    DataType.BOOLEAN: pl.Boolean(),
    DataType.TAG: pl.String(),
    DataType.UNKNOWN: pl.Null(),
}


def dtype_of(type_: DataType) -> pl.DataType:
    """The column type of a value."""
    return DTYPES.get(type_, pl.Null())


class Entity(NamedTuple):
    """What rows of a source belong to: a series, or a row group of a subquery."""

    name: str
    tags: dict[str, str]


class Groups:
    """The groups of one SELECT: a name and the values of the tags grouped by."""

    def __init__(self, tags: Sequence[str]) -> None:
        self.tags = tuple(tags)
        self._ids: dict[tuple[str, ...], int] = {}

    def of(self, entity: Entity) -> int:
        """The ordinal of the group that an entity belongs to; a missing tag counts as ""."""
        return self.of_key((entity.name, *(entity.tags.get(tag, "") for tag in self.tags)))

    def of_key(self, key: tuple[str, ...]) -> int:
        """The ordinal of the group of a name and the values of all tags grouped by."""
        return self._ids.setdefault(key, len(self._ids))

    def in_order(self, *, descending: bool) -> tuple[list[Entity], npt.NDArray[np.uint32]]:
        """The groups as they stand in the answer, by name and tag values in byte order, and each ordinal's place."""
        keys = list(self._ids)
        # Characters compare as their UTF-8 does.
        order = sorted(range(len(keys)), key=keys.__getitem__, reverse=descending)
        ranks = np.empty(len(keys), np.uint32)
        ranks[order] = np.arange(len(keys), dtype=np.uint32)
        tags = self.tags
        return [Entity(keys[at][0], dict(zip(tags, keys[at][1:], strict=True))) for at in order], ranks


# Of so many series names are looked at one by one; more are made distinct in columns first.
_FEW = 4096


def groups_of(names: Mapping[str, pl.Series], measurement: str, groups: Groups) -> npt.NDArray[np.uint32]:
    """The group of each of some series of a measurement, by the values of its tags in columns."""
    size = len(next(iter(names.values())))
    if not groups.tags:
        return np.full(size, groups.of_key((measurement,)), np.uint32)
    if size <= _FEW:
        return _groups_of(zip(*(names[tag].to_list() for tag in groups.tags), strict=True), measurement, groups)
    tags = pl.DataFrame([names[tag].alias(tag) for tag in groups.tags])
    distinct = tags.unique(maintain_order=True)
    ids = _groups_of(distinct.iter_rows(), measurement, groups)
    if distinct.height == tags.height:
        return ids
    known = distinct.with_columns(pl.Series("\0g", ids))
    found = tags.join(known, on=groups.tags, how="left", nulls_equal=True, maintain_order="left")
    return found["\0g"].to_numpy()


def _groups_of(values: Iterable[tuple[str | None, ...]], measurement: str, groups: Groups) -> npt.NDArray[np.uint32]:
    return np.array([groups.of_key((measurement, *(one or "" for one in row))) for row in values], np.uint32)


@dataclass(frozen=True, slots=True)
class Table:
    """The answer of a SELECT.

    Attributes:
        groups: In the order of the answer.
        frame: g, time, then one column per output column, named `c0`, `c1`, …; by group, then time.
        names: Of the output columns.
    """

    groups: list[Entity]
    frame: pl.DataFrame
    names: list[str]


def picked(column: pl.Series, at: npt.NDArray[np.int64]) -> pl.Series:
    """The values at some places; for a small answer several times faster than asking the column for them."""
    if column.dtype.is_numeric() and not column.null_count():
        return pl.Series(column.name, column.to_numpy()[at])
    return column[at]


def picked_rows(frame: pl.DataFrame, at: npt.NDArray[np.int64]) -> pl.DataFrame:
    """The rows at some places."""
    return pl.DataFrame([picked(column, at) for column in frame.iter_columns()])


def sort_rows(frame: pl.DataFrame, *, descending: bool) -> pl.DataFrame:
    """By group, then time in the query's direction; equal times keep their order."""
    groups, times = frame["g"], frame["time"]
    if in_order(groups, times, descending=descending):
        return frame
    if not groups.null_count() and not times.null_count():
        # Each group mostly is in order by itself, so that bringing groups into order is all there is to do.
        g, t = groups.to_numpy(), times.to_numpy()
        order = np.argsort(g.astype(np.uint16) if int(g.max()) < 1 << 16 else g, kind="stable")
        if _ordered(g[order], t[order], descending=descending, distinct=False):
            return picked_rows(frame, order)
    return frame.sort("g", "time", descending=[False, descending], maintain_order=True)


def in_order(groups: pl.Series, times: pl.Series, *, descending: bool = False, distinct: bool = False) -> bool:
    """Whether rows ascend by group, then time (or descend by time), without nulls; with `distinct` none twice.

    What a scan gives is in order most of the time, and looking costs a tenth of sorting.
    """
    if groups.null_count() or times.null_count():
        return False
    return _ordered(groups.to_numpy(), times.to_numpy(), descending=descending, distinct=distinct)


def _ordered(g: npt.NDArray[np.uint32], t: npt.NDArray[np.int64], *, descending: bool, distinct: bool) -> bool:
    earlier, later = (t[1:], t[:-1]) if descending else (t[:-1], t[1:])
    within = earlier < later if distinct else earlier <= later
    return bool(((g[1:] > g[:-1]) | ((g[1:] == g[:-1]) & within)).all())


def cut_groups(frame: pl.DataFrame, limit: int, offset: int) -> pl.DataFrame:
    """At most `limit` rows of each group, without its first ones; 0 is no limit. Rows stand by group."""
    g = frame["g"].to_numpy()
    starts = np.flatnonzero(np.concatenate((np.ones(min(len(g), 1), np.bool_), g[1:] != g[:-1])))
    within = np.arange(len(g)) - np.repeat(starts, np.diff(np.append(starts, len(g))))
    kept = within >= offset
    if limit:
        kept &= within < offset + limit
    return frame if kept.all() else picked_rows(frame, np.flatnonzero(kept))
