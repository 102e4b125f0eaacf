"""Aggregates: one row a table, and selectors: rows of a table.

Source: flux.md §7, §11.5, §5.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from fluxkeep.datamodel.tables import TABLE, Block, Column, ColumnType, Stream
from fluxkeep.errors import InvalidInput

_AT = "\0at"
_V = "\0v"


def aggregate_column(block: Block, label: str) -> Column:
    """The column that an aggregate reads.

    Raises:
        InvalidInput: Absent, or part of the key.
    """
    column = block.find(label)
    if column is None:
        raise InvalidInput(f'column "{label}" does not exist')
    if label in block.key:
        raise InvalidInput("cannot aggregate columns that are part of the group key")
    return column


def one_row(block: Block, column: Column, values: pl.Series) -> Block:
    """Key columns in key order and one value a table."""
    types = {c.label: c for c in block.columns}
    columns = (*(types[k] for k in block.key), column)
    ids = pl.Series(TABLE, np.arange(block.table_count, dtype=np.int32))
    return Block(columns, block.key, block.keys, pl.DataFrame([ids, values.alias(column.label)]))


def per_table(block: Block, values: pl.Series, expr: pl.Expr) -> pl.Series:
    """An expression over `v`, the values, of each table; null for tables without rows."""
    found = pl.DataFrame([block.ids, values.alias("v")]).group_by(TABLE).agg(expr.alias(_V))
    every = pl.DataFrame({TABLE: np.arange(block.table_count, dtype=np.int32)})
    return every.join(found, on=TABLE, how="left", maintain_order="left")[_V]


Aggregator = Callable[[Block, Column], tuple[ColumnType, pl.Series]]


def unsupported(kind: ColumnType) -> InvalidInput:
    """The refusal of a column type."""
    return InvalidInput(f"unsupported aggregate column type {kind.value}")


def aggregate(blocks: Stream, label: str, function: Aggregator) -> list[Block]:
    """One row a table, empty tables too."""
    out = []
    for block in blocks:
        column = aggregate_column(block, label)
        kind, values = function(block, column)
        out.append(one_row(block, Column(label, kind), values))
    return out


def count(block: Block, column: Column) -> tuple[ColumnType, pl.Series]:
    """Rows, nulls among them."""
    if column.type is ColumnType.TIME:
        raise unsupported(column.type)
    return ColumnType.INT, pl.Series(block.sizes())


def sum_(block: Block, column: Column) -> tuple[ColumnType, pl.Series]:
    """The sum in the column's own type; null of nothing."""
    if not column.type.is_numeric:
        raise unsupported(column.type)
    total = pl.when(pl.col("v").count() > 0).then(pl.col("v").sum())
    return column.type, per_table(block, block.rows[column.label], total)


def mean(block: Block, column: Column) -> tuple[ColumnType, pl.Series]:
    """The mean; null of nothing."""
    if not column.type.is_numeric:
        raise unsupported(column.type)
    return ColumnType.FLOAT, per_table(block, block.rows[column.label].cast(pl.Float64), pl.col("v").mean())


def spread(block: Block, column: Column) -> tuple[ColumnType, pl.Series]:
    """Greatest less smallest."""
    if not column.type.is_numeric:
        raise unsupported(column.type)
    return column.type, per_table(block, block.rows[column.label], pl.col("v").max() - pl.col("v").min())


def stddev(population: bool) -> Aggregator:
    """Standard deviation; the sample's of one value is not a number."""

    def run(block: Block, column: Column) -> tuple[ColumnType, pl.Series]:
        if not column.type.is_numeric:
            raise unsupported(column.type)
        values = block.rows[column.label].cast(pl.Float64)
        if population:
            return ColumnType.FLOAT, per_table(block, values, pl.col("v").std(ddof=0))
        spread_of = pl.when(pl.col("v").count() == 1).then(float("nan")).otherwise(pl.col("v").std(ddof=1))
        return ColumnType.FLOAT, per_table(block, values, spread_of)

    return run


def skew(block: Block, column: Column) -> tuple[ColumnType, pl.Series]:
    """Skewness by population moments; of fewer than two values not a number."""
    if not column.type.is_numeric:
        raise unsupported(column.type)
    v = pl.col("v")
    centred = v - v.mean()
    second, third = (centred**2).mean(), (centred**3).mean()
    value = pl.when(v.count() == 0).then(None).when(v.count() < 2).then(float("nan")).otherwise(third / second**1.5)
    return ColumnType.FLOAT, per_table(block, block.rows[column.label].cast(pl.Float64), value)


# ---------------------------------------------------------------- selectors


def selector_column(block: Block, label: str) -> Column:
    """The column that a selector looks at.

    Raises:
        InvalidInput: Absent.
    """
    column = block.find(label)
    if column is None:
        raise InvalidInput(f'no column "{label}" exists')
    return column


def pick(block: Block, positions: pl.Series) -> Block:
    """The rows at ascending positions."""
    return block.with_rows(block.rows[positions])


def _numbered(block: Block, column: Column) -> pl.DataFrame:
    return (
        pl.DataFrame([block.ids, block.series(column.label).alias("v")])
        .with_row_index(_AT)
        .filter(pl.col("v").is_not_null())
    )


def first(block: Block, column: Column) -> Block:
    """The first row that has a value, in the table's order."""
    return pick(block, _numbered(block, column).group_by(TABLE, maintain_order=True).agg(pl.col(_AT).first())[_AT])


def last(block: Block, column: Column) -> Block:
    """The last row that has a value, in the table's order."""
    return pick(block, _numbered(block, column).group_by(TABLE, maintain_order=True).agg(pl.col(_AT).last())[_AT])


def min_(block: Block, column: Column) -> Block:
    """The row with the smallest value, the first of equals."""
    return _extreme(block, column, "Min")


def max_(block: Block, column: Column) -> Block:
    """The row with the greatest value, the first of equals."""
    return _extreme(block, column, "Max")


def _extreme(block: Block, column: Column, word: str) -> Block:
    if column.type in (ColumnType.STRING, ColumnType.BOOL):
        raise InvalidInput(
            f"invalid use of function: *universe.{word}Selector has no implementation for type {column.type.value}"
        )
    numbered = _numbered(block, column)
    v = pl.col("v")
    at = v.arg_min() if word == "Min" else v.arg_max()
    chosen = pl.col(_AT).gather(at)
    if column.type is ColumnType.FLOAT:
        # A NaN wins only where it comes first: nothing is less or greater than it.
        chosen = (
            pl.when(v.first().is_nan())
            .then(pl.col(_AT).first())
            .otherwise(
                pl.col(_AT).gather(v.fill_nan(None).arg_min() if word == "Min" else v.fill_nan(None).arg_max()).first()
            )
        )
    picked = numbered.group_by(TABLE, maintain_order=True).agg(chosen.first().alias(_AT))[_AT]
    return pick(block, picked)


def select(blocks: Stream, label: str, function: Callable[[Block, Column], Block]) -> list[Block]:
    """Chosen rows of each table; tables without a candidate stay, empty."""
    return [function(block, selector_column(block, label)) for block in blocks]


def distinct(blocks: Stream, label: str) -> list[Block]:
    """The key and `_value` with each distinct value in order of first appearance.

    Source: flux.md §11.1, `distinct`.
    """
    out = []
    for block in blocks:
        column = block.find(label)
        key = [c for k in block.key for c in block.columns if c.label == k and k != "_value"]
        if column is None:
            rows = pl.DataFrame(
                {TABLE: np.arange(block.table_count, dtype=np.int32), "_value": [""] * block.table_count}
            )
            target = Column("_value", ColumnType.STRING)
        elif label in block.key:
            target = Column("_value", column.type)
            ids = pl.Series(TABLE, np.arange(block.table_count, dtype=np.int32))
            rows = pl.DataFrame([ids, block.keys[label].alias("_value")])
        else:
            target = Column("_value", column.type)
            rows = pl.DataFrame([block.ids, block.rows[label].alias("_value")]).unique(maintain_order=True)
        out.append(Block((*key, target), tuple(c.label for c in key), block.keys.drop("_value", strict=False), rows))
    return out


def unique(blocks: Stream, label: str) -> list[Block]:
    """The first row of each distinct value."""
    out = []
    for block in blocks:
        column = selector_column(block, label)
        pairs = pl.DataFrame([block.ids, block.series(column.label).alias("v")]).with_row_index(_AT)
        out.append(pick(block, pairs.unique([TABLE, "v"], keep="first", maintain_order=True)[_AT]))
    return out
