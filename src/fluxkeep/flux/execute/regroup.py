"""Tables rebuilt by new group keys: the one place where tables meet.

Rows that come to one key are appended in the order of the tables they came
from. Columns are united by label, absent ones filled with null; one label with
two types is a schema collision. Keys are equal whatever the order of their
columns, types and labels count, null equals null.

Source: flux.md §7.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from fluxkeep.datamodel.tables import ORDER, TABLE, Block, Column, Columns, Stream, Value
from fluxkeep.errors import InvalidInput

_ID = "\0id"

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Rows on their way into new tables.

    Attributes:
        columns: All columns in table order.
        key: Labels of the new key, in key order.
        keys: ORDER (the place of the first table that rows came from) and the key columns, a row for
            each table to be; several may have one key and become one table. All of them exist, also
            those that no row goes to.
        ids: Of each row, its row in `keys`.
        orders: Of each row, the place of the table it came from.
        rows: The columns that are not in the key.
    """

    columns: Columns
    key: tuple[str, ...]
    keys: pl.DataFrame
    ids: pl.Series
    orders: pl.Series
    rows: pl.DataFrame


def piece_of(block: Block, key: Sequence[str], columns: Columns | None = None) -> Piece:
    """A block's rows under a new key; its empty tables come along where the old key fixes the new one."""
    kept = block.columns if columns is None else columns
    orders = block.keys[ORDER].gather(block.ids)
    if set(key) <= set(block.key):
        # Decided table by table: no row is looked at.
        data = [block.series(c.label).alias(c.label) for c in kept if c.label not in key]
        rows = pl.DataFrame([orders.alias(ORDER), *data]).drop(ORDER) if data else pl.DataFrame(height=len(orders))
        return Piece(kept, tuple(key), block.keys.select(ORDER, *key), block.ids, orders, rows)
    frame = pl.DataFrame([orders, *(block.series(c.label).alias(c.label) for c in kept)])
    return piece_of_rows(kept, key, frame)


def piece_of_rows(columns: Columns, key: Sequence[str], frame: pl.DataFrame) -> Piece:
    """Rows under a key that differs from row to row.

    Args:
        columns: All columns in table order.
        key: Labels of the key.
        frame: ORDER (the place of the table a row came from) and all columns.
    """
    orders = frame[ORDER]
    rest = frame.drop(ORDER, *key)
    if not key:
        place = int(orders.min()) if frame.height else 0  # type: ignore[arg-type]
        keys = pl.DataFrame({ORDER: pl.Series([place][: frame.height], dtype=pl.Int64)})
        ids = pl.Series(_ID, np.zeros(frame.height, np.int64))
        return Piece(columns, (), keys, ids, orders, rest)
    keys = frame.group_by(key, maintain_order=True).agg(pl.col(ORDER).min()).select(ORDER, *key)
    numbered = keys.select(key).with_row_index(_ID)
    ids = frame.select(key).join(numbered, on=list(key), how="left", nulls_equal=True, maintain_order="left")[_ID]
    return Piece(columns, tuple(key), keys, ids, orders, rest)


def rebuild(pieces: Sequence[Piece], *, sort: bool = True) -> list[Block]:
    """New tables from pieces.

    Args:
        pieces: Any shapes.
        sort: Tables by group key; otherwise by the first row that came to them.

    Raises:
        InvalidInput: A column has two types within one table.
    """
    families: dict[frozenset[Column], list[Piece]] = {}
    for piece in pieces:
        types = {c.label: c for c in piece.columns}
        families.setdefault(frozenset(types[label] for label in piece.key), []).append(piece)
    blocks: list[Block] = []
    for columns, members in families.items():
        blocks += _family(tuple(sorted(columns, key=lambda c: c.label)), members)
    return sort_tables(blocks) if sort else by_order(blocks)


def _family(columns: Columns, pieces: list[Piece]) -> list[Block]:
    """The tables of pieces whose keys have the same columns; ORDER is the first contributing table's place."""
    labels = [c.label for c in columns]
    if not sum(p.keys.height for p in pieces):
        return []
    if labels:
        distinct = pl.concat([p.keys.select(labels) for p in pieces]).unique(maintain_order=True).with_row_index(_ID)
        tables = [
            p.keys.select(labels)
            .join(distinct, on=labels, how="left", nulls_equal=True, maintain_order="left")[_ID]
            .to_numpy()
            for p in pieces
        ]
    else:
        distinct = pl.DataFrame({_ID: pl.Series([0], dtype=pl.UInt32)})
        tables = [np.zeros(p.keys.height, np.int64) for p in pieces]
    first = np.full(distinct.height, np.iinfo(np.int64).max, np.int64)
    for piece, table in zip(pieces, tables, strict=True):
        np.minimum.at(first, table, piece.keys[ORDER].to_numpy())
    if len(pieces) == 1:
        return [_variant(pieces, tables, None, distinct, first)]
    variants: dict[tuple[int, ...], list[int]] = {}
    for table_id, members in enumerate(_contributors(pieces, tables, distinct.height)):
        variants.setdefault(members, []).append(table_id)
    return [
        _variant([pieces[m] for m in members], [tables[m] for m in members], chosen, distinct, first)
        for members, chosen in variants.items()
        if members
    ]


def _contributors(pieces: list[Piece], tables: list[Int64s], count: int) -> list[tuple[int, ...]]:
    """Which pieces a table is made of, first come first."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for number, (piece, table) in enumerate(zip(pieces, tables, strict=True)):
        places = pl.DataFrame([pl.Series(_ID, table), piece.keys[ORDER]])
        for table_id, place in places.group_by(_ID).agg(pl.col(ORDER).min()).iter_rows():
            found[table_id].append((place, number))
    return [tuple(number for _, number in sorted(entries)) for entries in found]


def _variant(
    pieces: list[Piece], tables: list[Int64s], chosen_ids: list[int] | None, distinct: pl.DataFrame, first: Int64s
) -> Block:
    """The tables that are made of the same pieces (of a single piece all): one shape."""
    columns = unite([p.columns for p in pieces])
    key = pieces[0].key
    chosen = np.arange(distinct.height) if chosen_ids is None else np.array(chosen_ids, np.int64)
    chosen = chosen[np.argsort(first[chosen], kind="stable")]
    ordinals = np.full(distinct.height, -1, np.int32)
    ordinals[chosen] = np.arange(len(chosen), dtype=np.int32)
    frames: list[pl.DataFrame] = []
    for piece, table in zip(pieces, tables, strict=True):
        present = {c.label for c in piece.columns}
        height = len(piece.ids)
        frame = pl.DataFrame(
            [
                pl.Series(TABLE, ordinals[table][piece.ids.to_numpy()], dtype=pl.Int32),
                piece.orders.alias(ORDER),
                *(
                    piece.rows[c.label]
                    if c.label in present
                    else pl.Series(c.label, [None], dtype=c.type.polars).new_from_index(0, height)
                    for c in columns
                    if c.label not in key
                ),
            ]
        )
        if len(chosen) < distinct.height:
            frame = frame.filter(pl.col(TABLE) >= 0)
        frames.append(frame)
    rows = frames[0] if len(frames) == 1 else pl.concat(frames)
    by = [TABLE] if len(frames) == 1 and frames[0][ORDER].is_sorted() else [TABLE, ORDER]
    if not (len(by) == 1 and rows[TABLE].is_sorted()):
        rows = rows.sort(by, maintain_order=True)
    taken = distinct[chosen.tolist()]
    keys = pl.DataFrame([pl.Series(ORDER, first[chosen], dtype=pl.Int64), *(taken[k] for k in key)])
    return Block(columns, key, keys, rows.drop(ORDER))


def unite(schemas: Sequence[Columns]) -> Columns:
    """Columns of several tables by label, in order of appearance.

    Raises:
        InvalidInput: A label has two types.
    """
    united: dict[str, Column] = {}
    for columns in schemas:
        for column in columns:
            known = united.setdefault(column.label, column)
            if known.type is not column.type:
                raise InvalidInput(
                    f'schema collision detected: column "{column.label}" is both of type '
                    f"{column.type.value} and {known.type.value}"
                )
    return tuple(united.values())


def by_order(blocks: Sequence[Block]) -> list[Block]:
    """Places counted anew, 0, 1, 2 …, by the places they have; ties by block."""
    if not blocks:
        return []
    places = np.concatenate([b.keys[ORDER].to_numpy() for b in blocks])
    ranks = np.empty(len(places), np.int64)
    ranks[np.argsort(places, kind="stable")] = np.arange(len(places))
    return _placed(blocks, ranks)


def sort_tables(blocks: Sequence[Block]) -> list[Block]:
    """The tables of a stream ordered by their group keys."""
    filled = [b for b in blocks if b.table_count]
    if not filled:
        return []
    shapes = {frozenset(_key_columns(b)) for b in filled}
    if len(shapes) == 1:
        # One set of key columns: the frames themselves can be sorted.
        columns = sorted(_key_columns(filled[0]), key=lambda c: c.label)
        keys = pl.concat([b.keys.select(c.label for c in columns) for b in filled]) if columns else None
        count = sum(b.table_count for b in filled)
        if keys is None:
            order = np.arange(count)
        else:
            order = keys.with_row_index(_ID).sort([c.label for c in columns], maintain_order=True)[_ID].to_numpy()
    else:
        entries = [_sortable(b, i) for b in filled for i in range(b.table_count)]
        order = np.array(sorted(range(len(entries)), key=lambda i: entries[i]), np.int64)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return [ascending(b) for b in _placed(filled, ranks)]


def _placed(blocks: Sequence[Block], ranks: Int64s) -> list[Block]:
    placed = []
    at = 0
    for block in blocks:
        mine = pl.Series(ORDER, ranks[at : at + block.table_count], dtype=pl.Int64)
        at += block.table_count
        keys = pl.DataFrame([mine, *(block.keys[label] for label in block.key)])
        placed.append(Block(block.columns, block.key, keys, block.rows))
    return placed


def ascending(block: Block) -> Block:
    """Ordinals in the order of places."""
    order = block.keys[ORDER].to_numpy()
    if (np.diff(order) > 0).all():
        return block
    sequence = np.argsort(order)
    ordinals = np.empty(len(order), np.int32)
    ordinals[sequence] = np.arange(len(order), dtype=np.int32)
    renumbered = pl.Series(TABLE, ordinals[block.ids.to_numpy()], dtype=pl.Int32)
    rows = block.rows.with_columns(renumbered).sort(TABLE, maintain_order=True)
    return Block(block.columns, block.key, block.keys[sequence.tolist()], rows)


def _key_columns(block: Block) -> list[Column]:
    return [c for c in block.columns if c.label in block.key]


@functools.total_ordering
class _KeyOrder:
    """A group key that compares as the reference's do."""

    __slots__ = ("entries",)

    def __init__(self, entries: list[tuple[str, int, Value]]) -> None:
        self.entries = entries

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _KeyOrder) and self.entries == other.entries

    def __lt__(self, other: _KeyOrder) -> bool:
        for (label, rank, value), (other_label, other_rank, other_value) in zip(
            self.entries, other.entries, strict=False
        ):
            if label != other_label:
                # The key that lacks the smaller label comes first. Source: flux.md §7.
                return label > other_label
            if rank != other_rank:
                return rank < other_rank
            if value != other_value:
                if value is None or other_value is None:
                    return value is None
                return value < other_value  # type: ignore[operator]
        return len(self.entries) < len(other.entries)

    __hash__ = None  # type: ignore[assignment]


def _sortable(block: Block, table: int) -> _KeyOrder:
    columns = sorted(_key_columns(block), key=lambda c: c.label)
    return _KeyOrder([(c.label, c.type.rank, block.keys[c.label][table]) for c in columns])


def regroup(blocks: Stream, key_of: dict[int, tuple[str, ...]] | None = None, *, sort: bool = True) -> list[Block]:
    """Blocks under new keys, by position in the stream; unchanged keys where none is given."""
    chosen = key_of or {}
    return rebuild([piece_of(b, chosen.get(i, b.key)) for i, b in enumerate(blocks)], sort=sort)
