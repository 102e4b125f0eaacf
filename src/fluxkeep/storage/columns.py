"""Columns of values in memory, and what is done to them: take, slice, concatenate.

A column is values and, where some are absent, a mask of those that are there;
absent entries hold zero or an empty text. Every function is one pass of numpy
or Arrow over whole columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.points import Bools, Int64s, Strings

if TYPE_CHECKING:
    import pyarrow as pa

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one field; `valid` None means that every row has one."""

    type: FieldType
    values: npt.NDArray[Any] | Strings
    valid: Bools | None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        held = 0 if self.valid is None else self.valid.nbytes
        if isinstance(self.values, Strings):
            return held + self.values.offsets.nbytes + len(self.values.data)
        return held + int(self.values.nbytes)


class RowNotes:
    """What readers of the same rows would else work out each time.

    Attributes:
        bounds: First and last time and the largest id.
        series: By field, the series that have it, as a mask by id.
    """

    __slots__ = ("bounds", "series")

    def __init__(self) -> None:
        self.bounds: tuple[int, int, int] | None = None
        self.series: dict[str, npt.NDArray[np.bool_]] = {}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one measurement: series ids, times, and some of its fields.

    `columns` lacks a field that no row has. `notes` remembers what was worked out of rows that never change.
    """

    ids: npt.NDArray[np.uint32]
    time: Int64s
    columns: dict[str, Column]
    notes: RowNotes = field(default_factory=lambda: RowNotes(), compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.time)

    @property
    def nbytes(self) -> int:
        """Bytes held, of whole columns."""
        return self.ids.nbytes + self.time.nbytes + sum(column.nbytes for column in self.columns.values())


def take(column: Column, at: Positions) -> Column:
    """The rows at positions, in their order."""
    valid = None if column.valid is None else column.valid[at]
    if isinstance(column.values, Strings):
        return Column(column.type, take_strings(column.values, at), valid)
    return Column(column.type, column.values[at], valid)


def cut(column: Column, start: int, stop: int) -> Column:
    """The rows start..stop; shares memory."""
    valid = None if column.valid is None else column.valid[start:stop]
    if isinstance(column.values, Strings):
        return Column(column.type, Strings(column.values.offsets[start : stop + 1], column.values.data), valid)
    return Column(column.type, column.values[start:stop], valid)


def take_rows(rows: Rows, at: Positions) -> Rows:
    """The rows at positions."""
    return Rows(rows.ids[at], rows.time[at], {name: take(c, at) for name, c in rows.columns.items()})


def cut_rows(rows: Rows, start: int, stop: int) -> Rows:
    """The rows start..stop; shares memory."""
    columns = {name: cut(c, start, stop) for name, c in rows.columns.items()}
    return Rows(rows.ids[start:stop], rows.time[start:stop], columns)


def absent(type_: FieldType, count: int) -> Column:
    """A column in which no row has a value."""
    valid = np.zeros(count, np.bool_)
    if type_ is FieldType.STRING:
        return Column(type_, Strings(np.zeros(count + 1, np.int64), b""), valid)
    return Column(type_, np.zeros(count, type_.numpy), valid)


def concatenate(columns: Sequence[Column]) -> Column:
    """One column of several of one type."""
    if len(columns) == 1:
        return columns[0]
    type_ = columns[0].type
    valid = None
    if any(c.valid is not None for c in columns):
        valid = np.concatenate([np.ones(len(c), np.bool_) if c.valid is None else c.valid for c in columns])
    if type_ is FieldType.STRING:
        return Column(type_, _join_strings([c.values for c in columns if isinstance(c.values, Strings)]), valid)
    return Column(type_, np.concatenate([c.values for c in columns if not isinstance(c.values, Strings)]), valid)


def concatenate_rows(pieces: Sequence[Rows]) -> Rows:
    """Pieces one behind the other; a field that a piece lacks is absent there.

    The pieces agree on each field's type.
    """
    if len(pieces) == 1:
        return pieces[0]
    columns = {name: concatenate_field(pieces, name, type_) for name, type_ in field_types(pieces).items()}
    return Rows(np.concatenate([p.ids for p in pieces]), np.concatenate([p.time for p in pieces]), columns)


def field_types(pieces: Sequence[Rows]) -> dict[str, FieldType]:
    """The fields of any of the pieces."""
    return {name: column.type for piece in pieces for name, column in piece.columns.items()}


def concatenate_field(pieces: Sequence[Rows], name: str, type_: FieldType) -> Column:
    """One field of pieces one behind the other."""
    return concatenate([p.columns[name] if name in p.columns else absent(type_, len(p)) for p in pieces])


def take_strings(strings: Strings, at: Positions) -> Strings:
    """The texts at positions."""
    return strings_from_arrow(strings_to_arrow(strings, None).take(_arrow().array(at)))


def _join_strings(parts: Sequence[Strings]) -> Strings:
    """Texts one behind the other."""
    offsets = [np.zeros(1, np.int64)]
    data: list[bytes] = []
    base = 0
    for part in parts:
        first, last = int(part.offsets[0]), int(part.offsets[-1])
        offsets.append(part.offsets[1:] - (first - base))
        data.append(part.data[first:last])
        base += last - first
    return Strings(np.concatenate(offsets), b"".join(data))


def strings_to_arrow(strings: Strings, valid: Bools | None) -> pa.Array:
    """The texts as an Arrow `large_string` array; shares memory."""
    pa = _arrow()
    offsets = np.ascontiguousarray(strings.offsets)
    mask = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    buffers = [mask, pa.py_buffer(offsets), pa.py_buffer(strings.data)]
    return pa.Array.from_buffers(pa.large_string(), len(strings), buffers)


def strings_from_arrow(array: pa.Array) -> Strings:
    """An Arrow `large_string` array's texts; nulls become empty."""
    _, offsets, data = array.buffers()
    if len(array) == 0:
        return Strings(np.zeros(1, np.int64), b"")
    begin, stop = array.offset, array.offset + len(array) + 1
    return Strings(np.frombuffer(offsets, np.int64)[begin:stop], b"" if data is None else data.to_pybytes())


def _arrow() -> Any:
    import pyarrow

    return pyarrow
