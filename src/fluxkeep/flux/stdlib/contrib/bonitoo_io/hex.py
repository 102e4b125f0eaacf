"""`contrib/bonitoo-io/hex`: numbers and bytes as hexadecimal digits.

Source: flux.md §15; recorded answers.
"""

from __future__ import annotations

import re

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import UInt, Value, kind_of
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.universe.scalars import to_string

PACKAGE = Package("contrib/bonitoo-io/hex")


def _number(call: Call, kind: str, low: int, high: int) -> int:
    text = call.string("v")
    if not re.fullmatch(r"-?[0-9a-fA-F]+", text, re.ASCII):
        raise InvalidInput(f'cannot convert string "{text}" to {kind} due to invalid syntax')
    number = int(text, 16)
    if not low <= number <= high:
        raise InvalidInput(f'cannot convert string "{text}" to {kind} due to value out of range')
    return number


@PACKAGE.function("v", "int")
def to_int(call: Call) -> Value:
    """Digits as an int."""
    return _number(call, "int", -(1 << 63), (1 << 63) - 1)


@PACKAGE.function("v", "uint")
def to_uint(call: Call) -> Value:
    """Digits as a uint."""
    return UInt(_number(call, "uint", 0, (1 << 64) - 1))


@PACKAGE.function("v", "bytes")
def to_bytes(call: Call) -> Value:
    """Digits as bytes."""
    try:
        return bytes.fromhex(call.string("v"))
    except ValueError as error:
        raise InvalidInput(f'cannot convert string "{call.string("v")}" to bytes due to invalid syntax') from error


@PACKAGE.function("v", "string")
def to_digits(call: Call) -> Value:
    """Numbers and bytes as digits; what else there is as `string` has it."""
    value = call.value("v")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int) and not isinstance(value, bool) and kind_of(value) in ("int", "uint"):
        return f"{int(value):x}"
    return to_string(value)
