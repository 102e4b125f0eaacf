"""Small requests of one kind, worked on together.

While a thread is at work on some, those that come in meanwhile wait on the
event loop, and are the next that it is given, all at once. So a hundred
clients that write a line each cost one hand-over between loop and thread, one
turn at the store's lock and one sync, where they took a hundred; and a client
alone waits for nobody. Source: docs/adr/0031-small-writes.md.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from starlette.responses import Response

from fluxkeep.api.endpoint import Call, Group
from fluxkeep.api.pool import WorkerPool
from fluxkeep.api.responses import no_content
from fluxkeep.errors import Unavailable

T = TypeVar("T")

# A body up to this size is so soon parsed that the way there costs more.
BODY_BYTES_MAX = 16 * 1024
# At most so many are handed over at once: the last of them waits for the parsing of all.
AT_ONCE_MAX = 64


class Together:
    """The requests of one endpoint. Belongs to the event loop; only the handler runs on a thread."""

    def __init__(self, pool: WorkerPool, handler: Group, waiting_max: int) -> None:
        self._pool = pool
        self._handler = handler
        self._waiting_max = waiting_max
        self._waiting: deque[tuple[Call, asyncio.Future[Response]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    def takes(self, call: Call) -> bool:
        """Whether a call is small enough; a packed body may be a large one."""
        return len(call.body) <= BODY_BYTES_MAX and "content-encoding" not in call.headers

    async def run(self, call: Call) -> Response:
        """The answer to a call, or what its handler raised.

        A caller that is cancelled stops waiting; the request is worked on all the same.

        Raises:
            Unavailable: Too many wait already, or the server stops.
        """
        if len(self._waiting) >= self._waiting_max:
            raise Unavailable("the server has too many requests at work")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Response] = loop.create_future()
        self._waiting.append((call, future))
        if self._worker is None:
            self._worker = loop.create_task(self._work())
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), AT_ONCE_MAX))]
                answers: Sequence[Response | BaseException]
                try:
                    answers = await self._pool.run(self._handler, [call for call, _ in taken])
                except BaseException as error:  # noqa: BLE001  # handed to the callers as it is
                    answers = [error] * len(taken)
                for (_, future), answer in zip(taken, answers, strict=True):
                    if future.done():
                        continue
                    if isinstance(answer, BaseException):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)
        finally:
            self._worker = None


def each(
    calls: Sequence[Call], asked: Callable[[Call], T], work: Callable[[Sequence[T]], Sequence[Exception | None]]
) -> list[Response | Exception]:
    """Answer calls whose success is an empty answer.

    Args:
        calls: All of them.
        asked: What a call wants; an error is that call's answer.
        work: Does what was asked; gives for each the error that it ended in.
    """
    answers: list[Response | Exception] = []
    wanted: dict[int, T] = {}
    for number, call in enumerate(calls):
        try:
            wanted[number] = asked(call)
        except Exception as error:  # noqa: BLE001  # its own caller's
            answers.append(error)
        else:
            answers.append(no_content())
    for number, failure in zip(wanted, work(list(wanted.values())), strict=True):
        if failure is not None:
            answers[number] = failure
    return answers
