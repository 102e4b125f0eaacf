"""Aggregates that the store computes itself.

Done where the answer is certain to be the same: a plain field, nothing to be
filtered by value, windows of equal length, one type. Otherwise None, and the
caller reads the points.

Source: architecture.md §6; influxql.md §6 (ties).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from fluxkeep.datamodel.memory_account import MemoryExceeded
from fluxkeep.datamodel.predicates import FIELD, MEASUREMENT
from fluxkeep.datamodel.reader import Aggregate, ScanRequest
from fluxkeep.datamodel.series_names import names_of
from fluxkeep.datamodel.timerange import TimeRange, Window
from fluxkeep.errors import InvalidInput
from fluxkeep.influxql.execute.frames import Groups, dtype_of, groups_of, picked
from fluxkeep.influxql.execute.windows import Int64s, Windows
from fluxkeep.influxql.plan.bind import Bound, MeasurementSource
from fluxkeep.influxql.plan.predicates import measurement_predicate, split_condition
from fluxkeep.influxql.plan.typing import call_type
from fluxkeep.influxql.syntax.ast import Call, VarRef
from fluxkeep.influxql.types import DataType
from fluxkeep.instants import MAX_TIME_NS, Duration

# Of so many series names are compared one by one.
_FEW = 4096

PUSHED: Final[dict[str, Aggregate]] = {
    "count": Aggregate.COUNT,
    "sum": Aggregate.SUM,
    "mean": Aggregate.MEAN,
    "min": Aggregate.MIN,
    "max": Aggregate.MAX,
    "first": Aggregate.FIRST,
    "last": Aggregate.LAST,
}


class PushedDown:
    """What the sources of a SELECT answer for its functions; those of one kind and range are asked for together.

    Args:
        bound: The SELECT.
        groups: Its groups.
        calls: All its functions, inner ones among them.
    """

    def __init__(self, bound: Bound, groups: Groups, calls: Sequence[Call]) -> None:
        self._bound = bound
        self._groups = groups
        self._calls = calls
        self._found: dict[tuple[Aggregate, int, int], dict[str, pl.DataFrame] | None] = {}

    def find(self, call: Call, windows: Windows) -> pl.DataFrame | None:
        """A function's values: g, time, v; time is the window's start or, without windows, that of a selector's point.

        None when the sources cannot be asked.
        """
        kind = _kind(call)
        if kind is None or not windows.is_plain or windows.last < windows.first:
            return None
        key = kind, windows.first, windows.last
        if key not in self._found:
            # A field once, however many columns show it.
            alike = {_field(c).name: c for c in (call, *self._calls) if _kind(c) is kind and _field(c).name}
            self._found[key] = self._ask(kind, alike, windows)
        found = self._found[key]
        ref = _field(call)
        if found is None or ref.name not in found:
            return None
        frame = found[ref.name]
        return frame if frame.schema["v"] == dtype_of(call_type(call)) else None

    def _ask(self, kind: Aggregate, calls: Mapping[str, Call], windows: Windows) -> dict[str, pl.DataFrame] | None:
        """The values of fields by their names; a field that cannot be asked for is left out."""
        sources = [source for source in self._bound.sources if isinstance(source, MeasurementSource)]
        if len(sources) < len(self._bound.sources) or len({s.name for s in sources}) < len(sources):
            return None
        if {FIELD, MEASUREMENT} & set(self._bound.tags):
            # As tags they are none; as columns of names they would be.
            return None
        types = {name: dtype_of(call_type(call)) for name, call in calls.items()}
        found: dict[str, list[_Values]] = {name: [] for name in calls}
        for source in sources:
            pushed, rest = split_condition(self._bound.condition, source.schema)
            if rest is not None:
                return None
            wanted: list[str] = []
            for name, call in calls.items():
                stored = source.schema.fields.get(name)
                if stored is _field(call).type:
                    wanted.append(name)
                elif stored is not None:
                    found.pop(name, None)
            if not wanted:
                continue
            # Of equal times the larger value is first and last, which only the engine knows: series stay apart.
            merging = kind not in (Aggregate.FIRST, Aggregate.LAST)
            request = ScanRequest(
                time_range=TimeRange(windows.first, min(windows.last, MAX_TIME_NS) + 1),
                predicate=measurement_predicate(source.name, pushed),
                absent_is_empty=True,
                fields=tuple(sorted(wanted)),
                aggregate=kind,
                window=_window(windows),
            )
            wanted_types = {name: types[name] for name in wanted}
            answer = _answer(source, request, self._groups, wanted_types, windows, merging=merging)
            if answer is None:
                return None
            for name, parts in answer.items():
                if name in found:
                    found[name] += parts
        return {
            name: _tidied(kind, _joined(parts)).framed(windows) if parts else _empty(types[name])
            for name, parts in found.items()
        }


@dataclass(frozen=True, slots=True)
class _Values:
    """Rows of one field: group, start of the window (0 without), time, value. Arrays until the end: an answer of a
    few rows would feel every frame made on the way.
    """

    g: npt.NDArray[np.uint32]
    w: Int64s
    time: Int64s
    v: pl.Series

    def at(self, places: npt.NDArray[np.int64]) -> _Values:
        """The rows at some places."""
        return _Values(self.g[places], self.w[places], self.time[places], picked(self.v, places))

    def framed(self, windows: Windows) -> pl.DataFrame:
        """As `PushedDown.find` gives it."""
        time = self.w if windows.every else self.time
        return pl.DataFrame([pl.Series("g", self.g), pl.Series("time", time), self.v.alias("v")])


def _joined(parts: Sequence[_Values]) -> _Values:
    if len(parts) == 1:
        return parts[0]
    return _Values(
        np.concatenate([p.g for p in parts]),
        np.concatenate([p.w for p in parts]),
        np.concatenate([p.time for p in parts]),
        pl.concat([p.v for p in parts]),
    )


def _kind(call: Call) -> Aggregate | None:
    """How the store calls a function of a plain field that it computes."""
    kind = PUSHED.get(call.name)
    if kind is None or not isinstance(call.args[0], VarRef):
        return None
    if call.args[0].type is DataType.BOOLEAN and call.name in ("min", "max"):
        return None
    return kind


def _field(call: Call) -> VarRef:
    ref = call.args[0]
    assert isinstance(ref, VarRef)
    return ref


def _empty(dtype: pl.DataType) -> pl.DataFrame:
    return pl.DataFrame(schema={"g": pl.UInt32(), "time": pl.Int64(), "v": dtype})


def _window(windows: Windows) -> Window | None:
    if not windows.every:
        return None
    every = Duration(0, windows.every)
    offset = windows.offset
    if windows.location is not None:
        offset -= windows.zone_at(0)
    return Window(every=every, period=every, offset=Duration(0, offset % windows.every))


def _answer(
    source: MeasurementSource,
    request: ScanRequest,
    groups: Groups,
    types: Mapping[str, pl.DataType],
    windows: Windows,
    *,
    merging: bool,
) -> dict[str, list[_Values]] | None:
    """One source's rows by field, or None where types differ between its shards.

    With `merging` there is one row for each group, field and window.
    """
    labels = (*groups.tags, FIELD)
    names: Mapping[str, pl.Series] | None = None
    try:
        scan = source.reader.scan(request)
        if merging and len(scan.series):
            names = names_of(scan.series, np.arange(len(scan.series)), labels).columns
            if _meet(names):
                # Nothing was read yet. Groups of one series each need no grouping, which is most of a scan's cost.
                names, scan = None, source.reader.scan(replace(request, group=labels))
        batches = list(scan.batches)
    except MemoryExceeded:
        raise
    except InvalidInput:
        return None
    assert request.aggregate is not None
    if not batches:
        return {}
    ordinals = np.arange(len(scan.series))
    columns = names_of(scan.series, ordinals, labels).columns if names is None else names
    group_of = groups_of(columns, source.name, groups)
    fields = columns[FIELD].to_list()
    number_of = {field: number for number, field in enumerate(dict.fromkeys(fields))}
    numbers = np.array([number_of[field] for field in fields], np.int32)
    parts: dict[str, list[_Values]] = {}
    for batch in batches:
        frame = batch.frame
        series = frame["series"].to_numpy()
        time, window = _times(frame, request, windows)
        values = _Values(group_of[series], window, time, frame["value"])
        for field, mine in _by_field(numbers[series], number_of):
            if values.v.dtype != types[field]:
                return None
            parts.setdefault(field, []).append(values if mine is None else values.at(mine))
    return parts


def _by_field(
    numbers: npt.NDArray[np.int32], number_of: Mapping[str, int]
) -> Iterator[tuple[str, npt.NDArray[np.int64] | None]]:
    """The fields that rows are of, and where the rows of each are; None for all."""
    for field, number in number_of.items():
        mine = numbers == number
        if mine.all():
            yield field, None
        elif mine.any():
            yield field, np.flatnonzero(mine)


def _meet(names: Mapping[str, pl.Series]) -> bool:
    """Whether two of some field series have the same names."""
    columns = list(names.values())
    size = len(columns[0])
    if size <= _FEW:
        return len(set(zip(*(column.to_list() for column in columns), strict=True))) < size
    frame = pl.DataFrame([column.alias(label) for label, column in names.items()])
    return frame.n_unique() < size


def _times(frame: pl.DataFrame, request: ScanRequest, windows: Windows) -> tuple[Int64s, Int64s]:
    """The time of each row of an answer and the start of its window, 0 without windows."""
    times = frame["time"].to_numpy()
    if not windows.every:
        nought = np.zeros(len(times), np.int64)
        assert request.aggregate is not None
        return (times if request.aggregate.is_selector else nought), nought
    # The store cuts the first window to the range; all others start where ours do.
    first = request.time_range.start
    starts = frame["start"].to_numpy()
    whole = np.where(starts == first, windows.start_of(first), starts)
    return times, whole


def _tidied(kind: Aggregate, rows: _Values) -> _Values:
    """One row for each group and window, in order."""
    g, w = rows.g, rows.w
    if len(g) < 2 or bool(((g[1:] > g[:-1]) | ((g[1:] == g[:-1]) & (w[1:] > w[:-1]))).all()):
        return rows
    if kind not in (Aggregate.FIRST, Aggregate.LAST):
        return rows.at(np.lexsort((w, g)))
    # Of equal times the larger value is first and last.
    by_value = rows.v.arg_sort(descending=True).to_numpy().astype(np.int64)
    time = rows.time[by_value]
    order = by_value[np.lexsort((-time if kind is Aggregate.LAST else time, w[by_value], g[by_value]))]
    g, w = g[order], w[order]
    return rows.at(order[np.concatenate((np.ones(1, np.bool_), (g[1:] != g[:-1]) | (w[1:] != w[:-1])))])
