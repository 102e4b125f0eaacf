"""Types of InfluxQL's expressions.

Source: influxql.md §10.
"""

from __future__ import annotations

import enum

from fluxkeep.datamodel.columns import FieldType


class DataType(enum.Enum):
    """What a reference or an expression is; the value is how error texts name it."""

    UNKNOWN = "unknown"
    FLOAT = "float"
    INTEGER = "integer"
    UNSIGNED = "unsigned"
    STRING = "string"
    BOOLEAN = "boolean"
    TAG = "tag"
    TIME = "time"
    DURATION = "duration"
    ANY_FIELD = "field"

    @property
    def is_numeric(self) -> bool:
        """Float, integer or unsigned."""
        return self in _NUMERIC

    @property
    def is_field(self) -> bool:
        """One of the five types that fields have."""
        return self in FIELD_ORDER


_NUMERIC = frozenset((DataType.FLOAT, DataType.INTEGER, DataType.UNSIGNED))
# Of one field with several types, the earliest of these is what a reference without a cast reads.
FIELD_ORDER: tuple[DataType, ...] = (
    DataType.FLOAT,
    DataType.INTEGER,
    DataType.UNSIGNED,
    DataType.STRING,
    DataType.BOOLEAN,
)


def of_field(type_: FieldType) -> DataType:
    """The type of a stored field."""
    return DataType(type_.value)


def stronger(one: DataType | None, other: DataType) -> DataType:
    """Which of two types of one field a reference without a cast reads."""
    if one is None or one not in FIELD_ORDER:
        return other
    return min(one, other, key=FIELD_ORDER.index)
