"""Shapes that the operators of this room pass on.

    points   g u32, time i64, then named columns      groups of rows, by time within a group
    values   g u32, time i64, v, then named columns   what one function gives

`g` is an ordinal in `Groups`. Times ascend within a group, or descend when the
query does; a null value stands for a window without points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Entity:
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
        key = (entity.name, *(entity.tags.get(tag, "") for tag in self.tags))
        return self._ids.setdefault(key, len(self._ids))

    def entities(self) -> list[Entity]:
        """The groups by ordinal."""
        return [Entity(key[0], dict(zip(self.tags, key[1:], strict=True))) for key in self._ids]

    def ranks(self, *, descending: bool) -> list[int]:
        """Ordinal to place in the answer: by name, then tag values, in byte order."""
        keys = list(self._ids)
        order = sorted(range(len(keys)), key=lambda i: [part.encode() for part in keys[i]], reverse=descending)
        ranks = [0] * len(keys)
        for rank, at in enumerate(order):
            ranks[at] = rank
        return ranks


def groups_of(names: Mapping[str, pl.Series], measurement: str, groups: Groups) -> npt.NDArray[np.uint32]:
    """The group of each of some series of a measurement, by the values of its tags in columns."""
    if not groups.tags:
        size = len(next(iter(names.values())))
        return np.full(size, groups.of(Entity(measurement, {})), np.uint32)
    tags = pl.DataFrame([names[tag].alias(tag) for tag in groups.tags])
    if tags.height == 1:
        return np.array([groups.of(_entity(measurement, tags.row(0, named=True)))], np.uint32)
    distinct = tags.unique(maintain_order=True)
    ids = pl.Series("\0g", [groups.of(_entity(measurement, row)) for row in distinct.iter_rows(named=True)], pl.UInt32)
    if distinct.height == tags.height:
        return ids.to_numpy()
    found = tags.join(distinct.with_columns(ids), on=groups.tags, how="left", nulls_equal=True, maintain_order="left")
    return found["\0g"].to_numpy()


def _entity(measurement: str, tags: Mapping[str, str | None]) -> Entity:
    return Entity(measurement, {key: value for key, value in tags.items() if value is not None})


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


def sort_rows(frame: pl.DataFrame, *, descending: bool) -> pl.DataFrame:
    """By group, then time in the query's direction; equal times keep their order."""
    if in_order(frame["g"], frame["time"], descending=descending):
        return frame
    return frame.sort("g", "time", descending=[False, descending], maintain_order=True)


def in_order(groups: pl.Series, times: pl.Series, *, descending: bool = False, distinct: bool = False) -> bool:
    """Whether rows ascend by group, then time (or descend by time), without nulls; with `distinct` none twice.

    What a scan gives is in order most of the time, and looking costs a tenth of sorting.
    """
    if groups.null_count() or times.null_count():
        return False
    g, t = groups.to_numpy(), times.to_numpy()
    earlier, later = (t[1:], t[:-1]) if descending else (t[:-1], t[1:])
    within = earlier < later if distinct else earlier <= later
    return bool(((g[1:] > g[:-1]) | ((g[1:] == g[:-1]) & within)).all())
