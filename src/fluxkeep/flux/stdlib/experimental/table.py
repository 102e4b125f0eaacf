"""`experimental/table`: empty tables made visible.

Source: flux.md §14.
"""

from __future__ import annotations

from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.plan.operations import FillEmpty
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("experimental/table")


@PACKAGE.function("<-tables")
def fill(call: Call) -> Value:
    """Each empty table becomes one row: its key and nulls."""
    return call.node(FillEmpty(), call.stream())
