"""Windows.

Source: flux.md §11.4.
"""

from __future__ import annotations

from fluxkeep.datamodel.timerange import Window
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.window import WindowSpec
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import StreamValue, Value
from fluxkeep.flux.plan import operations as op
from fluxkeep.flux.plan.graph import Node
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.instants import Duration

PART = Package("universe")
_INF_NS = 9223372036854775807


def _windows(call: Call) -> Window | None:
    """The windows that the arguments describe; None for one endless window.

    Raises:
        InvalidInput: Neither length is given, or a length cannot be one.
    """
    every, period = call.duration("every", Duration()), call.duration("period", Duration())
    if every.is_zero and period.is_zero:
        raise InvalidInput('window function requires at least one of "every" or "period" to be set and non-zero')
    every = period if every.is_zero else every
    period = every if period.is_zero else period
    if every.ns == _INF_NS:
        return None
    if every.months and every.ns:
        raise InvalidInput("duration used as an interval cannot mix month and nanosecond units")
    if every.months < 0 or every.ns < 0:
        raise InvalidInput('parameter "every" must be non-negative')
    if period.months < 0 or period.ns < 0:
        raise InvalidInput('parameter "period" must be non-negative')
    zone, fixed = call.location()
    offset = call.duration("offset", Duration())
    return Window(every=every, period=period, offset=Duration(offset.months, offset.ns - fixed), location=zone)


@PART.function("<-tables ?every ?period ?offset ?location ?timeColumn ?startColumn ?stopColumn ?createEmpty")
def window(call: Call) -> Value:
    """Tables by time."""
    spec = WindowSpec(
        window=_windows(call),
        time=call.string("timeColumn", "_time"),
        start=call.string("startColumn", "_start"),
        stop=call.string("stopColumn", "_stop"),
        create_empty=call.bool("createEmpty", default=False),
        local=call.location() != ("UTC", 0),
    )
    return call.node(op.Window(spec), call.stream())


@PART.function("<-tables every fn ?period ?offset ?location ?column ?timeSrc ?timeDst ?createEmpty")
def aggregateWindow(call: Call) -> Value:  # noqa: N802 - Flux's name
    """One value a window, by time."""
    create_empty = call.bool("createEmpty", default=True)
    column, local = call.string("column", "_value"), call.location() != ("UTC", 0)
    source, target = call.string("timeSrc", "_stop"), call.string("timeDst", "_time")
    windowed = call.node(
        op.Window(WindowSpec(window=_windows(call), create_empty=create_empty, local=local)), call.stream()
    )
    reduced = call.invoke(call.function("fn"), tables=windowed, column=column)
    if not isinstance(reduced, StreamValue):
        raise InvalidInput("aggregateWindow: fn must return a stream of tables")
    node: Node = reduced.node
    if create_empty:
        node = call.node(op.FillEmpty(), node).node
    node = call.node(op.Duplicate(source, target), node).node
    return call.node(op.Window(WindowSpec(window=None, time=target)), node)
