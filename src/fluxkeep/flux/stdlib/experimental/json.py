"""`experimental/json`: JSON as values.

Source: flux.md §13.
"""

from __future__ import annotations

import json

from fluxkeep.errors import Internal, InvalidInput
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Null, Value, kind_of
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("experimental/json")


@PACKAGE.function("data")
def parse(call: Call) -> Value:
    """Numbers become floats, objects records, arrays of one type arrays."""
    data = call.value("data")
    if not isinstance(data, bytes):
        raise InvalidInput(f"expected bytes but found {kind_of(data)} (argument data)")
    return _typed(read(data.decode("utf-8", "replace")))


def read(text: str) -> object:
    """Python's reading of JSON, refusals in the reference's words.

    Raises:
        Internal: The text ends too early; the reference calls that its own fault.
        InvalidInput: Not JSON.
    """
    try:
        found: object = json.loads(text, parse_int=float)
    except json.JSONDecodeError as error:
        rest = text[error.pos :].strip()
        if not rest:
            raise Internal("unexpected end of JSON input") from error
        raise InvalidInput(f"invalid character '{rest[0]}' looking for beginning of value") from error
    return found


def _typed(value: object) -> Value:
    match value:
        case bool() | float() | str():
            return value
        case list():
            items = [_typed(v) for v in value]
            if len({kind_of(v) for v in items}) > 1:
                raise InvalidInput("array values must all be the same type")
            return items
        case dict():
            return {str(k): _typed(v) for k, v in value.items()}
    return Null()
