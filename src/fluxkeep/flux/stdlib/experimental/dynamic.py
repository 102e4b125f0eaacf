"""`experimental/dynamic`: values whose type shows only when they are read.

Source: flux.md §13.
"""

from __future__ import annotations

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Dynamic, Null, Value, kind_of
from fluxkeep.flux.stdlib.experimental.json import read
from fluxkeep.flux.stdlib.json import encoded
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.types import PACKAGE as TYPES

PACKAGE = Package("experimental/dynamic")


def _wrapped(value: object) -> Dynamic:
    match value:
        case Dynamic():
            return value
        case bool() | float() | int() | str() | bytes():
            return Dynamic(value)
        case list():
            return Dynamic([_wrapped(v) for v in value])
        case dict():
            return Dynamic({str(k): _wrapped(v) for k, v in value.items()})
    return Dynamic(Null())


@PACKAGE.function("v")
def dynamic(call: Call) -> Value:
    """Any value as one of unknown type."""
    return _wrapped(call.value("v"))


@PACKAGE.function("data")
def jsonParse(call: Call) -> Value:  # noqa: N802 - Flux's name
    """JSON as a value of unknown type."""
    data = call.value("data")
    if not isinstance(data, bytes):
        raise InvalidInput(f"expected bytes but found {kind_of(data)} (argument data)")
    return _wrapped(read(data.decode("utf-8", "replace")))


@PACKAGE.function("v")
def jsonEncode(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A value of unknown type as JSON."""
    return encoded(call.value("v")).encode()


@PACKAGE.function("<-v")
def asArray(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A value of unknown type as an array of such."""
    value = call.value("v")
    inner = value.inner if isinstance(value, Dynamic) else value
    if not isinstance(inner, list):
        shown = "{}" if isinstance(inner, dict) else kind_of(inner)
        raise InvalidInput(f"unable to convert {shown} to array")
    return [_wrapped(v) for v in inner]


@PACKAGE.function("v type")
def isType(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Whether what is inside has the type of a name."""
    value, wanted = call.value("v"), call.string("type")
    inner = value.inner if isinstance(value, Dynamic) else value
    if wanted in ("array", "object"):
        return isinstance(inner, list if wanted == "array" else dict)
    return TYPES.functions["isType"].run(call)
