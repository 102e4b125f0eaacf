"""`interpolate`: rows put between rows.

Source: flux.md §13.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from fluxkeep.compute.windows import WindowGrid
from fluxkeep.datamodel.tables import TABLE, Block, ColumnType
from fluxkeep.datamodel.timerange import TimeRange, Window
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.sequences import table_slices
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.plan.graph import Transform
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("interpolate")


@PACKAGE.function("<-tables every")
def linear(call: Call) -> Value:
    """Rows at every multiple of a duration between two rows, on the line between them."""
    every = call.duration("every")
    grid = WindowGrid(Window(every=every, period=every))
    return call.node(Transform("linear", lambda blocks: [_filled(b, grid) for b in blocks]), call.stream())


def _filled(block: Block, grid: WindowGrid) -> Block:
    for column in block.columns:
        if column.label not in block.key and column.label not in ("_time", "_value"):
            raise InvalidInput(f'interpolate.linear requires column "{column.label}" to be in group key')
        if column.label == "_value" and column.type is not ColumnType.FLOAT:
            raise InvalidInput(f"cannot interpolate {column.type.value} values; expected float values")
    times, values = block.series("_time"), block.series("_value")
    if times.null_count() or values.null_count():
        raise InvalidInput("null values are not supported by interpolate.linear")
    instants, numbers = times.to_numpy(), values.to_numpy()
    ids: list[int] = []
    all_times: list[int] = []
    all_values: list[float] = []
    for table, (start, stop) in enumerate(table_slices(block)):
        mine, theirs = instants[start:stop], numbers[start:stop]
        if len(mine) > 1:
            steps = grid.starts(grid.covering(TimeRange(int(mine[0]), int(mine[-1]) + 1)))
            steps = steps[(steps > mine[0]) & (steps < mine[-1])]
            added = np.setdiff1d(steps, mine)
            at = np.searchsorted(mine, added)
            share = (added - mine[at - 1]) / (mine[at] - mine[at - 1])
            new = theirs[at - 1] + (theirs[at] - theirs[at - 1]) * share
            order = np.argsort(np.concatenate([mine, added]), kind="stable")
            mine, theirs = np.concatenate([mine, added])[order], np.concatenate([theirs, new])[order]
        ids += [table] * len(mine)
        all_times += mine.tolist()
        all_values += theirs.tolist()
    rows = pl.DataFrame(
        [
            pl.Series(TABLE, ids, dtype=pl.Int32),
            pl.Series("_time", all_times, dtype=pl.Int64),
            pl.Series("_value", all_values, dtype=pl.Float64),
        ]
    )
    return Block(block.columns, block.key, block.keys, rows)
