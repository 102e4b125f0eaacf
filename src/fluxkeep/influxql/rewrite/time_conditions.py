"""A WHERE clause parted into a time range and the rest.

Time conditions are intersected wherever they stand, under OR too, as in the reference.

Source: influxql.md §6.
"""

from __future__ import annotations

from dataclasses import dataclass

from fluxkeep.influxql.errors import QueryError
from fluxkeep.influxql.rewrite.fold import fold, is_time, parse_time
from fluxkeep.influxql.syntax.ast import (
    Binary,
    BooleanLiteral,
    DurationLiteral,
    Expr,
    IntegerLiteral,
    NumberLiteral,
    Paren,
    StringLiteral,
    TimeLiteral,
    VarRef,
)
from fluxkeep.influxql.syntax.printer import render
from fluxkeep.instants import MAX_TIME_NS, MIN_TIME_NS, format_rfc3339

_SWAPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Bounds:
    """First and last instant in ns, both inclusive; None is open."""

    first: int | None = None
    last: int | None = None

    def intersect(self, other: Bounds) -> Bounds:
        """The later first and the earlier last."""
        firsts = [b for b in (self.first, other.first) if b is not None]
        lasts = [b for b in (self.last, other.last) if b is not None]
        return Bounds(max(firsts, default=None), min(lasts, default=None))

    @property
    def start(self) -> int:
        """The first instant; the smallest there is when open, just past the largest when later than all."""
        return MIN_TIME_NS if self.first is None else min(max(self.first, MIN_TIME_NS), MAX_TIME_NS + 1)

    @property
    def end(self) -> int:
        """The last instant; the largest there is when open, just before the smallest when earlier than all."""
        return MAX_TIME_NS if self.last is None else max(min(self.last, MAX_TIME_NS), MIN_TIME_NS - 1)

    @property
    def is_open(self) -> bool:
        """Neither side is bounded."""
        return self.first is None and self.last is None


def split_condition(condition: Expr | None, now_ns: int, location: str | None = None) -> tuple[Expr | None, Bounds]:
    """The condition without time, folded, and the range that its time conditions come to.

    Raises:
        QueryError: Time compared with what is no time, or by an operator it does not have.
    """
    if condition is None:
        return None, Bounds()
    rest, bounds = _split(condition, now_ns, location)
    while isinstance(rest, Paren):
        rest = rest.expr
    return (None if rest == BooleanLiteral(True) else rest), bounds


def _split(expr: Expr, now_ns: int, location: str | None) -> tuple[Expr | None, Bounds]:
    match expr:
        case Binary(op="AND" | "OR" as op, lhs=lhs, rhs=rhs):
            left, left_bounds = _split(lhs, now_ns, location)
            right, right_bounds = _split(rhs, now_ns, location)
            bounds = left_bounds.intersect(right_bounds)
            if left is None or right is None:
                return (right if left is None else left), bounds
            return fold(Binary(op, left, right, span=expr.span)), bounds
        case Binary(op=op, lhs=VarRef(name=name), rhs=rhs) if name.lower() == "time":
            return None, _bounds(op, rhs, now_ns, location)
        case Binary(op=op, lhs=lhs, rhs=VarRef(name=name)) if name.lower() == "time":
            return None, _bounds(_SWAPPED.get(op, op), lhs, now_ns, location)
        case Binary():
            return fold(expr, now_ns=now_ns, location=location), Bounds()
        case Paren(expr=inner):
            rest, bounds = _split(inner, now_ns, location)
            return (None if rest is None else fold(Paren(rest, span=expr.span))), bounds
        case BooleanLiteral():
            return expr, Bounds()
        case _:
            raise QueryError(f"invalid condition expression: {render(expr)}")


def _bounds(op: str, expr: Expr, now_ns: int, location: str | None) -> Bounds:
    if isinstance(expr, StringLiteral) and is_time(expr.value):
        expr = TimeLiteral(parse_time(expr.value, location))
    value = fold(expr, now_ns=now_ns, location=location)
    match value:
        case TimeLiteral(ns=ns):
            if ns > MAX_TIME_NS:
                raise QueryError(f"time {format_rfc3339(ns)} overflows time literal")
            if ns < MIN_TIME_NS + 1:
                raise QueryError(f"time {format_rfc3339(ns)} underflows time literal")
        case DurationLiteral(ns=ns) | IntegerLiteral(value=ns):
            pass
        case NumberLiteral(value=number):
            ns = int(number)
        case _:
            raise QueryError(f"invalid operation: time and *influxql.{_go_name(value)} are not compatible")
    match op:
        case ">":
            return Bounds(first=ns + 1)
        case ">=":
            return Bounds(first=ns)
        case "<":
            return Bounds(last=ns - 1)
        case "<=":
            return Bounds(last=ns)
        case "=":
            return Bounds(ns, ns)
        case _:
            raise QueryError(f"invalid time comparison operator: {op}")


def _go_name(expr: Expr) -> str:
    name = type(expr).__name__
    return {"Regex": "RegexLiteral", "Binary": "BinaryExpr", "Paren": "ParenExpr"}.get(name, name)
