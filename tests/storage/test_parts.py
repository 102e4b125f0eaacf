"""Sources that lie apart in time for every series are read one by one, others together."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.storage.kit import BUCKET, QUIET, answer, open_engine, write

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.point_rows import point
from fluxkeep.datamodel.reader import Aggregate, ScanRequest
from fluxkeep.storage.columns import Column, Rows
from fluxkeep.storage.runs import SortedRun
from fluxkeep.storage.shards import Shard
from fluxkeep.storage.sources import LooseSource, RunSource, ShardSources, parts_of

SHARD = Shard(1, BUCKET.id, 0, 1_000)


def rows_of(cells: set[tuple[int, int]]) -> Rows:
    ordered = sorted(cells)
    ids = np.array([one for one, _ in ordered], np.uint32)
    time = np.array([at for _, at in ordered], np.int64)
    return Rows(ids, time, {"v": Column(FieldType.INTEGER, time.copy(), None)})


def source_of(cells: set[tuple[int, int]], *, loose: bool = False) -> RunSource | LooseSource:
    return LooseSource([rows_of(cells)]) if loose else RunSource(SortedRun(rows_of(cells)))


def cells_of(source: object) -> set[tuple[int, int]]:
    chunks = source.chunks if isinstance(source, LooseSource) else [source.run.rows]  # type: ignore[attr-defined]
    return {pair for rows in chunks for pair in zip(rows.ids.tolist(), rows.time.tolist(), strict=True)}


CELLS = st.sets(st.tuples(st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=12)


@given(st.lists(st.tuples(CELLS, st.booleans()), min_size=1, max_size=5))
def test_each_series_goes_through_the_parts_in_the_order_of_time(made: list[tuple[set[tuple[int, int]], bool]]) -> None:
    sources = [source_of(cells, loose=loose) for cells, loose in made]
    parts = parts_of(ShardSources(SHARD, [], sources))
    inside = [list(part.sources.memory) for part in parts]
    # Each source stands in one part, older before newer: of two writes of a cell the newer must win.
    assert sorted(id(one) for ones in inside for one in ones) == sorted(map(id, sources))
    age = {id(source): number for number, source in enumerate(sources)}
    for ones in inside:
        assert [age[id(one)] for one in ones] == sorted(age[id(one)] for one in ones)
    for series in range(5):
        spans = []
        for ones in inside:
            times = [at for one in ones for number, at in cells_of(one) if number == series]
            spans += [(min(times), max(times))] if times else []
        assert all(before[1] < behind[0] for before, behind in itertools.pairwise(spans))


def test_sources_that_share_an_instant_and_no_series_at_it_are_parts() -> None:
    first = source_of({(series, at) for series in range(4) for at in range(10)} | {(0, 10), (1, 10)})
    second = source_of({(2, 10), (3, 10)} | {(series, at) for series in range(4) for at in range(11, 20)})
    assert [part.plain for part in parts_of(ShardSources(SHARD, [], [first, second]))] == [first, second]
    # One row that both have puts them together.
    again = source_of({(1, 10), (2, 10)} | {(series, at) for series in range(4) for at in range(11, 20)})
    (part,) = parts_of(ShardSources(SHARD, [], [first, again]))
    assert part.plain is None
    assert list(part.sources.memory) == [first, again]


def test_a_source_joins_the_one_that_it_meets_across_another() -> None:
    long = source_of({(0, 0), (0, 20)})
    between = source_of({(1, 5), (1, 6)})
    meets = source_of({(0, 10)})
    parts = parts_of(ShardSources(SHARD, [], [long, between, meets]))
    assert [list(part.sources.memory) for part in parts] == [[long, between, meets]]


def test_files_cut_in_the_middle_of_a_round_answer_as_one(tmp_path: Path) -> None:
    engine = open_engine(tmp_path, QUIET)
    points = [point("m", {"host": f"h{n % 7}"}, {"v": float(n)}, n // 7) for n in range(7 * 12)]
    for start in range(0, len(points), 17):
        write(engine, points[start : start + 17])
        engine.flush()
    for aggregate, wanted in ((Aggregate.LAST, 11), (Aggregate.FIRST, 0)):
        rows = answer(engine.reader(BUCKET.id), ScanRequest(aggregate=aggregate))
        assert sorted(value for _, (*_, value) in rows) == [float(wanted * 7 + host) for host in range(7)]
    counts = answer(engine.reader(BUCKET.id), ScanRequest(aggregate=Aggregate.COUNT))
    assert [value for _, (*_, value) in counts] == [12] * 7
    means = answer(engine.reader(BUCKET.id), ScanRequest(aggregate=Aggregate.MEAN))
    assert sorted(value for _, (*_, value) in means) == [
        float(sum(7 * r + h for r in range(12)) / 12) for h in range(7)
    ]
    engine.close()
