"""`influxdata/influxdb/schema`: names of measurements, tags and fields.

What a predicate over series asks is answered from the index; other predicates
read rows.

Source: flux.md §12, §16 (4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fluxkeep.datamodel.predicates import MEASUREMENT, And, Compare, Op, Predicate, split
from fluxkeep.datamodel.reader import Reader
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute import combine
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Closure, Time, Value
from fluxkeep.flux.plan.graph import Transform
from fluxkeep.flux.plan.operations import From, IndexRead
from fluxkeep.flux.plan.predicates import split_filter
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.universe.shape import plain_length
from fluxkeep.flux.syntax import ast
from fluxkeep.instants import DAY, MAX_TIME_NS, MIN_TIME_NS, Duration

PACKAGE = Package("influxdata/influxdb/schema")
Question = Callable[[Reader, TimeRange, Predicate | None], Sequence[str]]
_COMMON = "?predicate ?start ?stop"


def bound(call: Call, name: str, default: int) -> int:
    """A time, or a duration from now of plain length."""
    match call.arguments.get(name):
        case None:
            return default
        case Time() as time:
            return int(time)
        case Duration() as duration:
            return call.evaluator.now() + plain_length(duration)
    raise InvalidInput(f"value is not a time (argument {name})")


def series_predicate(call: Call) -> Predicate | None:
    """The argument `predicate` as one that the index understands; None keeps everything.

    Raises:
        InvalidInput: It looks at rows, or is no such predicate.
    """
    if not call.has("predicate"):
        return None
    function = call.function("predicate")
    if isinstance(function, Closure):
        body = function.expression.body
        if isinstance(body, ast.Identifier) and body.name == "true":
            return None
        pushed, rest = split_filter(function)
        if rest is None and split(pushed)[1] is None:
            return pushed
    raise InvalidInput("predicate must compare tags, measurements or fields with constants")


def ask(call: Call, question: Question, measurement: str | None = None) -> Value:
    """An index read of the call's bucket, range and predicate."""
    now = call.evaluator.now()
    time_range = TimeRange(
        max(bound(call, "start", now - 30 * DAY), MIN_TIME_NS), min(bound(call, "stop", now), MAX_TIME_NS)
    )
    predicate = series_predicate(call)
    if measurement is not None:
        only = Compare(MEASUREMENT, Op.EQ, measurement)
        predicate = only if predicate is None else And((only, predicate))
    return call.node(
        IndexRead(
            name=call.name,
            source=From(call.string("bucket"), None),
            time_range=time_range,
            question=lambda reader: question(reader, time_range, predicate),
        )
    )


def _values(tag: str) -> Question:
    return lambda reader, time_range, predicate: reader.tag_values(tag, time_range, predicate)


def _keys(reader: Reader, time_range: TimeRange, predicate: Predicate | None) -> Sequence[str]:
    # The key of a table has its bounds too, which come first. Source: recorded answers.
    return ["_start", "_stop", *sorted(["_field", "_measurement", *reader.tag_keys(time_range, predicate)])]


def _keys_if_any(reader: Reader, time_range: TimeRange, predicate: Predicate | None) -> Sequence[str]:
    if not reader.series(time_range, predicate):
        return ["_start", "_stop"]
    return _keys(reader, time_range, predicate)


@PACKAGE.function(f"bucket tag {_COMMON}")
def tagValues(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Values of a tag."""
    return ask(call, _values(call.string("tag")))


@PACKAGE.function(f"bucket {_COMMON}")
def tagKeys(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Keys of tags, and what else is in the key of a table."""
    return ask(call, _keys_if_any)


@PACKAGE.function("bucket ?start ?stop")
def measurements(call: Call) -> Value:
    """Names of measurements."""
    return ask(call, _values("_measurement"))


@PACKAGE.function(f"bucket {_COMMON}")
def fieldKeys(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Names of fields."""
    return ask(call, _values("_field"))


@PACKAGE.function("bucket measurement tag ?start ?stop")
def measurementTagValues(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Values of a tag of one measurement."""
    return ask(call, _values(call.string("tag")), call.string("measurement"))


@PACKAGE.function("bucket measurement ?start ?stop")
def measurementTagKeys(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Keys of tags of one measurement."""
    return ask(call, _keys_if_any, call.string("measurement"))


@PACKAGE.function("bucket measurement ?start ?stop")
def measurementFieldKeys(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Names of fields of one measurement."""
    return ask(call, _values("_field"), call.string("measurement"))


@PACKAGE.function("<-tables")
def fieldsAsCols(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Fields side by side, a row for each time."""
    return call.node(
        Transform("fieldsAsCols", lambda blocks: combine.pivot(blocks, ["_time"], ["_field"], "_value")), call.stream()
    )
