"""Aggregates that the store computes itself.

Done where the answer is certain to be the same: a plain field, nothing to be
filtered by value, windows of equal length, one type. Otherwise None, and the
caller reads the points.

Source: architecture.md §6; influxql.md §6 (ties).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from fluxkeep.datamodel.reader import Aggregate, ScanRequest
from fluxkeep.datamodel.timerange import TimeRange, Window
from fluxkeep.errors import InvalidInput
from fluxkeep.influxql.execute.frames import Groups, dtype_of
from fluxkeep.influxql.execute.points import entity_of
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


def push_down(call: Call, bound: Bound, groups: Groups, windows: Windows) -> pl.DataFrame | None:
    """What the sources answer for a function: g, time, v; time is the point's for selectors, else the window's start.

    None when they cannot be asked.
    """
    kind = PUSHED.get(call.name)
    ref = call.args[0]
    if kind is None or not isinstance(ref, VarRef) or not windows.is_plain:
        return None
    if ref.type is DataType.BOOLEAN and call.name in ("min", "max"):
        return None
    if windows.last < windows.first:
        return None
    sources: list[MeasurementSource] = []
    for source in bound.sources:
        if not isinstance(source, MeasurementSource):
            return None
        sources.append(source)
    if len({s.name for s in sources}) < len(sources):
        return None
    frames: list[pl.DataFrame] = []
    for source in sources:
        if ref.name not in source.schema.fields:
            continue
        if source.schema.fields[ref.name] is not ref.type:
            return None
        pushed, rest = split_condition(bound.condition, source.schema)
        if rest is not None:
            return None
        # Of equal times the larger value is first and last, which only the engine knows: series stay apart.
        merging = kind not in (Aggregate.FIRST, Aggregate.LAST)
        request = ScanRequest(
            time_range=TimeRange(windows.first, min(windows.last, MAX_TIME_NS) + 1),
            predicate=measurement_predicate(source.name, pushed),
            absent_is_empty=True,
            fields=(ref.name,),
            aggregate=kind,
            window=_window(windows),
            group=bound.tags if merging else None,
        )
        answer = _answer(source, request, groups, call_type(call), windows)
        if answer is None:
            return None
        frames.append(answer)
    if not frames:
        return pl.DataFrame(schema={"g": pl.UInt32(), "time": pl.Int64(), "v": dtype_of(call_type(call))})
    return _tidy(kind, pl.concat(frames))


def _window(windows: Windows) -> Window | None:
    if not windows.every:
        return None
    every = Duration(0, windows.every)
    offset = windows.offset
    if windows.location is not None:
        offset -= windows.zone_at(0)
    return Window(every=every, period=every, offset=Duration(0, offset % windows.every))


def _answer(
    source: MeasurementSource, request: ScanRequest, groups: Groups, type_: DataType, windows: Windows
) -> pl.DataFrame | None:
    """One source's rows, or None where types differ between its shards."""
    try:
        scan = source.reader.scan(request)
        batches = list(scan.batches)
    except InvalidInput:
        return None
    group_of = np.array([groups.of(entity_of(s, source.name)) for s in scan.series], np.uint32)
    dtype = dtype_of(type_)
    assert request.aggregate is not None
    frames = [pl.DataFrame(schema={"g": pl.UInt32(), "time": pl.Int64(), "w": pl.Int64(), "v": dtype})]
    for batch in batches:
        frame = batch.frame
        if frame.schema["value"] != dtype:
            return None
        starts = frame["start"].to_numpy() if windows.every else np.zeros(len(frame), np.int64)
        w = windows.starts(starts) if windows.every else starts
        time = frame["time"] if request.aggregate.is_selector else pl.Series(w)
        g = group_of[frame["series"].to_numpy()]
        frames.append(
            pl.DataFrame(
                [
                    pl.Series("g", g, pl.UInt32),
                    time.alias("time"),
                    pl.Series("w", w, pl.Int64),
                    frame["value"].alias("v"),
                ]
            )
        )
    return pl.concat(frames)


def _tidy(kind: Aggregate, rows: pl.DataFrame) -> pl.DataFrame:
    """One row for each group and window, in order."""
    if kind in (Aggregate.FIRST, Aggregate.LAST):
        late = kind is Aggregate.LAST
        rows = rows.sort("g", "w", "time", "v", descending=[False, False, late, True])
        rows = rows.unique(["g", "w"], keep="first", maintain_order=True)
    else:
        rows = rows.sort("g", "w")
    return rows.select("g", "time", "v")
