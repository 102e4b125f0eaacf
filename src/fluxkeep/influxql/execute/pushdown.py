"""Aggregates that the store computes itself.

Done where the answer is certain to be the same: a plain field, nothing to be
filtered by value, windows of equal length, one type. Otherwise None, and the
caller reads the points.

Source: architecture.md §6; influxql.md §6 (ties).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl

from fluxkeep.datamodel.predicates import FIELD, MEASUREMENT
from fluxkeep.datamodel.reader import Aggregate, ScanRequest
from fluxkeep.datamodel.series_names import names_of
from fluxkeep.datamodel.timerange import TimeRange, Window
from fluxkeep.errors import InvalidInput
from fluxkeep.influxql.execute.frames import Groups, dtype_of, groups_of, in_order
from fluxkeep.influxql.execute.windows import Windows
from fluxkeep.influxql.plan.bind import Bound, MeasurementSource
from fluxkeep.influxql.plan.predicates import measurement_predicate, split_condition
from fluxkeep.influxql.plan.typing import call_type
from fluxkeep.influxql.syntax.ast import Call, VarRef
from fluxkeep.influxql.types import DataType
from fluxkeep.instants import MAX_TIME_NS, Duration

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
        """A function's values: g, time, v; time is the point's for selectors, else the window's start.

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
        frames: dict[str, list[pl.DataFrame]] = {name: [] for name in calls}
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
                    frames.pop(name, None)
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
            for name, frame in answer.items():
                if name in frames:
                    frames[name].append(frame)
        return {
            name: _tidy(kind, parts[0] if len(parts) == 1 else pl.concat(parts)) if parts else _empty(types[name])
            for name, parts in frames.items()
        }


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
) -> dict[str, pl.DataFrame] | None:
    """One source's rows by field, or None where types differ between its shards.

    With `merging` there is one row for each group, field and window.
    """
    labels = (*groups.tags, FIELD)
    try:
        scan = source.reader.scan(request)
        if merging and _meet(names_of(scan.series, np.arange(len(scan.series)), labels).columns):
            # Nothing was read yet. Groups of one series each need no grouping, which is most of a scan's cost.
            scan = source.reader.scan(replace(request, group=labels))
        batches = list(scan.batches)
    except InvalidInput:
        return None
    assert request.aggregate is not None
    parts: dict[str, list[pl.DataFrame]] = {}
    for batch in batches:
        frame = batch.frame
        ordinals = frame["series"].to_numpy()
        begins = np.concatenate((np.ones(1, np.bool_), ordinals[1:] != ordinals[:-1]))[: len(ordinals)]
        table_of = np.cumsum(begins) - 1
        names = names_of(scan.series, ordinals[begins].astype(np.int64), labels).columns
        g = groups_of(names, source.name, groups)[table_of]
        time, w = _times(frame, windows, selector=request.aggregate.is_selector)
        rows = pl.DataFrame([pl.Series("g", g), time.alias("time"), w.alias("w"), frame["value"].alias("v")])
        fields = names[FIELD]
        for field in fields.unique(maintain_order=True).to_list():
            if rows.schema["v"] != types[field]:
                return None
            mine = (fields == field).to_numpy()
            parts.setdefault(field, []).append(rows if mine.all() else rows[np.flatnonzero(mine[table_of])])
    return {field: found[0] if len(found) == 1 else pl.concat(found) for field, found in parts.items()}


def _meet(names: Mapping[str, pl.Series]) -> bool:
    """Whether two of some field series have the same names."""
    frame = pl.DataFrame([column.alias(label) for label, column in names.items()])
    return frame.height > 1 and frame.n_unique() < frame.height


def _times(frame: pl.DataFrame, windows: Windows, *, selector: bool) -> tuple[pl.Series, pl.Series]:
    """The time of each row of an answer and the start of its window, 0 without windows."""
    if windows.every:
        # There are few windows and many rows in each.
        starts, of = np.unique(frame["start"].to_numpy(), return_inverse=True)
        w = pl.Series("w", windows.starts(starts)[of])
    else:
        w = pl.Series("w", np.zeros(len(frame), np.int64))
    return (frame["time"] if selector else w), w


def _tidy(kind: Aggregate, rows: pl.DataFrame) -> pl.DataFrame:
    """One row for each group and window, in order."""
    if in_order(rows["g"], rows["w"], distinct=True):
        return rows[["g", "time", "v"]]
    if kind in (Aggregate.FIRST, Aggregate.LAST):
        late = kind is Aggregate.LAST
        rows = rows.sort("g", "w", "time", "v", descending=[False, False, late, True])
        rows = rows.unique(["g", "w"], keep="first", maintain_order=True)
    else:
        rows = rows.sort("g", "w")
    return rows[["g", "time", "v"]]
