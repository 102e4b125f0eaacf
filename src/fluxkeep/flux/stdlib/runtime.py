"""`runtime`: the language's version.

Source: flux.md §13.
"""

from __future__ import annotations

from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("runtime")


@PACKAGE.function("")
def version(call: Call) -> Value:  # noqa: ARG001 - the registry's shape
    """The version of Flux that scripts may count on."""
    return "v0.200.0"
