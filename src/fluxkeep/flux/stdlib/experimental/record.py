"""`experimental/record`: records whose labels are not known.

Source: flux.md §14.
"""

from __future__ import annotations

from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("experimental/record")
PACKAGE.values["any"] = {}


@PACKAGE.function("r key default")
def get(call: Call) -> Value:
    """A member, or the default where there is none."""
    found: Value = call.record("r").get(call.string("key"), call.value("default"))
    return found
