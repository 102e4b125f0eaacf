"""Typed expressions to Polars expressions: arithmetic, comparisons, mathematical functions.

Null operands give null. Integers wrap at 64 bits. Division by zero gives zero.

Source: influxql.md §6 (conditions), §9 (math), §10.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from fluxkeep.influxql.execute.frames import dtype_of
from fluxkeep.influxql.plan.checks import MATH
from fluxkeep.influxql.syntax import lexemes as lx
from fluxkeep.influxql.syntax.ast import (
    LITERALS,
    Binary,
    BooleanLiteral,
    Call,
    Expr,
    IntegerLiteral,
    NumberLiteral,
    Paren,
    Regex,
    StringLiteral,
    UnsignedLiteral,
    VarRef,
)
from fluxkeep.influxql.syntax.regex import matches
from fluxkeep.influxql.types import DataType

_WRAP = 1 << 64


@dataclass(frozen=True, slots=True)
class Typed:
    """A Polars expression and the InfluxQL type of its values."""

    expr: pl.Expr
    type: DataType


NOTHING = Typed(pl.lit(None), DataType.UNKNOWN)


def evaluate(expr: Expr, columns: Mapping[Expr, Typed]) -> Typed:
    """An expression over columns; `columns` holds references and the calls already computed."""
    known = columns.get(expr)
    if known is not None:
        return known
    match expr:
        case Paren(expr=inner):
            return evaluate(inner, columns)
        case Binary(op=op, lhs=lhs, rhs=rhs):
            return _binary(op, lhs, rhs, columns)
        case Call(name=name, args=args) if name in MATH:
            return _math(name, [evaluate(arg, columns) for arg in args])
        case VarRef():
            return NOTHING
        case _:
            return _literal(expr)


def _literal(expr: Expr) -> Typed:
    match expr:
        case NumberLiteral(value=number):
            return Typed(pl.lit(number, pl.Float64), DataType.FLOAT)
        case IntegerLiteral(value=integer):
            return Typed(pl.lit(integer, pl.Int64), DataType.INTEGER)
        case UnsignedLiteral(value=unsigned):
            return Typed(pl.lit(unsigned, pl.UInt64), DataType.UNSIGNED)
        case StringLiteral(value=text):
            return Typed(pl.lit(text, pl.String), DataType.STRING)
        case BooleanLiteral(value=truth):
            return Typed(pl.lit(truth, pl.Boolean), DataType.BOOLEAN)
        case _:
            return NOTHING


def _binary(op: str, lhs: Expr, rhs: Expr, columns: Mapping[Expr, Typed]) -> Typed:
    a = evaluate(lhs, columns)
    if op in lx.REGEX_OPERATORS:
        return _regex(op, a, rhs)
    b = evaluate(rhs, columns)
    # A literal beside an unsigned value takes its type and wraps.
    if a.type is DataType.UNSIGNED and b.type is DataType.INTEGER:
        b = _as_unsigned(rhs, b)
    elif b.type is DataType.UNSIGNED and a.type is DataType.INTEGER:
        a = _as_unsigned(lhs, a)
    if op in ("AND", "OR"):
        if a.type is not DataType.BOOLEAN or b.type is not DataType.BOOLEAN:
            return Typed(pl.lit(False), DataType.BOOLEAN)
        both = a.expr.fill_null(False), b.expr.fill_null(False)
        return Typed(both[0] & both[1] if op == "AND" else both[0] | both[1], DataType.BOOLEAN)
    if op in lx.COMPARISONS:
        return compare(op, a, b)
    return _arithmetic(op, a, b)


def _as_unsigned(written: Expr, value: Typed) -> Typed:
    if isinstance(written, LITERALS) and isinstance(written, IntegerLiteral):
        return Typed(pl.lit(written.value % _WRAP, pl.UInt64), DataType.UNSIGNED)
    return value


def _regex(op: str, a: Typed, pattern: Expr) -> Typed:
    if a.type not in (DataType.STRING, DataType.TAG) or not isinstance(pattern, Regex):
        return Typed(pl.lit(False), DataType.BOOLEAN)
    found = a.expr.map_batches(lambda texts: _matching(texts, pattern.pattern), return_dtype=pl.Boolean)
    return Typed(found if op == "=~" else ~found, DataType.BOOLEAN)


def _matching(texts: pl.Series, pattern: str) -> pl.Series:
    """Whether each text matches; each distinct text is looked at once.

    Polars' own engine is not RE2: its classes hold other letters and it refuses other patterns.
    """
    distinct = texts.unique().drop_nulls()
    kept = pl.Series([text for text in distinct.to_list() if matches(pattern, text)], dtype=pl.String)
    return texts.is_in(kept.implode())


_COMPARE: Final[dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def compare(op: str, a: Typed, b: Typed) -> Typed:
    """A comparison; false between types that do not compare."""
    texts = (DataType.STRING, DataType.TAG)
    if a.type.is_numeric and b.type.is_numeric:
        left, right = a.expr, b.expr
        if a.type is not b.type:
            left, right = left.cast(pl.Float64), right.cast(pl.Float64)
        return Typed(_COMPARE[op](left, right), DataType.BOOLEAN)
    same = (a.type in texts and b.type in texts) or (a.type is b.type is DataType.BOOLEAN)
    if same and op in ("=", "!="):
        return Typed(_COMPARE[op](a.expr, b.expr), DataType.BOOLEAN)
    return Typed(pl.lit(False), DataType.BOOLEAN)


def _arithmetic(op: str, a: Typed, b: Typed) -> Typed:
    if DataType.UNKNOWN in (a.type, b.type):
        known = b.type if a.type is DataType.UNKNOWN else a.type
        return Typed(pl.lit(None, dtype_of(known)), known)
    if a.type is b.type is DataType.BOOLEAN and op in "&|^":
        return Typed(_bits(op, a.expr, b.expr), DataType.BOOLEAN)
    if not (a.type.is_numeric and b.type.is_numeric):
        return NOTHING
    both = {a.type, b.type}
    if DataType.FLOAT in both or (op == "/" and both == {DataType.INTEGER}):
        return Typed(_floats(op, a.expr.cast(pl.Float64), b.expr.cast(pl.Float64)), DataType.FLOAT)
    type_ = DataType.UNSIGNED if DataType.UNSIGNED in both else DataType.INTEGER
    dtype = dtype_of(type_)
    return Typed(_integers(op, a.expr.cast(dtype), b.expr.cast(dtype), type_), type_)


def _bits(op: str, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    match op:
        case "&":
            return a & b
        case "|":
            return a | b
        case _:
            return a ^ b


def _floats(op: str, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return pl.when(b == 0).then(pl.when(a.is_null()).then(None).otherwise(0.0)).otherwise(a / b)
        case "%":
            rest = (a.abs() % b.abs()) * pl.when(a < 0).then(-1.0).otherwise(1.0)
            return pl.when(b == 0).then(pl.when(a.is_null()).then(None).otherwise(0.0)).otherwise(rest)
        case _:
            return pl.lit(None, pl.Float64)


def _integers(op: str, a: pl.Expr, b: pl.Expr, type_: DataType) -> pl.Expr:
    zero = pl.when(a.is_null()).then(None).otherwise(pl.lit(0, dtype_of(type_)))
    match op:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return pl.when(b == 0).then(zero).otherwise(a // b)
        case "%":
            if type_ is DataType.UNSIGNED:
                return pl.when(b == 0).then(zero).otherwise(a % b)
            # The reference's remainder has the sign of the dividend, Polars' that of the divisor.
            floor = a % b
            rest = pl.when((floor != 0) & ((a < 0) != (b < 0))).then(floor - b).otherwise(floor)
            return pl.when(b == 0).then(zero).otherwise(rest)
        case _:
            return _bits(op, a, b)


_FLOAT_MATH: Final[dict[str, Callable[[pl.Expr], pl.Expr]]] = {
    "acos": pl.Expr.arccos,
    "asin": pl.Expr.arcsin,
    "atan": pl.Expr.arctan,
    "cos": pl.Expr.cos,
    "exp": pl.Expr.exp,
    "ln": lambda x: x.log(math.e),
    "log2": lambda x: x.log(2),
    "log10": lambda x: x.log10(),
    "sin": pl.Expr.sin,
    "sqrt": pl.Expr.sqrt,
    "tan": pl.Expr.tan,
}
_KEEPING: Final[dict[str, Callable[[pl.Expr], pl.Expr]]] = {
    "abs": pl.Expr.abs,
    "ceil": pl.Expr.ceil,
    "floor": pl.Expr.floor,
    "round": lambda x: x.round(0, mode="half_away_from_zero"),
}


def _math(name: str, args: list[Typed]) -> Typed:
    """A function of numbers; of anything else null."""
    first = args[0]
    if not all(arg.type.is_numeric for arg in args):
        return Typed(pl.lit(None, pl.Float64), DataType.FLOAT)
    if name in _KEEPING:
        if first.type is DataType.FLOAT:
            return Typed(_KEEPING[name](first.expr), DataType.FLOAT)
        if name == "abs" and first.type is DataType.INTEGER:
            return Typed(first.expr.abs(), DataType.INTEGER)
        return first
    x = first.expr.cast(pl.Float64)
    if len(args) == 1:
        return Typed(_FLOAT_MATH[name](x), DataType.FLOAT)
    y = args[1].expr.cast(pl.Float64)
    match name:
        case "atan2":
            found = pl.arctan2(x, y)
        case "pow":
            found = x.pow(y)
        case _:
            found = x.log(math.e) / y.log(math.e)
    return Typed(found, DataType.FLOAT)
