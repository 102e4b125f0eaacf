"""One scenario through everything the store does, with a failure at its n-th call, for every n.

`make test` takes every few n; `EVERY=1` in the environment takes all.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.crash.faulty_files import FaultyFiles, PowerCutError
from tests.crash.test_store import OPTIONS, Change, Oracle
from tests.storage.kit import BUCKET, NOW, answer, write

from fluxkeep.clock import ManualClock
from fluxkeep.datamodel.point_rows import point
from fluxkeep.datamodel.predicates import Compare, Op
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import DeviceFull
from fluxkeep.ids import BucketID
from fluxkeep.instants import DAY, WEEK
from fluxkeep.storage import Engine, StoredBucket
from fluxkeep.storage.files import DeviceFailure

pytestmark = pytest.mark.slow
EVERY = int(os.environ.get("EVERY", "29"))
OTHER = StoredBucket(BucketID("00000000000000bb"))
# The first shard group ends here.
_FIRST_STOP = 4 * DAY

Act = tuple[str, StoredBucket, Change, Callable[[Engine], object]]


class Scenario:
    """The acts in order, and what the store may hold after each."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        folder.mkdir()
        self.files = FaultyFiles(folder, seed)
        self.oracles = {BUCKET.id: Oracle(), OTHER.id: Oracle()}
        self.value = 0.0
        self.failed = 0

    def run(self) -> None:
        """All acts; one that fails is uncertain and the next goes on.

        Raises:
            PowerCutError: As its layer does.
        """
        for life in range(3):
            engine = self.open()
            for name, bucket, change, act in self._acts(life):
                oracle = self.oracles[bucket.id]
                try:
                    act(engine)
                except PowerCutError:
                    oracle.uncertain(change)
                    raise
                except (DeviceFull, DeviceFailure):
                    oracle.uncertain(change)
                    self.failed += 1
                    # A bucket is dropped in full or not at all; a failed change is invisible.
                    assert self.state(engine, bucket) == oracle.live, name
                else:
                    oracle.acknowledged(change)
                    assert self.state(engine, bucket) == oracle.live, name
            engine.close()

    def open(self) -> Engine:
        """Start; a device that fails refuses starts for as long as it does."""
        for _ in range(20):
            try:
                return self._open()
            except (DeviceFull, DeviceFailure):
                self.failed += 1
        raise AssertionError("it does not start any more")

    def _open(self) -> Engine:
        engine = Engine(self.folder, ManualClock(NOW), OPTIONS, files=self.files)
        for bucket, oracle in self.oracles.items():
            oracle.found(self.state(engine, StoredBucket(bucket)))
        return engine

    @staticmethod
    def state(engine: Engine, bucket: StoredBucket) -> dict[tuple[str, str, int], float]:
        return {(s.tags[0][1], s.field, row[0]): row[1] for s, row in answer(engine.reader(bucket.id))}

    def _acts(self, life: int) -> Iterator[Act]:
        nothing = Change({})
        for start in (0, WEEK, 0):
            yield self._write(BUCKET, start, life)
            yield self._write(BUCKET, start + 2, life)
            yield "flush", BUCKET, nothing, lambda engine: engine.flush()
        yield self._write(OTHER, 0, life)
        yield self._delete("a", 1, 4)
        yield "compact", BUCKET, nothing, lambda engine: engine.compact()
        yield self._write(BUCKET, 1, life)
        yield self._delete(None, WEEK + 1, WEEK + 3)
        yield "flush", BUCKET, nothing, lambda engine: engine.flush()
        for _ in range(3):
            yield "compact", BUCKET, nothing, lambda engine: engine.compact()
        if life == 1:
            kept = StoredBucket(BUCKET.id, retention_ns=WEEK)
            yield self._write(BUCKET, 3, life)
            dropped = Change({}, (None, TimeRange(-WEEK, _FIRST_STOP)))
            now = 2 * WEEK
            yield "retention", BUCKET, dropped, lambda engine: engine.enforce_retention([kept], now)
            yield self._write(BUCKET, 0, life)
            everything = Change({}, (None, TimeRange(-WEEK, 9 * WEEK)))
            yield "drop", OTHER, everything, lambda engine: engine.drop_bucket(OTHER.id)
        yield self._write(BUCKET, WEEK + 5, life)

    def _write(self, bucket: StoredBucket, start: int, life: int) -> Act:
        cells: dict[tuple[str, str, int], float | None] = {}
        points = []
        for host in "ab":
            self.value += 1
            cells[(host, "f", start + life)] = self.value
            points.append(point("m", {"host": host}, {"f": self.value}, start + life))
        return "write", bucket, Change(cells), lambda engine: write(engine, points, bucket)

    def _delete(self, host: str | None, start: int, stop: int) -> Act:
        bounds = TimeRange(start, stop)
        predicate = None if host is None else Compare("host", Op.EQ, host)
        return "delete", BUCKET, Change({}, (host, bounds)), lambda engine: engine.delete(BUCKET.id, bounds, predicate)


def _calls(folder: Path) -> int:
    scenario = Scenario(folder, 0)
    scenario.run()
    assert not scenario.failed
    return scenario.files.calls


@pytest.mark.parametrize("failure", [errno.EIO, errno.ENOSPC])
def test_a_failure_at_any_call_loses_nothing(tmp_path: Path, failure: int) -> None:
    calls = _calls(tmp_path / "whole")
    assert calls > 150
    failed = 0
    for n in range(1 + failure % EVERY, calls, EVERY):
        scenario = Scenario(tmp_path / f"{n}", n)
        scenario.files.fail_at, scenario.files.failure = n, failure
        scenario.run()
        failed += scenario.failed
        # A failure that nothing needed to be told of is one of tidying up, and those are few.
        scenario.files = scenario.files.lose_power()
        scenario.open()
    assert failed > calls // EVERY // 2


@pytest.mark.parametrize("seed", range(2))
def test_a_power_cut_at_any_call_loses_nothing(tmp_path: Path, seed: int) -> None:
    calls = _calls(tmp_path / "whole")
    for n in range(1 + seed, calls, EVERY):
        scenario = Scenario(tmp_path / f"{n}", 1000 * seed + n)
        scenario.files.cut_at = n
        with pytest.raises(PowerCutError):
            scenario.run()
        scenario.files = scenario.files.lose_power()
        scenario.open()


def test_a_device_that_fails_from_any_call_on_for_a_while_loses_nothing(tmp_path: Path) -> None:
    calls = _calls(tmp_path / "whole")
    for n in range(5, calls, 2 * EVERY):
        scenario = Scenario(tmp_path / f"{n}", n)
        scenario.files.full_between = (n, n + 12)
        scenario.run()
        scenario.files = scenario.files.lose_power()
        scenario.open()
