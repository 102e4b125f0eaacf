"""Selectors.

Source: flux.md §11.1.
"""

from __future__ import annotations

from collections.abc import Callable

from fluxkeep.datamodel.reader import Aggregate
from fluxkeep.flux.execute import aggregates
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


for _kind in (Aggregate.FIRST, Aggregate.LAST, Aggregate.MIN, Aggregate.MAX):
    PART.function("<-tables ?column", _kind.value)(_reduce(_kind))


@PART.function("<-tables ?column")
def distinct(call: Call) -> Value:
    """Each value once."""
    column = call.string("column", "_value")
    return call.node(Transform("distinct", lambda blocks: aggregates.distinct(blocks, column)), call.stream())


@PART.function("<-tables ?column")
def unique(call: Call) -> Value:
    """The first row of each value."""
    column = call.string("column", "_value")
    return call.node(Transform("unique", lambda blocks: aggregates.unique(blocks, column)), call.stream())
