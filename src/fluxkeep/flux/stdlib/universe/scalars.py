"""Values and functions on values: constants, conversions, `contains`, `length`, `now`, `die`.

Source: flux.md §11.7.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter import operators
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import (
    Builtin,
    Closure,
    Dictionary,
    Dynamic,
    Null,
    Regexp,
    StreamValue,
    Time,
    UInt,
    Value,
    format_value,
    kind_of,
    wrap_int,
)
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.instants import Duration, parse_rfc3339

PART = Package("universe")
_INF_NS = 9223372036854775807
PART.values.update(
    {
        "true": True,
        "false": False,
        "inf": Duration(0, _INF_NS),
        "location": {"zone": "UTC", "offset": Duration()},
    }
)
_INT = re.compile(r"[+-]?[0-9]+", re.ASCII)
_FLOAT = re.compile(
    r"[+-]?(?:[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[iI]nf(?:inity)?|[nN]a[nN])", re.ASCII
)


@PART.function("")
def now(call: Call) -> Value:
    """The query's time."""
    return Time(call.evaluator.now())


def _unwrapped(value: Value) -> Value:
    return value.inner if isinstance(value, Dynamic) else value


def _syntax(value: str, kind: str) -> InvalidInput:
    return InvalidInput(f'cannot convert string "{value}" to {kind} due to invalid syntax')


def to_int(value: Value) -> Value:
    """`int(v:)`."""
    value = _unwrapped(value)
    match value:
        case Null():
            return Null("int")
        case bool():
            return int(value)
        case UInt() | Time():
            return wrap_int(int(value))
        case int():
            return value
        case float():
            return _truncated(value)
        case Duration():
            return value.ns
        case str():
            if not _INT.fullmatch(value):
                raise _syntax(value, "int")
            number = int(value)
            if not -(1 << 63) <= number < 1 << 63:
                raise InvalidInput(f'cannot convert string "{value}" to int due to value out of range')
            return number
    raise InvalidInput(f"cannot convert {kind_of(value)} to int")


def _truncated(value: float) -> int:
    # What does not fit is the smallest int on the reference's machine.
    if math.isnan(value) or not -(2.0**63) <= value < 2.0**63:
        return -(1 << 63)
    return int(value)


def to_uint(value: Value) -> Value:
    """`uint(v:)`."""
    value = _unwrapped(value)
    match value:
        case Null():
            return Null("uint")
        case bool() | int():
            return UInt(int(value) % (1 << 64))
        case float():
            return UInt((_truncated(value) if value < 2.0**63 else int(value)) % (1 << 64))
        case Duration():
            return UInt(value.ns % (1 << 64))
        case str():
            if not re.fullmatch(r"[0-9]+", value, re.ASCII):
                raise _syntax(value, "uint")
            if int(value) >= 1 << 64:
                raise InvalidInput(f'cannot convert string "{value}" to uint due to value out of range')
            return UInt(int(value))
    raise InvalidInput(f"cannot convert {kind_of(value)} to uint")


def to_float(value: Value) -> Value:
    """`float(v:)`."""
    value = _unwrapped(value)
    match value:
        case Null():
            return Null("float")
        case Time():
            pass
        case bool() | int() | float():
            return float(value)
        case str():
            if not _FLOAT.fullmatch(value):
                raise _syntax(value, "float")
            return float(value)
    raise InvalidInput(f"cannot convert {kind_of(value)} to float")


def to_string(value: Value) -> Value:
    """`string(v:)`."""
    value = _unwrapped(value)
    if isinstance(value, Null):
        return Null("string")
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise InvalidInput("cannot convert bytes to string due to invalid UTF-8") from error
    if isinstance(value, list | dict | Dictionary | StreamValue | Closure | Builtin):
        raise InvalidInput(f"cannot convert {kind_of(value)} to string")
    text = format_value(value)
    if text is None:
        raise InvalidInput(f"cannot convert {kind_of(value)} to string")
    return text


def to_bool(value: Value) -> Value:
    """`bool(v:)`."""
    value = _unwrapped(value)
    match value:
        case Null():
            return Null("bool")
        case bool():
            return value
        case Time():
            pass
        case int() | float():
            if value in (0, 1):
                return bool(value)
            raise InvalidInput(f"cannot convert {kind_of(value)} {format_value(value)} to bool, must be 0 or 1")
        case str():
            if value in ("true", "false"):
                return value == "true"
            raise InvalidInput(f'cannot convert string "{value}" to bool')
    raise InvalidInput(f"cannot convert {kind_of(value)} to bool")


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def to_time(value: Value) -> Value:
    """`time(v:)`."""
    value = _unwrapped(value)
    match value:
        case Null():
            return Null("time")
        case bool():
            pass
        case int():
            return Time(wrap_int(int(value)))
        case str():
            try:
                return Time(parse_rfc3339(value + "T00:00:00Z" if _DATE.fullmatch(value) else value))
            except ValueError as error:
                raise InvalidInput(
                    f'cannot convert string "{value}" to time due to invalid syntax: cannot parse date'
                ) from error
    raise InvalidInput(f"cannot convert {kind_of(value)} to time")


_PART = re.compile(r"\d+([a-zA-Zµμ]+)", re.ASCII)
_UNITS = frozenset(("y", "mo", "w", "d", "h", "m", "s", "ms", "us", "µs", "μs", "ns"))


def _known_part(part: re.Match[str]) -> str:
    return part[0] if part[1] in _UNITS else ""


def to_duration(value: Value) -> Value:
    """`duration(v:)`."""
    value = _unwrapped(value)
    match value:
        case Null():
            return Null("duration")
        case Duration():
            return value
        case bool() | Time():
            pass
        case int():
            return Duration(0, wrap_int(int(value)))
        case str():
            try:
                # Quirk: a unit that does not exist counts as nothing. Source: recorded answers.
                return Duration.parse(_PART.sub(_known_part, value) or "0ns")
            except ValueError as error:
                raise _syntax(value, "duration") from error
    raise InvalidInput(f"cannot convert {kind_of(value)} to duration")


def to_bytes(value: Value) -> Value:
    """`bytes(v:)`."""
    value = _unwrapped(value)
    match value:
        case Null():
            return Null("bytes")
        case bytes():
            return value
        case str():
            return value.encode()
    raise InvalidInput(f"cannot convert {kind_of(value)} to bytes")


CONVERSIONS: dict[str, Callable[[Value], Value]] = {
    "int": to_int,
    "uint": to_uint,
    "float": to_float,
    "string": to_string,
    "bool": to_bool,
    "time": to_time,
    "duration": to_duration,
    "bytes": to_bytes,
}


def _conversion(convert: Callable[[Value], Value]) -> Callable[[Call], Value]:
    return lambda call: convert(call.value("v"))


for _name, _convert in CONVERSIONS.items():
    PART.function("v", _name)(_conversion(_convert))


@PART.function("value set")
def contains(call: Call) -> Value:
    """Whether an array has the value."""
    value = call.value("value")
    if isinstance(value, Null):
        return False
    return any(operators.same(value, item) for item in call.array("set"))


@PART.function("arr")
def length(call: Call) -> Value:
    """Elements of an array."""
    return len(call.array("arr"))


@PART.function("msg")
def die(call: Call) -> Value:
    """Stop the query with a message."""
    raise InvalidInput(call.string("msg"))


@PART.function("v")
def display(call: Call) -> Value:
    """Any value as text for people."""
    return shown(call.value("v"))


def shown(value: Value) -> str:
    """The text of `display`."""
    match value:
        case Null():
            return "<null>"
        case bytes():
            return "0x" + value.hex()
        case list():
            return _listed("[", [shown(v) for v in value], "]")
        case dict():
            return _listed("{", [f"{k}: {shown(v)}" for k, v in sorted(value.items())], "}")
        case Dictionary(entries=entries):
            return _listed("[", [f"{shown(k)}: {shown(v)}" for k, v in entries], "]") if entries else "[:]"
        case Dynamic(inner=inner):
            return f"dynamic({shown(inner)})"
        case Regexp(pattern=pattern):
            return pattern
    text = format_value(value)
    return f"<{kind_of(value)}>" if text is None else text


def _listed(left: str, items: list[str], right: str) -> str:
    if len(items) <= 3:
        return left + ", ".join(items) + right
    inner = ",\n".join("    " + item.replace("\n", "\n    ") for item in items)
    return f"{left}\n{inner}\n{right}"
