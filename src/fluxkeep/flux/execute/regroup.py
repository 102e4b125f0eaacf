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
_SOURCE = "\0source"
_PIECE = "\0piece"

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Rows on their way into new tables.

    Attributes:
        columns: All columns in table order.
        key: Labels of the new key, in key order.
        frame: ORDER (the place of the table a row came from) and all columns.
        empty: ORDER and the key columns of tables that exist though no row has their key.
    """

    columns: Columns
    key: tuple[str, ...]
    frame: pl.DataFrame
    empty: pl.DataFrame | None = None


def piece_of(block: Block, key: Sequence[str], columns: Columns | None = None) -> Piece:
    """A block's rows under a new key; its empty tables come along where the old key fixes the new one."""
    kept = block.columns if columns is None else columns
    frame = pl.DataFrame([block.keys[ORDER].gather(block.ids), *(block.series(c.label).alias(c.label) for c in kept)])
    empty = None
    if set(key) <= set(block.key):
        vacant = block.sizes() == 0
        if vacant.any():
            empty = block.keys.filter(pl.Series(vacant)).select(ORDER, *key)
    return Piece(kept, tuple(key), frame, empty)


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
    lists = [p.frame.select(labels) for p in pieces] + [p.empty.select(labels) for p in pieces if p.empty is not None]
    if labels:
        distinct = pl.concat(lists).unique(maintain_order=True).with_row_index(_ID)
        ids = [
            p.frame.select(labels).join(distinct, on=labels, how="left", nulls_equal=True, maintain_order="left")[_ID]
            for p in pieces
        ]
    else:
        distinct = pl.DataFrame({_ID: pl.Series([0], dtype=pl.UInt32)})
        ids = [pl.Series(_ID, np.zeros(p.frame.height, np.uint32)) for p in pieces]
        if not any(p.frame.height for p in pieces) and all(p.empty is None for p in pieces):
            return []
    first = np.full(distinct.height, np.iinfo(np.int64).max, np.int64)
    contributors = _contributors(pieces, ids, distinct, labels, first)
    variants: dict[tuple[int, ...], list[int]] = {}
    for table, members in enumerate(contributors):
        variants.setdefault(members, []).append(table)
    return [
        _variant([pieces[m] for m in members], [ids[m] for m in members], tables, distinct, first)
        for members, tables in variants.items()
        if members
    ]


def _contributors(
    pieces: list[Piece], ids: list[pl.Series], distinct: pl.DataFrame, labels: list[str], first: Int64s
) -> list[tuple[int, ...]]:
    """Which pieces a table gets rows (or its mere existence) from, first come first; fills `first`."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(distinct.height)]
    for number, (piece, tables) in enumerate(zip(pieces, ids, strict=True)):
        places = pl.DataFrame([tables.alias(_ID), piece.frame[ORDER]])
        if piece.empty is not None:
            if labels:
                vacant = piece.empty.join(distinct, on=labels, how="left", nulls_equal=True).select(_ID, ORDER)
            else:
                vacant = piece.empty.select(pl.lit(0, pl.UInt32).alias(_ID), ORDER)
            places = pl.concat([places, vacant])
        for table, place in places.group_by(_ID).agg(pl.col(ORDER).min()).iter_rows():
            found[table].append((place, number))
            first[table] = min(first[table], place)
    return [tuple(number for _, number in sorted(entries)) for entries in found]


def _variant(
    pieces: list[Piece], ids: list[pl.Series], tables: list[int], distinct: pl.DataFrame, first: Int64s
) -> Block:
    """The tables that are made of the same pieces: one shape."""
    columns = unite([p.columns for p in pieces])
    key = pieces[0].key
    chosen = np.array(tables, np.int64)
    chosen = chosen[np.argsort(first[chosen], kind="stable")]
    ordinals = np.full(distinct.height, -1, np.int32)
    ordinals[chosen] = np.arange(len(chosen), dtype=np.int32)
    frames: list[pl.DataFrame] = []
    for piece, table in zip(pieces, ids, strict=True):
        present = {c.label for c in piece.columns}
        ordinal = pl.Series(TABLE, ordinals[table.to_numpy()], dtype=pl.Int32)
        frame = piece.frame.select(
            ORDER,
            *(
                pl.col(_exact(c.label)) if c.label in present else pl.lit(None, c.type.polars).alias(c.label)
                for c in columns
                if c.label not in key
            ),
        ).insert_column(0, ordinal)
        if len(chosen) < distinct.height:
            frame = frame.filter(pl.col(TABLE) >= 0)
        frames.append(frame)
    rows = frames[0] if len(frames) == 1 else pl.concat(frames)
    by = [TABLE] if len(frames) == 1 and frames[0][ORDER].is_sorted() else [TABLE, ORDER]
    if len(chosen) > 1 or len(by) > 1:
        rows = rows.sort(by, maintain_order=True)
    taken = distinct[chosen.tolist()]
    keys = pl.DataFrame([pl.Series(ORDER, first[chosen], dtype=pl.Int64), *(taken[k] for k in key)])
    return Block(columns, key, keys, rows.drop(ORDER))


def _exact(label: str) -> str:
    """A label that Polars does not take for a pattern."""
    if label == "*" or (label.startswith("^") and label.endswith("$")):
        return "^" + "".join("\\" + c if not c.isalnum() else c for c in label) + "$"
    return label


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
        placed.append(Block(block.columns, block.key, block.keys.with_columns(mine), block.rows))
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
