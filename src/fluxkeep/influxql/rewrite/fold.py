"""Constants folded: arithmetic on literals, `now()`, times and durations.

What is not constant stays; `fold(fold(e)) == fold(e)`.

Source: influxql.md §6, §10; text forms of times §4.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from zoneinfo import ZoneInfo

from fluxkeep.errors import InvalidInput
from fluxkeep.influxql.errors import QueryError
from fluxkeep.influxql.syntax.ast import (
    LITERALS,
    Binary,
    BooleanLiteral,
    Call,
    DurationLiteral,
    Expr,
    IntegerLiteral,
    NilLiteral,
    NumberLiteral,
    Paren,
    StringLiteral,
    TimeLiteral,
    UnsignedLiteral,
)
from fluxkeep.instants import SECOND, parse_rfc3339

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LOCAL = re.compile(r"(\d{4})-(\d{2})-(\d{2}) (\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d+))?", re.ASCII)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_WRAP = 1 << 64
_HALF = 1 << 63


def wrap_signed(value: int) -> int:
    """As 64-bit arithmetic leaves it."""
    return (value + _HALF) % _WRAP - _HALF


def is_time(text: str) -> bool:
    """Whether a string literal is meant as a time."""
    return _DATE.match(text) is not None


def parse_time(text: str, location: str | None) -> int:
    """The instant of a time string; without a zone it is local to `location`.

    Raises:
        QueryError: `invalid timestamp string`.
    """
    try:
        match = _LOCAL.fullmatch(text)
        if match is None and _DATE.fullmatch(text):
            match = _LOCAL.fullmatch(text + " 00:00:00")
        if match is None:
            return parse_rfc3339(text)
        parts = [int(match[i]) for i in range(1, 7)]
        zone = ZoneInfo(location or "UTC")
        moment = dt.datetime(parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], tzinfo=zone)
        since = moment.astimezone(dt.UTC) - _EPOCH
        fraction = int((match[7] or "0")[:9].ljust(9, "0"))
        return (since.days * 86_400 + since.seconds) * SECOND + fraction
    except (ValueError, InvalidInput):
        raise QueryError("invalid timestamp string") from None


def fold(expr: Expr, *, now_ns: int | None = None, location: str | None = None) -> Expr:
    """The expression with its constant parts computed; `now()` stays a call without `now_ns`."""

    def visit(node: Expr) -> Expr:
        match node:
            case Paren(expr=inner):
                inner = visit(inner)
                return Paren(inner, span=node.span) if isinstance(inner, Binary) else inner
            case Call(name="now", args=()) if now_ns is not None:
                return TimeLiteral(now_ns, span=node.span)
            case Call(name=name, args=args):
                return Call(name, tuple(map(visit, args)), span=node.span)
            case Binary(op=op, lhs=lhs, rhs=rhs):
                lhs, rhs = visit(lhs), visit(rhs)
                found = _binary(op, lhs, rhs, location)
                return Binary(op, lhs, rhs, span=node.span) if found is None else found
            case _:
                return node

    return visit(expr)


def _binary(op: str, lhs: Expr, rhs: Expr, location: str | None) -> Expr | None:
    """The literal that a binary expression comes to; None when it is not constant."""
    if op in ("AND", "OR") and (isinstance(lhs, BooleanLiteral) or isinstance(rhs, BooleanLiteral)):
        return _logic(op, lhs, rhs)
    if not isinstance(lhs, LITERALS) or not isinstance(rhs, LITERALS):
        return None
    match lhs, rhs:
        case (StringLiteral(value=text), DurationLiteral() | TimeLiteral() | IntegerLiteral()) if is_time(text):
            return _binary(op, TimeLiteral(parse_time(text, location)), rhs, location)
        case (DurationLiteral() | TimeLiteral(), StringLiteral(value=text)) if is_time(text):
            return _binary(op, lhs, TimeLiteral(parse_time(text, location)), location)
        case StringLiteral(value=a), StringLiteral(value=b):
            return _compare(op, a, b) or (StringLiteral(a + b) if op == "+" else None)
        case BooleanLiteral(value=p), BooleanLiteral(value=q):
            return _booleans(op, p, q)
        case (TimeLiteral() | DurationLiteral() | IntegerLiteral(), _) if isinstance(
            rhs, TimeLiteral | DurationLiteral
        ):
            return _times(op, lhs, rhs)
        case (TimeLiteral() | DurationLiteral(), IntegerLiteral() | NumberLiteral()):
            return _times(op, lhs, rhs)
        case NumberLiteral(), DurationLiteral():
            return _times(op, lhs, rhs)
        case (
            IntegerLiteral() | UnsignedLiteral() | NumberLiteral(),
            IntegerLiteral() | UnsignedLiteral() | NumberLiteral(),
        ):
            return _numbers(op, lhs, rhs)
        case _:
            return NilLiteral() if isinstance(lhs, NilLiteral) or isinstance(rhs, NilLiteral) else None


def _logic(op: str, lhs: Expr, rhs: Expr) -> Expr | None:
    known, other = (lhs, rhs) if isinstance(lhs, BooleanLiteral) else (rhs, lhs)
    assert isinstance(known, BooleanLiteral)
    if (op == "AND") is known.value:
        return other
    return BooleanLiteral(known.value)


def _compare(op: str, a: object, b: object) -> Expr | None:
    left, right = a, b
    tests: dict[str, Callable[[], bool]] = {
        "=": lambda: left == right,
        "!=": lambda: left != right,
        "<": lambda: left < right,  # type: ignore[operator]
        "<=": lambda: left <= right,  # type: ignore[operator]
        ">": lambda: left > right,  # type: ignore[operator]
        ">=": lambda: left >= right,  # type: ignore[operator]
    }
    test = tests.get(op)
    return BooleanLiteral(test()) if test else None


def _booleans(op: str, a: bool, b: bool) -> Expr | None:
    match op:
        case "&":
            return BooleanLiteral(a and b)
        case "|":
            return BooleanLiteral(a or b)
        case "^":
            return BooleanLiteral(a is not b)
        case "=" | "!=":
            return _compare(op, a, b)
        case _:
            return None


def _times(op: str, lhs: Expr, rhs: Expr) -> Expr | None:
    """Arithmetic of instants and durations; a plain integer stands for nanoseconds beside an instant."""
    match lhs, rhs, op:
        case TimeLiteral(ns=a), DurationLiteral(ns=b), "+":
            return TimeLiteral(a + b)
        case TimeLiteral(ns=a), DurationLiteral(ns=b), "-":
            return TimeLiteral(a - b)
        case DurationLiteral(ns=a), TimeLiteral(ns=b), "+":
            return TimeLiteral(a + b)
        case TimeLiteral(ns=a), TimeLiteral(ns=b), "-":
            return DurationLiteral(a - b)
        case TimeLiteral(ns=a), IntegerLiteral(value=b), "+":
            return TimeLiteral(a + b)
        case TimeLiteral(ns=a), IntegerLiteral(value=b), "-":
            return TimeLiteral(a - b)
        case IntegerLiteral(value=a), TimeLiteral(ns=b), "+":
            return TimeLiteral(a + b)
        case DurationLiteral(ns=a), DurationLiteral(ns=b), "+":
            return DurationLiteral(a + b)
        case DurationLiteral(ns=a), DurationLiteral(ns=b), "-":
            return DurationLiteral(a - b)
        case IntegerLiteral(value=a), DurationLiteral(ns=b), "+":
            return DurationLiteral(a + b)
        case IntegerLiteral(value=a), DurationLiteral(ns=b), "-":
            return DurationLiteral(a - b)
        case DurationLiteral(ns=a), IntegerLiteral(value=b), "+":
            return DurationLiteral(a + b)
        case DurationLiteral(ns=a), IntegerLiteral(value=b), "-":
            return DurationLiteral(a - b)
        case DurationLiteral(ns=a), (IntegerLiteral(value=b) | NumberLiteral(value=b)), "*":
            return DurationLiteral(int(a * b))
        case DurationLiteral(ns=a), (IntegerLiteral(value=b) | NumberLiteral(value=b)), "/":
            return DurationLiteral(int(a / b) if b else 0)
        case ((IntegerLiteral(value=a) | NumberLiteral(value=a)), DurationLiteral(ns=b), "*"):
            return DurationLiteral(int(a * b))
        case (TimeLiteral(ns=a), TimeLiteral(ns=b), _) | (DurationLiteral(ns=a), DurationLiteral(ns=b), _):
            return _compare(op, a, b)
        case _:
            return None


def _numbers(op: str, lhs: Expr, rhs: Expr) -> Expr | None:
    assert isinstance(lhs, IntegerLiteral | UnsignedLiteral | NumberLiteral)
    assert isinstance(rhs, IntegerLiteral | UnsignedLiteral | NumberLiteral)
    a, b = lhs.value, rhs.value
    compared = _compare(op, a, b)
    if compared is not None:
        return compared
    if isinstance(lhs, NumberLiteral) or isinstance(rhs, NumberLiteral):
        number = _floats(op, float(a), float(b))
        return None if number is None else NumberLiteral(number)
    assert isinstance(a, int)
    assert isinstance(b, int)
    if op == "/" and isinstance(lhs, IntegerLiteral) and isinstance(rhs, IntegerLiteral):
        return NumberLiteral(a / b if b else 0.0)
    integer = _integers(op, a, b)
    if integer is None:
        return None
    if isinstance(lhs, UnsignedLiteral) or isinstance(rhs, UnsignedLiteral):
        return UnsignedLiteral(integer % _WRAP)
    return IntegerLiteral(wrap_signed(integer))


def _floats(op: str, a: float, b: float) -> float | None:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return a / b if b else 0.0
        case "%":
            return math.fmod(a, b) if b else 0.0
        case _:
            return None


def _integers(op: str, a: int, b: int) -> int | None:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return a // b if b else 0
        case "%":
            return int(math.copysign(abs(a) % abs(b), a)) if b else 0
        case "&":
            return a & b
        case "|":
            return a | b
        case "^":
            return a ^ b
        case _:
            return None
