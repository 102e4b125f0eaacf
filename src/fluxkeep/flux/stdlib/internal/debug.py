"""`internal/debug`: identities and typed nulls.

Source: flux.md §13.
"""

from __future__ import annotations

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Null, Value
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("internal/debug")
PACKAGE.values["vectorize"] = False
_KINDS = ("bool", "int", "uint", "float", "string", "bytes", "time", "duration", "regexp")

for _name in ("pass", "opaque", "slurp", "sink"):
    PACKAGE.function("<-tables", _name)(lambda call: call.value("tables"))


@PACKAGE.function("?type")
def null(call: Call) -> Value:
    """The null of a type."""
    kind = call.string("type", "")
    if kind and kind not in _KINDS:
        raise InvalidInput(f"bad typename: {kind}")
    return Null(kind)


@PACKAGE.function("key")
def feature(call: Call) -> Value:  # noqa: ARG001 - the registry's shape
    """No features are switched."""
    return False


@PACKAGE.function("pkg name")
def getOption(call: Call) -> Value:  # noqa: N802 - Flux's name
    """The value of a package's option."""
    return call.evaluator.package(call.string("pkg")).members.get(call.string("name"), Null())
