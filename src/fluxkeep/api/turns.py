"""Turns: so many queries at work at once, so many that wait, and a refusal for all others.

Belongs to the event loop; nothing of it is called from another thread.

Source: cli.md §5.2, http-api.md §10.2.
"""

from __future__ import annotations

import asyncio
from collections import deque

from fluxkeep.errors import TooManyRequests


class Turns:
    """Gives turns in the order in which they were asked for.

    Args:
        at_once: How many may be out; 0 for any number.
        waiting_max: How many may wait for one.
    """

    def __init__(self, at_once: int, waiting_max: int) -> None:
        self._at_once = at_once
        self._waiting_max = waiting_max
        self._out = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Return when it is the caller's turn, who gives it back.

        Raises:
            TooManyRequests: Too many wait already.
        """
        if not self._at_once or self._out < self._at_once:
            self._out += 1
            return
        if len(self._waiting) >= self._waiting_max:
            raise TooManyRequests("queue length exceeded")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove(turn)
            else:
                # It came at the same time; somebody else may have it.
                self.give()
            raise

    def give(self) -> None:
        """Pass a turn on to who has waited the longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._out -= 1
