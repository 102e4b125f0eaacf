"""Predicates over series and values.

A small tree that engines build and stores evaluate. Columns of a series are
its tags, `_measurement` and `_field`; `_value` and `_time` belong to a row.

Two views of an absent tag exist: Flux compares null, which is never true;
InfluxQL and the delete API compare the empty string. The request says which
(`absent_is_empty`), not the node.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

MEASUREMENT = "_measurement"
FIELD = "_field"
VALUE = "_value"
TIME = "_time"

Literal: TypeAlias = str | int | float | bool


class Op(enum.Enum):
    """Comparison operators; the value is how both languages spell them."""

    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    MATCH = "=~"
    NOT_MATCH = "!~"


@dataclass(frozen=True, slots=True)
class Compare:
    """`column op literal`; for MATCH and NOT_MATCH the literal is an RE2 pattern, searched unanchored."""

    column: str
    op: Op
    literal: Literal


@dataclass(frozen=True, slots=True)
class Exists:
    """The series has the tag (or, for `_value`, the row has a value)."""

    column: str


@dataclass(frozen=True, slots=True)
class Not:
    """Negation; of an unknown result it stays unknown where absence is null."""

    operand: Predicate


@dataclass(frozen=True, slots=True)
class And:
    """All operands hold; of none: true."""

    operands: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One operand holds; of none: false."""

    operands: tuple[Predicate, ...]


Predicate: TypeAlias = Compare | Exists | Not | And | Or


def columns_of(predicate: Predicate | None) -> frozenset[str]:
    """The columns that a predicate looks at."""
    match predicate:
        case None:
            return frozenset()
        case Compare(column=column) | Exists(column=column):
            return frozenset((column,))
        case Not(operand=operand):
            return columns_of(operand)
        case And(operands=operands) | Or(operands=operands):
            return frozenset().union(*(columns_of(o) for o in operands))


def split(predicate: Predicate | None) -> tuple[Predicate | None, Predicate | None]:
    """A conjunction's part over series alone, and the rest, which needs rows.

    `split(p)` = (s, r) with p equivalent to s and r. An operand that mixes
    both goes to the rest whole.
    """
    if predicate is None:
        return None, None
    operands = predicate.operands if isinstance(predicate, And) else (predicate,)
    rows = [o for o in operands if columns_of(o) & {VALUE, TIME}]
    series = [o for o in operands if not columns_of(o) & {VALUE, TIME}]
    return _all(series), _all(rows)


def _all(operands: list[Predicate]) -> Predicate | None:
    if not operands:
        return None
    return operands[0] if len(operands) == 1 else And(tuple(operands))
