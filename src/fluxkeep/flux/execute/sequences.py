"""Transformations of a row by those before it in its table.

All work on columns, table by table through `over`; rows keep their order.

Source: flux.md §11.3, §11.6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from fluxkeep.compute.windows import add_duration
from fluxkeep.datamodel.tables import TABLE, Block, Column, ColumnType, Stream
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.rows import RowFunction, predicate
from fluxkeep.flux.execute.shape import merge_equal_keys, position_in_table, set_column, take_rows
from fluxkeep.instants import Duration

_SIGNED = 1 << 63


def per_row(block: Block, values: dict[str, pl.Series], expr: pl.Expr) -> pl.Series:
    """An expression over named series, evaluated within each table."""
    return pl.DataFrame([block.ids, *(s.alias(n) for n, s in values.items())]).select(x=expr.over(TABLE))["x"]


def previous(block: Block, values: pl.Series) -> pl.Series:
    """The last value before each row of its table; null where there is none yet."""
    return per_row(block, {"v": values}, pl.col("v").shift(1).forward_fill())


def replace_columns(block: Block, new: dict[str, tuple[ColumnType, pl.Series]]) -> Block:
    """Other values, perhaps of other types, in columns that are not in the key."""
    columns = tuple(Column(c.label, new[c.label][0]) if c.label in new else c for c in block.columns)
    rows = block.rows.with_columns([series.alias(label) for label, (_, series) in new.items()])
    return Block(columns, block.key, block.keys, rows)


def _signed(values: pl.Series, kind: ColumnType) -> pl.Series:
    """Numbers whose differences do not wrap below zero: unsigned ones as ints."""
    if kind is ColumnType.UINT:
        return values.cast(pl.Int128)
    return values


def difference(
    blocks: Stream, columns: Sequence[str], *, non_negative: bool, keep_first: bool, initial_zero: bool
) -> list[Block]:
    """Each value less the one before it."""
    out = []
    for block in blocks:
        new: dict[str, tuple[ColumnType, pl.Series]] = {}
        for column in block.columns:
            if column.label not in columns or column.label in block.key:
                continue
            if column.type is ColumnType.TIME:
                raise InvalidInput("difference does not support time columns. Try the elapsed function")
            if not column.type.is_numeric:
                raise InvalidInput(f'difference does not support column "{column.label}" of type "{column.type.value}"')
            values = _signed(block.rows[column.label], column.type)
            steps = values - previous(block, values)
            if non_negative:
                steps = steps.zip_with((steps >= 0).fill_null(value=True), values if initial_zero else _nulls(steps))
            kind = ColumnType.FLOAT if column.type is ColumnType.FLOAT else ColumnType.INT
            steps = steps.cast(kind.polars)
            if keep_first and initial_zero:
                first = position_in_table(block) == 0
                zero = pl.Series([0], dtype=kind.polars).new_from_index(0, len(steps))
                steps = zero.zip_with(first, steps)
            new[column.label] = (kind, steps)
        changed = replace_columns(block, new)
        out.append(changed if keep_first else take_rows(changed, position_in_table(block) > 0))
    return out


def _nulls(like: pl.Series) -> pl.Series:
    return pl.Series([None], dtype=like.dtype).new_from_index(0, len(like))


def derivative(
    blocks: Stream, columns: Sequence[str], unit_ns: int, time: str, *, non_negative: bool, initial_zero: bool
) -> list[Block]:
    """The rate of change a unit; rows at the time of the row before them are left out."""
    out = []
    for original in blocks:
        times = time_values(original, time, "derivative")
        before = per_row(original, {"v": times}, pl.col("v").shift(1))
        block = take_rows(original, (times != before).fill_null(value=True))
        times = block.series(time)
        new: dict[str, tuple[ColumnType, pl.Series]] = {}
        for column in block.columns:
            if column.label not in columns or column.label in block.key:
                continue
            if not column.type.is_numeric:
                raise InvalidInput(f"unsupported derivative column type {column.label}:{column.type.value}")
            values = block.rows[column.label]
            numbers = values.cast(pl.Float64)
            known_times = times.zip_with(values.is_not_null(), _nulls(times))
            elapsed = (times - previous(block, known_times)).cast(pl.Float64) / unit_ns
            signed = _signed(values, column.type)
            steps = (signed - previous(block, signed)).cast(pl.Float64)
            if column.type is ColumnType.FLOAT:
                steps = numbers - previous(block, numbers)
            rate = steps / elapsed
            if non_negative:
                other = pl.Series([0.0]).new_from_index(0, len(rate)) if initial_zero else _nulls(rate)
                rate = rate.zip_with((steps >= 0).fill_null(value=True), other)
            new[column.label] = (ColumnType.FLOAT, rate)
        out.append(take_rows(replace_columns(block, new), position_in_table(block) > 0))
    return out


def time_values(block: Block, label: str, name: str) -> pl.Series:
    """A time column without nulls, ascending within each table.

    Raises:
        InvalidInput: It is absent, no time column, has a null or goes back.
    """
    column = block.find(label)
    if column is None:
        raise InvalidInput(f'column "{label}" does not exist')
    if column.type is not ColumnType.TIME:
        raise InvalidInput(f'column "{label}" is not of type time')
    times = block.series(label)
    if times.null_count():
        raise InvalidInput(f"{name} found null time in time column")
    if (per_row(block, {"v": times}, pl.col("v").diff()) < 0).any():
        raise InvalidInput(f"{name} found out-of-order times in time column")
    return times


def cumulative_sum(blocks: Stream, columns: Sequence[str]) -> list[Block]:
    """Sums so far; null adds nothing."""
    out = []
    for block in blocks:
        new = {}
        for column in block.columns:
            if column.label in columns and column.label not in block.key and column.type.is_numeric:
                values = block.rows[column.label].fill_null(0)
                new[column.label] = (column.type, per_row(block, {"v": values}, pl.col("v").cum_sum()))
        out.append(replace_columns(block, new))
    return out


def elapsed(blocks: Stream, unit_ns: int, time: str, label: str) -> list[Block]:
    """Whole units since the row before; the first row is left out."""
    out = []
    for block in blocks:
        column = block.find(time)
        if column is None:
            raise InvalidInput(f'column "{time}" does not exist')
        if column.type is not ColumnType.TIME:
            # Quirk: no error, and no rows. Source: recorded answers.
            out.append(block.with_rows(block.rows.head(0)))
            continue
        steps = per_row(block, {"v": block.series(time)}, pl.col("v").diff())
        whole = (steps.abs() // unit_ns) * steps.sign()
        extended = set_column(block, Column(label, ColumnType.INT), whole.cast(pl.Int64))
        out.append(take_rows(extended, position_in_table(block) > 0))
    return out


def moving_average(blocks: Stream, n: int) -> list[Block]:
    """The mean of the last n rows; rows before the n-th are left out, nulls do not count."""
    out = []
    for block in blocks:
        column = value_column(block, "_value", "movingAverage")
        values = block.rows[column.label].cast(pl.Float64)
        means = per_row(block, {"v": values}, pl.col("v").rolling_mean(n, min_samples=1))
        changed = replace_columns(block, {column.label: (ColumnType.FLOAT, means)})
        out.append(take_rows(changed, position_in_table(block) >= n - 1))
    return out


def value_column(block: Block, label: str, name: str) -> Column:
    """A numeric column that is not in the key.

    Raises:
        InvalidInput: It is not there, or holds something else.
    """
    column = block.find(label)
    if column is None or label in block.key:
        raise InvalidInput(f'column "{label}" does not exist')
    if not column.type.is_numeric:
        raise InvalidInput(f"{name}: unsupported column type {column.type.value}")
    return column


def fill(blocks: Stream, label: str, value: bool | float | str | None, kind: ColumnType | None) -> list[Block]:
    """Nulls become a value, or without one (`kind` None) the last value above.

    Raises:
        InvalidInput: The value is of another type than the column.
    """
    out = []
    for block in blocks:
        column = block.find(label)
        if column is None:
            if kind is not None:
                full = pl.Series([value], dtype=kind.polars).new_from_index(0, block.rows.height)
                block = set_column(block, Column(label, kind), full)
            out.append(block)
            continue
        if kind is None:
            if label not in block.key:
                filled = per_row(block, {"v": block.rows[label]}, pl.col("v").forward_fill())
                block = replace_columns(block, {label: (column.type, filled)})
            out.append(block)
            continue
        if kind is not column.type:
            raise InvalidInput(f"fill column type mismatch: {column.type.value}/{kind.value}")
        if label in block.key:
            keys = block.keys.with_columns(_filled(block.keys[label], value))
            out.append(Block(block.columns, block.key, keys, block.rows))
        else:
            out.append(replace_columns(block, {label: (column.type, _filled(block.rows[label], value))}))
    return merge_equal_keys(out)


def _filled(values: pl.Series, value: bool | float | str | None) -> pl.Series:
    constant = pl.Series(values.name, [value], dtype=values.dtype).new_from_index(0, len(values))
    return values.zip_with(values.is_not_null(), constant)


def state_tracking(
    blocks: Stream,
    function: RowFunction,
    *,
    count: str | None,
    duration: str | None,
    unit_ns: int,
    time: str,
    name: str,
) -> list[Block]:
    """How long, in rows and in units, the predicate has held without a break; -1 where it does not."""
    out = []
    for block in blocks:
        held = predicate(block, function, name)
        if duration is not None:
            column = block.find(time)
            if column is None:
                raise InvalidInput(f'column "{time}" does not exist')
            times = block.series(time)
            if times.null_count():
                raise InvalidInput("got a null timestamp")
            if (per_row(block, {"v": times}, pl.col("v").diff()) < 0).any():
                raise InvalidInput("got an out-of-order timestamp")
        # A run is what lies between two rows that do not hold.
        runs = per_row(block, {"h": held}, (~pl.col("h")).cum_sum())
        frame = pl.DataFrame([block.ids, held.alias("h"), runs.alias("run")])
        by = [TABLE, "run"]
        if count is not None:
            counts = frame.select(
                x=pl.when(pl.col("h")).then(pl.col("h").cast(pl.Int64).cum_sum().over(by)).otherwise(-1)
            )["x"]
            block = set_column(block, Column(count, ColumnType.INT), counts)
        if duration is not None:
            timed = frame.with_columns(block.series(time).alias("t"))
            since = timed.select(
                x=pl.when(pl.col("h"))
                .then((pl.col("t") - pl.col("t").filter(pl.col("h")).first().over(by)) // unit_ns)
                .otherwise(-1)
            )["x"]
            block = set_column(block, Column(duration, ColumnType.INT), since.cast(pl.Int64))
        out.append(block)
    return out


def time_shift(blocks: Stream, shift: Duration, columns: Sequence[str]) -> list[Block]:
    """Times moved by the calendar, in the key too; absent columns are passed over."""
    out = []
    for block in blocks:
        keys, rows = block.keys, block.rows
        for label in columns:
            column = block.find(label)
            if column is None:
                continue
            if column.type is not ColumnType.TIME:
                raise InvalidInput(f'column "{label}" is not of type time')
            if label in block.key:
                keys = keys.with_columns(_shifted(keys[label], shift))
            else:
                rows = rows.with_columns(_shifted(rows[label], shift))
        out.append(Block(block.columns, block.key, keys, rows))
    return merge_equal_keys(out)


def _shifted(times: pl.Series, shift: Duration) -> pl.Series:
    known = times.fill_null(0).to_numpy()
    moved = pl.Series(times.name, add_duration(known, shift))
    return moved.zip_with(times.is_not_null(), _nulls(moved).alias(times.name))


def table_slices(block: Block) -> list[tuple[int, int]]:
    """First and last-but-one row of each table, for what only a loop can do."""
    stops = np.cumsum(block.sizes())
    starts = stops - block.sizes()
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def table_by_table(
    blocks: Stream,
    make: Callable[[Block, int, int], tuple[np.ndarray, dict[str, list[float | None]]]],
    kinds: dict[str, ColumnType],
) -> list[Block]:
    """New values for chosen rows of each table.

    Args:
        blocks: The stream.
        make: Of a block and a table's rows [start, stop): positions of the rows that stay, and the
            new values of columns in those rows.
        kinds: The types of the columns that `make` gives.
    """
    out = []
    for block in blocks:
        positions: list[np.ndarray] = []
        values: dict[str, list[float | None]] = {label: [] for label in kinds}
        for start, stop in table_slices(block):
            kept, new = make(block, start, stop)
            positions.append(kept)
            for label in kinds:
                values[label] += new[label]
        chosen = np.concatenate(positions) if positions else np.empty(0, np.int64)
        picked = block.with_rows(block.rows[chosen.astype(np.int64)])
        out.append(replace_columns(picked, {k: (t, pl.Series(values[k], dtype=t.polars)) for k, t in kinds.items()}))
    return out
