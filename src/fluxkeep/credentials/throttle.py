"""Slowing down whoever guesses: failures are counted by address, successes never wait.

A bucket of failures per address drains at a steady rate. Only a credential
that was found wrong is counted and only the answer to a wrong one becomes 429,
so a valid one is never delayed, even from an address that is being throttled.

Source: W24; tokens.md §10 item 7 (30 refusals a second must pass).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from fluxkeep.clock import Clock
from fluxkeep.errors import TooManyRequests
from fluxkeep.instants import SECOND


@dataclass(frozen=True, slots=True)
class ThrottleOptions:
    """Limits of one throttle.

    Attributes:
        burst: Failures that an address may send at once.
        per_second: Failures a second that it may keep sending.
        addresses_max: How many addresses are remembered; the longest quiet one is forgotten first.
    """

    burst: int = 100
    per_second: float = 30.0
    addresses_max: int = 65_536


class Throttle:
    """Counts failures by address; safe from any thread."""

    def __init__(self, clock: Clock, options: ThrottleOptions | None = None) -> None:
        self._clock = clock
        self._options = options or ThrottleOptions()
        self._lock = threading.Lock()
        # Address to (failures in the bucket, monotonic ns of the last one).
        self._failures: dict[str, tuple[float, int]] = {}

    def failed(self, address: str) -> None:
        """Count a refused credential.

        Raises:
            TooManyRequests: The address has used up its failures; says when the next is answered.
        """
        now = self._clock.monotonic_ns()
        options = self._options
        with self._lock:
            level, since = self._failures.pop(address, (0.0, now))
            level = max(0.0, level - (now - since) * options.per_second / SECOND) + 1
            refused = level > options.burst
            # A throttled attempt does not deepen the hole, or a stuck script would lock itself out for hours.
            self._failures[address] = (min(level, float(options.burst)), now)
            while len(self._failures) > options.addresses_max:
                del self._failures[next(iter(self._failures))]
        if refused:
            wait = max(1, round(1 / options.per_second))
            raise TooManyRequests("too many failed authentication attempts", retry_after_seconds=wait)
