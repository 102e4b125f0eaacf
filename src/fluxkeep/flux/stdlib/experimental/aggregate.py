"""`experimental/aggregate`: rates of counters.

Source: flux.md §14.
"""

from __future__ import annotations

from collections.abc import Sequence

from fluxkeep.datamodel.reader import Aggregate
from fluxkeep.datamodel.tables import Block
from fluxkeep.datamodel.timerange import Window
from fluxkeep.flux.execute import sequences
from fluxkeep.flux.execute.window import WindowSpec
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.plan import operations as op
from fluxkeep.flux.plan.graph import Transform
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.universe.shape import plain_length
from fluxkeep.instants import SECOND, Duration

PACKAGE = Package("experimental/aggregate")


@PACKAGE.function("<-tables every ?groupColumns ?unit")
def rate(call: Call) -> Value:
    """The mean rate of each window, summed over groups."""
    every, columns = call.duration("every"), call.strings("groupColumns", [])
    unit = plain_length(call.duration("unit", Duration(0, SECOND)))

    def rates(blocks: Sequence[Block]) -> list[Block]:
        return sequences.derivative(blocks, ["_value"], unit, "_time", non_negative=True, initial_zero=False)

    steps = call.node(Transform("derivative", rates), call.stream())
    windowed = call.node(op.Window(WindowSpec(window=Window(every=every, period=every))), steps.node)
    means = call.node(op.Reduce(Aggregate.MEAN, "_value"), windowed.node)
    grouped = call.node(op.Group(("_start", "_stop", *columns), "by"), means.node)
    sums = call.node(op.Reduce(Aggregate.SUM, "_value"), grouped.node)
    timed = call.node(op.Duplicate("_stop", "_time"), sums.node)
    return call.node(op.Window(WindowSpec(window=None)), timed.node)
