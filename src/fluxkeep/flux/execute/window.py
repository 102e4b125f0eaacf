"""Windows of tables: rows regrouped by time.

Source: flux.md §10, §11.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from fluxkeep.compute.windows import Int64s, WindowGrid, clip
from fluxkeep.datamodel.tables import ORDER, Block, Column, Columns, ColumnType, Stream
from fluxkeep.datamodel.timerange import TimeRange, Window
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.regroup import Piece, rebuild


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpec:
    """What `window` was asked.

    Attributes:
        window: None for `every: inf`, one window that is the bounds.
        local: Whether the windows follow another clock than UTC's.
        time_first: Columns come as the time, the key, the rest.
    """

    window: Window | None
    time: str = "_time"
    start: str = "_start"
    stop: str = "_stop"
    create_empty: bool = False
    local: bool = False
    time_first: bool = False


def window(blocks: Stream, spec: WindowSpec, bounds: TimeRange) -> list[Block]:
    """Each row into every window that holds its time; windows cut to the bounds are part of the key."""
    grid = WindowGrid(spec.window) if spec.window is not None else None
    pieces = []
    for block in blocks:
        time = block.find(spec.time)
        if time is None:
            raise InvalidInput(f'missing time column "{spec.time}"')
        if time.type is not ColumnType.TIME:
            raise InvalidInput(f'time column "{spec.time}" must be of type time')
        pieces.append(_piece(block, spec, grid, bounds))
    windowed = rebuild(pieces)
    return [_time_first(b, spec.time) for b in windowed] if spec.time_first else windowed


def _time_first(block: Block, time: str) -> Block:
    types = {c.label: c for c in block.columns}
    front = [time, *block.key]
    columns = (*(types[label] for label in front), *(c for c in block.columns if c.label not in front))
    return Block(columns, block.key, block.keys, block.rows)


def _piece(block: Block, spec: WindowSpec, grid: WindowGrid | None, bounds: TimeRange) -> Piece:
    """A block's rows by window. New tables are pairs of a table (its key without bounds) and a window."""
    times = block.series(spec.time)
    known = np.flatnonzero(times.is_not_null().to_numpy())
    windows = _covering(grid, bounds)
    if grid is None:
        # The one window closes over everything, its stop included. Source: flux.md §11.4.
        positions, numbers = known, np.zeros(len(known), np.int64)
    else:
        rows, indices = grid.assign(times.drop_nulls().to_numpy())
        numbers = np.searchsorted(windows.indices, indices)
        inside = numbers < len(windows.indices)
        inside[inside] = windows.indices[numbers[inside]] == indices[inside]
        positions, numbers = known[rows][inside], numbers[inside]
    columns, key = _shape(block, spec)
    others = [k for k in key if k not in (spec.start, spec.stop)]
    owners, representatives = _owners(block, others)
    ids = block.ids.to_numpy()[positions]
    codes = owners[ids] * len(windows.indices) + numbers
    if spec.create_empty:
        tables = np.arange(len(representatives) * len(windows.indices), dtype=np.int64)
    else:
        tables, codes = np.unique(codes, return_inverse=True)
    owner, number = np.divmod(tables, max(len(windows.indices), 1))
    named = block.keys[representatives[owner].tolist()]
    values = {spec.start: pl.Series(windows.starts[number]), spec.stop: pl.Series(windows.stops[number])}
    keys = pl.DataFrame([named[ORDER], *((named[k] if k in others else values[k]).alias(k) for k in key)])
    chosen = pl.Series(positions)
    data = [block.series(c.label).gather(chosen).alias(c.label) for c in columns if c.label not in key]
    orders = block.keys[ORDER].gather(pl.Series(ids))
    return Piece(columns, key, keys, pl.Series(codes), orders, pl.DataFrame([orders.alias(ORDER), *data]).drop(ORDER))


@dataclass(frozen=True, slots=True)
class _Windows:
    """The windows within bounds, ascending, and where they start and stop, cut to the bounds."""

    indices: Int64s
    starts: Int64s
    stops: Int64s


def _covering(grid: WindowGrid | None, bounds: TimeRange) -> _Windows:
    if grid is None:
        return _Windows(np.zeros(1, np.int64), np.array([bounds.start]), np.array([bounds.stop]))
    indices = grid.covering(bounds)
    return _Windows(indices, *clip(grid.starts(indices), grid.stops(indices), bounds))


def _owners(block: Block, labels: list[str]) -> tuple[Int64s, Int64s]:
    """Tables that differ in their bounds alone count as one.

    Returns:
        (of each table the number of its like, of each number its first table).
    """
    count = block.table_count
    if not labels:
        return np.zeros(count, np.int64), np.zeros(min(count, 1), np.int64)
    firsts = block.keys.select(labels).with_row_index("\0at").unique(labels, keep="first", maintain_order=True)
    numbered = firsts.select(labels).with_row_index("\0n")
    owners = block.keys.select(labels).join(numbered, on=labels, how="left", nulls_equal=True, maintain_order="left")
    return owners["\0n"].to_numpy().astype(np.int64), firsts["\0at"].to_numpy().astype(np.int64)


def _shape(block: Block, spec: WindowSpec) -> tuple[Columns, tuple[str, ...]]:
    """Columns and key with the bounds in place, or at the end where absent."""
    bounds = {spec.start: Column(spec.start, ColumnType.TIME), spec.stop: Column(spec.stop, ColumnType.TIME)}
    columns = [bounds.get(c.label, c) for c in block.columns]
    columns += [c for label, c in bounds.items() if block.find(label) is None]
    key = [*block.key, *(label for label in bounds if label not in block.key)]
    return tuple(columns), tuple(key)


def fill_empty(blocks: Stream) -> list[Block]:
    """Each empty table becomes one row: its key and nulls. Source: flux.md §14, `table.fill`."""
    out = []
    for block in blocks:
        vacant = np.flatnonzero(block.sizes() == 0)
        if not len(vacant):
            out.append(block)
            continue
        added = pl.DataFrame([pl.Series(block.rows.columns[0], vacant, dtype=pl.Int32)]).with_columns(
            [pl.lit(None, dtype).alias(name) for name, dtype in list(block.rows.schema.items())[1:]]
        )
        rows = pl.concat([block.rows, added]).sort(block.rows.columns[0], maintain_order=True)
        out.append(block.with_rows(rows))
    return out
