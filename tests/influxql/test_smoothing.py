"""Indicators against their definitions; the recorded answers are in the golden cases."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.compute.holt_winters import minimise
from fluxkeep.influxql.execute.smoothing import smooth

VALUES = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=20)


def run(name: str, values: list[float], period: int, hold: int = -1, warmup: str | None = None) -> list[float]:
    frame = pl.DataFrame(
        {"g": [0] * len(values), "time": list(range(len(values))), "v": values},
        schema={"g": pl.UInt32, "time": pl.Int64, "v": pl.Float64},
    )
    found: list[float] = smooth(name, frame, period=period, hold=hold, warmup=warmup)["v"].to_list()
    return found


@given(VALUES, st.integers(1, 5))
def test_a_simple_warm_up_begins_with_the_mean(values: list[float], period: int) -> None:
    found = run("exponential_moving_average", values, period, warmup="simple")
    assert len(found) == max(len(values) - period + 1, 0)
    if found:
        assert math.isclose(found[0], sum(values[:period]) / period, abs_tol=1e-6)


@given(VALUES, st.integers(1, 5))
def test_efficiency_is_way_made_by_way_gone(values: list[float], period: int) -> None:
    found = run("kaufmans_efficiency_ratio", values, period)
    for at, ratio in enumerate(found, period):
        steps = [abs(values[i] - values[i - 1]) for i in range(at - period + 1, at + 1)]
        way = abs(values[at] - values[at - period])
        assert math.isclose(ratio, way / sum(steps) if way and sum(steps) else 0.0, abs_tol=1e-9)


@given(st.floats(1, 100), st.integers(1, 5), st.sampled_from(["double", "triple"]))
def test_averages_of_a_constant_are_the_constant(value: float, period: int, kind: str) -> None:
    for found in run(f"{kind}_exponential_moving_average", [value] * 8, period):
        assert math.isclose(found, value)


@pytest.mark.parametrize(("hold", "count"), [(-1, 4), (0, 6), (5, 1), (9, 0)])
def test_results_held_back(hold: int, count: int) -> None:
    assert len(run("exponential_moving_average", [1, 2, 3, 4, 5, 6], 3, hold)) == count


def test_groups_do_not_touch() -> None:
    frame = pl.DataFrame(
        {"g": [0, 0, 1, 1], "time": [1, 2, 1, 2], "v": [1.0, 2.0, 10.0, 20.0]},
        schema={"g": pl.UInt32, "time": pl.Int64, "v": pl.Float64},
    )
    found = smooth("exponential_moving_average", frame, period=2, hold=0, warmup=None)
    assert found.filter(pl.col("g") == 1)["v"].to_list()[0] == 10.0


def test_the_search_finds_the_bottom_of_a_bowl() -> None:
    error, found = minimise(lambda p: (p[0] - 3) ** 2 + (p[1] + 1) ** 2, [0.0, 0.0], 1e-9)
    assert error < 1e-6
    assert found == pytest.approx([3, -1], abs=1e-3)
