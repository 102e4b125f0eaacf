"""Aggregates.

Source: flux.md §11.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import polars as pl

from fluxkeep.datamodel.reader import Aggregate
from fluxkeep.datamodel.tables import Block
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute import aggregates, integrals, joins, statistics
from fluxkeep.flux.execute.run import Run
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value, kind_of
from fluxkeep.flux.plan import operations as op
from fluxkeep.flux.plan.graph import Effect, Transform
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.universe.shape import plain_length
from fluxkeep.instants import SECOND, Duration

PART = Package("universe")


def _reduce(kind: Aggregate) -> Callable[[Call], Value]:
    def run(call: Call) -> Value:
        return call.node(op.Reduce(kind, call.string("column", "_value")), call.stream())

    return run


for _kind in (Aggregate.COUNT, Aggregate.SUM, Aggregate.MEAN):
    PART.function("<-tables ?column", _kind.value)(_reduce(_kind))


def _aggregate(call: Call, label: str, function: aggregates.Aggregator) -> Value:
    column = call.string("column", "_value")
    return call.node(Transform(label, lambda blocks: aggregates.aggregate(blocks, column, function)), call.stream())


@PART.function("<-tables ?column")
def spread(call: Call) -> Value:
    """Greatest less smallest."""
    return _aggregate(call, "spread", aggregates.spread)


@PART.function("<-tables ?column ?mode")
def stddev(call: Call) -> Value:
    """Standard deviation."""
    mode = call.string("mode", "sample")
    if mode not in ("sample", "population"):
        raise InvalidInput(f'"{mode}" is not a valid standard deviation mode')
    return _aggregate(call, "stddev", aggregates.stddev(mode == "population"))


@PART.function("<-tables ?column")
def skew(call: Call) -> Value:
    """Skewness."""
    return _aggregate(call, "skew", aggregates.skew)


@PART.function("<-tables q ?column ?method ?compression")
def quantile(call: Call) -> Value:
    """A quantile, estimated or exact."""
    return _quantile(call, call.float("q"), 1000.0)


@PART.function("<-tables ?column ?method ?compression")
def median(call: Call) -> Value:
    """The middle."""
    return _quantile(call, 0.5, 1000.0)


def _quantile(call: Call, q: float, compression: float) -> Value:
    method = call.string("method", "estimate_tdigest")
    column = call.string("column", "_value")
    if not 0 <= q <= 1:
        raise InvalidInput("quantile must be between 0 and 1")
    given = call.float("compression", 0.0)
    if given > 0 and method != "estimate_tdigest":
        raise InvalidInput("compression parameter is only valid for method estimate_tdigest")
    match method:
        case "estimate_tdigest":
            function = statistics.estimated_quantile(q, given or compression)
            return call.node(
                Transform("quantile", lambda blocks: aggregates.aggregate(blocks, column, function)), call.stream()
            )
        case "exact_mean":
            exact = statistics.exact_quantile(q)
            return call.node(
                Transform("quantile", lambda blocks: aggregates.aggregate(blocks, column, exact)), call.stream()
            )
        case "exact_selector":
            return call.node(Transform("quantile", lambda blocks: statistics.quantile_rows(blocks, q)), call.stream())
    raise InvalidInput(f"unknown method {method}")


@PART.function("<-tables ?column")
def mode(call: Call) -> Value:
    """The most frequent values."""
    column = call.string("column", "_value")
    return call.node(Transform("mode", lambda blocks: statistics.mode(blocks, column)), call.stream())


@PART.function("<-tables ?unit ?column ?timeColumn ?interpolate")
def integral(call: Call) -> Value:
    """The area under the curve."""
    unit, column = plain_length(call.duration("unit", Duration(0, SECOND))), call.string("column", "_value")
    time, interpolate = call.string("timeColumn", "_time"), call.string("interpolate", "")
    if interpolate not in ("", "linear"):
        raise InvalidInput(f"unknown interpolation {interpolate}")
    return call.node(
        Transform(
            "integral",
            lambda blocks: integrals.integral(blocks, column, time, unit, linear=interpolate == "linear"),
        ),
        call.stream(),
    )


@PART.function("<-tables columns ?pearsonr ?valueDst")
def covariance(call: Call) -> Value:
    """The covariance of two columns."""
    columns, into = call.strings("columns"), call.string("valueDst", "_value")
    correlation = call.bool("pearsonr", default=False)
    if len(columns) != 2:
        raise InvalidInput("must provide exactly two columns")
    return call.node(
        Transform("covariance", lambda blocks: integrals.covariance(blocks, columns, into, correlation=correlation)),
        call.stream(),
    )


def _of_two(call: Call, *, correlation: bool) -> Value:
    """Join two streams, then compare their values."""
    left, right, on = call.stream("x"), call.stream("y"), call.strings("on")

    def compared(inputs: Sequence[Sequence[Block]], run: Run) -> Sequence[Block]:
        joined = joins.join(inputs[0], inputs[1], "x", "y", on, run.progress)
        return integrals.covariance(joined, ["_value_x", "_value_y"], "_value", correlation=correlation)

    return call.node(Effect(call.name, compared), left, right)


@PART.function("x y on ?pearsonr")
def cov(call: Call) -> Value:
    """The covariance of two streams."""
    return _of_two(call, correlation=call.bool("pearsonr", default=False))


@PART.function("x y on")
def pearsonr(call: Call) -> Value:
    """The correlation of two streams."""
    return _of_two(call, correlation=True)


def _numbers(call: Call, name: str) -> list[float]:
    numbers: list[float] = []
    for item in call.array(name):
        if not isinstance(item, float):
            raise InvalidInput(f"expected float but found {kind_of(item)} (argument {name})")
        numbers.append(item)
    return numbers


@PART.function("<-tables bins ?column ?upperBoundColumn ?countColumn ?normalize")
def histogram(call: Call) -> Value:
    """Cumulative counts by upper bounds."""
    column, bound = call.string("column", "_value"), call.string("upperBoundColumn", "le")
    count, bins = call.string("countColumn", "_value"), _numbers(call, "bins")
    normalize = call.bool("normalize", default=False)
    return call.node(
        Transform(
            "histogram", lambda blocks: integrals.histogram(blocks, column, bound, count, bins, normalize=normalize)
        ),
        call.stream(),
    )


@PART.function("<-tables ?quantile ?countColumn ?upperBoundColumn ?valueColumn ?minValue ?onNonmonotonic")
def histogramQuantile(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A quantile from cumulative counts."""
    q, minimum = call.float("quantile"), call.float("minValue", 0.0)
    count, bound = call.string("countColumn", "_value"), call.string("upperBoundColumn", "le")
    value, policy = call.string("valueColumn", "_value"), call.string("onNonmonotonic", "error")
    if policy not in ("error", "force", "drop"):
        raise InvalidInput(f'onNonmonotonic must be one of "error", "force" or "drop", got "{policy}"')
    return call.node(
        Transform(
            "histogramQuantile",
            lambda blocks: integrals.histogram_quantile(blocks, q, count, bound, value, minimum, policy),
        ),
        call.stream(),
    )


@PART.function("start width count ?infinity")
def linearBins(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Bounds at equal distances."""
    start, width, count = call.float("start"), call.float("width"), call.int("count")
    bins: list[Value] = [start + i * width for i in range(count)]
    return [*bins, math.inf] if call.bool("infinity", default=True) else bins


@PART.function("start factor count ?infinity")
def logarithmicBins(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Bounds at equal ratios."""
    start, factor, count = call.float("start"), call.float("factor"), call.int("count")
    bins: list[Value] = [start * factor**i for i in range(count)]
    return [*bins, math.inf] if call.bool("infinity", default=True) else bins


@PART.function("<-tables unit")
def timeWeightedAvg(call: Call) -> Value:  # noqa: N802 - Flux's name
    """The mean of a curve over the bounds."""
    unit = plain_length(call.duration("unit"))

    def averaged(blocks: Sequence[Block]) -> list[Block]:
        out = []
        for block in integrals.integral(blocks, "_value", "_time", unit, linear=True):
            spans = (block.keys["_stop"] - block.keys["_start"]).cast(pl.Float64)
            means = block.rows["_value"] * float(unit) / spans.gather(block.ids)
            rows = block.rows.with_columns(means.alias("_value"))
            columns = tuple(sorted(block.columns, key=lambda c: c.label))
            out.append(Block(columns, block.key, block.keys, rows))
        return out

    return call.node(Transform("timeWeightedAvg", averaged), call.stream())
