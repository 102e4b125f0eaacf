"""Windows of tables: rows regrouped by time.

Source: flux.md §10, §11.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from fluxkeep.compute.windows import WindowGrid, clip
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
    times = block.series(spec.time)
    if grid is None:
        # The one window closes over everything, its stop included. Source: flux.md §11.4.
        positions = np.flatnonzero(times.is_not_null().to_numpy())
        starts = np.full(len(positions), bounds.start, np.int64)
        stops = np.full(len(positions), bounds.stop, np.int64)
    else:
        known = np.flatnonzero(times.is_not_null().to_numpy())
        instants = times.drop_nulls().to_numpy()
        rows, indices = grid.assign(instants)
        positions = known[rows]
        starts, stops = clip(grid.starts(indices), grid.stops(indices), bounds)
        inside = starts < stops
        positions, starts, stops = positions[inside], starts[inside], stops[inside]
    columns, key = _shape(block, spec)
    frame = block.frame(c.label for c in columns if c.label not in (spec.start, spec.stop) and block.find(c.label))
    chosen = frame[positions]
    data = {
        ORDER: block.keys[ORDER].gather(chosen.to_series(0)),
        **{label: chosen[label] for label in chosen.columns[1:]},
        spec.start: pl.Series(starts),
        spec.stop: pl.Series(stops),
    }
    ordered = pl.DataFrame([data[name].alias(name) for name in (ORDER, *(c.label for c in columns))])
    empty = None
    if spec.create_empty:
        empty = _every_window(block, spec, grid, bounds, key)
    return Piece(columns, key, ordered, empty)


def _shape(block: Block, spec: WindowSpec) -> tuple[Columns, tuple[str, ...]]:
    """Columns and key with the bounds in place, or at the end where absent."""
    bounds = {spec.start: Column(spec.start, ColumnType.TIME), spec.stop: Column(spec.stop, ColumnType.TIME)}
    columns = [bounds.get(c.label, c) for c in block.columns]
    columns += [c for label, c in bounds.items() if block.find(label) is None]
    key = [*block.key, *(label for label in bounds if label not in block.key)]
    return tuple(columns), tuple(key)


def _every_window(
    block: Block, spec: WindowSpec, grid: WindowGrid | None, bounds: TimeRange, key: tuple[str, ...]
) -> pl.DataFrame:
    """Each window within the bounds for each table: those are there even without rows."""
    if grid is None:
        starts, stops = np.array([bounds.start], np.int64), np.array([bounds.stop], np.int64)
    else:
        indices = grid.covering(bounds)
        starts, stops = clip(grid.starts(indices), grid.stops(indices), bounds)
    windows = pl.DataFrame({spec.start: starts, spec.stop: stops})
    others = [k for k in block.key if k not in (spec.start, spec.stop)]
    return block.keys.select(ORDER, *others).join(windows, how="cross").select(ORDER, *key)


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
