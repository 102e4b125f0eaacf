"""The five field types and what they are called where."""

from __future__ import annotations

import enum


class FieldType(enum.Enum):
    """A field's type; the value is InfluxDB's word for it in error texts."""

    FLOAT = "float"
    INTEGER = "integer"
    UNSIGNED = "unsigned"
    STRING = "string"
    BOOLEAN = "boolean"

    @property
    def numpy(self) -> str:
        """The numpy dtype of a column of values; strings are kept otherwise."""
        return _NUMPY[self]

    @property
    def is_numeric(self) -> bool:
        """Float, integer or unsigned."""
        return self in (FieldType.FLOAT, FieldType.INTEGER, FieldType.UNSIGNED)


_NUMPY = {
    FieldType.FLOAT: "float64",
    FieldType.INTEGER: "int64",
    FieldType.UNSIGNED: "uint64",
    FieldType.BOOLEAN: "bool",
    FieldType.STRING: "object",
}
