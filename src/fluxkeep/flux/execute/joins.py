"""Joins of two streams.

Source: flux.md §11.2 (`join`), §13 (`join` package).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from fluxkeep.datamodel.tables import ORDER, Block, Column, Columns, Stream
from fluxkeep.datamodel.tables import Value as Cell
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.mapping import columns_of_records
from fluxkeep.flux.execute.regroup import Piece, piece_of_rows, rebuild
from fluxkeep.flux.execute.rows import rows_of
from fluxkeep.flux.interpreter.values import Null, Value, kind_of

_LEFT, _RIGHT = "\0left", "\0right"


# Rows that one call of the join kernel makes, about: nothing can stop it, nor its memory, before it is done.
_SLICE_ROWS = 1 << 20

# Told how many bytes the rows made so far occupy, from time to time; raises where a join must not go on.
Progress = Callable[[int], None]


def join(
    left: Stream, right: Stream, left_name: str, right_name: str, on: Sequence[str], progress: Progress
) -> list[Block]:
    """Inner join of every two tables that agree; columns of both that are not joined on get suffixes.

    Raises:
        InvalidInput: A table lacks a column to join on.
    """
    pieces = []
    held = 0

    def within(count: int) -> None:
        progress(held + count)

    for one in left:
        for other in right:
            piece = _joined(one, other, left_name, right_name, on, within)
            if piece is not None:
                held += int(piece.rows.estimated_size() + piece.keys.estimated_size())
                pieces.append(piece)
    return rebuild(pieces)


def _joined(
    one: Block, other: Block, left_name: str, right_name: str, on: Sequence[str], progress: Progress
) -> Piece | None:
    for block, name in ((one, left_name), (other, right_name)):
        for label in on:
            if block.find(label) is None:
                raise InvalidInput(f"table {name} does not have column {label} to join on")
    types = {c.label: c.type for c in other.columns}
    if any(types[c.label] is not c.type for c in one.columns if c.label in on):
        return None
    shared = {c.label for c in one.columns} & {c.label for c in other.columns} - set(on)

    def renamed(label: str, name: str) -> str:
        return f"{label}_{name}" if label in shared else label

    columns: dict[str, Column] = {}
    frames = []
    for block, name, order in ((one, left_name, _LEFT), (other, right_name, _RIGHT)):
        parts = [block.keys[ORDER].gather(block.ids).alias(order)]
        for column in block.columns:
            target = renamed(column.label, name)
            parts.append(block.series(column.label).alias(target))
            columns[target] = Column(target, column.type)
        frames.append(pl.DataFrame(parts))
    rows = _in_slices(frames[0], frames[1], list(on), progress)
    rows = rows.sort([_LEFT, _RIGHT, *on], maintain_order=True)
    key = {renamed(k, left_name) for k in one.key} | {renamed(k, right_name) for k in other.key}
    ordered = tuple(columns[label] for label in sorted(columns))
    # Pairs of tables come in the order of the left ones.
    frame = rows.select((pl.col(_LEFT) * (1 << 31) + pl.col(_RIGHT)).alias(ORDER), *(rows[c.label] for c in ordered))
    return piece_of_rows(ordered, tuple(sorted(key)), frame)


def _in_slices(left: pl.DataFrame, right: pl.DataFrame, on: list[str], progress: Progress) -> pl.DataFrame:
    """The pairs of rows that agree, by the left rows' order, the left side taken slice by slice."""
    made: list[pl.DataFrame] = []
    held = 0
    for start, stop in _slices(left, right, on):
        some = left.slice(start, stop - start)
        made.append(some.join(right, on=on, how="inner", nulls_equal=False, maintain_order="left_right"))
        held += int(made[-1].estimated_size())
        progress(held)
    return made[0] if len(made) == 1 else pl.concat(made)


def _slices(left: pl.DataFrame, right: pl.DataFrame, on: list[str]) -> list[tuple[int, int]]:
    """Ranges of left rows that make about `_SLICE_ROWS` pairs each; a single row may make more."""
    if left.height * right.height <= _SLICE_ROWS:
        return [(0, left.height)]
    partners = right.group_by(on).agg(pl.len().cast(pl.Int64).alias(_LEFT))
    counts = left.select(on).join(partners, on=on, how="left", nulls_equal=False, maintain_order="left")[_LEFT]
    slice_of = np.cumsum(counts.fill_null(0).to_numpy()) // _SLICE_ROWS
    edges = [0, *(np.flatnonzero(np.diff(slice_of)) + 1).tolist(), left.height]
    return list(itertools.pairwise(edges))


Combine = Callable[[dict[str, Value], dict[str, Value]], Value]


def join_tables(
    left: Stream, right: Stream, on: Sequence[tuple[str, str]], combine: Combine, method: str
) -> list[Block]:
    """The `join` package: tables with equal group keys, rows combined by a function.

    Args:
        left: The left stream.
        right: The right stream.
        on: Pairs of a left and a right label that must be equal; null equals nothing.
        combine: Makes the row of a pair; of a side without a partner it gets nulls.
        method: `inner`, `left`, `right` or `full`.
    """
    ones, others = _by_key(left), _by_key(right)
    left_shape, right_shape = _shape_of(left), _shape_of(right)
    pieces = []
    for place, key in enumerate(dict.fromkeys([*ones, *others])):
        one, other = ones.get(key), others.get(key)
        if (one is None and method in ("inner", "left")) or (other is None and method in ("inner", "right")):
            continue
        key_columns = (one or other)[0]  # type: ignore[index]
        records = _pairs(one, other, key_columns, left_shape, right_shape, on, combine, method)
        if not records:
            continue
        made = columns_of_records(records, _refuse)
        made = dict(sorted(made.items()))
        for column, value in key_columns:
            found = made.get(column.label)
            if found is None or not (found[1].eq_missing(pl.Series([value], dtype=column.type.polars))).all():
                raise InvalidInput(f"join cannot modify group key: {column.label}")
        order = pl.Series(ORDER, [place], dtype=pl.Int64).new_from_index(0, len(records))
        frame = pl.DataFrame([order, *(s.alias(label) for label, (_, s) in made.items())])
        pieces.append(piece_of_rows(tuple(c for c, _ in made.values()), tuple(c.label for c, _ in key_columns), frame))
    return rebuild(pieces)


Entry = tuple[tuple[tuple[Column, Cell], ...], list[dict[str, Value]]]


def _by_key(blocks: Stream) -> dict[tuple[object, ...], Entry]:
    tables: dict[tuple[object, ...], Entry] = {}
    for block in blocks:
        types = {c.label: c for c in block.columns}
        rows: dict[int, list[dict[str, Value]]] = {}
        for table, row in zip(block.ids.to_list(), rows_of(block), strict=True):
            rows.setdefault(table, []).append(row)
        for table in range(block.table_count):
            pairs = tuple(
                sorted(
                    ((types[k], v) for k, v in zip(block.key, block.key_values(table), strict=True)),
                    key=lambda p: p[0].label,
                )
            )
            identity = tuple((c.label, c.type, v) for c, v in pairs)
            if identity in tables:
                tables[identity][1].extend(rows.get(table, []))
            else:
                tables[identity] = (pairs, rows.get(table, []))
    return tables


def _shape_of(blocks: Stream) -> Columns:
    found: dict[str, Column] = {}
    for block in blocks:
        for column in block.columns:
            found.setdefault(column.label, column)
    return tuple(found.values())


def _pairs(
    one: Entry | None,
    other: Entry | None,
    key: tuple[tuple[Column, Cell], ...],
    left_shape: Columns,
    right_shape: Columns,
    on: Sequence[tuple[str, str]],
    combine: Combine,
    method: str,
) -> list[dict[str, Value]]:
    from fluxkeep.flux.interpreter.values import of_column

    fixed = {c.label: of_column(v, c.type) for c, v in key}
    left_rows = one[1] if one else []
    right_rows = other[1] if other else []
    index: dict[tuple[object, ...], list[int]] = {}
    for i, row in enumerate(right_rows):
        identity = _identity(row, [r for _, r in on])
        if identity is not None:
            index.setdefault(identity, []).append(i)
    nothing_right: dict[str, Value] = {**{c.label: Null(c.type.value) for c in right_shape}, **fixed}
    nothing_left: dict[str, Value] = {**{c.label: Null(c.type.value) for c in left_shape}, **fixed}
    lefts: dict[tuple[object, ...], list[dict[str, Value]]] = {}
    keyless: list[dict[str, Value]] = []
    if method in ("right", "full"):
        keyless += [
            _record(combine(nothing_left, row)) for row in right_rows if _identity(row, [r for _, r in on]) is None
        ]
    for row in left_rows:
        identity = _identity(row, [x for x, _ in on])
        if identity is not None:
            lefts.setdefault(identity, []).append(row)
        elif method in ("left", "full"):
            keyless.append(_record(combine(row, nothing_right)))
    records: list[dict[str, Value]] = []
    # Rows come by what they are joined on; what has no such value comes last.
    keys: list[Any] = list({*lefts, *index})
    for key_value in sorted(keys):
        mine, partners = lefts.get(key_value, []), index.get(key_value, [])
        if mine and partners:
            records += [_record(combine(row, right_rows[i])) for row in mine for i in partners]
        elif mine and method in ("left", "full"):
            records += [_record(combine(row, nothing_right)) for row in mine]
        elif partners and method in ("right", "full"):
            records += [_record(combine(nothing_left, right_rows[i])) for i in partners]
    return records + keyless


def _identity(row: dict[str, Value], labels: Sequence[str]) -> tuple[object, ...] | None:
    values = []
    for label in labels:
        value = row.get(label, Null())
        if isinstance(value, Null):
            return None
        values.append((kind_of(value), value))
    return tuple(values)


def _record(value: Value) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise InvalidInput(f"join function must return an object, got {kind_of(value)}")
    return value


def _refuse(label: str, value: Value) -> InvalidInput:
    return InvalidInput(f'join: column "{label}" cannot hold {kind_of(value)}')
