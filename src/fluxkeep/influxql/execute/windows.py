"""Windows of GROUP BY time: where they start, which there are.

They differ from Flux's around clock changes: a window that holds a change
keeps the offset of its start, and what is cut off becomes a window of its own.

Source: influxql.md §7, §12; recorded in golden/influxql/grouping-time.txt, "zone …".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fluxkeep.compute.windows import zone_clock
from fluxkeep.instants import MAX_TIME_NS, MIN_TIME_NS

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of one length.

    Attributes:
        every: Length in ns; 0 is one window over everything.
        offset: Added to every bound in ns.
        location: IANA zone whose days they follow; None is UTC.
        first: First instant of the query.
        last: Last instant of the query.
    """

    every: int
    offset: int
    location: str | None
    first: int
    last: int

    @property
    def is_plain(self) -> bool:
        """No zone, or one without changes: windows are equally spaced."""
        return self.location is None or not len(zone_clock(self.location).transitions)

    def _zone(self, times: Int64s) -> Int64s:
        clock = zone_clock(self.location or "UTC")
        return clock.local(times) - times

    def bounds(self, times: Int64s) -> tuple[Int64s, Int64s]:
        """Start and end of the window of each instant."""
        if not self.every:
            return np.full_like(times, self.first), np.full_like(times, min(self.last, MAX_TIME_NS - 1) + 1)
        moved = times - self.offset
        zone = self._zone(moved)
        past = (moved + zone) % self.every
        starts = np.where(MIN_TIME_NS + past >= moved, MIN_TIME_NS, moved - past) + self.offset
        ends = moved + (self.every - past)
        if self.location is not None:
            shift = zone - self._zone(starts)
            starts = starts + np.where(np.abs(shift) < self.every, shift, 0)
            shift = zone - self._zone(ends)
            later = self._zone(ends + shift)
            kept = (np.abs(shift) < self.every) & ((shift > 0) | (later == self._zone(ends)))
            ends = ends + np.where(kept, shift, 0)
        return starts, ends + self.offset

    def starts(self, times: Int64s) -> Int64s:
        """Start of the window of each instant."""
        return self.bounds(times)[0]

    def start_of(self, time: int) -> int:
        """Start of the window of one instant."""
        return int(self.starts(np.array([time], np.int64))[0])

    def next(self, start: int, zone: int, *, descending: bool) -> tuple[int, int]:
        """The next expected window after one, and the zone offset it is expected in."""
        start += -self.every if descending else self.every
        if self.location is None:
            return start, zone
        there = self.zone_at(start - 1)
        if there != zone and abs(zone - there) < self.every:
            start += zone - there
        return start, there

    def zone_at(self, time: int) -> int:
        """Offset of the zone at one instant in ns."""
        return int(self._zone(np.array([time], np.int64))[0])
