"""`contrib/tomhollingworth/events`: how long events last.

Source: flux.md §15.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fluxkeep.datamodel.tables import Block, Column, ColumnType
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.sequences import per_row
from fluxkeep.flux.execute.shape import set_column
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.plan.graph import Transform
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.universe.shape import plain_length
from fluxkeep.instants import SECOND, Duration

PACKAGE = Package("contrib/tomhollingworth/events")


@PACKAGE.function("<-tables ?unit ?columnName ?timeColumn ?stopColumn ?stop")
def duration(call: Call) -> Value:
    """Units to the next row; the last row's to `stop`, or to the table's stop column."""
    unit = plain_length(call.duration("unit", Duration(0, SECOND)))
    label, time = call.string("columnName", "duration"), call.string("timeColumn", "_time")
    stop_column = call.string("stopColumn", "_stop")
    stop = call.time("stop") if call.has("stop") else None

    def lasting(blocks: Sequence[Block]) -> list[Block]:
        out = []
        for block in blocks:
            if block.find(time) is None:
                raise InvalidInput(f'column "{time}" does not exist')
            if stop is None and block.find(stop_column) is None:
                raise InvalidInput(f'column "{stop_column}" does not exist')
            times = block.series(time)
            following = per_row(block, {"v": times}, pl.col("v").shift(-1))
            last = (
                block.series(stop_column)
                if stop is None
                else pl.Series([stop], dtype=pl.Int64).new_from_index(0, len(times))
            )
            spans = following.zip_with(following.is_not_null(), last) - times
            out.append(set_column(block, Column(label, ColumnType.INT), spans // unit))
        return out

    return call.node(Transform("duration", lasting), call.stream())
