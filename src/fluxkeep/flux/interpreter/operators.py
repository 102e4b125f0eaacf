"""Operators on values: the row interpreter's arithmetic, and the oracle of the columns'.

Source: flux.md §3, §5.
"""

from __future__ import annotations

import math
from typing import Any

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter.values import (
    Dictionary,
    Dynamic,
    Null,
    Regexp,
    Time,
    UInt,
    Value,
    kind_of,
    wrap_int,
    wrap_uint,
)
from fluxkeep.instants import Duration

_NUMERIC = frozenset({"int", "uint", "float"})
_COMPARABLE = _NUMERIC | {"string", "time"}


def binary(operator: str, left: Value, right: Value) -> Value:
    """`left operator right`; null with anything is null.

    Raises:
        InvalidInput: The operator has no meaning for the types, or divides by zero.
    """
    if operator in ("=~", "!~"):
        return _match(operator, left, right)
    if operator in ("==", "!=", "<", "<=", ">", ">="):
        return compare(operator, left, right)
    return _arithmetic(operator, left, right)


def _match(operator: str, left: Value, right: Value) -> Value:
    if isinstance(left, Null) or isinstance(right, Null):
        return Null("bool")
    if not isinstance(left, str) or not isinstance(right, Regexp):
        raise _unsupported(operator, left, right)
    return right.search(left) == (operator == "=~")


def compare(operator: str, left: Value, right: Value) -> Value:
    """A comparison; numbers of different types compare by value."""
    if isinstance(left, Null) or isinstance(right, Null):
        return Null("bool")
    a, b = kind_of(left), kind_of(right)
    if operator in ("==", "!="):
        equal = _equal(operator, left, right, a, b)
        return equal if operator == "==" else not equal
    if a not in _COMPARABLE or b not in _COMPARABLE or (a != b and not {a, b} <= _NUMERIC):
        raise _unsupported(operator, left, right)
    x: Any = left
    y: Any = right
    if "float" in (a, b):
        x, y = float(x), float(y)
    match operator:
        case "<":
            return bool(x < y)
        case "<=":
            return bool(x <= y)
        case ">":
            return bool(x > y)
        case _:
            return bool(x >= y)


def _equal(operator: str, left: Value, right: Value, a: str, b: str) -> bool:
    if {a, b} <= _NUMERIC:
        if "float" in (a, b):
            return float(left) == float(right)  # type: ignore[arg-type]
        return left == right
    if isinstance(left, dict) and isinstance(right, dict):
        return same(left, right)
    if isinstance(left, list) and isinstance(right, list):
        return same(left, right)
    if a != b or a in ("duration", "regexp", "function", "stream[A]"):
        raise _unsupported(operator, left, right)
    return left == right


def same(left: Value, right: Value) -> bool:
    """Deep equality of values; types count, nulls are equal."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(v, right[k]) for k, v in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(x, y) for x, y in zip(left, right, strict=True))
    if isinstance(left, Dictionary) and isinstance(right, Dictionary):
        return same(list(left.as_mapping().values()), list(right.as_mapping().values()))
    if isinstance(left, Dynamic) and isinstance(right, Dynamic):
        return same(left.inner, right.inner)
    return kind_of(left) == kind_of(right) and left == right


def _arithmetic(operator: str, left: Value, right: Value) -> Value:
    a, b = kind_of(left), kind_of(right)
    if isinstance(left, Null) or isinstance(right, Null):
        kind = b if isinstance(left, Null) and not left.kind else a
        return Null("float" if operator == "^" else kind if kind != "invalid" else "")
    if operator == "^" and a == b and a in _NUMERIC:
        return _power(float(left), float(right))  # type: ignore[arg-type]
    if a != b:
        raise InvalidInput(f"type conflict: {a} != {b}")
    match left, right:
        case str(), str() if operator == "+":
            return left + right
        case float(), float():
            return _float(operator, left, right)
        case Time(), _:
            raise _unsupported(operator, left, right)
        case UInt(), UInt():
            return wrap_uint(_integer(operator, int(left), int(right)))
        case bool(), bool():
            raise _unsupported(operator, left, right)
        case int(), int():
            return wrap_int(_integer(operator, left, right))
        case Duration(), Duration() if operator in "+-":
            other = right if operator == "+" else -right
            return Duration(left.months + other.months, left.ns + other.ns)
    raise _unsupported(operator, left, right)


def _integer(operator: str, left: int, right: int) -> int:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            if right == 0:
                raise InvalidInput("cannot divide by zero")
            quotient = abs(left) // abs(right)
            return quotient if (left < 0) == (right < 0) else -quotient
        case _:
            if right == 0:
                raise InvalidInput("cannot mod zero")
            return abs(left) % abs(right) * (-1 if left < 0 else 1)


def _float(operator: str, left: float, right: float) -> float:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            if right == 0:
                if left == 0 or math.isnan(left):
                    return math.nan
                return math.copysign(math.inf, left) * math.copysign(1.0, right)
            return left / right
        case _:
            return math.nan if right == 0 or math.isinf(left) or math.isnan(right) else math.fmod(left, right)


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:
        # Zero to a negative power, or a root of a negative number.
        return math.inf if base == 0 else math.nan


def negate(value: Value) -> Value:
    """Unary minus."""
    match value:
        case Null():
            return value
        case Duration():
            return -value
        case UInt():
            return wrap_uint(-int(value))
        case bool() | Time():
            pass
        case int():
            return wrap_int(-value)
        case float():
            return -value
    raise InvalidInput(f"unsupported unary expression -{kind_of(value)}")


def _unsupported(operator: str, left: Value, right: Value) -> InvalidInput:
    return InvalidInput(f"unsupported binary expression {kind_of(left)} {operator} {kind_of(right)}")
