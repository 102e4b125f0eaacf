"""The store's Reader: chooses series, reads blocks of them, filters, aggregates, streams.

A scan works measurement by measurement, and in each by blocks of series that
stand together in every file, so that memory is bounded whatever a bucket holds.
Rows of a block come merged from all shard groups, sorted by series and time;
what is asked of them is then one pass of numpy per field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fluxkeep.compute.windows import WindowGrid, clip
from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.memory_account import MemoryAccount
from fluxkeep.datamodel.points import Int64s, Strings
from fluxkeep.datamodel.predicates import FIELD, MEASUREMENT, And, Compare, Op, Predicate, split
from fluxkeep.datamodel.reader import (
    Aggregate,
    FieldSeries,
    MeasurementSchema,
    Scan,
    ScanBatch,
    ScanRequest,
    answer_type,
    schema_collision,
)
from fluxkeep.datamodel.series import Tags
from fluxkeep.datamodel.timerange import EVERYTHING, TimeRange
from fluxkeep.errors import Corruption
from fluxkeep.storage.aggregates import Partials, combine, edges_of, finish, gather, join, reduce, regroup
from fluxkeep.storage.columns import Column, Positions, Rows, concatenate, strings_to_arrow, take
from fluxkeep.storage.merge import merge_sorted
from fluxkeep.storage.plan import Plan, PlannedSeries, make_plan
from fluxkeep.storage.presence import Presence, presence_of
from fluxkeep.storage.row_filter import FieldRows, keep
from fluxkeep.storage.series_index import depends_on_field, distinct
from fluxkeep.storage.shortcuts import shortcut
from fluxkeep.storage.sources import MeasurementSnapshot, column_key, parts_of

if TYPE_CHECKING:
    import polars as pl

# What a value of a block takes with its row, generously; blocks are made to fit into what a query may hold.
_BLOCK_VALUE_BYTES = 64
# Of a range, of one measurement or of all, and whether memory is to be sorted first.
Snapshotter = Callable[[TimeRange, str | None, bool], tuple[Sequence[MeasurementSnapshot], Sequence[str]]]


class StoreReader:
    """Reads one bucket of the engine."""

    def __init__(self, snapshot: Snapshotter, report: Callable[[Corruption], None], block_values: int) -> None:
        """Make a reader.

        Args:
            snapshot: Gives the sources that a range may need, of one measurement or of all,
                and warnings about files set aside. Scans ask for memory to be sorted first.
            report: Told of every file found corrupt.
            block_values: About how many values a block holds.
        """
        self._snapshot = snapshot
        self._report = report
        # Damaged files that were left out of any answer so far.
        self.noticed: list[str] = []
        self._block_values = block_values

    def scan(self, request: ScanRequest) -> Scan:
        """See `Reader.scan`.

        Raises:
            InvalidInput: As the contract says.
            Corruption: A file is damaged and has now been set aside; also while iterating.
        """
        over_series, over_rows = split(request.predicate)
        snapshots, warnings = self._load(request.time_range, request.predicate, sort=True)
        plans: list[Plan] = []
        base = 0
        for snapshot in snapshots:
            plan = make_plan(snapshot, request, over_series, base)
            if plan is not None:
                plans.append(plan)
                base += len(plan.order) * len(plan.fields)
        run = _Run(request, over_rows, self._block_values, self._report)
        if request.aggregate is not None and request.group is not None:
            series, batches = run.grouped(plans, request.group, request.aggregate)
            return Scan(series, iter(batches), tuple(warnings))
        return Scan(PlannedSeries(plans), run.batches(plans), tuple(warnings))

    def measurements(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """See `Reader.measurements`."""
        return [found.snapshot.measurement for found in self._found(time_range, predicate) if found.fields()]

    def tag_keys(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """See `Reader.tag_keys`."""
        keys: set[str] = set()
        for found in self._found(time_range, predicate):
            keys |= found.tag_keys()
        return sorted(keys)

    def tag_values(self, key: str, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """See `Reader.tag_values`."""
        values: set[str] = set()
        for found in self._found(time_range, predicate):
            if key == MEASUREMENT:
                values |= {found.snapshot.measurement} if found.fields() else set()
            elif key == FIELD:
                values.update(found.fields())
            else:
                values.update(found.snapshot.index.values(key, found.ids()))
        return sorted(values)

    def field_keys(
        self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None
    ) -> list[tuple[str, str, FieldType]]:
        """See `Reader.field_keys`."""
        return [
            (found.snapshot.measurement, name, type_)
            for found in self._found(time_range, predicate)
            for name, type_ in sorted(found.fields().items())
        ]

    def schema(self, measurement: str) -> MeasurementSchema:
        """See `Reader.schema`."""
        for found in self._found(EVERYTHING, Compare(MEASUREMENT, Op.EQ, measurement)):
            return MeasurementSchema(found.fields(), frozenset(found.tag_keys()))
        return MeasurementSchema({}, frozenset())

    def series(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> Sequence[FieldSeries]:
        """See `Reader.series`."""
        series: list[FieldSeries] = []
        for found in self._found(time_range, predicate):
            index = found.snapshot.index
            rank = index.rank()
            entries = sorted(
                (int(rank[i]), name, type_.value, i, type_)
                for at, (name, type_) in enumerate(found.kinds)
                for i in np.flatnonzero(found.having(at)).tolist()
            )
            series += [FieldSeries(index.measurement, index.tags(i), name, t) for _, name, _, i, t in entries]
        return series

    def cardinality(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> int:
        """See `Reader.cardinality`."""
        return sum(len(found.ids()) for found in self._found(time_range, predicate))

    def _load(
        self, time_range: TimeRange, predicate: Predicate | None, *, sort: bool = False
    ) -> tuple[list[MeasurementSnapshot], list[str]]:
        """Snapshots in order of measurement with their indexes read; damaged files are left out and named."""
        while True:
            snapshots, warnings = self._snapshot(time_range, _only_measurement(predicate), sort)
            try:
                for snapshot in snapshots:
                    snapshot.load()
            except Corruption as error:
                self._report(error)
                continue
            self.noticed += [warning for warning in warnings if warning not in self.noticed]
            return sorted(snapshots, key=lambda s: s.measurement), list(warnings)

    def _found(self, time_range: TimeRange, predicate: Predicate | None) -> Iterator[Presence]:
        """What each measurement has that may be named, by measurement."""
        over_series = split(predicate)[0]
        for snapshot in self._load(time_range, predicate)[0]:
            found = presence_of(snapshot, over_series, time_range)
            if found is not None:
                yield found


def _only_measurement(predicate: Predicate | None) -> str | None:
    """The measurement that a predicate asks for by name, if it does."""
    for operand in predicate.operands if isinstance(predicate, And) else (predicate,):
        match operand:
            case Compare(column="_measurement", op=Op.EQ, literal=str(name)):
                return name
    return None


@dataclass(frozen=True, slots=True)
class _FieldRows:
    """Rows of one field in a block: series, times, values; none absent. `number` is the field's in the plan."""

    plan: Plan
    number: int
    ids: npt.NDArray[np.uint32]
    window: Int64s | None
    time: Int64s
    column: Column
    edges: Positions | None

    def ordinals(self, ids: npt.NDArray[np.uint32]) -> Int64s:
        """The ordinals of the field in series."""
        return self.plan.place[ids] * len(self.plan.fields) + (self.plan.base + self.number)


class _Run:
    """One scan being answered."""

    def __init__(
        self, request: ScanRequest, over_rows: Predicate | None, block_values: int, report: Callable[[Corruption], None]
    ) -> None:
        self._request = request
        self._over_rows = over_rows
        self._block_values = block_values
        self._report = report
        self._grid = WindowGrid(request.window) if request.window is not None and request.aggregate else None

    def batches(self, plans: Sequence[Plan]) -> Iterator[ScanBatch]:
        """Stream rows, or aggregates of field series."""
        try:
            for plan in plans:
                for batch in self._answers(plan):
                    if len(batch.frame):
                        yield batch
        except Corruption as error:
            self._report(error)
            raise

    def grouped(
        self, plans: Sequence[Plan], group: tuple[str, ...], aggregate: Aggregate
    ) -> tuple[Sequence[FieldSeries], Sequence[ScanBatch]]:
        """Aggregates of groups: of each field series first, then of those."""
        parts: dict[FieldType, list[Partials]] = {}
        held = MemoryAccount(self._request.bytes_max)
        try:
            for plan in plans:
                for fields in self._partials(plan, aggregate):
                    for stored, partials in fields:
                        held.take(partials.nbytes)
                        parts.setdefault(stored, []).append(partials)
        except Corruption as error:
            self._report(error)
            raise
        joined = {stored: gather(found) for stored, found in parts.items()}
        keys, group_of = _groups(plans, group, {s: p.ordinal[edges_of(p.ordinal, None)] for s, p in joined.items()})
        finished: dict[FieldType, list[Partials]] = {}
        for stored, partials in joined.items():
            p = regroup(partials, group_of, aggregate)
            column = finish(p, stored, aggregate)
            finished.setdefault(column.type, []).append(Partials(p.ordinal, p.window, p.time, column, p.count))
        batches = [self._answer(join(parts_)) for parts_ in finished.values()]
        return keys, [batch for batch in batches if len(batch.frame)]

    def _blocks(self, plan: Plan) -> Iterator[Sequence[Rows]]:
        """The rows of blocks of series: sorted pieces that follow each other in time."""
        rows_by_id = plan.snapshot.rows_by_id(len(plan.rank))[plan.order]
        block_values = self._block_values
        if self._request.bytes_max:
            block_values = min(block_values, max(self._request.bytes_max // _BLOCK_VALUE_BYTES, 1))
        weight = np.cumsum(rows_by_id * len(plan.fields)) // block_values
        time_range = self._request.time_range
        parts = [part.sources for shard in plan.snapshot.shards for part in parts_of(shard)]
        names = sorted({name for name, _ in plan.fields})
        for ids in np.split(plan.order, np.flatnonzero(np.diff(weight)) + 1):
            wanted = np.zeros(len(plan.rank), np.bool_)
            wanted[ids] = True
            held = MemoryAccount(self._request.bytes_max)
            pieces: list[Rows] = []
            for part in parts:
                rows = part.read(wanted, names, time_range, plan.rank)
                if rows is not None and len(rows):
                    held.take(rows.nbytes)
                    pieces.append(rows)
            if pieces:
                yield pieces

    def _fields(self, plan: Plan, rows: Rows) -> Iterator[tuple[int, FieldType, _FieldRows]]:
        """The rows of each field in a piece: the field's number, its type, its rows."""
        window = None if self._grid is None else self._grid.index(rows.time)
        edges = edges_of(rows.ids, window) if self._request.aggregate else None
        for number, (_, type_) in enumerate(plan.fields):
            found = self._field(plan, number, rows, window, edges)
            if found is not None and len(found.time):
                yield number, type_, found

    def _field(
        self,
        plan: Plan,
        number: int,
        rows: Rows,
        window: Int64s | None,
        edges: Positions | None,
    ) -> _FieldRows | None:
        """The rows that one field has in a block."""
        name, type_ = plan.fields[number]
        column = rows.columns.get(column_key(name, type_))
        if column is None:
            return None
        kept = column.valid
        if depends_on_field(self._request.predicate):
            chosen = plan.masks[number][rows.ids]
            if not chosen.all():
                kept = chosen if kept is None else kept & chosen
        ids, time = rows.ids, rows.time
        if kept is not None:
            at = np.flatnonzero(kept)
            ids, time, column, edges = ids[at], time[at], take(column, at), None
            window = None if window is None else window[at]
        if self._over_rows is not None:
            looked_at = FieldRows(plan.snapshot.index, name, ids, time, column)
            at = np.flatnonzero(keep(self._over_rows, looked_at, absent_is_empty=self._request.absent_is_empty))
            if len(at) < len(time):
                ids, time, column, edges = ids[at], time[at], take(column, at), None
                window = None if window is None else window[at]
        return _FieldRows(plan, number, ids, window, time, Column(column.type, column.values, None), edges)

    def _answers(self, plan: Plan) -> Iterator[ScanBatch]:
        aggregate = self._request.aggregate
        if aggregate is None:
            for pieces in self._blocks(plan):
                by_type: dict[FieldType, list[_FieldRows]] = {}
                for _, stored, rows in self._fields(plan, merge_sorted(pieces, plan.rank)):
                    by_type.setdefault(stored, []).append(rows)
                yield from (self._raw(fields) for fields in by_type.values())
            return
        for fields_ in self._partials(plan, aggregate):
            yield self._answer(
                join(
                    [
                        Partials(p.ordinal, p.window, p.time, finish(p, stored, aggregate), p.count)
                        for stored, p in fields_
                    ]
                )
            )

    def _partials(self, plan: Plan, aggregate: Aggregate) -> Iterator[Sequence[tuple[FieldType, Partials]]]:
        """Aggregates of field series, by blocks; in each by the answer's type."""
        quick = None
        if self._over_rows is None and self._grid is None:
            quick = shortcut(plan, aggregate, self._request)
        if quick is not None:
            yield from _by_answer(quick, aggregate)
            return
        for pieces in self._blocks(plan):
            # Pieces are reduced one by one and never interleaved: what is left of them is small.
            reduced: dict[tuple[int, FieldType], list[Partials]] = {}
            for piece in pieces:
                for number, stored, rows in self._fields(plan, piece):
                    reduced.setdefault((number, stored), []).append(self._reduced(rows, aggregate))
            merged = [
                (stored, combine(parts, aggregate)) for (_, stored), parts in sorted(reduced.items(), key=_number)
            ]
            yield from _by_answer(merged, aggregate)

    def _reduced(self, rows: _FieldRows, aggregate: Aggregate) -> Partials:
        edges = edges_of(rows.ids, rows.window) if rows.edges is None else rows.edges
        return reduce(rows.ordinals(rows.ids[edges]), rows.window, rows.time, rows.column, edges, aggregate)

    def _raw(self, fields: Sequence[_FieldRows]) -> ScanBatch:
        """One batch of the rows of some fields of one type."""
        ordinal = np.concatenate([rows.ordinals(rows.ids) for rows in fields])
        time = np.concatenate([rows.time for rows in fields])
        column = concatenate([rows.column for rows in fields])
        if len(fields) > 1:
            order = np.argsort(ordinal, kind="stable")
            ordinal, time, column = ordinal[order], time[order], take(column, order)
        return self._framed(ordinal, None, time, column)

    def _answer(self, finished: Partials) -> ScanBatch:
        return self._framed(finished.ordinal, finished.window, finished.time, finished.column)

    def _framed(self, ordinal: Int64s, window: Int64s | None, time: Int64s, column: Column) -> ScanBatch:
        """The frame of rows sorted by ordinal and time; direction and limit are applied here."""
        import polars as pl

        request = self._request
        order: Positions | None = None
        if request.descending:
            order = np.arange(len(ordinal))[::-1]
            order = order[np.argsort(ordinal[::-1], kind="stable")]
        if request.limit is not None:
            sorted_ordinal = ordinal if order is None else ordinal[order]
            starts = edges_of(sorted_ordinal, None)
            counts = np.diff(np.append(starts, len(ordinal)))
            within = np.arange(len(ordinal)) - np.repeat(starts, counts)
            first = np.flatnonzero(within < request.limit)
            order = first if order is None else order[first]
        if order is not None:
            ordinal, time, column = ordinal[order], time[order], take(column, order)
            window = None if window is None else window[order]
        bounds: list[pl.Series] = []
        selector = request.aggregate is None or request.aggregate.is_selector
        if self._grid is not None and window is not None:
            starts, stops = clip(self._grid.starts(window), self._grid.stops(window), request.time_range)
            bounds = [pl.Series("start", starts, pl.Int64), pl.Series("stop", stops, pl.Int64)]
            time = time if selector else starts
        elif not selector:
            time = np.full(len(time), request.time_range.start, np.int64)
        return ScanBatch(
            column.type,
            pl.DataFrame(
                [
                    pl.Series("series", ordinal.astype(np.uint32), pl.UInt32),
                    pl.Series("time", time, pl.Int64),
                    _polars(column),
                    *bounds,
                ]
            ),
        )


def _number(entry: tuple[tuple[int, FieldType], object]) -> int:
    return entry[0][0]


def _by_answer(
    fields: Sequence[tuple[FieldType, Partials]], aggregate: Aggregate
) -> list[list[tuple[FieldType, Partials]]]:
    """Fields by the type of their answers."""
    grouped: dict[FieldType, list[tuple[FieldType, Partials]]] = {}
    for stored, partials in fields:
        grouped.setdefault(answer_type(stored, aggregate), []).append((stored, partials))
    return list(grouped.values())


def _polars(column: Column) -> pl.Series:
    import polars as pl

    if isinstance(column.values, Strings):
        texts = pl.from_arrow(strings_to_arrow(column.values, None))
        assert isinstance(texts, pl.Series)
        return texts.alias("value")
    return pl.Series("value", column.values)


def _groups(
    plans: Sequence[Plan], group: tuple[str, ...], met: dict[FieldType, Int64s]
) -> tuple[list[FieldSeries], Int64s]:
    """The groups of the field series that have rows, in order, and each ordinal's group.

    Raises:
        InvalidInput: A group with two types.
    """
    group_of = np.zeros(sum(len(plan.order) * len(plan.fields) for plan in plans), np.int64)
    parts: list[tuple[Int64s, Int64s, list[FieldSeries]]] = []
    types: dict[tuple[object, ...], FieldType] = {}
    for stored, ordinals in met.items():
        for plan in plans:
            size = len(plan.order) * len(plan.fields)
            own = ordinals[(ordinals >= plan.base) & (ordinals < plan.base + size)]
            position, number = np.divmod(own - plan.base, len(plan.fields))
            tag_sets, tag_set_of = _group_tags(plan, group, position)
            # One step for each combination of group tags and field, not for each field series.
            codes = tag_set_of * len(plan.fields) + number
            used = distinct(codes, len(tag_sets) * len(plan.fields))
            keys: list[FieldSeries] = []
            for code in used.tolist():
                tag_set, field = divmod(code, len(plan.fields))
                key = FieldSeries(
                    plan.snapshot.measurement if MEASUREMENT in group else "",
                    tag_sets[tag_set],
                    plan.fields[field][0] if FIELD in group else "",
                    stored,
                )
                known = types.setdefault((key.measurement, key.tags, key.field), stored)
                if known is not stored:
                    raise schema_collision(known, stored)
                keys.append(key)
            parts.append((own, np.searchsorted(used, codes), keys))
    ordered = sorted({key for _, _, keys in parts for key in keys}, key=_series_order)
    places = {key: place for place, key in enumerate(ordered)}
    for own, key_of, keys in parts:
        group_of[own] = np.array([places[key] for key in keys], np.int64)[key_of]
    return ordered, group_of


def _series_order(one: FieldSeries) -> tuple[object, ...]:
    return one.measurement, one.tags, one.field, one.type.value


def _group_tags(plan: Plan, group: tuple[str, ...], position: Int64s) -> tuple[list[Tags], Int64s]:
    """The distinct tag sets that series have within a group's columns, and each series' place among them."""
    index = plan.snapshot.index
    keys = sorted(set(group) & set(index.keys(plan.order)))
    if not keys:
        return [()], np.zeros(len(position), np.int64)
    codes = np.column_stack([index.codes(key, plan.order)[0] for key in keys])[position]
    distinct, inverse = np.unique(codes, axis=0, return_inverse=True)
    texts = [index.codes(key, plan.order[:0])[1] for key in keys]
    tag_sets = [
        tuple((key, text(code)) for key, text, code in zip(keys, texts, row, strict=True) if code)
        for row in distinct.tolist()
    ]
    return tag_sets, inverse.reshape(-1)
