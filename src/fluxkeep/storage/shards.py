"""Shard groups: the time ranges into which a bucket is cut.

A group is one shard here, so one small server-wide id names both. Bounds are
multiples of the group's duration counted from Go's zero time, the year 1, which
was a Monday: weeks start on Mondays 00:00 UTC. Groups of one bucket never
overlap; when a bucket's group duration changes, a new group is cut to fit
between its neighbours.

Source: http-api.md §5, §26.1.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fluxkeep.ids import BucketID
from fluxkeep.instants import DAY, HOUR, MAX_TIME_NS, MIN_TIME_NS, WEEK

# Go's zero time, 0001-01-01T00:00:00Z, in ns before the epoch.
_GO_ZERO_NS = -62_135_596_800 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard group of one bucket: [start, stop) in ns."""

    id: int
    bucket: BucketID
    start: int
    stop: int


def group_duration(retention_ns: int, shard_group_ns: int) -> int:
    """The length of new groups: as given but at least an hour, or chosen by the retention period."""
    if shard_group_ns:
        return max(shard_group_ns, HOUR)
    if retention_ns == 0 or retention_ns >= 180 * DAY:
        return WEEK
    return DAY if retention_ns >= 2 * DAY else HOUR


def bounds_of(time: int, duration: int) -> tuple[int, int]:
    """The group's bounds around an instant, cut to the instants that exist."""
    start = (time - _GO_ZERO_NS) // duration * duration + _GO_ZERO_NS
    return max(start, MIN_TIME_NS), min(start + duration, MAX_TIME_NS + 1)


class ShardMap:
    """The shard groups of one bucket in order of time."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._shards: list[Shard] = []

    def all(self) -> tuple[Shard, ...]:
        """All groups, ascending."""
        return tuple(self._shards)

    def add(self, shard: Shard) -> None:
        """Take in a group; it overlaps none that is there."""
        at = bisect.bisect_left(self._starts, shard.start)
        self._starts.insert(at, shard.start)
        self._shards.insert(at, shard)

    def remove(self, shard: Shard) -> None:
        """Forget a group."""
        at = self._shards.index(shard)
        del self._starts[at], self._shards[at]

    def find(self, time: int) -> Shard | None:
        """The group that holds an instant."""
        at = bisect.bisect_right(self._starts, time) - 1
        if at >= 0 and time < self._shards[at].stop:
            return self._shards[at]
        return None

    def bounds_for(self, time: int, duration: int) -> tuple[int, int]:
        """Bounds of a new group around an instant that no group holds, cut to fit between its neighbours."""
        start, stop = bounds_of(time, duration)
        at = bisect.bisect_right(self._starts, time)
        if at > 0:
            start = max(start, self._shards[at - 1].stop)
        if at < len(self._shards):
            stop = min(stop, self._shards[at].start)
        return start, stop

    def missing(self, times: npt.NDArray[np.int64], duration: int) -> list[tuple[int, int]]:
        """Bounds of the groups to make so that every instant has one, ascending."""
        bounds: list[tuple[int, int]] = []
        if len(times):
            first = self.find(int(times.min()))
            if first is not None and int(times.max()) < first.stop:
                return bounds
        rest = np.unique(times)
        while len(rest):
            found = self.find(int(rest[0]))
            start, stop = (found.start, found.stop) if found else self.bounds_for(int(rest[0]), duration)
            if found is None:
                bounds.append((start, stop))
            rest = rest[np.searchsorted(rest, min(stop, MAX_TIME_NS), side="right" if stop > MAX_TIME_NS else "left") :]
        return bounds
