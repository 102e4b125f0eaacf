"""Points one by one, and the columns they make: for tests, `array.from` and small writes.

The write path never comes here; it has columns from the scanner on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.points import FieldColumn, MeasurementBatch, PointBatch, Strings
from fluxkeep.datamodel.series import Series, Tags

FieldValue: TypeAlias = float | int | str | bool


@dataclass(frozen=True, slots=True)
class Point:
    """One point; `fields` maps a name to its type and value, `time` is in ns."""

    measurement: str
    tags: Tags
    fields: tuple[tuple[str, FieldType, FieldValue], ...]
    time: int


def point(measurement: str, tags: Mapping[str, str], fields: Mapping[str, FieldValue | np.uint64], time: int) -> Point:
    """A point whose field types follow from Python's: a numpy uint64 is unsigned."""
    return Point(
        measurement,
        tuple(sorted((k, v) for k, v in tags.items() if v)),
        tuple(
            (name, type_of(value), value if not isinstance(value, np.uint64) else int(value))
            for name, value in fields.items()
        ),
        time,
    )


def type_of(value: FieldValue | np.uint64) -> FieldType:
    """The field type that a Python value stands for."""
    for python, type_ in _TYPES:
        if isinstance(value, python):
            return type_
    raise TypeError(f"no field type for {type(value).__name__}")


# bool is an int to Python, so it comes first.
_TYPES: tuple[tuple[type, FieldType], ...] = (
    (bool, FieldType.BOOLEAN),
    (np.uint64, FieldType.UNSIGNED),
    (int, FieldType.INTEGER),
    (float, FieldType.FLOAT),
    (str, FieldType.STRING),
)


def batch_of(points: Iterable[Point]) -> PointBatch:
    """The columns of points, as the scanner would make them of their lines."""
    by_measurement: dict[str, list[tuple[int, Point]]] = {}
    for line, row in enumerate(points):
        by_measurement.setdefault(row.measurement, []).append((line, row))
    return PointBatch(tuple(_measurement(name, rows) for name, rows in by_measurement.items()))


def _measurement(name: str, rows: list[tuple[int, Point]]) -> MeasurementBatch:
    series: dict[Tags, int] = {}
    columns: dict[tuple[str, FieldType], dict[int, FieldValue]] = {}
    for at, (_, row) in enumerate(rows):
        series.setdefault(row.tags, len(series))
        for field, type_, value in row.fields:
            columns.setdefault((field, type_), {})[at] = value
    return MeasurementBatch(
        name,
        tuple(Series(name, tags) for tags in series),
        np.array([series[row.tags] for _, row in rows], np.uint32),
        np.array([row.time for _, row in rows], np.int64),
        np.array([line for line, _ in rows], np.uint32),
        tuple(_column(field, type_, values, len(rows)) for (field, type_), values in columns.items()),
    )


def _column(name: str, type_: FieldType, values: dict[int, FieldValue], count: int) -> FieldColumn:
    valid: npt.NDArray[np.bool_] | None = None
    if len(values) < count:
        valid = np.zeros(count, np.bool_)
        valid[list(values)] = True
    if type_ is FieldType.STRING:
        return FieldColumn(name, type_, strings_of([str(values.get(i, "")) for i in range(count)]), valid)
    column = np.zeros(count, type_.numpy)
    for at, value in values.items():
        column[at] = value
    return FieldColumn(name, type_, column, valid)


def strings_of(texts: Iterable[str]) -> Strings:
    """Texts in the columns' layout."""
    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(raw) for raw in encoded], out=offsets[1:])
    return Strings(offsets, b"".join(encoded))


def rows_of(batch: PointBatch) -> Iterator[tuple[Series, str, FieldType, int, FieldValue]]:
    """Every value of a batch as (series, field, type, time, value), a column after another."""
    for m in batch.measurements:
        times = m.time.tolist()
        ids = m.series_index.tolist()
        for column in m.fields:
            valid = range(len(m)) if column.valid is None else np.flatnonzero(column.valid).tolist()
            values = texts_of(column.values) if isinstance(column.values, Strings) else column.values.tolist()
            for at in valid:
                yield m.series[ids[at]], column.name, column.type, times[at], values[at]


def texts_of(strings: Strings) -> list[str]:
    """The texts of a column."""
    offsets = strings.offsets.tolist()
    return [strings.data[a:b].decode() for a, b in itertools.pairwise(offsets)]
