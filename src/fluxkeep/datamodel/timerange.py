"""Half-open ranges of instants, and windows over them."""

from __future__ import annotations

from dataclasses import dataclass

from fluxkeep.instants import MAX_TIME_NS, MIN_TIME_NS, Duration


@dataclass(frozen=True, slots=True)
class TimeRange:
    """[start, stop) in ns."""

    start: int
    stop: int

    @property
    def is_empty(self) -> bool:
        """No instant lies in it."""
        return self.stop <= self.start

    def overlaps(self, first: int, last: int) -> bool:
        """Whether any of the inclusive range first..last lies in it."""
        return first < self.stop and last >= self.start


EVERYTHING = TimeRange(MIN_TIME_NS, MAX_TIME_NS + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Recurring windows: one starts at every multiple of `every` past the epoch, moved by `offset`.

    Attributes:
        every: Distance of two starts; months only or nanoseconds only, positive.
        period: Length of a window; equal to `every` in the pushed-down case.
        offset: Added to every bound.
        location: IANA zone in whose wall clock the bounds are aligned.
    """

    every: Duration
    period: Duration
    offset: Duration = Duration()  # noqa: RUF009 - frozen value
    location: str = "UTC"
