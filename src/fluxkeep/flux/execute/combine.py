"""Streams and columns brought together: union, pivot.

Source: flux.md §11.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from fluxkeep.datamodel.tables import ORDER, TABLE, Block, Column, Columns, ColumnType, Stream, Value
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.regroup import Piece, piece_of, rebuild, sort_tables
from fluxkeep.flux.interpreter.values import nine_digits

_ID = "\0id"
_NAME = "\0name"
_KIND = "\0kind"


def after(streams: Sequence[Stream]) -> list[Block]:
    """All tables of several streams, those of later ones after those of earlier."""
    shifted: list[Block] = []
    base = 0
    for blocks in streams:
        highest = base
        for block in blocks:
            orders = block.keys[ORDER] + base
            shifted.append(Block(block.columns, block.key, block.keys.with_columns(orders.alias(ORDER)), block.rows))
            if block.table_count:
                highest = max(highest, int(orders.max()) + 1)  # type: ignore[arg-type]
        base = highest
    return shifted


def union(streams: Sequence[Stream]) -> list[Block]:
    """Tables with equal keys become one, an input's rows after those of the input before it."""
    return rebuild([piece_of(b, b.key) for b in after(streams)])


def pivot(blocks: Stream, row_key: Sequence[str], column_key: Sequence[str], value: str) -> list[Block]:
    """Values of different column keys side by side, a row for each row key.

    Raises:
        InvalidInput: A named column is absent, or a new column has a name that is taken.
    """
    groups: dict[tuple[tuple[str, ColumnType], ...], list[tuple[Block, tuple[str, ...]]]] = {}
    for block in blocks:
        for label in row_key:
            if block.find(label) is None:
                raise InvalidInput(f"specified row key column does not exist in table: {label}")
        for label in column_key:
            if block.find(label) is None:
                raise InvalidInput(f"specified column does not exist in table: {label}")
        if block.find(value) is None:
            raise InvalidInput(f"specified value column does not exist in table: {value}")
        key = tuple(k for k in block.key if k not in column_key and k != value)
        types = {c.label: c.type for c in block.columns}
        signature = tuple(sorted(((k, types[k]) for k in key), key=lambda item: item[0]))
        groups.setdefault(signature, []).append((block, key))
    out: list[Block] = []
    for members in groups.values():
        out += _pivot_family(members, row_key, column_key, value)
    return sort_tables(out)


def _pivot_family(
    members: list[tuple[Block, tuple[str, ...]]], row_key: Sequence[str], column_key: Sequence[str], value: str
) -> list[Block]:
    """The tables whose new keys have the same columns."""
    first, key = min(members, key=lambda m: m[0].keys[ORDER][0])
    fixed: Columns = tuple(c for c in first.columns if c.label in key or c.label in row_key)
    rest = [c.label for c in fixed if c.label not in key]
    # Keys are compared table by table; rows only carry the number of theirs.
    keys = pl.concat([b.keys.select(ORDER, *key) for b, _ in members])
    rows = _cells(members, rest, column_key, value)
    if not rows.height:
        # Tables without rows stay, without new columns.
        none = pl.Series([], dtype=pl.Int64)
        return rebuild([Piece(fixed, key, keys, none, none, rows.select(rest))])
    if key:
        tables = keys.group_by(key, maintain_order=True).agg(pl.col(ORDER).min())
        numbered = tables.select(key).with_row_index(_ID)
        joined = keys.select(key).join(numbered, on=list(key), how="left", nulls_equal=True, maintain_order="left")
        rows = rows.with_columns(joined[_ID].gather(rows[_ID]))
    else:
        tables = keys.head(1)
        rows = rows.with_columns(pl.lit(0, pl.UInt32).alias(_ID))
    # Tables that have the same new columns, in the same order, share a block.
    named = rows.select(_ID, _NAME, _KIND).unique([_ID, _NAME], keep="first", maintain_order=True)
    shapes: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for table, names, kinds in named.group_by(_ID, maintain_order=True).agg(_NAME, _KIND).iter_rows():
        shapes.setdefault(tuple(zip(names, kinds, strict=True)), []).append(table)
    taken = {c.label for c in fixed}
    for name in {name for pairs in shapes for name, _ in pairs}:
        if name in taken:
            raise InvalidInput(
                f'value "{name}" appears in a column key column, but a column named "{name}" already exists; '
                f'consider renaming "{name}" to something else before pivoting'
            )
    return [_pivot_shape(rows, tables, sorted(chosen), pairs, fixed, key, rest) for pairs, chosen in shapes.items()]


def _cells(
    members: list[tuple[Block, tuple[str, ...]]], rest: Sequence[str], column_key: Sequence[str], value: str
) -> pl.DataFrame:
    """Each row's table, row key, new column and value (a column for each type), in the order of tables."""
    parts = []
    offset = 0
    for block, _ in members:
        kind = next(c.type for c in block.columns if c.label == value).value
        frame = pl.DataFrame(
            [
                block.keys[ORDER].gather(block.ids),
                (block.ids.cast(pl.UInt32) + offset).alias(_ID),
                *(block.series(label).alias(label) for label in rest),
                _names(block, column_key).alias(_NAME),
                block.series(value).alias(f"\0{kind}"),
            ]
        )
        parts.append(frame.with_columns(pl.lit(kind).alias(_KIND)))
        offset += block.table_count
    if len(parts) == 1:
        return parts[0]
    return pl.concat(parts, how="diagonal").sort(ORDER, maintain_order=True)


def _pivot_shape(
    rows: pl.DataFrame,
    tables: pl.DataFrame,
    chosen: list[int],
    pairs: tuple[tuple[str, str], ...],
    fixed: Columns,
    key: tuple[str, ...],
    rest: list[str],
) -> Block:
    """The tables `chosen`, whose new columns are the same."""
    ordinals = np.full(tables.height, -1, np.int32)
    ordinals[chosen] = np.arange(len(chosen), dtype=np.int32)
    mine = rows.with_columns(pl.Series(TABLE, ordinals[rows[_ID].to_numpy()], dtype=pl.Int32))
    if len(chosen) < tables.height:
        mine = mine.filter(pl.col(TABLE) >= 0)
    if not mine[TABLE].is_sorted():
        mine = mine.sort(TABLE, maintain_order=True)
    # Later values overwrite earlier ones; a row stands where its row key first appeared.
    cells = [
        pl.col(f"\0{kind}").filter(pl.col(_NAME) == name).last().alias(f"\0n{i}")
        if len(pairs) > 1
        else pl.col(f"\0{kind}").last().alias("\0n0")
        for i, (name, kind) in enumerate(pairs)
    ]
    wide = mine.group_by([TABLE, *rest], maintain_order=True).agg(cells)
    kinds = {t.value: t for t in ColumnType}
    columns = (*fixed, *(Column(name, kinds[kind]) for name, kind in pairs))
    data = [
        wide[TABLE],
        *(wide[label] for label in rest),
        *(wide[f"\0n{i}"].alias(name) for i, (name, _) in enumerate(pairs)),
    ]
    return Block(columns, key, tables[chosen].select(ORDER, *key), pl.DataFrame(data))


def _names(block: Block, column_key: Sequence[str]) -> pl.Series:
    """The new column's name for each row."""
    parts = [
        _spelled(block.series(label), next(c.type for c in block.columns if c.label == label)) for label in column_key
    ]
    if len(parts) == 1:
        return parts[0]
    frame = pl.DataFrame([p.alias(str(i)) for i, p in enumerate(parts)])
    return frame.select(pl.concat_str(pl.all(), separator="_")).to_series()


def _spelled(values: pl.Series, kind: ColumnType) -> pl.Series:
    """Values as column names: floats with an exponent, times with nine digits, `null`."""
    if kind is ColumnType.STRING:
        return values.fill_null("null")
    distinct = values.unique()
    texts = [_spell(v, kind) for v in distinct.to_list()]
    return values.replace_strict(distinct, pl.Series(texts, dtype=pl.String), return_dtype=pl.String)


def _spell(value: Value, kind: ColumnType) -> str:
    if value is None:
        return "null"
    if kind is ColumnType.FLOAT:
        return go_exponent(float(value))
    if kind is ColumnType.TIME:
        return nine_digits(int(value))
    if kind is ColumnType.BOOL:
        return "true" if value else "false"
    return str(value)


def go_exponent(value: float) -> str:
    """Shortest digits with an `E` exponent of at least two digits, as Go's 'E' form."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    digits, exponent = f"{value:.17e}".split("e")
    for precision in range(18):
        digits, exponent = f"{value:.{precision}e}".split("e")
        if float(f"{digits}e{exponent}") == value:
            break
    return f"{digits}E{exponent}"
