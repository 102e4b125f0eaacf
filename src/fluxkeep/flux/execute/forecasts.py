"""`holtWinters`: the values of a table at even steps, and those to come.

Source: flux.md §11.6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from fluxkeep.compute.holt_winters import forecast
from fluxkeep.datamodel.tables import TABLE, Block, Column, ColumnType, Stream
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.sequences import table_slices


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What `holtWinters` was asked.

    Attributes:
        ahead: Steps to look ahead.
        interval: Of a step, in ns.
        season: Steps of a season; below 2 none.
        fit: Give the fitted values of the past too.
        error: Give the sum of squared differences too.
    """

    ahead: int
    interval: int
    season: int = 0
    column: str = "_value"
    time: str = "_time"
    fit: bool = False
    error: bool = False


def holt_winters(blocks: Stream, outlook: Outlook) -> list[Block]:
    """The key, `_time`, `_value` and maybe `minSSE` of each table; none where it has too few steps.

    Raises:
        InvalidInput: A column is absent or has another type.
    """
    return [_of_block(block, outlook) for block in blocks]


def _of_block(block: Block, outlook: Outlook) -> Block:
    column, time = block.find(outlook.column), block.find(outlook.time)
    if column is None:
        raise InvalidInput(f"cannot find column {outlook.column}")
    if time is None or time.type is not ColumnType.TIME:
        raise InvalidInput(f"cannot find time column {outlook.time}")
    if not column.type.is_numeric:
        raise InvalidInput(f"holtWinters can work only on numerical types, got {column.type.value}")
    instants = block.series(time.label).to_list()
    numbers = block.series(column.label).cast(pl.Float64).to_list()
    ids: list[int] = []
    times: list[int] = []
    values: list[float] = []
    errors: list[float] = []
    for table, (start, stop) in enumerate(table_slices(block)):
        first, steps = _steps(instants[start:stop], numbers[start:stop], outlook.interval)
        found = forecast(steps, ahead=outlook.ahead, season=outlook.season)
        if found is None:
            continue
        for step, value in enumerate(found.values):
            if (outlook.fit or step >= len(steps)) and not math.isnan(value):
                ids.append(table)
                times.append(first + step * outlook.interval)
                values.append(value)
                errors.append(found.error)
    types = {c.label: c for c in block.columns}
    made = {
        "_time": (ColumnType.TIME, pl.Series("_time", times, pl.Int64)),
        "_value": (ColumnType.FLOAT, pl.Series("_value", values, pl.Float64)),
    }
    if outlook.error:
        made["minSSE"] = (ColumnType.FLOAT, pl.Series("minSSE", errors, pl.Float64))
    columns = (*(types[k] for k in block.key), *(Column(label, kind) for label, (kind, _) in made.items()))
    rows = pl.DataFrame([pl.Series(TABLE, np.array(ids, np.int32)), *(series for _, series in made.values())])
    return Block(columns, block.key, block.keys, rows)


def _steps(times: list[int | None], values: list[float | None], interval: int) -> tuple[int, list[float]]:
    """The first instant, and the first value of each step from there; NaN where a step has none."""
    known = [(t, v) for t, v in zip(times, values, strict=True) if t is not None]
    if not known:
        return 0, []
    first = known[0][0]
    steps: dict[int, float] = {}
    for time, value in known:
        if value is not None and time >= first:
            steps.setdefault((time - first) // interval, value)
    count = max(steps, default=-1) + 1
    if count > _STEPS_MAX:
        raise InvalidInput(f"the interval cuts a table into more than {_STEPS_MAX} steps")
    return first, [steps.get(i, math.nan) for i in range(count)]


# A search over more steps would take minutes.
_STEPS_MAX = 100_000
