"""Conditions over tags, as the predicates that a store answers.

Source: influxql.md §6.
"""

from __future__ import annotations

from collections.abc import Iterable

from fluxkeep.datamodel.predicates import MEASUREMENT, And, Compare, Op, Or, Predicate
from fluxkeep.influxql.rewrite.wildcards import Schema
from fluxkeep.influxql.syntax.ast import Binary, Expr, Paren, Regex, StringLiteral, VarRef
from fluxkeep.influxql.types import DataType

_OPS = {"=": Op.EQ, "!=": Op.NE, "=~": Op.MATCH, "!~": Op.NOT_MATCH}


def measurement_predicate(name: str, pushed: Predicate | None) -> Predicate:
    """A measurement's rows, further narrowed."""
    mine = Compare(MEASUREMENT, Op.EQ, name)
    return mine if pushed is None else And((mine, pushed))


def split_condition(condition: Expr | None, schema: Schema) -> tuple[Predicate | None, Expr | None]:
    """A conjunction's part over tags, which the store answers, and the rest."""
    pushed: list[Predicate] = []
    rest: Expr | None = None
    for part in _conjuncts(condition):
        predicate = tag_predicate(part, schema)
        if predicate is not None:
            pushed.append(predicate)
        else:
            rest = part if rest is None else Binary("AND", rest, part)
    if not pushed:
        return None, rest
    return (pushed[0] if len(pushed) == 1 else And(tuple(pushed))), rest


def _conjuncts(condition: Expr | None) -> Iterable[Expr]:
    match condition:
        case None:
            return
        case Paren(expr=inner):
            yield from _conjuncts(inner)
        case Binary(op="AND", lhs=lhs, rhs=rhs):
            yield from _conjuncts(lhs)
            yield from _conjuncts(rhs)
        case _:
            yield condition


def tag_predicate(expr: Expr, schema: Schema) -> Predicate | None:
    """The predicate over tags that an expression is, or None when it is not one."""
    match expr:
        case Paren(expr=inner):
            return tag_predicate(inner, schema)
        case Binary(op="AND" | "OR" as op, lhs=lhs, rhs=rhs):
            left, right = tag_predicate(lhs, schema), tag_predicate(rhs, schema)
            if left is None or right is None:
                return None
            return And((left, right)) if op == "AND" else Or((left, right))
        case Binary(op="=" | "!=" as op, lhs=StringLiteral() as text, rhs=VarRef() as ref):
            return tag_predicate(Binary(op, ref, text), schema)
        case Binary(op=op, lhs=VarRef() as ref, rhs=StringLiteral(value=value)) if op in ("=", "!="):
            return None if _is_field(ref, schema) else Compare(ref.name, _OPS[op], value)
        case Binary(op=op, lhs=VarRef() as ref, rhs=Regex(pattern=value)) if op in ("=~", "!~"):
            return None if _is_field(ref, schema) else Compare(ref.name, _OPS[op], value)
        case _:
            return None


def _is_field(ref: VarRef, schema: Schema) -> bool:
    if ref.type is DataType.TAG:
        return False
    return ref.type is not DataType.UNKNOWN or ref.name in schema.fields
