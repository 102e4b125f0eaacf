"""The bounded pool of threads behind the event loop: the one crossing between the two.

The loop hands over a function and awaits its result. Plain threads and one
queue rather than `concurrent.futures`: its futures, wrapped again for the
loop, cost half as much again per hop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

from fluxkeep.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class WorkerPool:
    """Threads that run plain functions for the loop."""

    def __init__(self, threads_max: int, waiting_max: int) -> None:
        self._threads_max = threads_max
        self._waiting_max = waiting_max
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
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
                loop.call_soon_threadsafe(self._fail, future, error)
            else:
                loop.call_soon_threadsafe(self._resolve, future, result)

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

    def _resolve(self, future: asyncio.Future[T], result: T) -> None:
        self._busy -= 1
        if not future.done():
            future.set_result(result)

    def _fail(self, future: asyncio.Future[T], error: BaseException) -> None:
        self._busy -= 1
        if not future.done():
            future.set_exception(error)
