"""Operators that keep, drop, order and relabel: rows and columns change place, values do not.

Source: flux.md §11.1, §11.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import polars as pl

from fluxkeep.datamodel.tables import ORDER, TABLE, Block, Column, ColumnType, Stream
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.regroup import Piece, by_order, piece_of, rebuild
from fluxkeep.flux.execute.rows import RowFunction, predicate

_AT = "\0at"
_STRETCH = "\0stretch"


def take_rows(block: Block, mask: pl.Series) -> Block:
    """Only the rows that the mask keeps; tables stay, even without rows."""
    return block.with_rows(block.rows.filter(mask))


def range_(blocks: Stream, bounds: TimeRange) -> list[Block]:
    """Rows within the bounds, which become `_start` and `_stop` of the key."""
    pieces = []
    for block in blocks:
        time = block.find("_time")
        if time is None:
            raise InvalidInput("range error: supplied time column _time doesn't exist")
        if time.type is not ColumnType.TIME:
            raise InvalidInput("range error: provided column _time is not of type time")
        starts, stops = _bounds_of_tables(block, bounds)
        times = block.series("_time").to_numpy() if block.rows.height else np.empty(0, np.int64)
        known = block.series("_time").is_not_null()
        ids = block.ids.to_numpy()
        kept = known & pl.Series((times >= starts[ids]) & (times < stops[ids]), dtype=pl.Boolean)
        bounded = with_key_columns(
            take_rows(block, kept),
            {"_start": (ColumnType.TIME, pl.Series(starts)), "_stop": (ColumnType.TIME, pl.Series(stops))},
        )
        pieces.append(bounded)
    return merge_equal_keys(pieces)


def _bounds_of_tables(block: Block, bounds: TimeRange) -> tuple[np.ndarray, np.ndarray]:
    """The new bounds cut to those that a table has already; the new ones where the two are disjoint."""
    starts = np.full(block.table_count, bounds.start, np.int64)
    stops = np.full(block.table_count, bounds.stop, np.int64)
    if "_start" in block.key and "_stop" in block.key:
        old_starts = block.keys["_start"].fill_null(bounds.start).to_numpy()
        old_stops = block.keys["_stop"].fill_null(bounds.stop).to_numpy()
        cut_starts, cut_stops = np.maximum(starts, old_starts), np.minimum(stops, old_stops)
        overlap = cut_starts < cut_stops
        starts, stops = np.where(overlap, cut_starts, starts), np.where(overlap, cut_stops, stops)
    return starts, stops


def with_key_columns(block: Block, values: dict[str, tuple[ColumnType, pl.Series]]) -> Block:
    """Set columns to one value a table and make them part of the key; new ones come first."""
    columns = {c.label: c for c in block.columns}
    fresh = [label for label in values if label not in columns]
    ordered = [Column(label, values[label][0]) for label in fresh]
    ordered += [Column(c.label, values[c.label][0]) if c.label in values else c for c in block.columns]
    key = (*(label for label in values if label not in block.key), *block.key)
    keys = block.keys.with_columns([series.alias(label) for label, (_, series) in values.items()])
    rows = block.rows.drop([label for label in values if label in block.rows.columns])
    return Block(tuple(ordered), key, keys.select(ORDER, *(pl.col(k) for k in key)), rows)


def merge_equal_keys(blocks: Sequence[Block]) -> list[Block]:
    """A stream in which a key occurs once; where it already does, nothing moves."""
    signatures: dict[frozenset[Column], int] = {}
    clash = False
    for block in blocks:
        signature = frozenset(c for c in block.columns if c.label in block.key)
        clash = clash or signature in signatures
        signatures[signature] = 1
        if not block.key:
            clash = clash or block.table_count > 1
        elif block.keys.select(block.key).is_duplicated().any():
            clash = True
    if not clash:
        return list(blocks)
    return rebuild([piece_of(b, b.key) for b in blocks], sort=False)


def filter_(blocks: Stream, function: RowFunction, *, keep_empty: bool) -> list[Block]:
    """Rows for which the predicate holds; tables left empty stay only where asked."""
    out = []
    for block in blocks:
        kept = predicate(block, function, "filter")
        filtered = take_rows(block, kept)
        if not keep_empty:
            filtered = filtered.non_empty()
        if filtered.table_count:
            out.append(filtered)
    return by_order(out)


def position_in_table(block: Block) -> pl.Series:
    """Of each row, its number within its table, from 0."""
    ids = block.ids.to_numpy()
    sizes = block.sizes()
    starts = np.cumsum(sizes) - sizes
    return pl.Series(_AT, np.arange(len(ids), dtype=np.int64) - starts[ids])


def limit(blocks: Stream, n: int, offset: int) -> list[Block]:
    """The first n rows after the offset. Source: flux.md §11.1, `limit`."""
    out = []
    for block in blocks:
        at = position_in_table(block)
        kept = take_rows(block, (at >= offset) & (at < offset + n))
        if offset and n > 0:
            # Quirk: a table that the offset exhausts leaves the stream. Source: flux.md §11.1.
            sizes = block.sizes()
            kept = kept.select_tables((sizes > offset) | (sizes == 0))
        out.append(kept)
    return by_order([b for b in out if b.table_count])


def tail(blocks: Stream, n: int, offset: int) -> list[Block]:
    """The last n rows before the last `offset` rows."""
    out = []
    for block in blocks:
        from_end = pl.Series(block.sizes()[block.ids.to_numpy()]) - 1 - position_in_table(block)
        out.append(take_rows(block, (from_end >= offset) & (from_end < offset + n)))
    return out


def sort(blocks: Stream, columns: Sequence[str], *, descending: bool) -> list[Block]:
    """Rows of each table, stable; nulls first both ways, columns that are absent or in the key skipped."""
    out = []
    for block in blocks:
        by = [c for c in columns if c in block.rows.columns and block.find(c) is not None]
        if not by:
            out.append(block)
            continue
        plain = block.rows.rename({label: f"s{i}" for i, label in enumerate(by)}).with_row_index(_AT)
        stretch = pl.lit(0)
        if plain["s0"].dtype == pl.Float64 and plain["s0"].is_nan().any():
            # Quirk: nothing is less or greater than a NaN, so the reference's sort never moves one and
            # orders what lies between two of them. Source: recorded answers.
            nan = pl.col("s0").is_nan().fill_null(value=False).cast(pl.Int64)
            stretch = (nan.cum_sum() * 2 - nan).over(TABLE)
        order = plain.with_columns(stretch.alias(_STRETCH)).sort(
            [TABLE, _STRETCH, *(f"s{i}" for i in range(len(by)))],
            descending=[False, False, *[descending] * len(by)],
            nulls_last=False,
            maintain_order=True,
        )[_AT]
        out.append(block.with_rows(block.rows[order]))
    return out


def select_columns(blocks: Stream, keeps: Callable[[Block], Iterable[str]]) -> list[Block]:
    """Only the columns kept, in table order; tables whose keys become equal are merged."""
    pieces = []
    changed = False
    out = []
    for block in blocks:
        kept = set(keeps(block))
        columns = tuple(c for c in block.columns if c.label in kept)
        key = tuple(k for k in block.key if k in kept)
        changed = changed or key != block.key
        piece = piece_of(block, key, columns)
        if not columns:
            # Rows without columns are no rows.
            none = pl.Series([], dtype=pl.Int64)
            piece = Piece((), (), block.keys.select(ORDER), none, none, pl.DataFrame())
            changed = True
        pieces.append(piece)
        rows = block.rows.select(TABLE, *(block.rows[c.label] for c in columns if c.label not in block.key))
        out.append(Block(columns, key, block.keys, rows))
    return rebuild(pieces) if changed else out


def rename(blocks: Stream, label_of: Callable[[str], str], required: Iterable[str] = ()) -> list[Block]:
    """Relabel columns in place, key labels too.

    Raises:
        InvalidInput: An old label is absent, or two columns get one label.
    """
    out = []
    for block in blocks:
        for label in required:
            if block.find(label) is None:
                raise InvalidInput(f'rename error: column "{label}" doesn\'t exist')
        labels = {c.label: label_of(c.label) for c in block.columns}
        seen: dict[str, int] = {}
        for i, new in enumerate(labels.values()):
            if new in seen:
                raise InvalidInput(f'column {seen[new]} and {i} have the same name ("{new}") which is not allowed')
            seen[new] = i
        out.append(relabel(block, labels))
    return merge_equal_keys(out)


def relabel(block: Block, labels: dict[str, str]) -> Block:
    """The same block under other labels."""
    columns = tuple(Column(labels.get(c.label, c.label), c.type) for c in block.columns)
    key = tuple(labels.get(k, k) for k in block.key)
    keys, rows = block.keys.clone(), block.rows.clone()
    keys.columns = [labels.get(c, c) if c != ORDER else c for c in keys.columns]
    rows.columns = [labels.get(c, c) if c != TABLE else c for c in rows.columns]
    return Block(columns, key, keys, rows)


def duplicate(blocks: Stream, column: str, into: str) -> list[Block]:
    """Copy a column; an existing target is replaced in place, otherwise the copy comes last."""
    out = []
    for block in blocks:
        source = block.find(column)
        if source is None:
            raise InvalidInput(f'duplicate error: column "{column}" doesn\'t exist')
        if column == into:
            out.append(block)
            continue
        if column in block.key and into in block.key:
            columns = tuple(Column(into, source.type) if c.label == into else c for c in block.columns)
            keys = block.keys.with_columns(block.keys[column].alias(into))
            out.append(Block(columns, block.key, keys, block.rows))
            continue
        out.append(set_column(block, Column(into, source.type), block.series(column)))
    return merge_equal_keys(out)


def set_column(block: Block, column: Column, values: pl.Series) -> Block:
    """Set a column that is not in the key (any more); in place or, when new, last.

    A target in the key leaves the key; tables may then share one.
    """
    label = column.label
    columns = tuple(column if c.label == label else c for c in block.columns)
    if block.find(label) is None:
        columns = (*block.columns, column)
    key = tuple(k for k in block.key if k != label)
    rows = block.rows.with_columns(values.alias(label))
    keys = block.keys if key == block.key else block.keys.drop(label)
    return Block(columns, key, keys, rows)


def set_constant(blocks: Stream, label: str, value: str) -> list[Block]:
    """A string column with one value everywhere; in the key where it was there."""
    out = []
    for block in blocks:
        column = Column(label, ColumnType.STRING)
        if label in block.key:
            columns = tuple(column if c.label == label else c for c in block.columns)
            keys = block.keys.with_columns(pl.lit(value).alias(label))
            out.append(Block(columns, block.key, keys, block.rows))
        else:
            constant = pl.Series([value], dtype=pl.String).new_from_index(0, block.rows.height)
            out.append(set_column(block, column, constant))
    return merge_equal_keys(out)


def group_key(block: Block, columns: Sequence[str], mode: str) -> tuple[str, ...]:
    """The key that `group` gives a table: alphabetical, or for `except` in the table's order."""
    if mode == "by":
        return tuple(sorted({c for c in columns if block.find(c) is not None}))
    return tuple(c.label for c in block.columns if c.label not in columns)


def group(blocks: Stream, columns: Sequence[str], mode: str) -> list[Block]:
    """Rows by the values of columns."""
    return rebuild([piece_of(b, group_key(b, columns, mode)) for b in blocks])
