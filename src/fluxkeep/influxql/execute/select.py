"""A bound SELECT run to a table.

Reads once for each range that is needed, computes every function by itself,
joins what they give by group and time, evaluates the columns, then limits.

Source: influxql.md §6 to §11.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.influxql.execute.aggregates import SELECTING, UNFILLED, aggregate, require_type
from fluxkeep.influxql.execute.expressions import Typed, evaluate
from fluxkeep.influxql.execute.fill import cast_fill, fill_windows
from fluxkeep.influxql.execute.frames import Groups, Table, cut_groups, dtype_of, sort_rows
from fluxkeep.influxql.execute.holt_winters import holt_winters
from fluxkeep.influxql.execute.points import gather
from fluxkeep.influxql.execute.pushdown import PushedDown
from fluxkeep.influxql.execute.transforms import LOOKING_BACK, transform
from fluxkeep.influxql.execute.windows import Windows
from fluxkeep.influxql.plan.bind import Bound
from fluxkeep.influxql.plan.checks import HOLT_WINTERS, MATH, TRANSFORMS
from fluxkeep.influxql.plan.typing import call_type
from fluxkeep.influxql.syntax.ast import Call, Expr, Fill, IntegerLiteral, VarRef, children
from fluxkeep.influxql.types import DataType
from fluxkeep.instants import MAX_TIME_NS, MIN_TIME_NS


def run_select(bound: Bound) -> Table:
    """The answer of a SELECT.

    Raises:
        QueryError: A function of a type that it does not take.
    """
    return _Run(bound).table()


def calls_of(expr: Expr) -> list[Call]:
    """The outermost functions that read points, from left to right."""
    if isinstance(expr, Call) and expr.name not in MATH:
        return [expr]
    return [call for child in children(expr) for call in calls_of(child)]


def plain_refs(expr: Expr) -> list[VarRef]:
    """References outside such functions."""
    if isinstance(expr, VarRef):
        return [expr]
    if isinstance(expr, Call) and expr.name not in MATH:
        return []
    return [ref for child in children(expr) for ref in plain_refs(child)]


class _Run:
    """One run of one SELECT."""

    def __init__(self, bound: Bound) -> None:
        self._bound = bound
        self._plan = bound.compiled
        self._groups = Groups(bound.tags)
        exprs = [c.expr for c in bound.columns]
        self._calls = list(dict.fromkeys(call for expr in exprs for call in calls_of(expr)))
        self._plain = list(dict.fromkeys(ref for expr in exprs for ref in plain_refs(expr)))
        read = [r for call in self._calls for r in _argument_refs(call)]
        self._refs = list(dict.fromkeys([*read, *self._plain]))
        self._read: dict[tuple[int, int], pl.DataFrame] = {}
        self._pushed = PushedDown(bound, self._groups, [c for call in self._calls for c in _with_inner(call)])
        self._single = self._plan.checked.only_selectors and len(self._plan.checked.calls) == 1
        self._limit = self._plan.select.limit

    def table(self) -> Table:
        if self._calls:
            frame, columns = self._computed()
        else:
            frame, columns = self._raw()
        return self._finish(self._shown(frame, columns))

    def _shown(self, frame: pl.DataFrame, columns: dict[Expr, Typed]) -> pl.DataFrame:
        """g, time and the columns of the answer."""
        shown = [columns.get(column.expr) for column in self._bound.columns]
        if all(one is not None and one.expr.meta.is_column() for one in shown):
            # As they are: taken, not computed, which a small answer would feel.
            taken = [
                frame[one.expr.meta.output_name()].alias(f"c{at}") for at, one in enumerate(shown) if one is not None
            ]
            return pl.DataFrame([frame["g"], frame["time"], *taken])
        return frame.select("g", "time", *self._outputs(columns))

    def _outputs(self, columns: dict[Expr, Typed]) -> list[pl.Expr]:
        outputs = []
        for at, column in enumerate(self._bound.columns):
            outputs.append(evaluate(column.expr, columns).expr.alias(f"c{at}"))
        return outputs

    def _windows(self, first: int, last: int) -> Windows:
        plan = self._plan
        return Windows(plan.interval, plan.offset, plan.location, first, last)

    def _points(self, first: int, last: int, limit: int | None = None) -> pl.DataFrame:
        key = (first, last)
        if key not in self._read:
            stop = TimeRange(first, min(last, MAX_TIME_NS) + 1)
            self._read[key] = gather(self._bound, self._refs, self._groups, stop, run_select, limit=limit)
        return self._read[key]

    def _raw(self) -> tuple[pl.DataFrame, dict[Expr, Typed]]:
        bounds, select = self._plan.bounds, self._plan.select
        limit = select.limit + select.offset if select.limit else None
        frame = self._points(bounds.start, bounds.end, limit)
        columns: dict[Expr, Typed] = {ref: Typed(pl.col(f"r{at}"), ref.type) for at, ref in enumerate(self._refs)}
        if self._plan.fill is Fill.NUMBER:
            fills = [
                pl.col(f"r{at}").fill_null(cast_fill(self._plan.fill_value, frame.schema[f"r{at}"]))
                for at, ref in enumerate(self._refs)
                if ref.type.is_field
            ]
            frame = frame.with_columns(fills)
        return frame, columns

    def _computed(self) -> tuple[pl.DataFrame, dict[Expr, Typed]]:
        bounds = self._plan.bounds
        columns: dict[Expr, Typed] = {}
        frame: pl.DataFrame | None = None
        for at, call in enumerate(self._calls):
            found = self._values(call, bounds.start, bounds.end)
            values = pl.DataFrame([c.alias(f"f{at}") if c.name == "v" else c for c in found.iter_columns()])
            columns[call] = Typed(pl.col(f"f{at}"), call_type(call))
            frame = values if frame is None else _merged(frame, values)
        assert frame is not None
        if self._plan.fill is Fill.NUMBER and len(self._calls) > 1:
            names = [f"f{at}" for at in range(len(self._calls))]
            fills = [pl.col(n).fill_null(cast_fill(self._plan.fill_value, frame.schema[n])) for n in names]
            frame = frame.with_columns(fills)
        for at, ref in enumerate(self._refs):
            if ref in self._plain and f"r{at}" in frame.columns:
                columns[ref] = Typed(pl.col(f"r{at}"), ref.type)
        return frame, columns

    def _values(self, call: Call, first: int, last: int) -> pl.DataFrame:
        """What one function gives over a range: g, time, v and, of the only selector, the plain columns."""
        plan = self._plan
        if call.name in TRANSFORMS or call.name in HOLT_WINTERS:
            return self._transformed(call, first, last)
        windows = self._windows(first, last)
        ref = _argument_refs(call)[0]
        if ref.type in (DataType.TAG, DataType.UNKNOWN):
            return _nothing(call)
        require_type(call.name, ref.type)
        values = None
        if not self._plain and (first, last) not in self._read:
            values = self._pushed.find(call, windows)
        pushed = values is not None
        if values is None:
            values = aggregate(call, self._inputs(call, ref, first, last), windows)
        if call.name in UNFILLED:
            return values if plan.interval or call.name != "distinct" else self._at_start(values)
        if not plan.interval:
            keeps_time = call.name in SELECTING and self._single
            return values if keeps_time else self._at_start(values)
        if call.name in SELECTING and not pushed:
            starts = pl.Series("time", windows.starts(values["time"].to_numpy()))
            values = pl.DataFrame([starts if c.name == "time" else c for c in values.iter_columns()])
        return fill_windows(
            values,
            windows,
            plan.fill,
            plan.fill_value,
            counting=call.name == "count",
            descending=plan.descending,
        )

    def _at_start(self, values: pl.DataFrame) -> pl.DataFrame:
        bounds = self._plan.bounds
        start = 0 if bounds.first is None or bounds.start <= MIN_TIME_NS else bounds.start
        times = pl.Series("time", np.full(len(values), start, np.int64))
        return pl.DataFrame([times if c.name == "time" else c for c in values.iter_columns()])

    def _inputs(self, call: Call, ref: VarRef, first: int, last: int) -> pl.DataFrame:
        points = self._points(first, last)
        at = self._refs.index(ref)
        chosen = [pl.col("g"), pl.col("time"), pl.col(f"r{at}").alias("v")]
        if self._plain and self._single:
            chosen += [pl.col(f"r{i}") for i, r in enumerate(self._refs) if r in self._plain]
        if call.name in ("top", "bottom"):
            tags = _argument_refs(call)[1:]
            chosen += [pl.col(f"r{self._refs.index(tag)}").alias(f"t{i}") for i, tag in enumerate(tags)]
        rows = points.select(chosen).drop_nulls("v")
        return sort_rows(rows, descending=False) if self._plan.descending else rows

    def _transformed(self, call: Call, first: int, last: int) -> pl.DataFrame:
        plan = self._plan
        inner = call.args[0]
        if isinstance(inner, Call):
            if call.name in LOOKING_BACK and plan.interval:
                if plan.descending:
                    last += plan.interval
                else:
                    first = max(first - plan.interval, MIN_TIME_NS)
            values = self._values(inner, first, last).select("g", "time", "v")
            type_ = call_type(inner)
        else:
            ref = _argument_refs(call)[0]
            type_ = ref.type
            if type_ in (DataType.TAG, DataType.UNKNOWN):
                return _nothing(call)
            at = self._refs.index(ref)
            values = self._points(first, last).select("g", "time", pl.col(f"r{at}").alias("v"))
        if type_ in (DataType.TAG, DataType.UNKNOWN):
            return _nothing(call)
        require_type(call.name, type_)
        values = sort_rows(values.drop_nulls("v"), descending=plan.descending)
        if call.name in HOLT_WINTERS:
            count, season = call.args[1], call.args[2]
            assert isinstance(count, IntegerLiteral)
            assert isinstance(season, IntegerLiteral)
            return holt_winters(
                values,
                count=count.value,
                season=season.value,
                interval=plan.interval,
                with_fit=call.name.endswith("with_fit"),
            )
        interval = plan.interval if isinstance(inner, Call) else 0
        return transform(call, values, interval=interval, descending=plan.descending)

    def _finish(self, frame: pl.DataFrame) -> Table:
        """Groups in order, rows in order, limits applied."""
        select, descending = self._plan.select, self._plan.descending
        entities, ranks = self._groups.in_order(descending=descending)
        g = pl.Series("g", ranks[frame["g"].to_numpy()], pl.UInt32)
        frame = sort_rows(pl.DataFrame([g, *(c for c in frame.iter_columns() if c.name != "g")]), descending=descending)
        if select.slimit or select.soffset:
            frame = _limit_groups(frame, select.slimit, select.soffset)
        if select.limit or select.offset:
            frame = cut_groups(frame, select.limit, select.offset)
        return Table(entities, frame, [c.name for c in self._bound.columns])


def _argument_refs(call: Call) -> list[VarRef]:
    """What a function reads: its field, and the tags of top() and bottom()."""
    first = call.args[0]
    if isinstance(first, Call):
        return _argument_refs(first)
    return [arg for arg in call.args if isinstance(arg, VarRef)]


def _with_inner(call: Call) -> list[Call]:
    """A function and the one it is applied to, if any."""
    inner = call.args[0] if call.args else None
    return [call, *(_with_inner(inner) if isinstance(inner, Call) else ())]


def _merged(frame: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    """Rows of two functions side by side, by group and time."""
    if len(frame) == len(values) and all(frame[name].equals(values[name]) for name in ("g", "time")):
        # As of functions that have a value for every point: nothing to look for.
        return pl.DataFrame([*frame.iter_columns(), *(c for c in values.iter_columns() if c.name not in ("g", "time"))])
    return frame.join(values, on=["g", "time"], how="full", coalesce=True, nulls_equal=True)


def _nothing(call: Call) -> pl.DataFrame:
    type_ = call_type(call)
    dtype = dtype_of(type_ if type_ is not DataType.TAG else DataType.UNKNOWN)
    return pl.DataFrame(schema={"g": pl.UInt32(), "time": pl.Int64(), "v": dtype})


def _limit_groups(frame: pl.DataFrame, limit: int, offset: int) -> pl.DataFrame:
    chosen = frame["g"].unique(maintain_order=True).slice(offset, limit or None)
    return frame.filter(pl.col("g").is_in(chosen.implode()))
