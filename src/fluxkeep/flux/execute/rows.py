"""Row functions applied to blocks: on columns where that works, row by row where not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from fluxkeep.datamodel.tables import TABLE, Block, Columns
from fluxkeep.errors import FluxkeepError, InvalidInput
from fluxkeep.flux.execute import specialise as sp
from fluxkeep.flux.execute.kernels import KERNELS
from fluxkeep.flux.interpreter.values import Builtin, Closure, Null, Value, kind_of, of_column

if TYPE_CHECKING:
    from fluxkeep.flux.interpreter.evaluate import Evaluator


@dataclass(frozen=True, slots=True)
class RowFunction:
    """A function of a row and the way to call it.

    Attributes:
        columnar: False leaves the columns' way out; tests compare the two with it.
    """

    function: Closure | Builtin
    evaluator: Evaluator
    columnar: bool = True

    def term(self, columns: Columns) -> tuple[sp.Term, frozenset[str]] | None:
        """The body on columns; None where it must be interpreted.

        Raises:
            StaticTypeError: It has no meaning for the columns.
        """
        if not self.columnar or not isinstance(self.function, Closure):
            return None
        try:
            return sp.specialise(self.function, columns, self.evaluator, KERNELS)
        except sp.NotColumnar:
            return None

    def call(self, row: Mapping[str, Value], **more: Value) -> Value:
        """The function's value for one row, which goes to the parameter `r`."""
        return self.evaluator.invoke_on_row(self.function, {"r": dict(row), **more})


def rows_of(block: Block) -> Iterator[dict[str, Value]]:
    """A block's rows as records, in order; members in column order."""
    kinds = [(c.label, c.type) for c in block.columns]
    for row in block.frame().drop(TABLE).iter_rows():
        yield {label: of_column(cell, kind) for (label, kind), cell in zip(kinds, row, strict=True)}


def _frame(block: Block, used: frozenset[str], keys: pl.DataFrame | None) -> pl.DataFrame:
    """The columns that an expression looks at, by physical name."""
    source = keys.__getitem__ if keys is not None else block.series
    return pl.DataFrame(
        [source(c.label).alias(sp.physical_name(i)) for i, c in enumerate(block.columns) if c.label in used]
    )


def column(block: Block, cell: sp.Cell, used: frozenset[str]) -> pl.Series:
    """One expression as a column of the block, one value a row.

    Expressions of key columns alone are computed once a table.
    """
    if used and used <= set(block.key):
        return _frame(block, used, block.keys).select(v=cell.expr)["v"].gather(block.ids)
    if not used:
        value = pl.select(v=cell.expr)["v"]
        return value.new_from_index(0, block.rows.height)
    return _frame(block, used, None).select(v=cell.expr)["v"]


def predicate(block: Block, function: RowFunction, name: str) -> pl.Series:
    """Which rows a predicate holds for; null counts as false.

    Raises:
        InvalidInput: It is not a predicate, or fails on a row.
    """
    term = function.term(block.columns)
    if term is not None:
        value, used = term
        match value:
            case sp.Const(value=bool() as constant):
                return pl.Series([constant], dtype=pl.Boolean).new_from_index(0, block.rows.height)
            case sp.Const(value=Null(kind="bool" | "")):
                return pl.Series([False]).new_from_index(0, block.rows.height)
            case sp.Cell(kind="bool"):
                with contextlib.suppress(sp.Uneven):
                    return column(block, value, used).fill_null(value=False)
            case sp.Cell(kind=kind):
                raise InvalidInput(f"type conflict: bool != {kind}")
            case sp.Const(value=other):
                raise InvalidInput(f"type conflict: bool != {kind_of(other)}")
    return pl.Series([_truth(function, row, name) for row in rows_of(block)], dtype=pl.Boolean)


def _truth(function: RowFunction, row: dict[str, Value], name: str) -> bool:
    try:
        value = function.call(row)
    except FluxkeepError as error:
        raise InvalidInput(f"failed to evaluate {name} function: {error.message}") from error
    if isinstance(value, Null):
        return False
    if not isinstance(value, bool):
        raise InvalidInput(f"type conflict: bool != {kind_of(value)}")
    return value
