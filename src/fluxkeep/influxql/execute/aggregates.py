"""Functions that give one value, or some, for each group and window.

Each takes points `g, time, v, …` and gives values `g, time, v, …`; a selector
keeps the further columns of the point it chose. Nulls in `v` were dropped.

Source: influxql.md §6 (ties), §9; recorded in golden/influxql/functions.txt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import polars as pl

from fluxkeep.influxql.errors import QueryError
from fluxkeep.influxql.execute.windows import Windows
from fluxkeep.influxql.syntax.ast import Call, DurationLiteral, Expr, IntegerLiteral, NumberLiteral
from fluxkeep.influxql.types import DataType
from fluxkeep.instants import SECOND

_NUMERIC = frozenset((DataType.FLOAT, DataType.INTEGER, DataType.UNSIGNED))
_ALL = _NUMERIC | {DataType.STRING, DataType.BOOLEAN}
# Types that a function takes; others are refused by name.
ACCEPTS: Final[dict[str, frozenset[DataType]]] = {
    **dict.fromkeys(("count", "first", "last", "mode", "distinct", "sample", "elapsed"), _ALL),
    **dict.fromkeys(("min", "max"), _NUMERIC | {DataType.BOOLEAN}),
}
_WORDS = {
    "non_negative_derivative": "derivative",
    "non_negative_difference": "difference",
}
SELECTING = frozenset(("min", "max", "first", "last", "percentile", "sample", "top", "bottom"))
# Their windows are neither moved to the start nor filled.
UNFILLED = frozenset(("distinct", "sample", "top", "bottom", "integral"))


def require_type(name: str, type_: DataType) -> None:
    """Refuse a type that the function does not take.

    Raises:
        QueryError: In the words of the reference's implementation.
    """
    if type_ not in ACCEPTS.get(name, _NUMERIC):
        word = _WORDS.get(name, name).replace("_", " ")
        raise QueryError(f"unsupported {word} iterator type: *query.{type_.value}InterruptIterator")


def aggregate(call: Call, points: pl.DataFrame, windows: Windows) -> pl.DataFrame:
    """Apply a function to points.

    Args:
        call: Its first argument is what `v` holds.
        points: g, time, v, further columns; by group, then ascending time.
        windows: Rows of one window form one value.

    Returns:
        g, time, v and, of a selector, the further columns; time is the chosen point's for
        selectors, else the window's start. Ordered by group and window.
    """
    w = pl.Series("w", windows.starts(points["time"].to_numpy()) if windows.every else np.zeros(len(points), np.int64))
    rows = points.with_columns(w)
    if call.name == "integral":
        return _integral(call, rows, windows)
    if call.name in SELECTING:
        return _select(call, rows)
    if call.name == "count" and isinstance(call.args[0], Call):
        rows = rows.unique(["g", "w", "v"], keep="first", maintain_order=True)
    if call.name == "distinct":
        kept = rows.unique(["g", "w", "v"], keep="first", maintain_order=True)
        return kept.select("g", pl.col("w").alias("time"), "v")
    if call.name == "mode":
        return _mode(rows)
    found = rows.group_by("g", "w", maintain_order=True).agg(_EXPRESSIONS[call.name](pl.col("v")).alias("v"))
    return found.select("g", pl.col("w").alias("time"), "v")


_EXPRESSIONS: Final[dict[str, Callable[[pl.Expr], pl.Expr]]] = {
    "count": lambda v: v.len().cast(pl.Int64),
    "sum": lambda v: v.sum(),
    "mean": lambda v: v.cast(pl.Float64).mean(),
    "median": lambda v: v.cast(pl.Float64).median(),
    "spread": lambda v: v.max() - v.min(),
    "stddev": lambda v: v.cast(pl.Float64).std(ddof=1),
}


def _select(call: Call, rows: pl.DataFrame) -> pl.DataFrame:
    """Whole rows chosen in each group and window, in time order."""
    keys = ["g", "w"]
    match call.name:
        case "min":
            rows = rows.sort(*keys, "v", "time", maintain_order=True)
        case "max":
            rows = rows.sort(*keys, "v", "time", descending=[False, False, True, False], maintain_order=True)
        case "first":
            rows = rows.sort(*keys, "time", "v", descending=[False, False, False, True], maintain_order=True)
        case "last":
            rows = rows.sort(*keys, "time", "v", descending=[False, False, True, True], maintain_order=True)
        case "percentile":
            return _percentile(_number(call.args[1]), rows)
        case "sample":
            chance = pl.Series("?", np.random.default_rng().random(len(rows)))
            chosen = rows.with_columns(chance).filter(pl.col("?").rank("ordinal").over(keys) <= _number(call.args[1]))
            return chosen.drop("?", "w")
        case _:
            return _top(call, rows)
    return rows.unique(keys, keep="first", maintain_order=True).drop("w")


def _number(expr: Expr) -> float:
    assert isinstance(expr, IntegerLiteral | NumberLiteral)
    return expr.value


def _percentile(percent: float, rows: pl.DataFrame) -> pl.DataFrame:
    """The point of rank floor(n·p/100 + 0.5) in ascending order; none when that is out of range."""
    ordered = rows.sort("g", "w", "v", "time", maintain_order=True)
    rank = (pl.len() * percent / 100 + 0.5).floor().cast(pl.Int64).over("g", "w")
    return ordered.filter(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("g", "w") == rank).drop("w")


def _top(call: Call, rows: pl.DataFrame) -> pl.DataFrame:
    """The n largest or smallest, of equals the earliest; with tags the best of each combination first."""
    largest = call.name == "top"
    ordered = rows.sort("g", "w", "v", "time", descending=[False, False, largest, False], maintain_order=True)
    tags = [f"t{at}" for at in range(len(call.args) - 2)]
    if tags:
        ordered = ordered.unique(["g", "w", *tags], keep="first", maintain_order=True)
    size = int(_number(call.args[-1]))
    chosen = ordered.filter(pl.int_range(pl.len(), dtype=pl.Int64).over("g", "w") < size)
    return chosen.sort("g", "w", "time", maintain_order=True).drop("w")


def _mode(rows: pl.DataFrame) -> pl.DataFrame:
    """The most frequent value; of equally frequent ones the earliest, of values that all occur once the smallest.

    The reference lets an unstable sort decide between values that are equally
    frequent more than once; here the answer is always the same.
    """
    counted = rows.group_by("g", "w", "v", maintain_order=True).agg(
        pl.len().alias("n"), pl.col("time").min().alias("from")
    )
    most = counted.filter(pl.col("n") == pl.col("n").max().over("g", "w"))
    earliest = pl.when(pl.col("n") > 1).then(pl.col("from")).otherwise(0)
    ordered = most.sort("g", "w", earliest, "v")
    best = ordered.unique(["g", "w"], keep="first", maintain_order=True)
    return best.select("g", pl.col("w").alias("time"), "v")


def _integral(call: Call, rows: pl.DataFrame, windows: Windows) -> pl.DataFrame:
    """Area under the line through the points, cut and interpolated at the windows' ends."""
    unit = call.args[1].ns if len(call.args) > 1 and isinstance(call.args[1], DurationLiteral) else SECOND
    # Of several points at one instant the last counts.
    kept = rows.unique(["g", "time"], keep="last", maintain_order=True)
    g = kept["g"].to_numpy()
    time = kept["time"].to_numpy()
    value = kept["v"].cast(pl.Float64).to_numpy()
    w = kept["w"].to_numpy()
    area = np.zeros(len(kept))
    carried = np.zeros(len(kept))
    if len(kept) > 1:
        same = g[1:] == g[:-1]
        whole = same & (w[1:] == w[:-1])
        step = (time[1:] - time[:-1]) / unit
        area[1:] += np.where(whole, 0.5 * (value[1:] + value[:-1]) * step, 0.0)
        crossing = same & ~whole
        if windows.every and crossing.any():
            ends = windows.bounds(time)[1][:-1]
            span = (time[1:] - time[:-1]).astype(np.float64)
            slope = np.divide(value[1:] - value[:-1], span, out=np.zeros_like(span), where=span != 0)
            at_end = slope * (ends - time[:-1]) + value[:-1]
            carried[:-1] += np.where(crossing, 0.5 * (at_end + value[:-1]) * ((ends - time[:-1]) / unit), 0.0)
            area[1:] += np.where(crossing, 0.5 * (value[1:] + at_end) * ((time[1:] - ends) / unit), 0.0)
    pieces = kept.select("g", pl.col("w").alias("time")).with_columns(pl.Series("v", area + carried))
    return pieces.group_by("g", "time", maintain_order=True).agg(pl.col("v").sum())
