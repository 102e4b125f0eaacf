"""Aggregates.

Source: flux.md §11.5.
"""

from __future__ import annotations

from collections.abc import Callable

from fluxkeep.datamodel.reader import Aggregate
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute import aggregates, statistics
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.plan import operations as op
from fluxkeep.flux.plan.graph import Transform
from fluxkeep.flux.stdlib.registry import Package

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
