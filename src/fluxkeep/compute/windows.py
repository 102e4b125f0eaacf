"""Window bounds: which windows hold an instant, and when they start and stop.

Windows start at `zero + i * every` for every integer i, where zero is the epoch
moved by the window's offset, all on the wall clock of the window's zone. An
index names a window. Everything takes and gives int64 numpy arrays; nothing
loops per instant. A window is [start, start + period).

On the wall clock a spring gap has no instants: a bound that falls into it is
the transition. In an autumn overlap the first occurrence is a bound; both hours
fall into one window.

Source: flux.md §10; influxql.md, GROUP BY time.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.timerange import TimeRange, Window
from fluxkeep.errors import InvalidInput
from fluxkeep.instants import DAY, SECOND, Duration

Int64s = npt.NDArray[np.int64]

_FIRST_PROBE = dt.datetime(1850, 1, 1, tzinfo=dt.UTC)
_LAST_PROBE = dt.datetime(2262, 4, 11, tzinfo=dt.UTC)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class ZoneClock:
    """The wall clock of one IANA zone as a table of transitions.

    Attributes:
        transitions: UTC instants at which the offset changes, ascending.
        offsets: Offset east of UTC in ns before, between and after them.
    """

    def __init__(self, transitions: Int64s, offsets: Int64s) -> None:
        self.transitions = transitions
        self.offsets = offsets
        # A wall-clock reading belongs to the later offset from here on; an overlap's readings
        # are the earlier offset's, a gap's are cut to the transition in `utc`.
        self._local = transitions + np.maximum(offsets[:-1], offsets[1:])

    def local(self, times: Int64s) -> Int64s:
        """Wall-clock readings, ns as if they were UTC, of UTC instants; maybe the same array."""
        if not len(self.transitions):
            # Not even copied: of a million instants that would take as long as finding their windows.
            return times if not self.offsets[0] else np.asarray(times + self.offsets[0])
        readings: Int64s = times + self.offsets[np.searchsorted(self.transitions, times, side="right")]
        return readings

    def utc(self, readings: Int64s) -> Int64s:
        """UTC instants of wall-clock readings: the first that shows it, or the transition that skips it."""
        if not len(self.transitions):
            return np.asarray(readings - self.offsets[0])
        at = np.searchsorted(self._local, readings, side="right")
        ends = np.append(self.transitions, np.iinfo(np.int64).max)
        instants: Int64s = np.minimum(readings - self.offsets[at], ends[at])
        return instants


@lru_cache(maxsize=64)
def zone_clock(name: str) -> ZoneClock:
    """The clock of a zone; `UTC` and the empty name have no transitions.

    Raises:
        InvalidInput: No such zone.
    """
    if name in ("", "UTC"):
        return ZoneClock(np.empty(0, np.int64), np.zeros(1, np.int64))
    try:
        zone = zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(f"unknown time zone {name}") from error
    # The table is not public, so it is found by probing week by week and halving where the
    # offset differs; two transitions within a week do not occur in the database's zones in use.
    week = dt.timedelta(days=7)
    transitions: list[int] = []
    offsets = [_offset(zone, _FIRST_PROBE)]
    at = _FIRST_PROBE
    while at < _LAST_PROBE:
        following = at + week
        if (offset := _offset(zone, following)) != offsets[-1]:
            low, high = at, following
            while high - low > dt.timedelta(seconds=1):
                middle = low + dt.timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (middle, high) if _offset(zone, middle) == offsets[-1] else (low, middle)
            transitions.append(int((high - _EPOCH).total_seconds()) * SECOND)
            offsets.append(offset)
        at = following
    return ZoneClock(np.array(transitions, np.int64), np.array(offsets, np.int64) * SECOND)


def _offset(zone: zoneinfo.ZoneInfo, instant: dt.datetime) -> int:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def month_of(times: Int64s) -> Int64s:
    """Calendar months since January 1970, rounded down."""
    days = np.floor_divide(times, DAY)
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def month_start(months: Int64s) -> Int64s:
    """The first instant of calendar months, in ns."""
    days: Int64s = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return days * DAY


def add_months_to(times: Int64s, months: Int64s | int) -> Int64s:
    """Move instants by calendar months in UTC; a day past the month's end becomes its last day."""
    origin = month_of(times)
    within = times - month_start(origin)
    target = origin + months
    start = month_start(target)
    length = month_start(target + 1) - start
    day, clock = np.divmod(within, DAY)
    moved: Int64s = start + np.minimum(day, length // DAY - 1) * DAY + clock
    return moved


def add_duration(times: Int64s, duration: Duration, location: str = "UTC") -> Int64s:
    """Instants moved by a duration, months first, on the wall clock of a zone.

    Raises:
        InvalidInput: No such zone.
    """
    clock = zone_clock(location)
    moved = clock.local(times)
    if duration.months:
        moved = add_months_to(moved, duration.months)
    return clock.utc(moved + duration.ns)


class WindowGrid:
    """All windows of one `Window`.

    Raises:
        InvalidInput: `every` is zero, negative or mixes months and nanoseconds, `period`
            is negative, or the zone does not exist.
    """

    def __init__(self, window: Window) -> None:
        every = window.every
        if every.months and every.ns:
            raise InvalidInput("duration used as an interval cannot mix month and nanosecond units")
        if every.months < 0 or every.ns < 0:
            raise InvalidInput('parameter "every" must be non-negative')
        if every.is_zero:
            raise InvalidInput("duration used as an interval cannot be zero")
        if window.period.months < 0 or window.period.ns < 0:
            raise InvalidInput('parameter "period" must be non-negative')
        self._every = every
        self._period = window.period
        self._clock = zone_clock(window.location)
        zero = np.array([0], np.int64)
        if window.offset.months:
            zero = add_months_to(zero, window.offset.months)
        self._zero = int(zero[0]) + window.offset.ns
        zero_month = month_of(np.array([self._zero], np.int64))
        self._zero_month = int(zero_month[0])
        self._zero_within = self._zero - int(month_start(zero_month)[0])

    def index(self, times: Int64s) -> Int64s:
        """Of each instant, the last window that has started; it holds the instant when period = every."""
        local = self._clock.local(times)
        if self._every.months:
            months = month_of(local)
            earlier = (local - month_start(months)) < self._zero_within
            return np.floor_divide(months - self._zero_month - earlier, self._every.months)
        return np.floor_divide(local - self._zero if self._zero else local, self._every.ns)

    def starts(self, indices: Int64s) -> Int64s:
        """The first instants of windows."""
        return self._clock.utc(self._local_starts(indices))

    def stops(self, indices: Int64s) -> Int64s:
        """The first instants after windows."""
        local = self._local_starts(indices)
        if self._period.months:
            local = add_months_to(local, self._period.months)
        return self._clock.utc(local + self._period.ns)

    def assign(self, times: Int64s) -> tuple[Int64s, Int64s]:
        """Rows and the windows that hold them.

        Returns:
            (positions into `times`, window indices), by position and then by window. An instant
            in a gap between windows (period < every) has none, one in overlapping windows several.
        """
        last = self.index(times)
        if self._period == self._every:
            return np.arange(len(times), dtype=np.int64), last
        positions: list[Int64s] = []
        indices: list[Int64s] = []
        for back in range(self._overlap()):
            candidates = last - back
            held = np.flatnonzero(self.stops(candidates) > times)
            if not len(held) and back:
                break
            positions.append(held)
            indices.append(candidates[held])
        rows, windows = np.concatenate(positions), np.concatenate(indices)
        order = np.lexsort((windows, rows))
        return rows[order], windows[order]

    def covering(self, time_range: TimeRange) -> Int64s:
        """The windows that share an instant with a range, ascending; none for an empty range.

        A window that a spring gap leaves without instants is left out.
        """
        if time_range.is_empty:
            return np.empty(0, np.int64)
        first, last = (int(i) for i in self.index(np.array([time_range.start, time_range.stop - 1], np.int64)))
        indices = np.arange(first - self._overlap() + 1, last + 1, dtype=np.int64)
        starts, stops = self.starts(indices), self.stops(indices)
        return indices[(stops > time_range.start) & (starts < time_range.stop) & (stops > starts)]

    def _local_starts(self, indices: Int64s) -> Int64s:
        if self._every.months:
            return add_months_to(np.full(len(indices), self._zero, np.int64), indices * self._every.months)
        return self._zero + indices * self._every.ns

    def _overlap(self) -> int:
        """At most how many windows hold one instant, generously."""
        if self._period == self._every:
            return 1
        if self._every.months:
            days = self._period.months * 31 + -(-self._period.ns // DAY)
            return days // (self._every.months * 28) + 2
        length = self._period.months * 31 * DAY + self._period.ns
        # One more for a wall clock that repeats an hour.
        return -(-length // self._every.ns) + 1


def clip(starts: Int64s, stops: Int64s, time_range: TimeRange) -> tuple[Int64s, Int64s]:
    """Bounds cut to a range."""
    return np.maximum(starts, time_range.start), np.minimum(stops, time_range.stop)
