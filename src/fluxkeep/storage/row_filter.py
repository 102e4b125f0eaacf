"""Predicates over rows, evaluated on columns: what remains of a predicate once series are chosen.

Agrees with `memory_reader.matches` row by row; numbers compare by value
whatever their types, other types only with their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.memory_reader import pattern
from fluxkeep.datamodel.points import Int64s, Strings
from fluxkeep.datamodel.predicates import TIME, VALUE, And, Compare, Exists, Literal, Not, Op, Or, Predicate
from fluxkeep.storage.columns import Column, strings_to_arrow
from fluxkeep.storage.series_index import SeriesIndex

Mask = npt.NDArray[np.bool_]

_NUMPY = {
    Op.EQ: np.equal,
    Op.NE: np.not_equal,
    Op.LT: np.less,
    Op.LE: np.less_equal,
    Op.GT: np.greater,
    Op.GE: np.greater_equal,
}
_ARROW = {
    Op.EQ: "equal",
    Op.NE: "not_equal",
    Op.LT: "less",
    Op.LE: "less_equal",
    Op.GT: "greater",
    Op.GE: "greater_equal",
}


@dataclass(frozen=True, slots=True)
class FieldRows:
    """The rows of one field that a predicate looks at; every one has a value."""

    index: SeriesIndex
    field: str
    ids: npt.NDArray[np.uint32]
    time: Int64s
    column: Column


def keep(predicate: Predicate, rows: FieldRows, *, absent_is_empty: bool) -> Mask:
    """Which rows satisfy a predicate."""
    return _evaluate(predicate, rows, absent_is_empty)[0]


def _evaluate(node: Predicate, rows: FieldRows, absent_is_empty: bool) -> tuple[Mask, Mask]:
    """(true, false) masks; where neither holds the result is unknown."""
    count = len(rows.time)
    match node:
        case Not(operand):
            true, false = _evaluate(operand, rows, absent_is_empty)
            return false, true
        case And(operands):
            results = [_evaluate(o, rows, absent_is_empty) for o in operands]
            return (
                np.logical_and.reduce([np.ones(count, np.bool_), *(t for t, _ in results)]),
                np.logical_or.reduce([np.zeros(count, np.bool_), *(f for _, f in results)]),
            )
        case Or(operands):
            results = [_evaluate(o, rows, absent_is_empty) for o in operands]
            return (
                np.logical_or.reduce([np.zeros(count, np.bool_), *(t for t, _ in results)]),
                np.logical_and.reduce([np.ones(count, np.bool_), *(f for _, f in results)]),
            )
        case Exists(column=column) if column in (VALUE, TIME):
            return np.ones(count, np.bool_), np.zeros(count, np.bool_)
        case Compare(column, op, literal) if column == TIME:
            return _both(_numbers(rows.time, op, literal), count)
        case Compare(column, op, literal) if column == VALUE:
            return _both(_values(rows.column, op, literal), count)
        case Compare() | Exists():
            true, false = rows.index.decide(node, rows.field, absent_is_empty=absent_is_empty)
            return true[rows.ids], false[rows.ids]


def _both(result: Mask | None, count: int) -> tuple[Mask, Mask]:
    if result is None:
        return np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    return result, ~result


def _values(column: Column, op: Op, literal: Literal) -> Mask | None:
    """Compare values with a literal; None where the types do not compare."""
    if isinstance(column.values, Strings):
        return _texts(column.values, op, literal) if isinstance(literal, str) else None
    if column.type is FieldType.BOOLEAN:
        if not isinstance(literal, bool) or op not in (Op.EQ, Op.NE):
            return None
        return np.asarray(column.values == literal if op is Op.EQ else column.values != literal)
    return _numbers(column.values, op, literal)


def _texts(values: Strings, op: Op, literal: str) -> Mask:
    import pyarrow.compute as pc

    array = strings_to_arrow(values, None)
    if op in (Op.MATCH, Op.NOT_MATCH):
        pattern(literal)
        found = np.asarray(pc.match_substring_regex(array, literal))
        return found if op is Op.MATCH else ~found
    return np.asarray(pc.call_function(_ARROW[op], [array, literal]))


def _numbers(values: npt.NDArray[Any], op: Op, literal: Literal) -> Mask | None:
    if isinstance(literal, bool | str) or op not in _NUMPY:
        return None
    if values.dtype.kind == "f":
        return np.asarray(_NUMPY[op](values, float(literal)))
    return _integers(values, op, literal)


def _integers(values: npt.NDArray[Any], op: Op, literal: float) -> Mask:
    """Compare integers exactly: a float literal becomes the integer beside it, never the column a float."""
    if isinstance(literal, float):
        if math.isnan(literal):
            return np.full(len(values), op is Op.NE)
        if math.isinf(literal):
            literal = 1 << 65 if literal > 0 else -(1 << 65)
        elif not literal.is_integer():
            if op in (Op.EQ, Op.NE):
                return np.full(len(values), op is Op.NE)
            # x < 2.5 and x <= 2.5 both mean x <= 2; the others x > 2.
            op = Op.LE if op in (Op.LT, Op.LE) else Op.GT
            literal = math.floor(literal)
    whole = int(literal)
    bounds = np.iinfo(values.dtype)
    if whole < bounds.min:
        return np.full(len(values), op in (Op.GT, Op.GE, Op.NE))
    if whole > bounds.max:
        return np.full(len(values), op in (Op.LT, Op.LE, Op.NE))
    return np.asarray(_NUMPY[op](values, values.dtype.type(whole)))
