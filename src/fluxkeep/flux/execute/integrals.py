"""Aggregates that look at time or at two columns, and histograms.

Source: flux.md §11.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

from fluxkeep.datamodel.tables import TABLE, Block, Column, ColumnType, Stream
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.aggregates import aggregate_column, one_row
from fluxkeep.flux.execute.sequences import table_slices


def integral(blocks: Stream, label: str, time: str, unit_ns: int, *, linear: bool) -> list[Block]:
    """The area under each table's curve, in units of time.

    Raises:
        InvalidInput: Times that go back or are null, bounds not in the key, or no numbers.
    """
    out = []
    for block in blocks:
        for bound in ("_start", "_stop"):
            if bound not in block.key:
                raise InvalidInput(f"integral function needs {bound} column to be part of group key")
        column = aggregate_column(block, label)
        if not column.type.is_numeric:
            raise InvalidInput(f"cannot perform integral over {column.type.value}")
        times = block.series(time)
        if times.null_count():
            raise InvalidInput("integral found null time in time column")
        instants = times.to_numpy()
        values = block.rows[label].cast(pl.Float64)
        known = values.is_not_null().to_numpy()
        numbers = values.fill_null(0.0).to_numpy()
        starts, stops = block.keys["_start"].to_list(), block.keys["_stop"].to_list()
        areas = [
            _area(instants[a:b], numbers[a:b], known[a:b], unit_ns, (starts[i], stops[i]) if linear else None)
            for i, (a, b) in enumerate(table_slices(block))
        ]
        out.append(one_row(block, Column(label, ColumnType.FLOAT), pl.Series(areas, dtype=pl.Float64)))
    return out


def _area(
    times: np.ndarray, values: np.ndarray, known: np.ndarray, unit_ns: int, bounds: tuple[int, int] | None
) -> float:
    if (np.diff(times) < 0).any():
        raise InvalidInput("integral found out-of-order times in time column")
    times, values = times[known], values[known]
    # Of rows with one time only the first counts.
    first = np.concatenate([[True], np.diff(times) > 0]) if len(times) else np.empty(0, bool)
    times, values = times[first], values[first]
    if not len(times):
        return 0.0
    widths = np.diff(times).astype(np.float64) / unit_ns
    area = float(((values[1:] + values[:-1]) / 2 * widths).sum())
    if bounds is None:
        return area
    start, stop = bounds
    if len(times) == 1:
        return float(values[0]) * (stop - start) / unit_ns
    left, right = (int(times[0]) - start) / unit_ns, (stop - int(times[-1])) / unit_ns
    at_start = float(values[0] - (values[1] - values[0]) / widths[0] * left)
    at_stop = float(values[-1] + (values[-1] - values[-2]) / widths[-1] * right)
    return area + (at_start + float(values[0])) / 2 * left + (at_stop + float(values[-1])) / 2 * right


def covariance(blocks: Stream, columns: Sequence[str], into: str, *, correlation: bool) -> list[Block]:
    """The covariance of two float columns, or their correlation."""
    out = []
    for block in blocks:
        found = [aggregate_column(block, label) for label in columns]
        if found[0].type is not found[1].type:
            raise InvalidInput("cannot compute the covariance between different types")
        if found[0].type is not ColumnType.FLOAT:
            raise InvalidInput(f"covariance does not support {found[0].type.value}")
        xs, ys = (block.rows[label] for label in columns)
        both = (xs.is_not_null() & ys.is_not_null()).to_numpy()
        x, y = xs.fill_null(0.0).to_numpy(), ys.fill_null(0.0).to_numpy()
        values = [_covariance(x[a:b][both[a:b]], y[a:b][both[a:b]], correlation) for a, b in table_slices(block)]
        out.append(one_row(block, Column(into, ColumnType.FLOAT), pl.Series(values, dtype=pl.Float64)))
    return out


def _covariance(x: np.ndarray, y: np.ndarray, correlation: bool) -> float:
    if len(x) < 2:
        return math.nan
    dx, dy = x - x.mean(), y - y.mean()
    total = float((dx * dy).sum())
    if not correlation:
        return total / (len(x) - 1)
    scale = math.sqrt(float((dx**2).sum()) * float((dy**2).sum()))
    return total / scale if scale else math.nan


def histogram(
    blocks: Stream, label: str, bound: str, count: str, bins: Sequence[float], *, normalize: bool
) -> list[Block]:
    """Cumulative counts by upper bounds.

    Raises:
        InvalidInput: No float column, or a value above the last bound.
    """
    edges = np.array(sorted(bins), np.float64)
    out = []
    for block in blocks:
        column = block.find(label)
        if column is None:
            raise InvalidInput(f'column "{label}" is missing')
        if column.type is not ColumnType.FLOAT:
            raise InvalidInput(f'column "{label}" must be a float got {column.type.value}')
        values = block.series(label)
        known = values.is_not_null().to_numpy()
        numbers = values.fill_null(0.0).to_numpy()
        counts: list[float] = []
        for a, b in table_slices(block):
            mine = numbers[a:b][known[a:b]]
            if len(mine) and len(edges) and mine.max() > edges[-1]:
                worst = float(mine[mine > edges[-1]][0])
                raise InvalidInput(
                    f"found value greater than any bin, {len(edges)} {len(edges)} {worst:f} {float(edges[-1]):f}"
                )
            cumulative = np.searchsorted(np.sort(mine), edges, side="right").astype(np.float64)
            if normalize and len(mine):
                cumulative /= len(mine)
            counts += cumulative.tolist()
        key = [c for k in block.key for c in block.columns if c.label == k]
        ids = np.repeat(np.arange(block.table_count, dtype=np.int32), len(edges))
        rows = pl.DataFrame(
            [
                pl.Series(TABLE, ids),
                pl.Series(bound, np.tile(edges, block.table_count), dtype=pl.Float64),
                pl.Series(count, counts, dtype=pl.Float64),
            ]
        )
        columns = (*key, Column(bound, ColumnType.FLOAT), Column(count, ColumnType.FLOAT))
        out.append(Block(columns, block.key, block.keys, rows))
    return out


def histogram_quantile(
    blocks: Stream, q: float, count: str, bound: str, value: str, minimum: float, on_nonmonotonic: str
) -> list[Block]:
    """The quantile that cumulative counts by upper bounds tell."""
    out = []
    for block in blocks:
        for label in (count, bound):
            column = block.find(label)
            if column is None:
                raise InvalidInput(f'histogram table is missing column "{label}"')
            if column.type is not ColumnType.FLOAT:
                raise InvalidInput(f'histogram column "{label}" is not of type float')
        counts, bounds = block.series(count), block.series(bound)
        if counts.null_count():
            raise InvalidInput(f"unexpected null in the countColumn: {count}")
        if bounds.null_count():
            raise InvalidInput(f"unexpected null in the upperBoundColumn: {bound}")
        number, edge = counts.to_numpy(), bounds.to_numpy()
        values: list[float | None] = []
        kept: list[int] = []
        for i, (a, b) in enumerate(table_slices(block)):
            order = np.argsort(edge[a:b], kind="stable")
            answer = _bucket_quantile(q, edge[a:b][order], number[a:b][order], minimum, on_nonmonotonic)
            if answer is not _DROPPED:
                kept.append(i)
                values.append(answer)
        key = tuple(c for k in block.key for c in block.columns if c.label == k)
        rows = pl.DataFrame([pl.Series(TABLE, kept, dtype=pl.Int32), pl.Series(value, values, dtype=pl.Float64)])
        out.append(Block((*key, Column(value, ColumnType.FLOAT)), block.key, block.keys, rows))
    return out


_DROPPED = -math.inf


def _bucket_quantile(
    q: float, edges: np.ndarray, counts: np.ndarray, minimum: float, on_nonmonotonic: str
) -> float | None:
    if not len(edges):
        raise InvalidInput("histogram is empty")
    if (np.diff(counts) < 0).any():
        if on_nonmonotonic == "error":
            raise InvalidInput("histogram records counts are not monotonic")
        if on_nonmonotonic == "drop":
            return _DROPPED
        counts = np.maximum.accumulate(counts)
    total = float(counts[-1])
    if total == 0:
        return None
    rank = q * total
    at = int(np.searchsorted(counts, rank, side="left"))
    if at == 0:
        low, below = minimum, 0.0
    else:
        low, below = float(edges[at - 1]), float(counts[at - 1])
    if math.isinf(edges[at]):
        return low
    inside = float(counts[at]) - below
    if inside == 0:
        return low
    return low + (float(edges[at]) - low) * (rank - below) / inside
