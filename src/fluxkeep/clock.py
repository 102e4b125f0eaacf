"""Time is handed in: a protocol, the system's clock and one that tests move."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where instants come from."""

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch, UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds of a clock that never steps back; only differences mean something."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch, UTC."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """The system's monotonic clock in nanoseconds."""
        return time.monotonic_ns()


class ManualClock:
    """Stands still until a test moves it; wall and monotonic time move together."""

    def __init__(self, now_ns: int = 1_700_000_000_000_000_000) -> None:
        self._now_ns = now_ns
        self._monotonic_ns = 0

    def now_ns(self) -> int:
        """The instant it was moved to."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """What it was moved by in all."""
        return self._monotonic_ns

    def advance(self, *, seconds: float = 0, ns: int = 0) -> None:
        """Move forward."""
        step = ns + round(seconds * 1_000_000_000)
        self._now_ns += step
        self._monotonic_ns += step
