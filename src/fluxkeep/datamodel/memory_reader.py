"""A Reader over points in memory, written for clarity: the oracle of the Reader contract.

It answers row by row in plain Python, so that a faster Reader can be compared
with it. Engines' tests run on it; it is not meant for many points.
"""

from __future__ import annotations

import datetime as dt
import operator
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.point_rows import FieldValue, Point, batch_of, rows_of
from fluxkeep.datamodel.points import PointBatch
from fluxkeep.datamodel.predicates import (
    FIELD,
    MEASUREMENT,
    TIME,
    VALUE,
    And,
    Compare,
    Exists,
    Literal,
    Not,
    Op,
    Or,
    Predicate,
    split,
)
from fluxkeep.datamodel.reader import (
    Aggregate,
    FieldSeries,
    MeasurementSchema,
    Scan,
    ScanBatch,
    ScanRequest,
    answer_type,
    schema_collision,
    unsupported_aggregate,
)
from fluxkeep.datamodel.timerange import EVERYTHING, TimeRange, Window
from fluxkeep.errors import InvalidInput
from fluxkeep.instants import DAY, SECOND, add_months

if TYPE_CHECKING:
    import polars as pl

Row = tuple[int, FieldValue]

_SIGNED = 1 << 63
_COMPARISONS: dict[Op, Callable[[Any, Any], bool]] = {
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
    Op.LT: operator.lt,
    Op.LE: operator.le,
    Op.GT: operator.gt,
    Op.GE: operator.ge,
}


class MemoryReader:
    """Reads what it was given; a later value of the same series, field and time wins."""

    def __init__(self, data: Iterable[Point] | PointBatch = ()) -> None:
        self._rows: dict[FieldSeries, dict[int, FieldValue]] = {}
        self.write(data)

    def write(self, data: Iterable[Point] | PointBatch) -> None:
        """Add points, as a write to the bucket would."""
        batch = data if isinstance(data, PointBatch) else batch_of(data)
        for series, field, type_, time, value in rows_of(batch):
            self._rows.setdefault(FieldSeries(series.measurement, series.tags, field, type_), {})[time] = value

    def delete(self, time_range: TimeRange, predicate: Predicate | None) -> None:
        """Remove rows, as the delete API does: an absent tag compares as "", fields are not looked at."""
        for found in self._matching(predicate, absent_is_empty=True):
            rows = self._rows[found]
            for time in [t for t in rows if time_range.start <= t < time_range.stop]:
                del rows[time]
            if not rows:
                del self._rows[found]

    def scan(self, request: ScanRequest) -> Scan:
        """See `Reader.scan`."""
        rows = self._filtered(request)
        if request.aggregate is None:
            cut: dict[FieldSeries, list[tuple[Any, ...]]] = {
                s: list(_cut(r[::-1] if request.descending else r, request.limit)) for s, r in rows.items()
            }
            ordered = sorted(cut, key=_order)
            return Scan(ordered, _batches(ordered, cut, request))
        groups = _grouped(rows, request.group)
        answers: dict[FieldSeries, list[tuple[int, ...]]] = {}
        for series, merged in groups.items():
            answer = _aggregated(series.type, merged, request, request.aggregate)
            answers[series] = _cut(answer[::-1] if request.descending else answer, request.limit)
        ordered = sorted(answers, key=_order)
        return Scan(ordered, _batches(ordered, answers, request))

    def measurements(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """See `Reader.measurements`."""
        return sorted({s.measurement for s in self.series(time_range, predicate)})

    def tag_keys(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """See `Reader.tag_keys`."""
        return sorted({k for s in self.series(time_range, predicate) for k, _ in s.tags})

    def tag_values(self, key: str, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """See `Reader.tag_values`."""
        values = {_column(s, key) for s in self.series(time_range, predicate)}
        return sorted(v for v in values if v is not None)

    def field_keys(
        self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None
    ) -> list[tuple[str, str, FieldType]]:
        """See `Reader.field_keys`; of several types that of the latest row."""
        newest: dict[tuple[str, str], tuple[int, FieldType]] = {}
        for s in self.series(time_range, predicate):
            last = max(t for t in self._rows[s] if time_range.start <= t < time_range.stop)
            key = (s.measurement, s.field)
            if key not in newest or newest[key][0] < last:
                newest[key] = (last, s.type)
        return sorted(((m, f, t) for (m, f), (_, t) in newest.items()), key=lambda entry: entry[:2])

    def schema(self, measurement: str) -> MeasurementSchema:
        """See `Reader.schema`."""
        mine = Compare(MEASUREMENT, Op.EQ, measurement)
        fields = {field: type_ for _, field, type_ in self.field_keys(EVERYTHING, mine)}
        return MeasurementSchema(fields, frozenset(self.tag_keys(EVERYTHING, mine)))

    def series(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> Sequence[FieldSeries]:
        """See `Reader.series`."""
        found = self._matching(split(predicate)[0], absent_is_empty=True)
        return sorted(
            (s for s in found if any(time_range.start <= t < time_range.stop for t in self._rows[s])), key=_order
        )

    def cardinality(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> int:
        """See `Reader.cardinality`."""
        return len({(s.measurement, s.tags) for s in self.series(time_range, predicate)})

    def _matching(self, predicate: Predicate | None, *, absent_is_empty: bool) -> list[FieldSeries]:
        def look(series: FieldSeries) -> Callable[[str], FieldValue | None]:
            return lambda column: _column(series, column)

        return [s for s in self._rows if predicate is None or matches(predicate, look(s), absent_is_empty) is True]

    def _filtered(self, request: ScanRequest) -> dict[FieldSeries, list[Row]]:
        """Rows in time order of the series that have any left."""
        kept: dict[FieldSeries, list[Row]] = {}
        for series, rows in self._rows.items():
            if request.fields is not None and series.field not in request.fields:
                continue
            chosen = [
                (time, rows[time])
                for time in sorted(rows)
                if request.time_range.start <= time < request.time_range.stop
                and _row_matches(request, series, time, rows[time])
            ]
            if chosen:
                kept[series] = chosen
        return kept


def _row_matches(request: ScanRequest, series: FieldSeries, time: int, value: FieldValue) -> bool:
    def look(column: str) -> FieldValue | None:
        if column == VALUE:
            return value
        return time if column == TIME else _column(series, column)

    return request.predicate is None or matches(request.predicate, look, request.absent_is_empty) is True


def matches(predicate: Predicate, look: Callable[[str], FieldValue | None], absent_is_empty: bool) -> bool | None:
    """Evaluate a predicate over one row; None means unknown, which is not true.

    Numbers compare with numbers of any type by value, other literals with their own type only.
    """
    match predicate:
        case Compare(column, op, literal):
            value = look(column)
            if value is None:
                if not absent_is_empty:
                    return None
                value = ""
            return _compare(value, op, literal)
        case Exists(column):
            return look(column) is not None
        case Not(operand):
            result = matches(operand, look, absent_is_empty)
            return None if result is None else not result
        case And(operands):
            results = [matches(o, look, absent_is_empty) for o in operands]
            return False if False in results else None if None in results else True
        case Or(operands):
            results = [matches(o, look, absent_is_empty) for o in operands]
            return True if True in results else None if None in results else False


def _compare(value: FieldValue, op: Op, literal: Literal) -> bool | None:
    if op in (Op.MATCH, Op.NOT_MATCH):
        if not isinstance(value, str) or not isinstance(literal, str):
            return None
        return (pattern(literal).search(value) is not None) is (op is Op.MATCH)
    if _kind(value) is not _kind(literal) or (isinstance(value, bool) and op not in (Op.EQ, Op.NE)):
        return None
    return _COMPARISONS[op](value, literal)


def _kind(value: FieldValue) -> type:
    if isinstance(value, bool | str):
        return type(value)
    return float


@lru_cache(maxsize=256)
def pattern(text: str) -> Any:
    """A compiled RE2 pattern.

    Raises:
        InvalidInput: It does not compile.
    """
    import re2

    try:
        return re2.compile(text)
    except re2.error as error:
        raise InvalidInput(f"invalid regular expression: {text}") from error


def _column(series: FieldSeries, column: str) -> str | None:
    if column == MEASUREMENT:
        return series.measurement
    if column == FIELD:
        return series.field
    return dict(series.tags).get(column)


def _order(series: FieldSeries) -> tuple[object, ...]:
    return series.measurement, series.tags, series.field, series.type.value


def _cut(rows: list[Any], limit: int | None) -> list[Any]:
    return rows if limit is None else rows[:limit]


def _grouped(rows: dict[FieldSeries, list[Row]], group: tuple[str, ...] | None) -> dict[FieldSeries, list[Row]]:
    """Merge series; rows by time, of equal times by series."""
    if group is None:
        return rows
    merged: dict[FieldSeries, list[Row]] = {}
    types: dict[tuple[object, ...], FieldType] = {}
    for series in sorted(rows, key=_order):
        key = FieldSeries(
            series.measurement if MEASUREMENT in group else "",
            tuple((k, v) for k, v in series.tags if k in group),
            series.field if FIELD in group else "",
            series.type,
        )
        known = types.setdefault((key.measurement, key.tags, key.field), series.type)
        if known is not series.type:
            raise schema_collision(known, series.type)
        merged.setdefault(key, []).extend(rows[series])
    return {key: sorted(found, key=lambda row: row[0]) for key, found in merged.items()}


def _aggregated(type_: FieldType, rows: list[Row], request: ScanRequest, aggregate: Aggregate) -> list[tuple[Any, ...]]:
    """(time, value) or (time, value, start, stop) rows in window order."""
    if request.window is None:
        return [_reduced(type_, rows, aggregate, request.time_range.start)]
    windows: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        start, stop = window_of(row[0], request.window)
        bounds = max(start, request.time_range.start), min(stop, request.time_range.stop)
        windows.setdefault(bounds, []).append(row)
    return [(*_reduced(type_, found, aggregate, start), start, stop) for (start, stop), found in windows.items()]


def _reduced(type_: FieldType, rows: list[Row], aggregate: Aggregate, start: int) -> Row:
    values: list[Any] = [value for _, value in rows]
    match aggregate:
        case Aggregate.COUNT:
            return start, len(rows)
        case Aggregate.FIRST:
            return rows[0]
        case Aggregate.LAST:
            return rows[-1]
    if not type_.is_numeric:
        raise unsupported_aggregate(type_)
    match aggregate:
        case Aggregate.SUM:
            return start, _wrapped(type_, sum(values))
        case Aggregate.MEAN:
            return start, sum(float(v) for v in values) / len(values)
        case Aggregate.MIN:
            return rows[values.index(min(values))]
        case Aggregate.MAX:
            return rows[values.index(max(values))]
    raise AssertionError(aggregate)


def _wrapped(type_: FieldType, total: int | float) -> int | float:
    """Integer sums wrap as 64-bit arithmetic does."""
    if type_ is FieldType.INTEGER:
        return (int(total) + _SIGNED) % (1 << 64) - _SIGNED
    return int(total) % (1 << 64) if type_ is FieldType.UNSIGNED else total


def window_of(time: int, window: Window) -> tuple[int, int]:
    """Start and stop of the window that holds an instant, for windows with period = every."""
    zone = zoneinfo.ZoneInfo(window.location or "UTC")
    local = time + _offset(zone, time)
    if window.every.months:
        zero = add_months(0, window.offset.months) + window.offset.ns
        index = 0
        while add_months(zero, (index + 1) * window.every.months) <= local:
            index += 1
        while add_months(zero, index * window.every.months) > local:
            index -= 1
        start = add_months(zero, index * window.every.months)
        stop = add_months(zero, (index + 1) * window.every.months)
    else:
        zero = add_months(0, window.offset.months) + window.offset.ns
        start = (local - zero) // window.every.ns * window.every.ns + zero
        stop = start + window.every.ns
    return _utc(zone, start), _utc(zone, stop)


def _offset(zone: zoneinfo.ZoneInfo, time: int) -> int:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=time // SECOND)
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) * SECOND


def _utc(zone: zoneinfo.ZoneInfo, local: int) -> int:
    """The first instant that shows a wall-clock reading, or the transition that skips it."""
    for offset in sorted({_offset(zone, local - DAY), _offset(zone, local + DAY)}, reverse=True):
        if _offset(zone, local - offset) == offset:
            return local - offset
    low, high = (local - DAY) // SECOND, (local + DAY) // SECOND
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle * SECOND) == _offset(zone, local - DAY):
            low = middle
        else:
            high = middle
    return high * SECOND


def _batches(
    ordered: Sequence[FieldSeries], answers: dict[FieldSeries, list[tuple[Any, ...]]], request: ScanRequest
) -> Iterator[ScanBatch]:
    import polars as pl

    dtypes: dict[FieldType, pl.DataType] = {
        FieldType.FLOAT: pl.Float64(),
        FieldType.INTEGER: pl.Int64(),
        FieldType.UNSIGNED: pl.UInt64(),
        FieldType.STRING: pl.String(),
        FieldType.BOOLEAN: pl.Boolean(),
    }
    names = ["series", "time", "value", *(["start", "stop"] if request.aggregate and request.window else [])]
    for type_ in FieldType:
        rows = [
            (i, *row)
            for i, s in enumerate(ordered)
            if answer_type(s.type, request.aggregate) is type_
            for row in answers[s]
        ]
        if not rows:
            continue
        schema = [pl.UInt32(), pl.Int64(), dtypes[type_], pl.Int64(), pl.Int64()][: len(names)]
        columns = zip(*rows, strict=True)
        yield ScanBatch(
            type_,
            pl.DataFrame([pl.Series(n, list(c), d) for n, c, d in zip(names, columns, schema, strict=True)]),
        )
