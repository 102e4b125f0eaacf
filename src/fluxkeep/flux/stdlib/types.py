"""`types`: what a value is.

Source: flux.md §13.
"""

from __future__ import annotations

from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Dynamic, Null, Value, kind_of
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("types")


def _kind(value: Value) -> str:
    if isinstance(value, Dynamic):
        return _kind(value.inner)
    return value.kind if isinstance(value, Null) else kind_of(value)


@PACKAGE.function("v type")
def isType(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Whether a value has the type of a name."""
    return _kind(call.value("v")) == call.string("type")


@PACKAGE.function("v")
def isNumeric(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Whether a value is an int, a uint or a float."""
    return _kind(call.value("v")) in ("int", "uint", "float")
