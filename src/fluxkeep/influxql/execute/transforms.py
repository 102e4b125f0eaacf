"""Functions of a row and those before it: differences, rates, running sums and averages.

Each takes values `g, time, v` without nulls, by group and time in the query's
direction, and gives the same shape.

Source: influxql.md §9; recorded in golden/influxql/functions.txt.
"""

from __future__ import annotations

import polars as pl

from fluxkeep.influxql.execute.smoothing import smooth
from fluxkeep.influxql.plan.checks import SMOOTHERS
from fluxkeep.influxql.syntax.ast import Call, DurationLiteral, IntegerLiteral, StringLiteral
from fluxkeep.instants import SECOND

# These look one window back past the query's range when they stand around an aggregate.
LOOKING_BACK = SMOOTHERS | frozenset(
    ("derivative", "non_negative_derivative", "difference", "non_negative_difference", "moving_average")
)


def transform(call: Call, values: pl.DataFrame, *, interval: int, descending: bool) -> pl.DataFrame:
    """Apply a transformation.

    Args:
        interval: Of GROUP BY time when the argument is an aggregate, else 0.
    """
    match call.name:
        case "derivative" | "non_negative_derivative":
            return _derivative(call, values, interval, descending=descending)
        case "difference" | "non_negative_difference":
            return _difference(call, values)
        case "cumulative_sum":
            summed = pl.col("v").cum_sum().over("g").cast(values.schema["v"])
            return values.with_columns(summed)
        case "moving_average":
            size = _integer(call, 1)
            mean = pl.col("v").cast(pl.Float64).rolling_mean(size).over("g")
            return values.with_columns(mean).drop_nulls("v")
        case "elapsed":
            passed = pl.col("time").diff().over("g")
            unit = _unit(call, 1)
            # Go's division cuts towards zero, Polars' goes down.
            cut = (passed.abs() // unit) * passed.sign()
            return values.with_columns(cut.cast(pl.Int64).alias("v")).drop_nulls("v")
        case _:
            warmup = call.args[3].value if len(call.args) > 3 and isinstance(call.args[3], StringLiteral) else None
            hold = _integer(call, 2) if len(call.args) > 2 else -1
            return smooth(call.name, values, period=_integer(call, 1), hold=hold, warmup=warmup)


def _integer(call: Call, at: int) -> int:
    arg = call.args[at]
    assert isinstance(arg, IntegerLiteral)
    return arg.value


def _unit(call: Call, default: int) -> int:
    if len(call.args) > 1 and isinstance(call.args[1], DurationLiteral):
        return call.args[1].ns
    return default


def _distinct_times(values: pl.DataFrame) -> pl.DataFrame:
    """Of several rows at one instant the first counts."""
    return values.unique(["g", "time"], keep="first", maintain_order=True)


def _derivative(call: Call, values: pl.DataFrame, interval: int, *, descending: bool) -> pl.DataFrame:
    unit = _unit(call, interval or SECOND)
    elapsed = pl.col("time").diff().over("g").cast(pl.Float64)
    if descending:
        elapsed = -elapsed
    change = pl.col("v").cast(pl.Float64).diff().over("g")
    found = _distinct_times(values).with_columns((change / (elapsed / unit)).alias("v")).drop_nulls("v")
    return found.filter(pl.col("v") >= 0) if call.name.startswith("non_negative") else found


def _difference(call: Call, values: pl.DataFrame) -> pl.DataFrame:
    rows = _distinct_times(values).with_columns(pl.col("v").shift(1).over("g").alias("?before")).drop_nulls("?before")
    if call.name.startswith("non_negative"):
        rows = rows.filter(pl.col("v") >= pl.col("?before"))
    return rows.with_columns((pl.col("v") - pl.col("?before")).alias("v")).drop("?before")
