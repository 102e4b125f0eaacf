"""Technical indicators: exponential averages and what is built of them.

They carry state from row to row in ways that columns cannot, so each group is
walked; inputs are aggregates or one field, which are few.

Source: influxql.md §9; recorded in golden/influxql/functions.txt ("… with 3 of …").
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import polars as pl

EXPONENTIAL = "exponential"
SIMPLE = "simple"


class Indicator(Protocol):
    """State over the values of one group.

    Attributes:
        hold: How many of the first results are kept back unless the query says otherwise.
    """

    hold: int

    def add(self, value: float) -> float:
        """Take the next value, give the result so far."""
        ...


class Exponential:
    """An exponential average; while it warms up its weight is 2/(n+1) of n values, or a simple mean is taken."""

    def __init__(self, period: int, warmup: str, alpha: float | None = None) -> None:
        self._period = period
        self._warmup = warmup
        self._alpha = 2 / (period + 1) if alpha is None else alpha
        self._count = 0
        self._last = 0.0
        self.hold = period - 1

    @property
    def is_warm(self) -> bool:
        """As many values as the period has were seen."""
        return self._count >= self._period

    def add(self, value: float) -> float:
        """The average with this value."""
        if self._count == 0:
            average = value
        elif self._count < self._period and self._warmup == SIMPLE:
            average = (self._last * self._count + value) / (self._count + 1)
        else:
            weight = max(self._alpha, 2 / (self._count + 2)) if self._warmup == EXPONENTIAL else self._alpha
            average = (value - self._last) * weight + self._last
        self._last = average
        self._count += 1
        return average


class Chained:
    """Averages of averages: double, triple, and the rate of change of the triple one."""

    def __init__(self, period: int, warmup: str, depth: int) -> None:
        self._stages = [Exponential(period, warmup) for _ in range(depth)]
        self._warmup = warmup
        self._depth = depth
        self.hold = (period - 1) * (1 if warmup == EXPONENTIAL else depth)

    def averages(self, value: float) -> list[float]:
        """One average per stage; a stage that waits repeats the one before it."""
        found = []
        running = True
        for stage in self._stages:
            if running:
                value = stage.add(value)
                running = self._warmup == EXPONENTIAL or stage.is_warm
            found.append(value)
        return found

    def add(self, value: float) -> float:
        """2a - b of two stages, 3a - 3b + c of three."""
        found = self.averages(value)
        if self._depth == 2:
            return 2 * found[0] - found[1]
        return 3 * found[0] - 3 * found[1] + found[2]


class Rate(Chained):
    """Percentage by which the triple average changed."""

    def __init__(self, period: int, warmup: str) -> None:
        super().__init__(period, warmup, 3)
        self._before: float | None = None
        self.hold += 1

    def add(self, value: float) -> float:
        """Change against the last average in percent."""
        current = self.averages(value)[-1]
        before, self._before = self._before, current
        return math.nan if not before else (current / before - 1) * 100


class Strength:
    """Relative strength index: averages of rises against those of falls.

    Quirk: the first value counts as a change from zero (found from the recorded answers).
    """

    def __init__(self, period: int, warmup: str) -> None:
        self._up = Exponential(period, warmup, 1 / period)
        self._down = Exponential(period, warmup, 1 / period)
        self._last = 0.0
        self.hold = period

    def add(self, value: float) -> float:
        """Between 0 and 100."""
        change, self._last = value - self._last, value
        up, down = self._up.add(max(change, 0.0)), self._down.add(max(-change, 0.0))
        if down == 0:
            return 100.0 if up else math.nan
        return 100 - 100 / (1 + up / down)


class Momentum:
    """Chande's oscillator over plain sums of the last changes, or over their averages."""

    def __init__(self, period: int, warmup: str | None) -> None:
        self._changes: deque[float] = deque(maxlen=period)
        self._averages = None if warmup is None else [Exponential(period, warmup, 1 / period) for _ in range(2)]
        self._last: float | None = None
        self.hold = period - 1 if warmup is None else period

    def add(self, value: float) -> float:
        """Between -100 and 100."""
        change = 0.0 if self._last is None else value - self._last
        first, self._last = self._last is None, value
        if self._averages is None:
            if not first:
                self._changes.append(change)
            up = sum(c for c in self._changes if c > 0)
            down = -sum(c for c in self._changes if c < 0)
        else:
            change = value if first else change
            up, down = self._averages[0].add(max(change, 0.0)), self._averages[1].add(max(-change, 0.0))
        return 100 * (up - down) / (up + down) if up + down else math.nan


class Efficiency:
    """Kaufman's ratio of the way made to the way gone."""

    def __init__(self, period: int) -> None:
        self._values: deque[float] = deque(maxlen=period + 1)
        self.hold = period

    def add(self, value: float) -> float:
        """Between 0 and 1."""
        self._values.append(value)
        values = list(self._values)
        signal = abs(values[-1] - values[0])
        noise = sum(abs(b - a) for a, b in itertools.pairwise(values))
        return signal / noise if signal and noise else 0.0


class Adaptive:
    """Kaufman's average, whose weight follows the efficiency ratio."""

    def __init__(self, period: int) -> None:
        self._ratio = Efficiency(period)
        self._seen = 0
        self._last = 0.0
        self.hold = period

    def add(self, value: float) -> float:
        """The average with this value."""
        ratio = self._ratio.add(value)
        if self._seen < self.hold:
            self._seen += 1
            self._last = value
            return value
        fast, slow = 2 / 3, 2 / 31
        self._last += (ratio * (fast - slow) + slow) ** 2 * (value - self._last)
        return self._last


_MADE: Final[dict[str, Callable[[int, str | None], Indicator]]] = {
    "exponential_moving_average": lambda n, w: Exponential(n, w or EXPONENTIAL),
    "double_exponential_moving_average": lambda n, w: Chained(n, w or EXPONENTIAL, 2),
    "triple_exponential_moving_average": lambda n, w: Chained(n, w or EXPONENTIAL, 3),
    "triple_exponential_derivative": lambda n, w: Rate(n, w or EXPONENTIAL),
    "relative_strength_index": lambda n, w: Strength(n, w or EXPONENTIAL),
    "chande_momentum_oscillator": lambda n, w: Momentum(n, None if w == "none" else w),
    "kaufmans_efficiency_ratio": lambda n, _: Efficiency(n),
    "kaufmans_adaptive_moving_average": lambda n, _: Adaptive(n),
}


def smooth(name: str, values: pl.DataFrame, *, period: int, hold: int, warmup: str | None) -> pl.DataFrame:
    """Run an indicator over each group.

    Args:
        values: g, time, v without nulls, by group.
        hold: Results kept back at the beginning of a group; -1 is the indicator's own number.
        warmup: `exponential`, `simple`, `none` or None for the default.

    Returns:
        g, time, v (float).
    """
    groups = values["g"].to_list()
    results: list[float | None] = []
    indicator: Indicator | None = None
    group: int | None = None
    for g, value in zip(groups, values["v"].cast(pl.Float64).to_list(), strict=True):
        if indicator is None or g != group:
            indicator, group, seen = _MADE[name](period, warmup), g, 0
        seen += 1
        result = indicator.add(value)
        results.append(result if seen > (indicator.hold if hold < 0 else hold) else None)
    found = values.select("g", "time").with_columns(pl.Series("v", results, pl.Float64))
    return found.drop_nulls("v")
