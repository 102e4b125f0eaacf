"""The store's threads: one flushes, one compacts, so that neither waits for the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from fluxkeep.errors import FluxkeepError

_TICK_SECONDS = 1.0
_BACKOFF_SECONDS_MAX = 30.0


class Worker:
    """Runs upkeep in the background until stopped; a failure is logged and tried again later."""

    def __init__(self, flush: Callable[[], object], compact: Callable[[], bool], log: Any) -> None:
        """Start.

        Args:
            flush: Called at every tick and when woken.
            compact: Called at every tick until it has nothing to do.
            log: Where failures go.
        """
        self._log = log
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._flusher = threading.Thread(target=self._flush_loop, args=(flush,), name="storage-flush", daemon=True)
        self._compactor = threading.Thread(
            target=self._compact_loop, args=(compact,), name="storage-compact", daemon=True
        )
        self._flusher.start()
        self._compactor.start()

    def wake(self) -> None:
        """Look now whether there is something to flush."""
        self._wake.set()

    def stop(self) -> None:
        """Finish what runs and end."""
        self._stopping.set()
        self._wake.set()
        self._flusher.join()
        self._compactor.join()

    def _flush_loop(self, flush: Callable[[], object]) -> None:
        delay = _TICK_SECONDS
        while True:
            self._wake.wait(timeout=delay)
            self._wake.clear()
            if self._stopping.is_set():
                return
            delay = _TICK_SECONDS if self._attempt(flush) else min(2 * delay, _BACKOFF_SECONDS_MAX)

    def _compact_loop(self, compact: Callable[[], bool]) -> None:
        delay = _TICK_SECONDS
        while not self._stopping.wait(timeout=delay):
            delay = _TICK_SECONDS if self._attempt(compact) else min(2 * delay, _BACKOFF_SECONDS_MAX)

    def _attempt(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except FluxkeepError as error:
            self._log.error("storage.upkeep.failed", reason=error.message)
            return False
        except Exception:  # noqa: BLE001 - a supervisor: without its thread the store would fill up and stop
            self._log.exception("storage.upkeep.failed", reason="unforeseen")
            return False
        return True
