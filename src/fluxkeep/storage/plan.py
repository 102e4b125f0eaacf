"""Which field series of one measurement a scan takes, and their numbers in the answer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.points import Int64s
from fluxkeep.datamodel.predicates import FIELD, MEASUREMENT, Predicate
from fluxkeep.datamodel.reader import FieldSeries, ScanRequest
from fluxkeep.storage.series_index import depends_on_field
from fluxkeep.storage.sources import MeasurementSnapshot

if TYPE_CHECKING:
    import polars as pl

    from fluxkeep.datamodel.series_names import SeriesNames

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scan takes of one measurement.

    Attributes:
        fields: Names and types, sorted; `masks[i]` has the series wanted of the i-th, by id.
        order: Ids of the series wanted of any field, in their order.
        place: Id to position in `order`.
        base: Ordinal of the first field series; position p of `order` and field f have
            `base + p * len(fields) + f`.
    """

    snapshot: MeasurementSnapshot
    fields: Sequence[tuple[str, FieldType]]
    masks: Sequence[Mask]
    order: npt.NDArray[np.uint32]
    place: Int64s
    rank: npt.NDArray[np.uint32]
    base: int


def make_plan(
    snapshot: MeasurementSnapshot, request: ScanRequest, over_series: Predicate | None, base: int
) -> Plan | None:
    """The plan of a measurement; None if no series of it is wanted.

    Args:
        snapshot: Its sources, indexes read.
        request: What is asked.
        over_series: The part of the predicate that looks at series alone.
        base: Ordinal of the first field series.
    """
    rank = snapshot.index.rank()
    found = fields_wanted(
        snapshot, over_series, request.fields, count=len(rank), absent_is_empty=request.absent_is_empty
    )
    fields, masks = [kind for kind, _ in found], [mask for _, mask in found]
    if not fields:
        return None
    wanted = masks[0] if all(m is masks[0] for m in masks) else np.logical_or.reduce(masks)
    ids = np.flatnonzero(wanted).astype(np.uint32)
    order = ids[np.argsort(rank[ids])]
    place = np.zeros(len(wanted), np.int64)
    place[order] = np.arange(len(order))
    return Plan(snapshot, fields, masks, order, place, rank, base)


def fields_wanted(
    snapshot: MeasurementSnapshot,
    over_series: Predicate | None,
    names: Collection[str] | None = None,
    *,
    count: int | None = None,
    absent_is_empty: bool,
) -> list[tuple[tuple[str, FieldType], Mask]]:
    """The fields of a measurement of which any series is wanted, sorted, each with the series wanted of it, by id.

    Args:
        snapshot: Its sources, indexes read.
        over_series: Looks at series alone. Where it does not look at the field, all fields have the same mask.
        names: Of which fields; None for all.
        count: Of how many series; None for those there are now.
        absent_is_empty: An absent tag compares as "".
    """
    kinds = {
        (name, type_)
        for shard in snapshot.shards
        for name, type_ in shard.types.items()
        if names is None or name in names
    }
    by_field = depends_on_field(over_series)
    found: list[tuple[tuple[str, FieldType], Mask]] = []
    shared: Mask | None = None
    wanted = False
    for name, type_ in sorted(kinds, key=lambda kind: (kind[0], kind[1].value)):
        if shared is None or by_field:
            shared = snapshot.index.select(over_series, name, absent_is_empty=absent_is_empty)[:count]
            wanted = bool(shared.any())
        if wanted:
            found.append(((name, type_), shared))
    return found


class PlannedSeries(Sequence[FieldSeries]):
    """The field series of some plans, made when looked at."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._plans = plans
        self._bases = np.array([plan.base for plan in plans], np.int64)
        self._count = sum(len(plan.order) * len(plan.fields) for plan in plans)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int) -> FieldSeries: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[FieldSeries]: ...
    def __getitem__(self, at: int | slice) -> FieldSeries | Sequence[FieldSeries]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(self._count))]
        if at < 0:
            at += self._count
        if not 0 <= at < self._count:
            raise IndexError(at)
        plan = self._plans[int(np.searchsorted(self._bases, at, side="right")) - 1]
        position, field = divmod(at - plan.base, len(plan.fields))
        name, type_ = plan.fields[field]
        index = plan.snapshot.index
        return FieldSeries(index.measurement, index.tags(int(plan.order[position])), name, type_)

    def __iter__(self) -> Iterator[FieldSeries]:
        for plan in self._plans:
            index = plan.snapshot.index
            for identifier in plan.order.tolist():
                tags = index.tags(identifier)
                for name, type_ in plan.fields:
                    yield FieldSeries(index.measurement, tags, name, type_)

    def names(self, ordinals: Int64s, labels: Sequence[str] | None = None) -> SeriesNames:
        """As `datamodel.series_names.ColumnarSeries`: each distinct name is looked at once."""
        import polars as pl

        from fluxkeep.datamodel.series_names import SeriesNames

        parts: list[dict[str, pl.Series]] = []
        sizes: list[int] = []
        owner = np.searchsorted(self._bases, ordinals, side="right") - 1
        for number, plan in enumerate(self._plans):
            at = np.flatnonzero(owner == number)
            if len(at):
                parts.append(_names(plan, ordinals[at], labels))
                sizes.append(len(at))
        keys = dict.fromkeys(key for part in parts for key in part)
        if len(parts) == 1:
            return SeriesNames(parts[0])
        # The plans follow each other; put back where they stood.
        back = np.argsort(np.argsort(owner, kind="stable"), kind="stable")
        absent = pl.Series([None], dtype=pl.String)
        columns = {
            key: pl.concat([part.get(key, absent.new_from_index(0, n)) for part, n in zip(parts, sizes, strict=True)])
            for key in keys
        }
        return SeriesNames({key: column[back].alias(key) for key, column in columns.items()})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment] # as of a list


def _names(plan: Plan, ordinals: Int64s, labels: Sequence[str] | None) -> dict[str, pl.Series]:
    """The names of field series of one plan, by column."""
    import polars as pl

    position, number = np.divmod(ordinals - plan.base, len(plan.fields))
    ids = plan.order[position]
    index = plan.snapshot.index
    keys = index.keys(ids)
    columns: dict[str, pl.Series] = {}
    for label in labels if labels is not None else (MEASUREMENT, FIELD, *keys):
        if label == MEASUREMENT:
            columns[label] = pl.Series(label, [index.measurement]).new_from_index(0, len(ids))
        elif label == FIELD:
            columns[label] = pl.Series(label, [name for name, _ in plan.fields])[number]
        elif label in keys:
            codes, text = index.codes(label, ids)
            used, places = np.unique(codes, return_inverse=True)
            columns[label] = pl.Series(label, [text(c) if c else None for c in used.tolist()], dtype=pl.String)[places]
        else:
            columns[label] = pl.Series(label, [None], dtype=pl.String).new_from_index(0, len(ids))
    return columns
