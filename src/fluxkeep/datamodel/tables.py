"""Streams of tables: group keys, blocks of equally shaped tables, results.

A table has a group key and rows; a stream is an ordered sequence of tables of
any shapes. Tables of one shape (the same columns in the same order, the same
key columns) live together in a `Block`, however many they are: ten thousand
series cost one frame.

    keys  (one row a table)                rows  (one row a row)
    ┌───────┬──────┬────────┐              ┌──────────┬───────┬────────┐
    │ ORDER │ host │ region │   ordinal    │ TABLE    │ _time │ _value │
    ├───────┼──────┼────────┤  <────────   ├──────────┼───────┼────────┤
    │ 0     │ a    │ eu     │              │ 0        │ …     │ …      │
    │ 2     │ b    │ us     │  (no rows)   │ 0        │ …     │ …      │
    └───────┴──────┴────────┘              └──────────┴───────┴────────┘

Values of key columns are kept once a table, in `keys`; a table that has no rows
is a row of `keys` alone. Rows are sorted by TABLE, and within a table their
order is the table's. Times are int64 ns; null is Polars' null.

Source: flux.md §7; architecture.md §7.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

# Names that no script can spell in a label it means: U+0000 comes first.
TABLE = "\0table"
ORDER = "\0order"

Value: TypeAlias = bool | int | float | str | None


class ColumnType(enum.Enum):
    """What a table's column may hold; the value is Flux's name."""

    BOOL = "bool"
    INT = "int"
    UINT = "uint"
    FLOAT = "float"
    STRING = "string"
    TIME = "time"

    @property
    def polars(self) -> pl.DataType:
        """The dtype of its values."""
        return _POLARS[self]

    @property
    def is_numeric(self) -> bool:
        """Int, uint or float."""
        return self in (ColumnType.INT, ColumnType.UINT, ColumnType.FLOAT)

    @property
    def rank(self) -> int:
        """Position in the order of types: bool < int < uint < float < string < time."""
        return _RANK[self]


_POLARS: dict[ColumnType, pl.DataType] = {
    ColumnType.BOOL: pl.Boolean(),
    ColumnType.INT: pl.Int64(),
    ColumnType.UINT: pl.UInt64(),
    ColumnType.FLOAT: pl.Float64(),
    ColumnType.STRING: pl.String(),
    ColumnType.TIME: pl.Int64(),
}
_RANK = {t: i for i, t in enumerate(ColumnType)}


@dataclass(frozen=True, slots=True)
class Column:
    """A label and a type."""

    label: str
    type: ColumnType


Columns: TypeAlias = tuple[Column, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """All tables of one shape in a stream; see the module's drawing.

    Attributes:
        columns: In table order, key columns among them.
        key: Labels of the key columns, in key order.
        keys: ORDER (int64, ascending, the table's place in the stream) and the key columns.
        rows: TABLE (int32, ascending ordinal into `keys`) and the other columns.
    """

    columns: Columns
    key: tuple[str, ...]
    keys: pl.DataFrame
    rows: pl.DataFrame

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in table order."""
        return tuple(c.label for c in self.columns)

    @property
    def table_count(self) -> int:
        """Tables, empty ones counted."""
        return self.keys.height

    def find(self, label: str) -> Column | None:
        """The column of a label."""
        for column in self.columns:
            if column.label == label:
                return column
        return None

    @property
    def ids(self) -> pl.Series:
        """Of each row, its table's ordinal."""
        return self.rows[TABLE]

    def series(self, label: str) -> pl.Series:
        """A column's values, one a row; a key column's are repeated."""
        if label in self.key:
            return self.keys[label].gather(self.ids)
        return self.rows[label]

    def frame(self, labels: Iterable[str] | None = None) -> pl.DataFrame:
        """TABLE and the columns asked for (all, in table order), key columns repeated a row."""
        wanted = self.labels if labels is None else tuple(labels)
        return pl.DataFrame([self.ids, *(self.series(label).alias(label) for label in wanted)])

    def sizes(self) -> npt.NDArray[np.int64]:
        """Rows of each table."""
        return np.bincount(self.ids.to_numpy(), minlength=self.table_count).astype(np.int64)

    def key_values(self, table: int) -> tuple[Value, ...]:
        """The key's values of one table, in key order."""
        return tuple(self.keys[label][table] for label in self.key)

    def with_rows(self, rows: pl.DataFrame, columns: Columns | None = None) -> Block:
        """The same tables with other rows; `columns` where they change, key columns unchanged."""
        return replace(self, rows=rows, columns=self.columns if columns is None else columns)

    def non_empty(self) -> Block:
        """Without the tables that have no rows."""
        sizes = self.sizes()
        if (sizes > 0).all():
            return self
        return self.select_tables(sizes > 0)

    def select_tables(self, mask: npt.NDArray[np.bool_]) -> Block:
        """Only the tables that the mask keeps."""
        ordinals = np.cumsum(mask, dtype=np.int32) - 1
        ids = self.ids.to_numpy()
        kept = pl.Series(mask[ids]) if len(ids) else pl.Series([], dtype=pl.Boolean)
        rows = self.rows.filter(kept)
        renumbered = pl.Series(TABLE, ordinals[rows[TABLE].to_numpy()], dtype=pl.Int32)
        return replace(self, keys=self.keys.filter(pl.Series(mask)), rows=rows.with_columns(renumbered))

    def estimated_bytes(self) -> int:
        """About what the frames occupy."""
        return int(self.keys.estimated_size() + self.rows.estimated_size())


Stream: TypeAlias = Sequence[Block]


@dataclass(frozen=True, slots=True)
class Result:
    """A named stream."""

    name: str
    blocks: Stream


@dataclass(frozen=True, slots=True)
class TableRun:
    """Tables that follow one another in a stream and share a block: ordinals [start, stop)."""

    block: Block
    start: int
    stop: int


def runs(blocks: Stream) -> Iterator[TableRun]:
    """A stream's tables in order, as the longest runs of one block."""
    if len(blocks) == 1:
        if blocks[0].table_count:
            yield TableRun(blocks[0], 0, blocks[0].table_count)
        return
    if not blocks:
        return
    orders = [b.keys[ORDER].to_numpy() for b in blocks]
    owner = np.repeat(np.arange(len(blocks)), [len(o) for o in orders])
    ordinal = np.concatenate([np.arange(len(o)) for o in orders])
    sequence = np.argsort(np.concatenate(orders), kind="stable")
    owner, ordinal = owner[sequence], ordinal[sequence]
    cuts = np.flatnonzero(np.diff(owner)) + 1
    for first, last in zip([0, *cuts.tolist()], [*cuts.tolist(), len(owner)], strict=True):
        if last > first:
            yield TableRun(blocks[int(owner[first])], int(ordinal[first]), int(ordinal[last - 1]) + 1)


def table_count(blocks: Stream) -> int:
    """Tables in a stream."""
    return sum(b.table_count for b in blocks)


def empty_frame(columns: Iterable[Column], lead: str) -> pl.DataFrame:
    """A frame without rows: the leading internal column and the given ones."""
    first = pl.Int32() if lead == TABLE else pl.Int64()
    return pl.DataFrame(schema={lead: first, **{c.label: c.type.polars for c in columns}})


def make_block(
    columns: Columns,
    key: tuple[str, ...],
    key_rows: Sequence[Sequence[Value]],
    values: Mapping[str, Sequence[Value] | pl.Series],
    ids: Sequence[int],
    orders: Sequence[int] | None = None,
) -> Block:
    """A block from Python values.

    Args:
        columns: In table order.
        key: Labels of the key columns.
        key_rows: One row of key values for each table.
        values: Of each column that is not in the key, one value a row.
        ids: The table of each row, ascending.
        orders: Places of the tables in the stream; counted from 0 where not given.
    """
    types = {c.label: c.type for c in columns}
    places = list(range(len(key_rows))) if orders is None else list(orders)
    keys = pl.DataFrame(
        [
            pl.Series(ORDER, places, dtype=pl.Int64),
            *(pl.Series(label, [row[i] for row in key_rows], dtype=types[label].polars) for i, label in enumerate(key)),
        ]
    )
    rows = pl.DataFrame(
        [
            pl.Series(TABLE, ids, dtype=pl.Int32),
            *(pl.Series(c.label, values[c.label], dtype=c.type.polars) for c in columns if c.label not in key),
        ]
    )
    return Block(columns, key, keys, rows)
