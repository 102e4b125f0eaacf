"""Expressions back to text, as error texts of the reference show them.

Source: influxql.md §9, §10.
"""

from __future__ import annotations

from fluxkeep.influxql.syntax import lexemes as lx
from fluxkeep.influxql.syntax.ast import (
    Binary,
    BooleanLiteral,
    Call,
    Distinct,
    DurationLiteral,
    Expr,
    IntegerLiteral,
    NilLiteral,
    NumberLiteral,
    Paren,
    Regex,
    StringLiteral,
    TimeLiteral,
    UnsignedLiteral,
    VarRef,
    Wildcard,
)
from fluxkeep.influxql.syntax.durations import format_duration
from fluxkeep.influxql.syntax.scanner import is_digit, is_word
from fluxkeep.influxql.types import DataType
from fluxkeep.instants import format_rfc3339


def quote_identifier(name: str) -> str:
    """The name, in double quotes where it needs them."""
    bare = bool(name) and all(map(is_word, name)) and not is_digit(name[0]) and name.upper() not in lx.KEYWORDS
    if bare:
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def quote_string(text: str) -> str:
    """The text as a literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def render(expr: Expr) -> str:
    """The expression's text."""
    match expr:
        case VarRef(name=name, type=type_):
            cast = "" if type_ is DataType.UNKNOWN else f"::{type_.value}"
            return quote_identifier(name) + cast
        case Call(name=name, args=args):
            return f"{name}({', '.join(map(render, args))})"
        case Distinct(name=name):
            return f"DISTINCT {quote_identifier(name)}"
        case Binary(op=op, lhs=lhs, rhs=rhs):
            return f"{render(lhs)} {op} {render(rhs)}"
        case Paren(expr=inner):
            return f"({render(inner)})"
        case Wildcard(kind=kind):
            return f"*::{kind}" if kind else "*"
        case Regex(pattern=pattern):
            return "/" + pattern.replace("/", "\\/") + "/"
        case NumberLiteral(value=number):
            return f"{number:.3f}" if number.is_integer() else repr(number)
        case IntegerLiteral(value=integer) | UnsignedLiteral(value=integer):
            return str(integer)
        case StringLiteral(value=text):
            return quote_string(text)
        case BooleanLiteral(value=truth):
            return "true" if truth else "false"
        case DurationLiteral(ns=ns):
            return format_duration(ns)
        case TimeLiteral(ns=ns):
            return quote_string(format_rfc3339(ns))
        case NilLiteral():
            return "nil"
