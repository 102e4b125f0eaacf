"""`holt_winters()`: windows in, windows ahead out.

Source: influxql.md §9; recorded in golden/influxql/functions.txt ("holt_winters …").
"""

from __future__ import annotations

import math

import polars as pl

from fluxkeep.compute.holt_winters import forecast


def holt_winters(values: pl.DataFrame, *, count: int, season: int, interval: int, with_fit: bool) -> pl.DataFrame:
    """Forecast each group.

    Args:
        values: g, time, v without nulls, by group and time, one row per window.
        count: How many windows to look ahead.
        season: Windows of a season; below 2 none.
        with_fit: Give the fitted values of the past too.

    Returns:
        g, time, v (float).
    """
    rows: list[tuple[int, int, float]] = []
    for (g,), group in values.group_by("g", maintain_order=True):
        times, series = group["time"].to_list(), group["v"].cast(pl.Float64).to_list()
        for time, value in _forecast(times, series, count, season, interval, with_fit=with_fit):
            rows.append((int(str(g)), time, value))
    return pl.DataFrame(rows, schema={"g": pl.UInt32, "time": pl.Int64, "v": pl.Float64}, orient="row")


def _forecast(
    times: list[int], values: list[float], count: int, season: int, interval: int, *, with_fit: bool
) -> list[tuple[int, float]]:
    if len(values) < 2 or (season >= 2 and len(values) < season) or times[-1] <= times[0]:
        return []
    spaced = _spaced(times, values, interval)
    found = forecast(spaced, ahead=count, season=season)
    if found is None:
        return []
    if with_fit:
        return [(times[0] + interval * i, v) for i, v in enumerate(found.values) if not math.isnan(v)]
    ahead = found.values[len(spaced) :]
    return [(times[-1] + interval * (i + 1), v) for i, v in enumerate(ahead) if not math.isnan(v)]


def _spaced(times: list[int], values: list[float], interval: int) -> list[float]:
    """One value per window, NaN where a window has none."""
    half = interval // 2
    spaced = [values[0]]
    at = times[0]
    for time, value in zip(times[1:], values[1:], strict=True):
        if time <= at + half:
            continue
        at += interval
        while time > at + half:
            spaced.append(math.nan)
            at += interval
        spaced.append(value)
    return spaced
