"""The bounded pool of threads behind the event loop: the one crossing between the two.

The loop hands over a function and awaits its result. Plain threads and one
queue rather than `concurrent.futures`: its futures, wrapped again for the
loop, cost half as much again per hop. Results that are ready at the same time
wake the loop once: each wake is a system call that gives the interpreter away.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from fluxkeep.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class WorkerPool:
    """Threads that run plain functions for one event loop."""

    def __init__(self, threads_max: int, waiting_max: int) -> None:
        self._threads_max = threads_max
        self._waiting_max = waiting_max
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._finished: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._waking = False
        # Both are touched by the loop alone, so they need no lock.
        self._busy = 0
        self._closed = False

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function on a thread and give its result or raise what it raised.

        A caller that is cancelled stops waiting; the function runs to its end.

        Raises:
            Unavailable: Too many wait already, or the server stops.
        """
        if self._closed or self._busy >= self._threads_max + self._waiting_max:
            raise Unavailable("the server has too many requests at work")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def job() -> None:
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001  # handed to the caller as it is
                self._finish(loop, future, None, error)
            else:
                self._finish(loop, future, result, None)

        self._busy += 1
        if self._busy > len(self._threads) < self._threads_max:
            self._start_thread()
        self._jobs.put(job)
        return await future

    def close(self) -> None:
        """Let the threads finish what they have and end; no job is taken after this."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._work, name=f"worker-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _finish(
        self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], result: Any, error: BaseException | None
    ) -> None:
        # The result is in the queue before the flag is looked at, and the loop clears the flag before it looks
        # into the queue: whoever finds the flag set has its result taken by the wake that is under way.
        self._finished.append((future, result, error))
        if not self._waking:
            self._waking = True
            loop.call_soon_threadsafe(self._collect)

    def _collect(self) -> None:
        self._waking = False
        while self._finished:
            future, result, error = self._finished.popleft()
            self._busy -= 1
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
