"""Windows: plain ones against arithmetic, zoned ones against days on the wall clock."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.influxql.execute.windows import Windows
from fluxkeep.instants import DAY, HOUR, MAX_TIME_NS, MIN_TIME_NS, SECOND

INSTANTS = st.integers(-(1 << 60), 1 << 61)


def windows(every: int, offset: int = 0, location: str | None = None) -> Windows:
    return Windows(every, offset, location, MIN_TIME_NS, MAX_TIME_NS)


@given(st.lists(INSTANTS, min_size=1, max_size=20), st.integers(1, 40 * DAY), st.integers(-DAY, DAY))
def test_plain_windows_hold_their_instants(times: list[int], every: int, offset: int) -> None:
    starts, ends = windows(every, offset).bounds(np.array(times, np.int64))
    for time, start, end in zip(times, starts.tolist(), ends.tolist(), strict=True):
        assert start <= time < end == start + every
        assert (start - offset) % every == 0


@given(
    st.integers(0, 30_000),
    st.integers(0, 86_399),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
def test_days_begin_at_local_midnight(day: int, second: int, zone: str) -> None:
    midnight = dt.datetime(1971, 1, 1, tzinfo=ZoneInfo(zone)) + dt.timedelta(days=day)
    start = windows(DAY, location=zone).start_of((int(midnight.timestamp()) + second // 2) * SECOND)
    assert start == int(midnight.timestamp()) * SECOND


def test_without_interval_there_is_one_window() -> None:
    one = Windows(0, 0, None, 5, 10)
    starts, ends = one.bounds(np.array([7], np.int64))
    assert (starts.tolist(), ends.tolist()) == ([5], [11])


def test_a_window_that_a_change_cuts_short() -> None:
    berlin = windows(2 * HOUR, location="Europe/Berlin")
    # 2023-03-26T00:00Z is 01:00 in winter time; the clock goes from 02:00 to 03:00 an hour later.
    before, after = 1_679_788_800 * SECOND, 1_679_792_400 * SECOND
    assert berlin.start_of(before) == 1_679_785_200 * SECOND
    assert berlin.start_of(after) == after
