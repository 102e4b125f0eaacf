"""Functions that reduce and convert rows, and the old `join`.

Source: flux.md §11.2, §11.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from fluxkeep.compute.windows import WindowGrid
from fluxkeep.datamodel.reader import Aggregate
from fluxkeep.datamodel.tables import Block, Column, ColumnType
from fluxkeep.datamodel.timerange import Window
from fluxkeep.errors import FluxkeepError, InvalidInput
from fluxkeep.flux.execute import joins
from fluxkeep.flux.execute.failures import PlacedError
from fluxkeep.flux.execute.mapping import evaluation_text
from fluxkeep.flux.execute.reducing import reduce
from fluxkeep.flux.execute.regroup import sort_tables
from fluxkeep.flux.execute.rows import RowFunction
from fluxkeep.flux.execute.run import Run
from fluxkeep.flux.execute.sequences import replace_columns
from fluxkeep.flux.execute.shape import set_column
from fluxkeep.flux.execute.window import WindowSpec
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Null, StreamValue, Time, UInt, Value, kind_of, of_column
from fluxkeep.flux.plan import operations as op
from fluxkeep.flux.plan.graph import Transform
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.universe.scalars import CONVERSIONS
from fluxkeep.instants import Duration

PART = Package("universe")


@PART.function("<-tables fn identity")
def reduce_(call: Call) -> Value:
    """One record a table, built row by row."""
    function, identity = RowFunction(call.function("fn"), call.evaluator), call.record("identity")
    return call.node(Transform("reduce", lambda blocks: reduce(blocks, function, identity)), call.stream())


def convert_column(block: Block, label: str, kind: ColumnType, convert: Callable[[Value], Value]) -> Block:
    """A column converted value by value; each distinct value once."""
    column = block.find(label)
    if column is None:
        raise InvalidInput(f'column "{label}" does not exist')
    values = block.series(label)
    distinct = values.unique()
    made: list[bool | int | float | str | None] = []
    for cell in distinct.to_list():
        try:
            new = convert(of_column(cell, column.type))
        except PlacedError:
            raise
        except FluxkeepError as error:
            raise InvalidInput(evaluation_text("map", error)) from error
        made.append(None if isinstance(new, Null) else _plain(new))
    target = pl.Series(made, dtype=kind.polars)
    positions = values.to_frame("v").join(
        pl.DataFrame([distinct.alias("v"), target.alias("new")]),
        on="v",
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    return replace_columns(block, {label: (kind, positions["new"])})


def _plain(value: Value) -> bool | int | float | str:
    if isinstance(value, UInt | Time):
        return int(value)
    assert isinstance(value, bool | int | float | str)
    return value


def _alphabetical(block: Block) -> Block:
    filled = block.non_empty()
    columns = tuple(sorted(filled.columns, key=lambda c: c.label))
    return Block(columns, filled.key, filled.keys, filled.rows)


def _to_float(call: Call) -> Value:
    """Quirk: the reference runs this one on columns, so its order of columns and its errors differ."""

    def convert(value: Value) -> Value:
        try:
            return CONVERSIONS["float"](value)
        except InvalidInput as error:
            raise PlacedError(f"runtime error: {error.message.replace(' to float', ' to Float')}") from error

    def converted(blocks: Sequence[Block]) -> list[Block]:
        return [convert_column(b.non_empty(), "_value", ColumnType.FLOAT, convert) for b in blocks]

    return call.node(Transform("toFloat", converted), call.stream())


def _converter(name: str) -> Callable[[Call], Value]:
    convert, kind = CONVERSIONS[name], ColumnType(name)

    def run(call: Call) -> Value:
        def converted(blocks: Sequence[Block]) -> list[Block]:
            return sort_tables([_alphabetical(convert_column(b, "_value", kind, convert)) for b in blocks])

        return call.node(Transform(call.name, converted), call.stream())

    return run


for _flux, _kind in (
    ("toString", "string"),
    ("toInt", "int"),
    ("toUInt", "uint"),
    ("toBool", "bool"),
    ("toTime", "time"),
):
    PART.function("<-tables", _flux)(_converter(_kind))


PART.function("<-tables", "toFloat")(_to_float)


@PART.function("<-tables unit ?timeColumn")
def truncateTimeColumn(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Times cut to the start of their unit."""
    unit, time = call.duration("unit"), call.string("timeColumn", "_time")
    grid = WindowGrid(Window(every=unit, period=unit))

    def truncated(blocks: Sequence[Block]) -> list[Block]:
        out = []
        for block in blocks:
            column = block.find(time)
            if column is None:
                raise InvalidInput(f'column "{time}" does not exist')
            times = block.series(time)
            cut = pl.Series(grid.starts(grid.index(times.fill_null(0).to_numpy())))
            cut = cut.zip_with(times.is_not_null(), pl.Series([None], dtype=pl.Int64).new_from_index(0, len(cut)))
            # Quirk: the result is `_time`, whatever column was cut. Source: recorded answers.
            out.append(_alphabetical(set_column(block, Column("_time", ColumnType.TIME), cut)))
        return out

    return call.node(Transform("truncateTimeColumn", truncated), call.stream())


@PART.function("<-tables ?on ?method")
def join(call: Call) -> Value:
    """Two streams side by side."""
    streams = call.record("tables")
    method = call.string("method", "inner")
    if method != "inner":
        raise InvalidInput(f"{method} is not a valid join type")
    on = call.strings("on", [])
    if not on:
        raise InvalidInput("at least one column in 'on' column list is required")
    nodes = []
    for stream in streams.values():
        if not isinstance(stream, StreamValue):
            raise InvalidInput(f"expected stream[A] but found {kind_of(stream)} (argument tables)")
        nodes.append(stream.node)
    return call.node(Join(tuple(streams), tuple(on)), *nodes)


@dataclass(frozen=True, slots=True)
class Join:
    """Two named streams joined on columns; of the names the first in the alphabet is left."""

    names: tuple[str, ...]
    on: tuple[str, ...]

    @property
    def label(self) -> str:
        """`join` and the columns."""
        return f"join on [{', '.join(self.on)}]"

    def check_start(self) -> None:
        """Refuse what is not two streams."""
        if len(self.names) != 2:
            raise InvalidInput("failed to initialize execute state: joins currently must only have two parents")

    def apply(self, inputs: Sequence[Sequence[Block]], run: Run) -> Sequence[Block]:
        """In memory."""
        by_name = dict(zip(self.names, inputs, strict=True))
        left, right = sorted(self.names)
        return joins.join(by_name[left], by_name[right], left, right, self.on, run.progress)


@PART.function("<-tables every period ?column")
def timedMovingAverage(call: Call) -> Value:  # noqa: N802 - Flux's name
    """The mean over a period at each step."""
    every, period = call.duration("every"), call.duration("period")
    column = call.string("column", "_value")
    windowed = call.node(op.Window(WindowSpec(window=Window(every=every, period=period))), call.stream())
    means = call.node(op.Reduce(Aggregate.MEAN, column), windowed.node)
    timed = call.node(op.Duplicate("_stop", "_time"), means.node)
    return call.node(op.Window(WindowSpec(window=None)), timed.node)


@PART.function("")
def today(call: Call) -> Value:
    """The start of the day."""
    zone, fixed = call.location()
    day = Duration.parse("1d")
    grid = WindowGrid(Window(every=day, period=day, offset=Duration(0, -fixed), location=zone))
    return Time(grid.starts(grid.index(np.array([call.evaluator.now()], np.int64)))[0])
