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
    labels = [c.label for c in fixed]
    parts = []
    kinds: list[ColumnType] = []
    for block, _ in members:
        kind = next(c.type for c in block.columns if c.label == value)
        if kind not in kinds:
            kinds.append(kind)
        names = _names(block, column_key)
        frame = pl.DataFrame(
            [
                block.keys[ORDER].gather(block.ids),
                *(block.series(label).alias(label) for label in labels),
                names.alias(_NAME),
                block.series(value).alias(f"\0{kind.value}"),
            ]
        )
        parts.append(frame.with_columns(pl.lit(kind.value).alias("\0kind")))
    rows = pl.concat(parts, how="diagonal").sort(ORDER, maintain_order=True)
    if not rows.height:
        # Tables without rows stay, without new columns.
        empty = pl.concat([b.keys.select(ORDER, *key) for b, _ in members])
        none = pl.Series([], dtype=pl.Int64)
        return rebuild(
            [Piece(fixed, key, empty, none, none, rows.drop(ORDER).select(k for k in labels if k not in key))]
        )
    tables = rows.select(key).unique(maintain_order=True).with_row_index(_ID) if key else None
    ids = (
        rows.select(key).join(tables, on=list(key), how="left", nulls_equal=True, maintain_order="left")[_ID]
        if tables is not None
        else pl.Series(_ID, np.zeros(rows.height, np.uint32))
    )
    rows = rows.with_columns(ids)
    # Tables that have the same new columns, in the same order, share a block.
    named = rows.select(_ID, _NAME, "\0kind").unique([_ID, _NAME], keep="first", maintain_order=True)
    shapes: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for (table,), group in named.group_by(_ID, maintain_order=True):
        pairs = tuple(zip(group[_NAME].to_list(), group["\0kind"].to_list(), strict=True))
        shapes.setdefault(pairs, []).append(int(table))
    blocks = []
    for pairs, chosen in shapes.items():
        for name, _ in pairs:
            if name in labels:
                raise InvalidInput(
                    f'value "{name}" appears in a column key column, but a column named "{name}" already exists; '
                    f'consider renaming "{name}" to something else before pivoting'
                )
        blocks.append(_pivot_shape(rows, chosen, pairs, fixed, key, [k for k in labels if k not in key]))
    return blocks


def _pivot_shape(
    rows: pl.DataFrame,
    tables: list[int],
    pairs: tuple[tuple[str, str], ...],
    fixed: Columns,
    key: tuple[str, ...],
    rest: list[str],
) -> Block:
    mine = rows.filter(pl.col(_ID).is_in(tables)).sort(_ID, maintain_order=True)
    by = [_ID, *rest]
    # Later values overwrite earlier ones; a row stands where its row key first appeared.
    cells = [
        pl.col(f"\0{kind}").filter(pl.col(_NAME) == name).last().alias(f"\0n{i}")
        for i, (name, kind) in enumerate(pairs)
    ]
    wide = mine.group_by(by, maintain_order=True).agg(cells)
    firsts = mine.group_by(_ID, maintain_order=True).first()
    ordinals = {int(t): i for i, t in enumerate(firsts[_ID].to_list())}
    ids = wide[_ID].replace_strict(list(ordinals), list(ordinals.values()), return_dtype=pl.Int32)
    kinds = {t.value: t for t in ColumnType}
    columns = (*fixed, *(Column(name, kinds[kind]) for name, kind in pairs))
    data = [
        ids.alias(TABLE),
        *(wide[label] for label in rest),
        *(wide[f"\0n{i}"].alias(name) for i, (name, _) in enumerate(pairs)),
    ]
    return Block(columns, key, firsts.select(ORDER, *key), pl.DataFrame(data))


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
