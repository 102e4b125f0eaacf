"""Shard groups: bounds, defaults, gaps between groups of another duration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.ids import BucketID
from fluxkeep.instants import DAY, HOUR, MAX_TIME_NS, MIN_TIME_NS, WEEK, parse_rfc3339
from fluxkeep.storage.shards import Shard, ShardMap, bounds_of, group_duration

BUCKET = BucketID("00000000000000aa")


@pytest.mark.parametrize(
    ("retention", "given_", "duration"),
    [
        (0, 0, WEEK),
        (180 * DAY, 0, WEEK),
        (180 * DAY - 1, 0, DAY),
        (2 * DAY, 0, DAY),
        (2 * DAY - 1, 0, HOUR),
        (0, 1, HOUR),
        (0, 3 * DAY, 3 * DAY),
    ],
)
def test_durations_follow_retention(retention: int, given_: int, duration: int) -> None:
    assert group_duration(retention, given_) == duration


def test_weeks_start_on_mondays() -> None:
    start, stop = bounds_of(parse_rfc3339("2024-05-05T23:59:59Z"), WEEK)
    assert start == parse_rfc3339("2024-04-29T00:00:00Z")
    assert stop == parse_rfc3339("2024-05-06T00:00:00Z")


@given(time=st.integers(MIN_TIME_NS, MAX_TIME_NS), duration=st.integers(HOUR, 100 * WEEK))
def test_bounds_hold_their_instant(time: int, duration: int) -> None:
    start, stop = bounds_of(time, duration)
    assert MIN_TIME_NS <= start <= time < stop <= MAX_TIME_NS + 1
    assert stop - start <= duration


@given(
    steps=st.lists(
        st.tuples(
            st.lists(st.integers(MIN_TIME_NS, MAX_TIME_NS) | st.integers(0, 3 * WEEK), min_size=1, max_size=6),
            st.sampled_from([HOUR, DAY, WEEK]),
        ),
        max_size=5,
    )
)
def test_groups_never_overlap_whatever_durations_come(steps: list[tuple[list[int], int]]) -> None:
    shards = ShardMap()
    number = 0
    for times, duration in steps:
        for start, stop in shards.missing(np.array(times, np.int64), duration):
            number += 1
            shards.add(Shard(number, BUCKET, start, stop))
        for time in times:
            found = shards.find(time)
            assert found is not None
            assert found.start <= time < found.stop
    ordered = shards.all()
    assert all(a.stop <= b.start for a, b in itertools.pairwise(ordered))
