"""Smoothing and the indicators built on it: each value needs the one computed before it.

These walk a table's rows in a loop; they are the rare ones, and their
recurrences have no columnar form that keeps nulls and seeds as they are.

Source: flux.md §11.6.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import polars as pl

from fluxkeep.datamodel.tables import Block, Column, ColumnType, Stream
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.sequences import replace_columns, table_slices

Numbers = list[float | None]


def ema(values: Numbers, n: int) -> Numbers:
    """Seeded by the mean of the first n; a null repeats the last average; fewer than n: one mean."""
    seed = [v for v in values[:n] if v is not None]
    if len(values) < n:
        known = [v for v in values if v is not None]
        return [sum(known) / len(known) if known else None] if values else []
    current: float | None = sum(seed) / len(seed) if seed else None
    k = 2 / (n + 1)
    out: Numbers = [current]
    for value in values[n:]:
        if value is not None:
            current = value if current is None else value * k + current * (1 - k)
        out.append(current)
    return out


def _each_table(
    blocks: Stream, name: str, labels: Sequence[str], make: Callable[[Numbers], tuple[int, Numbers]]
) -> list[Block]:
    """New float values for the last rows of each table.

    Args:
        blocks: The stream.
        name: For the refusal of a column that holds no numbers.
        labels: The columns to replace.
        make: Of a column's values the number of rows left out in front, and the new values.
    """
    out = []
    for block in blocks:
        columns = [_numeric(block, label, name) for label in labels]
        slices = table_slices(block)
        kept: list[int] = []
        new: dict[str, Numbers] = {c.label: [] for c in columns}
        data = {c.label: block.rows[c.label].cast(pl.Float64).to_list() for c in columns}
        for start, stop in slices:
            for i, column in enumerate(columns):
                skipped, values = make(data[column.label][start:stop])
                new[column.label] += values
                if i == 0:
                    kept += range(stop - len(values), stop) if skipped >= 0 else range(start, start + len(values))
        picked = block.with_rows(block.rows[kept])
        out.append(
            replace_columns(
                picked,
                {label: (ColumnType.FLOAT, pl.Series(values, dtype=pl.Float64)) for label, values in new.items()},
            )
        )
    return out


def _numeric(block: Block, label: str, name: str) -> Column:
    column = block.find(label)
    if column is None:
        raise InvalidInput(f'column "{label}" does not exist')
    if not column.type.is_numeric or label in block.key:
        raise InvalidInput(f"cannot take {name} of column {label} (type {column.type.value})")
    return column


def exponential_average(blocks: Stream, n: int, *, stages: int) -> list[Block]:
    """One stage is the average itself; two and three take the lag out."""

    def make(values: Numbers) -> tuple[int, Numbers]:
        first = ema(values, n)
        if stages == 1:
            return n - 1, first
        second = ema(first, n)
        if stages == 2:
            return 0, [_combined((2, -1), (a, b)) for a, b in zip(first[-len(second) :], second, strict=True)]
        third = ema(second, n)
        size = len(third)
        return 0, [
            _combined((3, -3, 1), (a, b, c)) for a, b, c in zip(first[-size:], second[-size:], third, strict=True)
        ]

    return _each_table(blocks, "exponential moving average", ["_value"], make)


def _combined(factors: tuple[int, ...], values: tuple[float | None, ...]) -> float | None:
    if any(v is None for v in values):
        return None
    return sum(f * v for f, v in zip(factors, values, strict=True) if v is not None)


def triple_derivative(blocks: Stream, n: int) -> list[Block]:
    """The percentage change of a thrice smoothed average."""

    def make(values: Numbers) -> tuple[int, Numbers]:
        smooth = ema(ema(ema(values, n), n), n)
        steps: Numbers = [(b / a - 1) * 100 if a and b is not None else None for a, b in itertools.pairwise(smooth)]
        return 0, steps

    return _each_table(blocks, "triple exponential derivative", ["_value"], make)


def _changes(values: Numbers) -> list[tuple[float, float]]:
    """Gain and loss of each step; a null changes nothing."""
    changes: list[tuple[float, float]] = []
    last: float | None = None
    for i, value in enumerate(values):
        step = 0.0 if value is None or last is None else value - last
        if i:
            changes.append((max(step, 0.0), max(-step, 0.0)))
        if value is not None:
            last = value
    return changes


def relative_strength(blocks: Stream, n: int, labels: Sequence[str]) -> list[Block]:
    """Wilder's smoothing of gains and losses; the first n rows are left out."""

    def make(values: Numbers) -> tuple[int, Numbers]:
        changes = _changes(values)
        if len(changes) < n:
            return 0, []
        up, down = changes[0]
        out: Numbers = []
        for number, (gain, loss) in enumerate(changes):
            if number:
                up, down = up + (gain - up) / n, down + (loss - down) / n
            if number >= n - 1:
                out.append(_index(up, down))
        return 0, out

    return _each_table(blocks, "relative strength index", labels, make)


def _index(up: float, down: float) -> float:
    return 100.0 if down == 0 else 100 - 100 / (1 + up / down)


def _momentum(values: Numbers, n: int) -> Numbers:
    changes = _changes(values)
    out: Numbers = []
    for end in range(n, len(changes) + 1):
        up = sum(g for g, _ in changes[end - n : end])
        down = sum(x for _, x in changes[end - n : end])
        out.append(100 * (up - down) / (up + down) if up + down else 0.0)
    return out


def momentum(blocks: Stream, n: int, labels: Sequence[str]) -> list[Block]:
    """Chande's oscillator; the first n rows are left out."""
    return _each_table(blocks, "chande momentum oscillator", labels, lambda values: (0, _momentum(values, n)))


def efficiency(blocks: Stream, n: int) -> list[Block]:
    """Kaufman's ratio."""

    def make(values: Numbers) -> tuple[int, Numbers]:
        return 0, [abs(v) / 100 if v is not None else None for v in _momentum(values, n)]

    return _each_table(blocks, "kaufmans efficiency ratio", ["_value"], make)


def adaptive_average(blocks: Stream, n: int, label: str) -> list[Block]:
    """Kaufman's average; the first n rows are left out."""

    def make(values: Numbers) -> tuple[int, Numbers]:
        ratios = [abs(v) / 100 for v in _momentum(values, n) if v is not None]
        if not ratios:
            return 0, []
        current = values[n - 1] or 0.0
        out: Numbers = []
        for ratio, value in zip(ratios, values[n:], strict=True):
            smoothing = (ratio * (2 / 3 - 2 / 31) + 2 / 31) ** 2
            current = current + smoothing * ((value if value is not None else current) - current)
            out.append(current)
        return 0, out

    return _each_table(blocks, "kaufmans adaptive moving average", [label], make)
