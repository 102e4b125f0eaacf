"""Estimated quantiles: the line between neighbours agrees with the digest it stands for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxkeep.flux.execute.statistics import _digest, _quantiles

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@given(st.lists(NUMBERS | st.just([]), min_size=1, max_size=5), st.floats(0, 1))
@settings(deadline=None)
def test_small_tables_are_as_the_digest_has_them(tables: list[list[float]], q: float) -> None:
    ordered = np.concatenate([np.sort(np.array(t, np.float64)) for t in tables])
    counts = np.array([len(t) for t in tables])
    found = _quantiles(ordered, counts, q, 1000.0).to_list()
    for table, value in zip(tables, found, strict=True):
        if not table:
            assert value is None
        else:
            expected = _digest(np.sort(np.array(table, np.float64)), q, 1000.0)
            assert value == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(st.floats(0, 1), st.sampled_from([100.0, 1000.0]))
@settings(deadline=None)
def test_large_tables_are_estimated_closely(q: float, compression: float) -> None:
    numbers = np.sort(np.random.default_rng(3).normal(0, 1, 20_000))
    found = _quantiles(numbers, np.array([len(numbers)]), q, compression)[0]
    rank = np.searchsorted(numbers, found) / len(numbers)
    assert abs(rank - q) < 0.01
