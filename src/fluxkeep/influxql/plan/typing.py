"""Types of expressions, and which operands do not go together.

Source: influxql.md §10; recorded in golden/influxql/select.txt.
"""

from __future__ import annotations

from fluxkeep.influxql.errors import QueryError
from fluxkeep.influxql.plan.checks import MATH
from fluxkeep.influxql.rewrite.wildcards import Schema
from fluxkeep.influxql.syntax.ast import (
    LITERALS,
    Binary,
    BooleanLiteral,
    Call,
    Distinct,
    DurationLiteral,
    Expr,
    IntegerLiteral,
    NumberLiteral,
    Paren,
    StringLiteral,
    TimeLiteral,
    UnsignedLiteral,
    VarRef,
)
from fluxkeep.influxql.syntax.printer import render
from fluxkeep.influxql.types import DataType

_INTEGERS = frozenset((DataType.INTEGER, DataType.UNSIGNED))
_BITWISE = frozenset("&|^")
_COUNTING = frozenset(("count", "elapsed"))
_FLOATING = frozenset(
    "mean median stddev integral derivative non_negative_derivative moving_average".split()  # noqa: SIM905
)


def with_types(expr: Expr, schema: Schema) -> Expr:
    """The expression with every reference's type filled in."""
    match expr:
        case VarRef(name=name):
            return VarRef(name, schema.type_of(expr), span=expr.span)
        case Distinct():
            return with_types(expr.call, schema)
        case Call(name=name, args=args):
            return Call(name, tuple(with_types(a, schema) for a in args), span=expr.span)
        case Binary(op=op, lhs=lhs, rhs=rhs):
            return Binary(op, with_types(lhs, schema), with_types(rhs, schema), span=expr.span)
        case Paren(expr=inner):
            return Paren(with_types(inner, schema), span=expr.span)
        case _:
            return expr


def type_of(expr: Expr) -> DataType:
    """The type of a typed expression.

    Raises:
        QueryError: `type error: …` where two operands do not go together.
    """
    match expr:
        case VarRef(type=type_):
            return type_
        case NumberLiteral():
            return DataType.FLOAT
        case IntegerLiteral():
            return DataType.INTEGER
        case UnsignedLiteral():
            return DataType.UNSIGNED
        case StringLiteral():
            return DataType.STRING
        case BooleanLiteral():
            return DataType.BOOLEAN
        case DurationLiteral():
            return DataType.DURATION
        case TimeLiteral():
            return DataType.TIME
        case Paren(expr=inner):
            return type_of(inner)
        case Call():
            return call_type(expr)
        case Binary():
            return _binary(expr)
        case _:
            return DataType.UNKNOWN


def call_type(call: Call) -> DataType:
    """What a function gives."""
    if not call.args:
        return DataType.UNKNOWN
    first = type_of(call.args[0])
    for other in call.args[1:]:
        type_of(other)
    if call.name in _COUNTING:
        return DataType.INTEGER
    if call.name in MATH:
        keeps = call.name in ("abs", "ceil", "floor", "round")
        return first if keeps and first in _INTEGERS else DataType.FLOAT
    if call.name in _FLOATING or "exponential" in call.name or call.name.startswith(("holt", "kaufmans", "chande")):
        return DataType.FLOAT
    return DataType.FLOAT if call.name == "relative_strength_index" else first


def _binary(expr: Binary) -> DataType:
    lhs, rhs = type_of(expr.lhs), type_of(expr.rhs)
    if {lhs, rhs} == _INTEGERS:
        signed = expr.lhs if lhs is DataType.INTEGER else expr.rhs
        other = expr.rhs if lhs is DataType.INTEGER else expr.lhs
        if isinstance(other, LITERALS):
            raise QueryError(f"type error: {render(expr)}: cannot use {expr.op} with an integer and unsigned literal")
        if not isinstance(signed, LITERALS):
            raise QueryError(
                f"type error: {render(expr)}: cannot use {expr.op} between an integer and unsigned,"
                " an explicit cast is required"
            )
    if DataType.UNKNOWN in (lhs, rhs):
        return rhs if lhs is DataType.UNKNOWN else lhs
    found = _operation(expr.op, lhs, rhs)
    if found is None:
        raise QueryError(f"type error: {render(expr)}: incompatible types: {lhs.value} and {rhs.value}")
    return found


def _operation(op: str, lhs: DataType, rhs: DataType) -> DataType | None:
    both = {lhs, rhs}
    if both == {DataType.BOOLEAN}:
        return DataType.BOOLEAN if op in _BITWISE else None
    if not (lhs.is_numeric and rhs.is_numeric):
        return None
    if op in _BITWISE:
        if DataType.FLOAT in both:
            return None
        return DataType.UNSIGNED if DataType.UNSIGNED in both else DataType.INTEGER
    if DataType.FLOAT in both:
        return DataType.FLOAT
    if DataType.UNSIGNED in both:
        return DataType.UNSIGNED
    return DataType.FLOAT if op == "/" else DataType.INTEGER
