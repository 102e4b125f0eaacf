"""Seeded schedules of writes, deletes, flushes and compactions over a device that fails and loses power.

What must hold after any of them: an acknowledged change is there, a change that
ended in an error is there whole or not at all, and nothing else is. `SCHEDULES`
in the environment runs more of them than the fast tests do.
"""

from __future__ import annotations

import errno
import os
import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.crash.faulty_files import FaultyFiles, PowerCutError
from tests.storage.kit import BUCKET, answer, one_write, open_engine, write

from fluxkeep.datamodel.point_rows import Point, point
from fluxkeep.datamodel.predicates import Compare, Op
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import FluxkeepError
from fluxkeep.instants import WEEK
from fluxkeep.storage import Engine, StorageOptions

SCHEDULES = int(os.environ.get("SCHEDULES", "18"))
OPTIONS = StorageOptions(
    background=False, wal_segment_bytes=4096, row_group_rows=16, scan_block_values=20, compaction_files_min=2
)

Cell = tuple[str, str, int]
HOSTS = ("a", "b", "c")


@dataclass
class Change:
    """A write (cells to values) or a delete (cells to None); `matches` is a delete's reach."""

    cells: dict[Cell, float | None]
    delete: tuple[str | None, TimeRange] | None = None

    def on(self, state: dict[Cell, float]) -> dict[Cell, float]:
        if self.delete is None:
            return state | {c: v for c, v in self.cells.items() if v is not None}
        host, bounds = self.delete
        return {
            c: v
            for c, v in state.items()
            if not ((host is None or c[0] == host) and bounds.start <= c[2] < bounds.stop)
        }


@dataclass
class Oracle:
    """The states that the store may be in: one while all is well, more after errors."""

    live: dict[Cell, float] = field(default_factory=dict)
    # Every state that a restart may find; `live` is one of them.
    possible: list[dict[Cell, float]] = field(default_factory=lambda: [{}])

    def acknowledged(self, change: Change) -> None:
        self.live = change.on(self.live)
        self.possible = _distinct([change.on(state) for state in self.possible])

    def uncertain(self, change: Change) -> None:
        self.possible = _distinct(self.possible + [change.on(state) for state in self.possible])

    def found(self, state: dict[Cell, float]) -> None:
        assert state in self.possible, f"{len(self.possible)} states were possible"
        self.live, self.possible = state, [state]


def _distinct(states: list[dict[Cell, float]]) -> list[dict[Cell, float]]:
    return list({tuple(sorted(state.items())): state for state in states}.values())


def _state(engine: Engine) -> dict[Cell, float]:
    return {(s.tags[0][1], s.field, row[0]): row[1] for s, row in answer(engine.reader(BUCKET.id))}


class Schedule:
    """One run: random acts until the device fails or power goes, then a look."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.files = FaultyFiles(folder, seed)
        self.folder = folder
        self.oracle = Oracle()
        self.value = 0.0

    def open(self) -> Engine:
        return open_engine(self.folder, OPTIONS, self.files)

    def act(self, engine: Engine) -> None:
        """One random act; an error leaves its change uncertain."""
        kind = self.random.choices(["write", "writes", "delete", "flush", "compact", "look"], [6, 2, 2, 2, 2, 2])[0]
        if kind == "look":
            assert _state(engine) == self.oracle.live
            return
        # Each failure doubles the states that may be found: on a full device one write at a time fails.
        if kind == "writes" and not self.files.full:
            self._write_all(engine)
            return
        kind = "write" if kind == "writes" else kind
        change = self._change(kind)
        try:
            if kind == "write":
                write(engine, _points(change))
            elif change.delete is not None:
                host, bounds = change.delete
                engine.delete(BUCKET.id, bounds, None if host is None else Compare("host", Op.EQ, host))
            elif kind == "flush":
                engine.flush()
            else:
                engine.compact()
        except (FluxkeepError, PowerCutError):
            self.oracle.uncertain(change)
            raise
        self.oracle.acknowledged(change)

    def _write_all(self, engine: Engine) -> None:
        """Several writes at once, each with its own end."""
        changes = [self._change("write") for _ in range(self.random.randint(2, 5))]
        try:
            outcomes = engine.write_all([one_write(_points(change)) for change in changes])
        except (FluxkeepError, PowerCutError):
            for change in changes:
                self.oracle.uncertain(change)
            raise
        failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        for change, outcome in zip(changes, outcomes, strict=True):
            if isinstance(outcome, Exception):
                self.oracle.uncertain(change)
            else:
                self.oracle.acknowledged(change)
        for failure in failures:
            raise failure

    def _change(self, kind: str) -> Change:
        if kind == "write":
            cells: dict[Cell, float | None] = {}
            for _ in range(self.random.randint(1, 6)):
                self.value += 1
                time = self.random.choice([self.random.randint(0, 9), WEEK + self.random.randint(0, 9)])
                cells[(self.random.choice(HOSTS), self.random.choice("fg"), time)] = self.value
            return Change(cells)
        if kind == "delete":
            start = self.random.choice([0, 3, WEEK])
            bounds = TimeRange(start, start + self.random.choice([1, 5, WEEK]))
            return Change({}, (self.random.choice([None, *HOSTS]), bounds))
        return Change({})


def _points(change: Change) -> list[Point]:
    rows: dict[tuple[str, int], dict[str, float]] = {}
    for (host, name, time), value in change.cells.items():
        assert value is not None
        rows.setdefault((host, time), {})[name] = value
    return [point("m", {"host": host}, dict(fields), time) for (host, time), fields in rows.items()]


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_power_cuts(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        schedule = Schedule(Path(folder), seed)
        for _ in range(4):
            try:
                schedule.files.cut_at = schedule.files.calls + schedule.random.randint(1, 120)
                engine = schedule.open()
                schedule.oracle.found(_state(engine))
                for _ in range(40):
                    schedule.act(engine)
                engine.close()
            except PowerCutError:
                pass
            schedule.files = schedule.files.lose_power()
        schedule.oracle.found(_state(schedule.open()))


@pytest.mark.parametrize("failure", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("seed", range(SCHEDULES // 2))
def test_one_failing_call(seed: int, failure: int) -> None:
    """After a failed call the store goes on: later acts succeed, reads see what was acknowledged."""
    with tempfile.TemporaryDirectory() as folder:
        schedule = Schedule(Path(folder), seed)
        schedule.files.failure = failure
        engine = schedule.open()
        schedule.files.fail_at = schedule.files.calls + schedule.random.randint(1, 80)
        for _ in range(30):
            try:
                schedule.act(engine)
            except FluxkeepError:
                assert _state(engine) == schedule.oracle.live, "a change that failed is invisible"
        schedule.files.fail_at = None
        if schedule.random.random() < 0.5:
            schedule.files = schedule.files.lose_power()
        else:
            engine.close()
        schedule.oracle.found(_state(schedule.open()))


@pytest.mark.parametrize("seed", range(SCHEDULES // 6))
def test_full_device(seed: int) -> None:
    """On a full device writes fail, reads and deletes go on; with space back all works again."""
    with tempfile.TemporaryDirectory() as folder:
        schedule = Schedule(Path(folder), seed)
        engine = schedule.open()
        for _ in range(10):
            schedule.act(engine)
        schedule.files.full = True
        failed = 0
        for _ in range(14):
            try:
                schedule.act(engine)
            except FluxkeepError:
                failed += 1
                assert _state(engine) == schedule.oracle.live
        assert failed
        schedule.files.full = False
        for _ in range(10):
            schedule.act(engine)
        engine.flush()
        assert _state(engine) == schedule.oracle.live
        schedule.files = schedule.files.lose_power()
        schedule.oracle.found(_state(schedule.open()))
