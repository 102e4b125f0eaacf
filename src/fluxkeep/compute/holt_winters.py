"""Forecasts by Holt and Winters' damped method, its parameters found by a simplex search.

The search and its starting grid follow the reference step by step, because the
minimum it stops at depends on the way.

Source: influxql.md §9, flux.md §11.6; recorded in golden/influxql/functions.txt ("holt_winters …").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_EPSILON = 1.0e-4
_ROUNDS_MAX = 1_000
_GUESSES = (0.3, 0.7)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the best parameters give.

    Attributes:
        values: Of the past and then ahead; NaN where there is none.
        error: The sum of squared differences from the past.
    """

    values: list[float]
    error: float


def forecast(values: Sequence[float], *, ahead: int, season: int) -> Forecast | None:
    """Fit evenly spaced values and go on; None where there are too few.

    Args:
        values: One a step; NaN where a step has none.
        ahead: How many steps to look ahead.
        season: Steps of a season; below 2 none.
    """
    seasonal = season >= 2
    if len(values) < 2 or (seasonal and len(values) < season):
        return None
    model = _Model(list(values), season if seasonal else 0)
    error, parameters = model.fit()
    return Forecast(model.run(ahead, parameters), error)


class _Model:
    """Level, damped trend and a multiplied season.

    Parameters are alpha, beta, gamma, phi, the first level, the first trend, and the season's factors.
    """

    def __init__(self, values: list[float], season: int) -> None:
        self._values = values
        self._season = season

    def fit(self) -> tuple[float, list[float]]:
        """The least error and its parameters, found from a grid of starts."""
        start = self._start()
        best: list[float] | None = None
        least = math.inf
        for alpha in _GUESSES:
            for beta in _GUESSES:
                for gamma in _GUESSES:
                    for phi in _GUESSES:
                        start[:4] = [alpha, beta, gamma, phi]
                        error, found = minimise(self._error, start, _EPSILON)
                        if error < least or best is None:
                            least, best = error, found
        assert best is not None
        return least, best

    def _start(self) -> list[float]:
        values, season = self._values, self._season
        if not season:
            trend = 0.0 if math.isnan(values[1]) else 0.5 * (values[1] - values[0])
            return [0.0, 0.0, 0.0, 0.0, 0.5 * values[0], trend]
        level = sum(1 / season * v for v in values[:season] if not math.isnan(v))
        pairs = zip(values[:season], values[season:], strict=False)
        trend = sum(1 / (season * season) * (b - a) for a, b in pairs if not math.isnan(a) and not math.isnan(b))
        factors = [0.0 if math.isnan(v) else v / level for v in values[:season]]
        return [0.0, 0.0, 0.0, 0.0, level, trend, *factors]

    def run(self, ahead: int, parameters: list[float]) -> list[float]:
        """Values over the past and some windows ahead.

        Quirk: bounds are put on the parameters given, and the season's factors
        are changed in them; the search relies on it.
        """
        for i in range(4):
            parameters[i] = min(max(parameters[i], 0.0), 1.0)
        alpha, beta, gamma, phi, level, trend = parameters[:6]
        season = self._season
        shift = season - 1
        damping = phi
        value = self._values[0]
        found = [value]
        factor = factor_ahead = 1.0
        for t in range(1, len(self._values) + ahead):
            if season:
                factor = parameters[6 + (t - season + shift) % season]
                factor_ahead = parameters[6 + (t - season + t % season + shift) % season]
            before = level + phi * trend
            next_level = alpha * _ratio(value, factor) + (1 - alpha) * before
            next_trend = beta * (next_level - level) + (1 - beta) * phi * trend
            next_factor = gamma * _ratio(value, before) + (1 - gamma) * factor
            value = (next_level + damping * next_trend) * factor_ahead
            level, trend = next_level, next_trend
            damping += phi**t
            if season:
                parameters[6 + (t + shift) % season] = next_factor
                shift += 1
            found.append(value)
        return found

    def _error(self, parameters: list[float]) -> float:
        total = 0.0
        for fitted, value in zip(self.run(0, parameters), self._values, strict=True):
            if math.isnan(value):
                continue
            if math.isnan(fitted):
                return math.inf
            # A product, because a power that overflows raises here and is infinite in the reference.
            total += (fitted - value) * (fitted - value)
        return total


def _ratio(a: float, b: float) -> float:
    if b:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a)


def minimise(error: Callable[[list[float]], float], start: list[float], epsilon: float) -> tuple[float, list[float]]:
    """Nelder and Mead's simplex search with reflection 1, contraction 1/2, expansion 2."""
    n = len(start)
    root = math.sqrt(n + 1)
    near = (root - 1) / (n * math.sqrt(2))
    far = (root - 1 + n) / (n * math.sqrt(2))
    corners = [list(start)] + [[s + (far if i == j else near) for j, s in enumerate(start)] for i in range(n)]
    errors = [error(corner) for corner in corners]
    for _ in range(_ROUNDS_MAX):
        worst = max(range(n + 1), key=lambda i: (errors[i], -i))
        best = min(range(n + 1), key=lambda i: (errors[i], i))
        second = best
        for i in range(n + 1):
            if errors[second] < errors[i] < errors[worst]:
                second = i
        centre = [sum(corners[m][i] for m in range(n + 1) if m != worst) / n for i in range(n)]
        reflected = [c + (c - w) for c, w in zip(centre, corners[worst], strict=True)]
        at_reflected = error(reflected)
        if errors[best] <= at_reflected < errors[second]:
            corners[worst], errors[worst] = list(reflected), at_reflected
        if at_reflected < errors[best]:
            expanded = [c + 2.0 * (r - c) for c, r in zip(centre, reflected, strict=True)]
            at_expanded = error(expanded)
            if at_expanded < at_reflected:
                corners[worst], errors[worst] = expanded, at_expanded
            else:
                corners[worst], errors[worst] = list(reflected), at_reflected
        if at_reflected >= errors[second]:
            outside = errors[second] <= at_reflected < errors[worst]
            if outside:
                contracted = [c + 0.5 * (r - c) for c, r in zip(centre, reflected, strict=True)]
            else:
                contracted = [c - 0.5 * (c - w) for c, w in zip(centre, corners[worst], strict=True)]
            at_contracted = error(contracted)
            if at_contracted < errors[worst]:
                corners[worst], errors[worst] = contracted, at_contracted
            else:
                for row in range(n + 1):
                    if row != best:
                        corners[row] = [b + (v - b) / 2.0 for b, v in zip(corners[best], corners[row], strict=True)]
                errors[worst] = error(corners[worst])
                errors[second] = error(corners[second])
        average = sum(errors) / (n + 1)
        spread = math.sqrt(sum((e - average) * (e - average) / n for e in errors))
        if spread < epsilon:
            break
    best = min(range(n + 1), key=lambda i: (errors[i], i))
    found = list(corners[best])
    return error(corners[best]), found
