"""Sub-queries: tables, columns and records as values.

Source: flux.md §11.1.
"""

from __future__ import annotations

import polars as pl

from fluxkeep.datamodel.tables import TABLE, runs
from fluxkeep.errors import InvalidInput, NotFound
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import TableValue, Value, of_column
from fluxkeep.flux.stdlib.registry import Package

PART = Package("universe")


def _find(call: Call) -> TableValue | None:
    """The first table whose key the predicate accepts."""
    function = call.function("fn")
    for run in runs(call.evaluator.demand(call.stream())):
        types = {c.label: c.type for c in run.block.columns}
        for table in range(run.start, run.stop):
            cells = zip(run.block.key, run.block.key_values(table), strict=True)
            key = {label: of_column(value, types[label]) for label, value in cells}
            if call.invoke(function, key=key) is True:
                return TableValue(run.block, table)
    return None


@PART.function("<-tables fn")
def tableFind(call: Call) -> Value:  # noqa: N802 - Flux's name
    """The first table that a predicate over keys accepts."""
    found = _find(call)
    if found is None:
        raise NotFound("no table found")
    return found


def _column(table: TableValue, label: str) -> list[Value] | None:
    column = table.block.find(label)
    if column is None:
        return None
    mine = table.block.frame([label]).filter(pl.col(TABLE) == table.table)
    return [of_column(v, column.type) for v in mine.to_series(1).to_list()]


def _record(table: TableValue, index: int) -> dict[str, Value] | None:
    frame = table.block.frame().filter(pl.col(TABLE) == table.table).drop(TABLE)
    if not 0 <= index < frame.height:
        return None
    return {c.label: of_column(v, c.type) for c, v in zip(table.block.columns, frame.row(index), strict=True)}


@PART.function("<-table column")
def getColumn(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A column's values."""
    found = _column(call.table(), call.string("column"))
    if found is None:
        raise InvalidInput(f"cannot find column {call.string('column')}")
    return found


@PART.function("<-table idx")
def getRecord(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A row."""
    found = _record(call.table(), call.int("idx"))
    if found is None:
        raise InvalidInput(f"index out of bounds: {call.int('idx')}")
    return found


@PART.function("<-tables fn column")
def findColumn(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A column's values of the first table that is accepted; none where there is no such thing."""
    table = _find(call)
    found = _column(table, call.string("column")) if table is not None else None
    return found if found is not None else []


@PART.function("<-tables fn idx")
def findRecord(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A row of the first table that is accepted; an empty record where there is no such thing."""
    table = _find(call)
    found = _record(table, call.int("idx")) if table is not None else None
    return found if found is not None else {}
