"""Functions of a row and those before it.

Source: flux.md §11.3, §11.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fluxkeep.datamodel.tables import Block, ColumnType
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute import indicators, sequences
from fluxkeep.flux.execute.forecasts import Outlook, holt_winters
from fluxkeep.flux.execute.rows import RowFunction
from fluxkeep.flux.execute.run import Run
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Time, UInt, Value, kind_of
from fluxkeep.flux.plan.graph import Transform
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.universe.shape import plain_length
from fluxkeep.instants import SECOND, Duration, add_months

PART = Package("universe")
_SECOND = Duration(0, SECOND)


@PART.function("<-tables ?nonNegative ?columns ?keepFirst ?initialZero")
def difference(call: Call) -> Value:
    """Each value less the one before."""
    columns = call.strings("columns", ["_value"])
    non_negative = call.bool("nonNegative", default=False)
    keep_first, initial_zero = call.bool("keepFirst", default=False), call.bool("initialZero", default=False)
    return call.node(
        Transform(
            "difference",
            lambda blocks: sequences.difference(
                blocks, columns, non_negative=non_negative, keep_first=keep_first, initial_zero=initial_zero
            ),
        ),
        call.stream(),
    )


@PART.function("<-tables ?columns")
def increase(call: Call) -> Value:
    """How much a counter grew since the first row, resets counted."""
    columns = call.strings("columns", ["_value"])

    def grown(blocks: Sequence[Block]) -> list[Block]:
        steps = sequences.difference(blocks, columns, non_negative=True, keep_first=True, initial_zero=True)
        return sequences.cumulative_sum(steps, columns)

    return call.node(Transform("increase", grown), call.stream())


@PART.function("<-tables ?unit ?nonNegative ?columns ?timeColumn ?initialZero")
def derivative(call: Call) -> Value:
    """The rate of change."""
    columns, time = call.strings("columns", ["_value"]), call.string("timeColumn", "_time")
    unit = plain_length(call.duration("unit", _SECOND))
    non_negative, initial_zero = call.bool("nonNegative", default=False), call.bool("initialZero", default=False)
    return call.node(
        Transform(
            "derivative",
            lambda blocks: sequences.derivative(
                blocks, columns, unit, time, non_negative=non_negative, initial_zero=initial_zero
            ),
        ),
        call.stream(),
    )


@PART.function("<-tables ?columns")
def cumulativeSum(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Sums so far."""
    columns = call.strings("columns", ["_value"])
    return call.node(
        Transform("cumulativeSum", lambda blocks: sequences.cumulative_sum(blocks, columns)), call.stream()
    )


@PART.function("<-tables ?unit ?timeColumn ?columnName")
def elapsed(call: Call) -> Value:
    """Units since the row before."""
    unit, time = plain_length(call.duration("unit", _SECOND)), call.string("timeColumn", "_time")
    label = call.string("columnName", "elapsed")
    return call.node(Transform("elapsed", lambda blocks: sequences.elapsed(blocks, unit, time, label)), call.stream())


@PART.function("<-tables n")
def movingAverage(call: Call) -> Value:  # noqa: N802 - Flux's name
    """The mean of the last n rows."""
    n = call.int("n")
    if n < 1:
        raise InvalidInput(f"cannot take moving average with a period of {n} (must be greater than 0)")
    return call.node(Transform("movingAverage", lambda blocks: sequences.moving_average(blocks, n)), call.stream())


@PART.function("<-tables ?column ?value ?usePrevious")
def fill(call: Call) -> Value:
    """Nulls filled."""
    column = call.string("column", "_value")
    if call.has("value") == call.has("usePrevious"):
        raise InvalidInput("fill requires exactly one of value or usePrevious")
    if call.has("usePrevious"):
        return call.node(Transform("fill", lambda blocks: sequences.fill(blocks, column, None, None)), call.stream())
    value = call.value("value")
    kind = next((t for t in ColumnType if t.value == kind_of(value)), None)
    if kind is None or not isinstance(value, bool | int | float | str):
        raise InvalidInput(f"fill value has unsupported type {kind_of(value)}")
    plain = int(value) if isinstance(value, UInt | Time) else value
    return call.node(Transform("fill", lambda blocks: sequences.fill(blocks, column, plain, kind)), call.stream())


def _tracking(call: Call, count: str | None, duration: str | None, unit: Duration) -> Value:
    function = RowFunction(call.function("fn"), call.evaluator)
    time, unit_ns = call.string("timeColumn", "_time"), plain_length(unit)
    if unit_ns <= 0:
        raise InvalidInput("state tracking duration unit must be greater than zero")
    return call.node(
        Transform(
            call.name,
            lambda blocks: sequences.state_tracking(
                blocks, function, count=count, duration=duration, unit_ns=unit_ns, time=time, name=call.name
            ),
        ),
        call.stream(),
    )


@PART.function("<-tables fn ?column")
def stateCount(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Rows for which a predicate has held."""
    return _tracking(call, call.string("column", "stateCount"), None, _SECOND)


@PART.function("<-tables fn ?column ?timeColumn ?unit")
def stateDuration(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Units for which a predicate has held."""
    return _tracking(call, None, call.string("column", "stateDuration"), call.duration("unit", _SECOND))


@PART.function("<-tables fn ?countColumn ?durationColumn ?durationUnit ?timeColumn")
def stateTracking(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Rows and units for which a predicate has held."""
    count = call.string("countColumn") if call.has("countColumn") else None
    duration = call.string("durationColumn") if call.has("durationColumn") else None
    return _tracking(call, count or None, duration or None, call.duration("durationUnit", _SECOND))


@dataclass(frozen=True, slots=True)
class TimeShift:
    """Times moved; the bounds that later windows see move along."""

    duration: Duration
    columns: tuple[str, ...]

    @property
    def label(self) -> str:
        """`timeShift` and how far."""
        return f"timeShift {self.duration}"

    def apply(self, inputs: Sequence[Sequence[Block]], run: Run) -> Sequence[Block]:  # noqa: ARG002 - the protocol's
        """In memory."""
        return sequences.time_shift(inputs[0], self.duration, self.columns)

    def shift_bounds(self, bounds: TimeRange) -> TimeRange:
        """The bounds after it."""
        start = add_months(bounds.start, self.duration.months) + self.duration.ns
        return TimeRange(start, add_months(bounds.stop, self.duration.months) + self.duration.ns)


@PART.function("<-tables duration ?columns")
def timeShift(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Times moved."""
    columns = tuple(call.strings("columns", ["_start", "_stop", "_time"]))
    return call.node(TimeShift(call.duration("duration"), columns), call.stream())


@PART.function("<-tables n")
def exponentialMovingAverage(call: Call) -> Value:  # noqa: N802 - Flux's name
    """An average that weighs newer rows more."""
    n = call.int("n")
    if n < 1:
        raise InvalidInput(f"cannot take exponential moving average with a period of {n} (must be greater than 0)")
    return call.node(
        Transform(call.name, lambda blocks: indicators.exponential_average(blocks, n, stages=1)), call.stream()
    )


@PART.function("<-tables n")
def doubleEMA(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Two stages of smoothing with less lag."""
    n = call.int("n")
    return call.node(
        Transform(call.name, lambda blocks: indicators.exponential_average(blocks, n, stages=2)), call.stream()
    )


@PART.function("<-tables n")
def tripleEMA(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Three stages of smoothing with less lag."""
    n = call.int("n")
    return call.node(
        Transform(call.name, lambda blocks: indicators.exponential_average(blocks, n, stages=3)), call.stream()
    )


@PART.function("<-tables n")
def tripleExponentialDerivative(call: Call) -> Value:  # noqa: N802 - Flux's name
    """The percentage change of a thrice smoothed average."""
    n = call.int("n")
    return call.node(Transform(call.name, lambda blocks: indicators.triple_derivative(blocks, n)), call.stream())


@PART.function("<-tables n ?columns")
def relativeStrengthIndex(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Gains against losses, smoothed."""
    n, columns = call.int("n"), call.strings("columns", ["_value"])
    return call.node(
        Transform(call.name, lambda blocks: indicators.relative_strength(blocks, n, columns)), call.stream()
    )


@PART.function("<-tables n ?columns")
def chandeMomentumOscillator(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Gains against losses over the last n changes."""
    n, columns = call.int("n"), call.strings("columns", ["_value"])
    return call.node(Transform(call.name, lambda blocks: indicators.momentum(blocks, n, columns)), call.stream())


@PART.function("<-tables n")
def kaufmansER(call: Call) -> Value:  # noqa: N802 - Flux's name
    """How straight the way of the last n changes was."""
    n = call.int("n")
    return call.node(Transform(call.name, lambda blocks: indicators.efficiency(blocks, n)), call.stream())


@PART.function("<-tables n ?column")
def kaufmansAMA(call: Call) -> Value:  # noqa: N802 - Flux's name
    """An average that adapts to how straight the way is."""
    n, column = call.int("n"), call.string("column", "_value")
    return call.node(Transform(call.name, lambda blocks: indicators.adaptive_average(blocks, n, column)), call.stream())


@PART.function("<-tables n interval ?withFit ?column ?timeColumn ?seasonality ?withMinSSE")
def holtWinters(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A forecast by Holt and Winters' damped method."""
    outlook = Outlook(
        ahead=call.int("n"),
        interval=plain_length(call.duration("interval")),
        season=call.int("seasonality", 0),
        column=call.string("column", "_value"),
        time=call.string("timeColumn", "_time"),
        fit=call.bool("withFit", default=False),
        error=call.bool("withMinSSE", default=False),
    )
    if outlook.interval <= 0:
        raise InvalidInput("the interval must be greater than 0")
    return call.node(Transform(call.name, lambda blocks: holt_winters(blocks, outlook)), call.stream())
