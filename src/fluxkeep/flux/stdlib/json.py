"""`json`: values as JSON.

Source: flux.md §13.
"""

from __future__ import annotations

import json
import math

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import (
    Builtin,
    Closure,
    Dictionary,
    Dynamic,
    Null,
    Regexp,
    Time,
    UInt,
    Value,
    kind_of,
)
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.instants import Duration, format_rfc3339

PACKAGE = Package("json")


@PACKAGE.function("v")
def encode(call: Call) -> Value:
    """A value as bytes of JSON, labels in order."""
    return encoded(call.value("v")).encode()


def _text(value: str) -> str:
    # Go's encoder keeps what it sends to browsers from closing a tag.
    quoted = json.dumps(value, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        quoted = quoted.replace(character, f"\\u{ord(character):04x}")
    return quoted


def encoded(value: Value) -> str:
    """The JSON text of a value.

    Raises:
        InvalidInput: JSON has nothing for it.
    """
    match value:
        case Null():
            return "null"
        case bool():
            return "true" if value else "false"
        case Time():
            return _text(format_rfc3339(value))
        case UInt() | int():
            return str(int(value))
        case float():
            return _number(value)
        case str():
            return _text(value)
        case Duration():
            return _text(str(value))
        case Regexp(pattern=pattern):
            return _text(pattern)
        case list():
            return "[" + ",".join(encoded(v) for v in value) + "]"
        case dict():
            return "{" + ",".join(f"{_text(k)}:{encoded(value[k])}" for k in sorted(value)) + "}"
        case Dictionary(entries=entries):
            pairs = sorted((str(k), v) for k, v in entries)
            return "{" + ",".join(f"{_text(k)}:{encoded(v)}" for k, v in pairs) + "}"
        case Dynamic(inner=inner):
            return encoded(inner)
        case Closure() | Builtin():
            raise InvalidInput("cannot encode a function value")
    raise InvalidInput(f"unsupported type {kind_of(value)}")


def _number(value: float) -> str:
    """As Go's encoder: an exponent only for very small and very large numbers."""
    if not math.isfinite(value):
        raise InvalidInput(f"json: unsupported value: {'NaN' if value != value else '+Inf' if value > 0 else '-Inf'}")
    text = repr(value).removesuffix(".0")
    if value and not 1e-6 <= abs(value) < 1e21:
        digits, _, exponent = f"{value:e}".partition("e")
        for precision in range(18):
            digits, _, exponent = f"{value:.{precision}e}".partition("e")
            if float(f"{digits}e{exponent}") == value:
                break
        sign, number = exponent[0], exponent[1:].lstrip("0")
        return f"{digits}e{sign}{number.rjust(2, '0') if sign == '+' else number}"
    from fluxkeep.formats.annotated_csv import format_float

    return format_float(value) if "e" in text else text
