"""Windows without points: which there are, and what stands in them.

Source: influxql.md §8, §12; recorded in golden/influxql/grouping-time.txt.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from fluxkeep.influxql.errors import QueryError
from fluxkeep.influxql.execute.frames import sort_rows
from fluxkeep.influxql.execute.windows import Int64s, Windows
from fluxkeep.influxql.syntax.ast import Fill
from fluxkeep.instants import MIN_TIME_NS

# Windows of all groups together that one function may fill.
FILLED_WINDOWS_MAX: Final = 20_000_000


def fill_windows(
    values: pl.DataFrame,
    windows: Windows,
    fill: Fill,
    value: int | float | None,
    *,
    counting: bool,
    descending: bool,
) -> pl.DataFrame:
    """Add the windows that a group lacks.

    Args:
        values: g, time (a window's start), v, further columns that stay null where added.
        value: Of `Fill.NUMBER`.
        counting: The value is a count: null means 0.

    A group without any row stays without any.
    """
    if fill is Fill.NONE or not len(values):
        return values
    _require_few(values, windows)
    full = sort_rows(_expected(values, windows, descending=descending), descending=descending)
    if fill is Fill.NULL and counting:
        return full.with_columns(pl.col("v").fill_null(0))
    match fill:
        case Fill.NUMBER:
            return full.with_columns(pl.col("v").fill_null(cast_fill(value, full.schema["v"])))
        case Fill.PREVIOUS:
            return full.with_columns(pl.col("v").forward_fill().over("g"))
        case Fill.LINEAR:
            return _linear(full, windows)
        case _:
            return full


def _require_few(values: pl.DataFrame, windows: Windows) -> None:
    """Refuse to lay out more windows than memory should hold.

    Raises:
        QueryError: In the words of the reference's limit, which is off there and on here.
    """
    first = int(values["time"].to_numpy().min()) if windows.first <= MIN_TIME_NS else windows.first
    count = ((windows.last - first) // windows.every + 1) * values["g"].n_unique()
    if count > FILLED_WINDOWS_MAX:
        raise QueryError(f"max-select-buckets limit exceeded: ({count}/{FILLED_WINDOWS_MAX})")


def cast_fill(value: int | float | None, dtype: pl.DataType) -> pl.Expr:
    """The number of fill() in a column's type; what has no number is empty or false."""
    number = value or 0
    if dtype == pl.String():
        return pl.lit("")
    if dtype == pl.Boolean():
        return pl.lit(False)
    if dtype.is_integer():
        number = int(number)
        return pl.lit(number % (1 << 64) if dtype == pl.UInt64() else number, dtype)
    return pl.lit(float(number))


def _expected(values: pl.DataFrame, windows: Windows, *, descending: bool) -> pl.DataFrame:
    """The rows together with empty ones for the windows that lack."""
    unbounded = windows.first <= MIN_TIME_NS
    if windows.is_plain and not unbounded:
        starts = _spaced(windows.start_of(windows.first), windows.start_of(windows.last), windows.every)
        grid = values.select("g").unique(maintain_order=True).join(pl.DataFrame({"time": starts}), how="cross")
    else:
        grid = _walk(values, windows, descending=descending)
    return grid.join(values, on=["g", "time"], how="full", coalesce=True)


def _spaced(first: int, last: int, every: int) -> Int64s:
    return np.arange(first, last + 1, every, dtype=np.int64)


def _walk(values: pl.DataFrame, windows: Windows, *, descending: bool) -> pl.DataFrame:
    """Expected windows one after another, as the reference steps through them.

    Around a clock change a step may miss where a row really stands; the row
    then takes the step's place.
    """
    groups: list[int] = []
    times: list[int] = []
    last = windows.start_of(windows.first if descending else windows.last)
    ordered = sort_rows(values.select("g", "time"), descending=descending)
    for (g,), rows in ordered.group_by("g", maintain_order=True):
        actual = rows["time"].to_list()
        first = windows.last if descending else windows.first
        at = actual[0] if first <= MIN_TIME_NS else windows.start_of(first)
        end = actual[-1] if descending and windows.first <= MIN_TIME_NS else last
        zone = windows.zone_at(at)
        pending = 0
        while (at >= end) if descending else (at <= end):
            due = actual[pending] if pending < len(actual) else None
            if due is not None and ((due >= at) if descending else (due <= at)):
                pending += 1
            else:
                groups.append(int(str(g)))
                times.append(at)
            at, zone = windows.next(at, zone, descending=descending)
    return pl.DataFrame({"g": groups, "time": times}, schema={"g": pl.UInt32, "time": pl.Int64})


def _linear(full: pl.DataFrame, windows: Windows) -> pl.DataFrame:
    """Between neighbours on the line through them; integers lose their fraction; nothing at the edges."""
    dtype = full.schema["v"]
    if not dtype.is_numeric():
        return full
    step = (pl.col("time") // windows.every).cast(pl.Float64)
    known = pl.when(pl.col("v").is_not_null())
    marked = full.with_columns(
        step.alias("?x"),
        known.then(step).forward_fill().over("g").alias("?x0"),
        known.then(step).backward_fill().over("g").alias("?x1"),
        pl.col("v").forward_fill().over("g").cast(pl.Float64).alias("?y0"),
        pl.col("v").backward_fill().over("g").cast(pl.Float64).alias("?y1"),
    )
    slope = (pl.col("?y1") - pl.col("?y0")) / (pl.col("?x1") - pl.col("?x0"))
    between = slope * (pl.col("?x") - pl.col("?x0")) + pl.col("?y0")
    if dtype.is_integer():
        between = between.cast(dtype, strict=False)
    return marked.with_columns(pl.col("v").fill_null(between)).select(full.columns)
