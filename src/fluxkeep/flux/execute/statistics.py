"""Quantiles and modes.

Source: flux.md §11.5.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from fluxkeep.datamodel.tables import TABLE, Block, Column, ColumnType, Stream
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.aggregates import Aggregator, distinct, per_table, pick, unsupported

_AT = "\0at"
# Below this share of the compression the digest's scale gives every value a centroid of its own.
_SINGLE_SHARE = 0.6


def estimated_quantile(q: float, compression: float) -> Aggregator:
    """A t-digest's quantile: interpolates between centroids; exact while each value has its own."""

    def run(block: Block, column: Column) -> tuple[ColumnType, pl.Series]:
        if not column.type.is_numeric:
            raise unsupported(column.type)
        values = block.rows[column.label].cast(pl.Float64)
        known = pl.DataFrame([block.ids, values.alias("v")]).filter(pl.col("v").is_not_nan())
        ordered = known.sort([TABLE, "v"])
        counts = np.bincount(known[TABLE].to_numpy(), minlength=block.table_count)
        return ColumnType.FLOAT, _quantiles(ordered["v"].to_numpy(), counts, q, compression)

    return run


def _quantiles(ordered: np.ndarray, counts: np.ndarray, q: float, compression: float) -> pl.Series:
    """The quantile of each table's values, which follow one another, ascending; null for none.

    While no two values share a centroid the digest is a straight line between neighbours, drawn for all
    tables at once; only tables with more values are digested, one by one.
    """
    starts = np.cumsum(counts) - counts
    places = np.clip(q * counts - 0.5, 0, np.maximum(counts - 1, 0))
    below = np.floor(places).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(counts - 1, 0))
    share = places - below
    filled = counts > 0
    found = np.zeros(len(counts))
    low, high = ordered[(starts + below)[filled]], ordered[(starts + above)[filled]]
    # Written so that two equal infinities do not make a NaN.
    found[filled] = np.where(share[filled] == 0, low, low * (1 - share[filled]) + high * share[filled])
    for table in np.flatnonzero(counts > _SINGLE_SHARE * compression).tolist():
        mine = ordered[starts[table] : starts[table] + counts[table]]
        found[table] = _digest(mine, q, compression)
    return pl.select(pl.when(pl.Series(filled)).then(pl.Series(found))).to_series()


def _digest(numbers: np.ndarray, q: float, compression: float) -> float:
    """The quantile of ascending numbers, at least one."""
    means, weights = _centroids(numbers, compression)
    if len(means) == 1:
        return float(means[0])
    total = float(weights.sum())
    index = q * total
    if index <= weights[0] / 2:
        low = float(numbers.min())
        return low + 2 * index / float(weights[0]) * (float(means[0]) - low)
    middles = np.cumsum(weights) - weights / 2
    upper = int(np.searchsorted(middles, index, side="left"))
    if upper < len(means):
        before, after = index - middles[upper - 1], middles[upper] - index
        return float((means[upper - 1] * after + means[upper] * before) / (before + after))
    high = float(numbers.max())
    beyond = index - (total - float(weights[-1]) / 2)
    rest = float(weights[-1]) / 2 - beyond
    return (float(means[-1]) * rest + high * beyond) / (rest + beyond)


def _centroids(ordered: np.ndarray, compression: float) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring values merged where the digest's scale allows; sorted."""
    count = len(ordered)
    means: list[float] = []
    weights: list[float] = []
    limit = count * _boundary(1.0, compression, 0.0)
    so_far = 0.0
    for value in ordered.tolist():
        if means and so_far + 1 <= limit:
            weights[-1] += 1
            means[-1] += (value - means[-1]) / weights[-1]
        else:
            limit = count * _boundary(_scale(so_far / count, compression) + 1.0, compression, None)
            means.append(value)
            weights.append(1.0)
        so_far += 1
    return np.array(means), np.array(weights)


def _scale(q: float, compression: float) -> float:
    return compression * (math.asin(2 * q - 1) + math.pi / 2) / math.pi


def _boundary(k: float, compression: float, fixed: float | None) -> float:
    if fixed is not None:
        return fixed
    return (math.sin(min(k, compression) * math.pi / compression - math.pi / 2) + 1) / 2


def exact_quantile(q: float) -> Aggregator:
    """Linear interpolation between neighbours; float columns only."""

    def run(block: Block, column: Column) -> tuple[ColumnType, pl.Series]:
        if column.type is not ColumnType.FLOAT:
            raise unsupported(column.type)
        exact = pl.col("v").drop_nulls().quantile(q, interpolation="linear")
        return ColumnType.FLOAT, per_table(block, block.rows[column.label], exact)

    return run


def quantile_rows(blocks: Stream, q: float) -> list[Block]:
    """The row at the quantile of `_value`; tables without values stay, empty."""
    out = []
    for block in blocks:
        column = block.find("_value")
        if column is None:
            raise InvalidInput('no column "_value" exists')
        frame = pl.DataFrame([block.ids, block.series("_value").alias("v")]).with_row_index(_AT)
        known = frame.filter(pl.col("v").is_not_null()).sort([TABLE, "v"], maintain_order=True)
        at = pl.max_horizontal(pl.lit(0), (pl.len() * q).ceil().cast(pl.Int64) - 1)
        out.append(pick(block, known.group_by(TABLE, maintain_order=True).agg(pl.col(_AT).gather(at).first())[_AT]))
    return out


def mode(blocks: Stream, label: str) -> list[Block]:
    """The most frequent values, a row each, ascending; one null row where all are equally frequent."""
    out = []
    for block in blocks:
        column = block.find(label)
        key = [c for k in block.key for c in block.columns if c.label == k]
        if column is None or label in block.key:
            # As `distinct` has it: the key's value, or an empty text. Source: recorded answers.
            out += distinct([block], label)
            continue
        counts = (
            pl.DataFrame([block.ids, block.rows[label].alias("v")])
            .filter(pl.col("v").is_not_null())
            .group_by([TABLE, "v"])
            .len()
        )
        best = counts.group_by(TABLE).agg(
            pl.col("v").filter(pl.col("len") == pl.col("len").max()).sort(),
            pl.len().alias("distinct"),
            pl.col("len").max().alias("most"),
        )
        every = pl.DataFrame({TABLE: np.arange(block.table_count, dtype=np.int32)})
        joined = every.join(best, on=TABLE, how="left", maintain_order="left").with_columns(
            pl.when((pl.col("v").list.len() == pl.col("distinct")) & ((pl.col("distinct") > 1) | (pl.col("most") == 1)))
            .then(None)
            .otherwise(pl.col("v"))
            .alias("v")
        )
        rows = joined.select(TABLE, pl.col("v").alias("_value")).explode("_value")
        rows = rows.with_columns(pl.col("_value").cast(column.type.polars))
        columns = (*key, Column("_value", column.type))
        out.append(Block(columns, block.key, block.keys, rows))
    return out
