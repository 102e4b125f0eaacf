"""Writers, readers, flushes and compactions at once: every acknowledged point is seen by the next scan."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.storage.kit import BUCKET, answer, write

from fluxkeep.clock import SystemClock
from fluxkeep.datamodel.point_rows import point
from fluxkeep.datamodel.reader import Aggregate, ScanRequest
from fluxkeep.storage import Engine, StorageOptions
from fluxkeep.storage.worker import Worker

OPTIONS = StorageOptions(
    memtable_flush_bytes=50_000, memtable_bytes_max=2_000_000, compaction_files_min=2, wal_segment_bytes=1 << 18
)
COUNTS = ScanRequest(aggregate=Aggregate.COUNT, group=("client",), fields=("v",))
SECONDS = 3.0


def _counts(engine: Engine) -> dict[str, int]:
    return {series.tags[0][1]: row[1] for series, row in answer(engine.reader(BUCKET.id), COUNTS)}


def test_what_is_acknowledged_is_seen_whatever_runs_beside(tmp_path: Path) -> None:
    engine = Engine(tmp_path, SystemClock(), OPTIONS)
    stop = time.monotonic() + SECONDS
    failures: list[str] = []
    written: dict[str, int] = {}

    def supervised(work: Callable[[], None]) -> None:
        try:
            while time.monotonic() < stop and not failures:
                work()
        except Exception:  # noqa: BLE001 - a thread has no other way to say it
            failures.append(traceback.format_exc())

    def writer(client: str) -> Callable[[], None]:
        def work() -> None:
            done = written.get(client, 0)
            write(engine, [point("m", {"client": client}, {"v": 0.5, "n": i}, i) for i in range(done, done + 50)])
            written[client] = done + 50

        return work

    def reader() -> None:
        before = dict(written)
        found = _counts(engine)
        assert all(found.get(client, 0) >= count for client, count in before.items()), (before, found)
        engine.compact()

    works = [writer("a"), writer("b"), writer("c"), reader, reader]
    threads = [threading.Thread(target=supervised, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert _counts(engine) == written
    assert sum(written.values()) > 300
    engine.close()
    engine = Engine(tmp_path, SystemClock(), OPTIONS)
    assert _counts(engine) == written
    engine.close()


def test_upkeep_survives_an_unforeseen_failure() -> None:
    calls: list[int] = []
    done = threading.Event()

    def flush() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError
        done.set()

    logged: list[str] = []

    class Log:
        def exception(self, event: str, **_: object) -> None:
            logged.append(event)
            worker.wake()

    worker = Worker(flush, lambda: False, Log())
    worker.wake()
    assert done.wait(10)
    worker.stop()
    assert logged == ["storage.upkeep.failed"]
