"""The rows of a block as lines of annotated CSV, spelled by the native encoder.

A block's lines are made some tens of thousands at a time and cut where the stream
goes on with another block: where types alternate from series to series a run is
a few rows, and whatever costs something a run is ten thousand times as dear.

Source: http-api.md §10.3, §10.4.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from fluxkeep.datamodel.tables import TABLE, Block, ColumnType
from fluxkeep.formats import _csv_rows

Int64s = npt.NDArray[np.int64]

_ROWS_PER_CHUNK = 1 << 16
_KINDS = {
    ColumnType.FLOAT: 0,
    ColumnType.INT: 1,
    ColumnType.UINT: 2,
    ColumnType.BOOL: 3,
    ColumnType.TIME: 4,
    ColumnType.STRING: 5,
}


class BlockRows:
    """The lines of one block.

    Args:
        block: Its tables.
        numbers: What each table is called in the answer.
        cuts: Rows at which a run of its tables begins or ends, ascending.
        lead: What every line begins with, before the table's number.
        delimiter: One ASCII character.
    """

    def __init__(self, block: Block, numbers: Int64s, cuts: Int64s, lead: str, delimiter: str) -> None:
        self._block = block
        self._numbers = numbers
        self._cuts = cuts
        self._lead = lead.encode()
        self._delimiter = delimiter
        self._keys = {
            column.label: _native(block.keys[column.label], column.type, per_table=True)
            for column in block.columns
            if column.label in block.key
        }
        self._start = self._stop = 0
        self._text = b""
        self._offsets: dict[int, int] = {}

    def lines(self, first: int, last: int) -> Iterator[bytes]:
        """The lines of the rows [first, last), of which both are cuts; asked for from front to back."""
        while first < last:
            if not self._start <= first < self._stop:
                self._encode(first)
            until = min(last, self._stop)
            begin, end = self._offsets[first], self._offsets[until]
            yield self._text if end - begin == len(self._text) else self._text[begin:end]
            first = until

    def _encode(self, row: int) -> None:
        self._start = row
        self._stop = min(row + _ROWS_PER_CHUNK, self._block.rows.height)
        rows = self._block.rows.slice(row, self._stop - row)
        columns = [
            self._keys.get(column.label) or _native(rows[column.label], column.type, per_table=False)
            for column in self._block.columns
        ]
        within = self._cuts[np.searchsorted(self._cuts, row) : np.searchsorted(self._cuts, self._stop, side="right")]
        cuts = np.union1d(within, (row, self._stop)) - row
        self._text, offsets = _csv_rows.encode(
            columns, rows[TABLE].to_numpy(), self._numbers, self._lead, self._delimiter, 0, len(rows), cuts
        )
        self._offsets = dict(zip((cuts + row).tolist(), offsets, strict=True))


def _native(values: pl.Series, kind: ColumnType, *, per_table: bool) -> _csv_rows.Column:
    """A column as the encoder takes it: arrays that it reads without copying."""
    valid: npt.NDArray[np.uint8] | None = None
    if values.null_count():
        if kind is not ColumnType.STRING:
            valid = values.is_not_null().cast(pl.UInt8).to_numpy()
            values = values.fill_null(False if kind is ColumnType.BOOL else 0)
        else:
            values = values.fill_null("")
    if kind is ColumnType.STRING:
        arrow = values.to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, data = arrow.buffers()
        bounds = np.frombuffer(offsets, np.int64)[arrow.offset : arrow.offset + len(arrow) + 1]
        texts = np.frombuffer(data, np.uint8) if data is not None and data.size else np.empty(0, np.uint8)
        return per_table, _KINDS[kind], (bounds, texts), None
    if kind is ColumnType.BOOL:
        values = values.cast(pl.UInt8)
    return per_table, _KINDS[kind], np.ascontiguousarray(values.to_numpy()), valid
