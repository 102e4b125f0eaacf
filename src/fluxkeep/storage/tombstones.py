"""Deletes: a range of time and a predicate over series, in force for what was written before.

A tombstone has a sequence number like a write. It hides rows of every data file
that was made before it; memtables are cleared of its rows when it is set. It is
forgotten once no such file is left.

The JSON form is described in docs/formats/manifest.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fluxkeep.datamodel.predicates import And, Compare, Exists, Not, Op, Or, Predicate
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.ids import BucketID


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One delete; `predicate` compares an absent tag as ""."""

    sequence: int
    bucket: BucketID
    time_range: TimeRange
    predicate: Predicate | None


def predicate_to_json(predicate: Predicate | None) -> Any:
    """A predicate as JSON: `["==", column, literal]`, `["exists", column]`, `["not"|"and"|"or", …]`."""
    match predicate:
        case None:
            return None
        case Compare(column, op, literal):
            return [op.value, column, literal]
        case Exists(column):
            return ["exists", column]
        case Not(operand):
            return ["not", predicate_to_json(operand)]
        case And(operands):
            return ["and", *(predicate_to_json(o) for o in operands)]
        case Or(operands):
            return ["or", *(predicate_to_json(o) for o in operands)]


def predicate_from_json(value: Any) -> Predicate | None:
    """Read back what `predicate_to_json` made.

    Raises:
        ValueError: Not such a value.
    """
    return None if value is None else _parse(value)


def _parse(value: Any) -> Predicate:
    match value:
        case ["exists", str(column)]:
            return Exists(column)
        case ["not", operand]:
            return Not(_parse(operand))
        case ["and", *operands]:
            return And(tuple(_parse(o) for o in operands))
        case ["or", *operands]:
            return Or(tuple(_parse(o) for o in operands))
        case [str(op), str(column), str() | int() | float() | bool() as literal]:
            return Compare(column, Op(op), literal)
    raise ValueError(f"not a predicate: {value!r}")
