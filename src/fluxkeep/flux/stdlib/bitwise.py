"""`bitwise`: bits of ints and uints.

Source: flux.md §13.
"""

from __future__ import annotations

from collections.abc import Callable

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import UInt, Value, kind_of, wrap_int, wrap_uint
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("bitwise")


def _whole(call: Call, name: str, *, unsigned: bool) -> int:
    value = call.value(name)
    if unsigned != isinstance(value, UInt) or not isinstance(value, int):
        wanted = "uint" if unsigned else "int"
        raise InvalidInput(f"expected {wanted} but found {kind_of(value)} (argument {name})")
    return int(value)


def _define(name: str, operator: Callable[[int, int], int]) -> None:
    for letter, unsigned in (("u", True), ("s", False)):

        def run(call: Call, unsigned: bool = unsigned) -> Value:
            left, right = _whole(call, "a", unsigned=unsigned), _whole(call, "b", unsigned=unsigned)
            made = operator(left, right)
            return wrap_uint(made) if unsigned else wrap_int(made)

        PACKAGE.function("a b", letter + name)(run)


_define("and", lambda a, b: a & b)
_define("or", lambda a, b: a | b)
_define("xor", lambda a, b: a ^ b)
_define("clear", lambda a, b: a & ~b)
_define("lshift", lambda a, b: a << b if b < 64 else 0)
_define("rshift", lambda a, b: a >> min(b, 64))


@PACKAGE.function("a")
def unot(call: Call) -> Value:
    """All bits turned."""
    return wrap_uint(~_whole(call, "a", unsigned=True))


@PACKAGE.function("a")
def snot(call: Call) -> Value:
    """All bits turned."""
    return wrap_int(~_whole(call, "a", unsigned=False))
