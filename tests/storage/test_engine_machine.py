"""A state machine: any order of writes, deletes, flushes, compactions and restarts agrees with a dictionary.

`MACHINE_EXAMPLES` in the environment runs more of them than the fast tests do.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.storage.kit import BUCKET, answer, open_engine, write

from fluxkeep.datamodel.memory_reader import MemoryReader
from fluxkeep.datamodel.point_rows import Point, point
from fluxkeep.datamodel.predicates import And, Compare, Op, Predicate
from fluxkeep.datamodel.reader import Aggregate, ScanRequest
from fluxkeep.datamodel.timerange import EVERYTHING, TimeRange, Window
from fluxkeep.ids import BucketID
from fluxkeep.instants import DAY, WEEK, Duration
from fluxkeep.storage import Engine, StorageOptions, StoredBucket

OTHER = StoredBucket(BucketID("00000000000000bb"))
EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "30"))
OPTIONS = StorageOptions(
    background=False,
    wal_segment_bytes=4096,
    row_group_rows=8,
    scan_block_values=16,
    compaction_files_min=2,
    sort_rows_min=3,
    # A replay flushes on its way.
    memtable_flush_bytes=2000,
)
TIMES = st.integers(0, 12) | st.integers(0, 3).map(lambda n: n * WEEK + DAY)
FIELDS: Mapping[str, st.SearchStrategy[Any]] = {
    "f": st.integers(-4, 4).map(lambda n: n / 4) | st.just(0.1) | st.just(-0.0),
    "i": st.integers(-9, 9),
    "s": st.sampled_from(["", "x", 'quo"te', "é"]),
    "b": st.booleans(),
}


@st.composite
def written(draw: st.DrawFn) -> Point:
    names = draw(st.lists(st.sampled_from(list(FIELDS)), min_size=1, max_size=4, unique=True))
    tags = draw(st.fixed_dictionaries({}, optional={"host": st.sampled_from("abc"), "zone": st.sampled_from("xy")}))
    return point(draw(st.sampled_from(["m", "n"])), tags, {name: draw(FIELDS[name]) for name in names}, draw(TIMES))


TERMS = st.sampled_from([Compare("host", Op.EQ, "a"), Compare("zone", Op.NE, "x"), Compare("_measurement", Op.EQ, "m")])
DOOMED: st.SearchStrategy[Predicate | None] = (
    st.none() | TERMS | st.lists(TERMS, max_size=2).map(lambda terms: And(tuple(terms)))
)


class StoreMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.engine = self._open()
        self.models = {BUCKET: MemoryReader(), OTHER: MemoryReader()}
        self.dropped = False

    def _open(self) -> Engine:
        return open_engine(Path(self.folder.name), OPTIONS)

    @rule(points=st.lists(written(), min_size=1, max_size=8), bucket=st.sampled_from([BUCKET, BUCKET, OTHER]))
    def write(self, points: list[Point], bucket: StoredBucket) -> None:
        if bucket is OTHER and self.dropped:
            return
        outcome = write(self.engine, points, bucket)
        assert (outcome.accepted, outcome.refusals) == (len(points), ())
        self.models[bucket].write(points)

    @rule(start=TIMES, length=st.sampled_from([1, 4, WEEK, 5 * WEEK]), predicate=DOOMED)
    def delete(self, start: int, length: int, predicate: Predicate | None) -> None:
        self.engine.delete(BUCKET.id, TimeRange(start, start + length), predicate)
        self.models[BUCKET].delete(TimeRange(start, start + length), predicate)

    @rule()
    def flush(self) -> None:
        self.engine.flush()

    @rule()
    def compact(self) -> None:
        self.engine.compact()

    @rule()
    def restart(self) -> None:
        self.engine.close()
        self.engine = self._open()

    @rule()
    def crash(self) -> None:
        # What a killed process leaves: no flush, no seal; the lock goes with it.
        self.engine._unlock()
        self.engine = self._open()

    @precondition(lambda self: not self.dropped)
    @rule()
    def drop_other(self) -> None:
        self.engine.drop_bucket(OTHER.id)
        self.models[OTHER] = MemoryReader()
        # A bucket's id is never used again.
        self.dropped = True

    @rule(bounds=st.builds(TimeRange, TIMES, TIMES), aggregate=st.sampled_from(list(Aggregate)))
    def aggregate(self, bounds: TimeRange, aggregate: Aggregate) -> None:
        fields = ("i",) if aggregate.is_selector else ("i", "b", "s")
        fields = fields if aggregate is Aggregate.COUNT else ("i",)
        day = Duration(ns=DAY)
        for request in (
            ScanRequest(time_range=bounds, aggregate=aggregate, fields=fields),
            ScanRequest(aggregate=aggregate, fields=fields),
            ScanRequest(aggregate=aggregate, fields=("i",), window=Window(every=day, period=day), group=("host",)),
        ):
            assert answer(self.engine.reader(BUCKET.id), request) == answer(self.models[BUCKET], request)

    @invariant()
    def answers_agree(self) -> None:
        for bucket, model in self.models.items():
            reader = self.engine.reader(bucket.id)
            # Compared as text, for a negative zero equals zero.
            assert repr(answer(reader)) == repr(answer(model))
            assert list(reader.series(EVERYTHING)) == list(model.series(EVERYTHING))
            assert reader.tag_values("host") == model.tag_values("host")

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.close()
            self.folder.cleanup()


StoreMachine.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=25, deadline=None)
TestStore = StoreMachine.TestCase
