"""Window bounds: fixed and calendar lengths, offsets, zones and their transitions."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxkeep.compute.windows import WindowGrid, add_duration, clip, zone_clock
from fluxkeep.datamodel.timerange import TimeRange, Window
from fluxkeep.errors import InvalidInput
from fluxkeep.instants import DAY, HOUR, MINUTE, Duration, add_months, format_rfc3339, parse_rfc3339


def window(every: str, *, period: str | None = None, offset: str = "0s", location: str = "UTC") -> Window:
    return Window(
        every=Duration.parse(every),
        period=Duration.parse(period or every),
        offset=Duration.parse(offset),
        location=location,
    )


def bounds(w: Window, time: str) -> list[tuple[str, str]]:
    grid = WindowGrid(w)
    _, indices = grid.assign(np.array([parse_rfc3339(time)], np.int64))
    starts, stops = grid.starts(indices), grid.stops(indices)
    return [(format_rfc3339(int(a)), format_rfc3339(int(b))) for a, b in zip(starts, stops, strict=True)]


@pytest.mark.parametrize(
    ("w", "time", "expected"),
    [
        (window("1w"), "2021-01-01T00:00:00Z", [("2020-12-31T00:00:00Z", "2021-01-07T00:00:00Z")]),
        (window("1w", offset="-3d"), "2021-01-01T00:00:00Z", [("2020-12-28T00:00:00Z", "2021-01-04T00:00:00Z")]),
        (window("1mo"), "2021-02-28T23:59:59Z", [("2021-02-01T00:00:00Z", "2021-03-01T00:00:00Z")]),
        (window("1mo", offset="5d"), "2021-02-03T00:00:00Z", [("2021-01-06T00:00:00Z", "2021-02-06T00:00:00Z")]),
        (window("1y"), "1969-05-05T00:00:00Z", [("1969-01-01T00:00:00Z", "1970-01-01T00:00:00Z")]),
        (
            window("1m", period="2m"),
            "2021-01-01T00:01:30Z",
            [("2021-01-01T00:00:00Z", "2021-01-01T00:02:00Z"), ("2021-01-01T00:01:00Z", "2021-01-01T00:03:00Z")],
        ),
        (window("2m", period="1m"), "2021-01-01T00:01:30Z", []),
        # Days of 23 and of 25 hours, and the doubled hour in one window.
        (
            window("1d", location="Europe/Paris"),
            "2022-03-27T12:00:00Z",
            [("2022-03-26T23:00:00Z", "2022-03-27T22:00:00Z")],
        ),
        (
            window("1d", location="Europe/Paris"),
            "2022-10-30T12:00:00Z",
            [("2022-10-29T22:00:00Z", "2022-10-30T23:00:00Z")],
        ),
        (
            window("1h", location="Europe/Paris"),
            "2022-10-30T01:30:00Z",
            [("2022-10-30T00:00:00Z", "2022-10-30T02:00:00Z")],
        ),
    ],
)
def test_bounds(w: Window, time: str, expected: list[tuple[str, str]]) -> None:
    assert bounds(w, time) == expected


def test_an_hour_that_the_clock_skips_has_no_window() -> None:
    grid = WindowGrid(window("1h", location="Europe/Paris"))
    day = TimeRange(parse_rfc3339("2022-03-26T23:00:00Z"), parse_rfc3339("2022-03-27T22:00:00Z"))
    indices = grid.covering(day)
    assert len(indices) == 23
    assert (grid.starts(indices)[1:] == grid.stops(indices)[:-1]).all()


def test_covering_and_clip() -> None:
    grid = WindowGrid(window("1h"))
    around = TimeRange(30 * MINUTE, 3 * HOUR)
    indices = grid.covering(around)
    starts, stops = clip(grid.starts(indices), grid.stops(indices), around)
    assert starts.tolist() == [30 * MINUTE, HOUR, 2 * HOUR]
    assert stops.tolist() == [HOUR, 2 * HOUR, 3 * HOUR]
    assert not len(grid.covering(TimeRange(5, 5)))


@pytest.mark.parametrize(
    ("w", "message"),
    [
        (window("0s"), "duration used as an interval cannot be zero"),
        (window("1mo1d"), "duration used as an interval cannot mix month and nanosecond units"),
        (window("-1h"), 'parameter "every" must be non-negative'),
        (window("1h", period="-1h"), 'parameter "period" must be non-negative'),
        (window("1h", location="Mars/Olympus"), "unknown time zone Mars/Olympus"),
    ],
)
def test_refusals(w: Window, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        WindowGrid(w)


TIMES = st.integers(parse_rfc3339("1900-01-01T00:00:00Z"), parse_rfc3339("2200-01-01T00:00:00Z"))
ZONES = st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])


@settings(deadline=None)  # who asks for a zone first waits for its table
@given(TIMES, ZONES)
def test_the_table_of_transitions_agrees_with_the_calendar(time: int, zone: str) -> None:
    local = int(zone_clock(zone).local(np.array([time], np.int64))[0])
    instant = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=time // 10**9)
    offset = instant.astimezone(zoneinfo.ZoneInfo(zone)).utcoffset()
    assert offset is not None
    assert local - time == int(offset.total_seconds()) * 10**9


@settings(deadline=None)  # who asks for a zone first waits for its table
@given(TIMES, st.integers(-500, 500))
def test_calendar_addition_agrees_with_the_scalar_form(time: int, months: int) -> None:
    moved = add_duration(np.array([time], np.int64), Duration(months, 0))
    assert moved.tolist() == [add_months(time, months)]


@settings(deadline=None)  # who asks for a zone first waits for its table
@given(
    TIMES,
    ZONES,
    st.sampled_from(["7s", "1h", "1d", "3d", "1w", "1mo", "5mo", "1y"]),
    st.sampled_from(["0s", "-3d", "7h"]),
)
def test_every_instant_lies_in_its_window(time: int, zone: str, every: str, offset: str) -> None:
    grid = WindowGrid(window(every, offset=offset, location=zone))
    index = grid.index(np.array([time], np.int64))
    # Where the clock goes back, the second passage through a short window lies after its first stop.
    overlap = int(grid.stops(index)[0]) <= time
    assert grid.starts(index)[0] <= time
    assert not overlap or (every == "7s" and zone != "UTC")


@settings(deadline=None)  # who asks for a zone first waits for its table
@given(TIMES, st.sampled_from(["7s", "1h"]), st.integers(1, 400))
def test_overlapping_windows_are_exactly_those_that_hold_the_instant(time: int, every: str, minutes: int) -> None:
    w = Window(every=Duration.parse(every), period=Duration(0, minutes * MINUTE))
    grid = WindowGrid(w)
    rows, indices = grid.assign(np.array([time, time + DAY], np.int64))
    mine = indices[rows == 0]
    first = int(grid.index(np.array([time], np.int64))[0])
    near = np.arange(first - 5000, first + 2, dtype=np.int64)
    expected = near[(grid.starts(near) <= time) & (time < grid.stops(near))]
    assert mine.tolist() == expected.tolist()
