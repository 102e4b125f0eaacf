"""One suite for every Reader: random data, random questions, the same answers as the oracle's.

The oracle is `MemoryReader`, checked itself by the examples at the end.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.storage.kit import BUCKET, QUIET, answer, open_engine, write

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.memory_reader import MemoryReader
from fluxkeep.datamodel.point_rows import Point, point
from fluxkeep.datamodel.predicates import And, Compare, Exists, Not, Op, Or, Predicate
from fluxkeep.datamodel.reader import Aggregate, FieldSeries, Reader, ScanRequest
from fluxkeep.datamodel.timerange import EVERYTHING, TimeRange, Window
from fluxkeep.errors import FluxkeepError, InvalidInput
from fluxkeep.instants import DAY, HOUR, MINUTE, WEEK, Duration

Batches = Sequence[Sequence[Point]]


@contextmanager
def memory(batches: Batches) -> Iterator[Reader]:
    reader = MemoryReader()
    for batch in batches:
        reader.write(batch)
    yield reader


@contextmanager
def disk(
    batches: Batches,
    flush_after: Callable[[int], bool],
    *,
    compacted: bool = False,
    sorted_after: Callable[[int], bool] = lambda _: False,
) -> Iterator[Reader]:
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(Path(folder), replace(QUIET, sort_rows_min=1))
        for number, batch in enumerate(batches):
            if batch:
                assert not write(engine, batch).refusals
            if flush_after(number):
                engine.flush()
            if sorted_after(number):
                # A scan leaves the memtable sorted.
                engine.reader(BUCKET.id).scan(ScanRequest())
        while compacted and engine.compact():
            pass
        try:
            yield engine.reader(BUCKET.id)
        finally:
            engine.close()


READERS: dict[str, Callable[[Batches], Any]] = {
    "memtable": lambda batches: disk(batches, lambda _: False),
    "memtable sorted after each write": lambda batches: disk(batches, lambda _: False, sorted_after=lambda _: True),
    "files and memtable sorted in between": lambda batches: disk(
        batches, lambda n: n % 4 == 0, sorted_after=lambda n: n % 3 == 1
    ),
    "file": lambda batches: disk(batches, lambda n: n == len(batches) - 1),
    "a file a write": lambda batches: disk(batches, lambda _: True),
    "compacted files": lambda batches: disk(batches, lambda _: True, compacted=True),
    "files and memtable": lambda batches: disk(batches, lambda n: n % 2 == 0),
}

# --- strategies --------------------------------------------------------------------------------

TAGS = st.dictionaries(st.sampled_from(["host", "region", "z"]), st.sampled_from(["a", "b", "ab", "c"]), max_size=3)
STEPS = st.one_of(
    st.integers(-40, 40).map(lambda n: n * 7 * MINUTE),
    st.integers(-9, 9).map(lambda n: n * 9 * DAY),
    st.integers(-50, 50),
)
TIMES = STEPS.map(lambda step: 1_711_846_800_000_000_000 + step)
# Dyadic, so that sums do not depend on the order of adding.
FLOATS = st.integers(-1000, 1000).map(lambda n: n / 8)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "f": FLOATS,
    "i": st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-5, 5),
    "u": (st.integers(0, (1 << 64) - 1) | st.integers(0, 5)).map(np.uint64),
    "s": st.text('abé"\\ ,=\n', max_size=4),
    "b": st.booleans(),
}


@st.composite
def points(draw: st.DrawFn) -> Point:
    names = draw(st.lists(st.sampled_from([*VALUES, "x"]), min_size=1, max_size=4, unique=True))
    time = draw(TIMES)
    fields: dict[str, Any] = {}
    for name in names:
        # x is a float in even weeks and an integer in odd ones: types are fixed per shard group only.
        week = (time + 3 * DAY) // WEEK
        fields[name] = draw(VALUES["f" if week % 2 == 0 else "i"] if name == "x" else VALUES[name])
    return point(draw(st.sampled_from(["m", "n"])), draw(TAGS), fields, time)


BATCHES = st.lists(st.lists(points(), max_size=12), min_size=1, max_size=5)
LITERALS = st.sampled_from(["a", "ab", "", "m", "f", 0, 2, 2.5, -1.0, True, 1 << 63])
COMPARES = st.one_of(
    st.builds(
        Compare,
        st.sampled_from(["host", "region", "nothing", "_measurement", "_field", "_value"]),
        st.sampled_from([Op.EQ, Op.NE, Op.LT, Op.LE, Op.GT, Op.GE]),
        LITERALS,
    ),
    st.builds(
        Compare,
        st.sampled_from(["host", "region", "_measurement", "_field", "_value"]),
        st.sampled_from([Op.MATCH, Op.NOT_MATCH]),
        st.sampled_from(["a", "^b$", "[ac]", ""]),
    ),
    st.builds(Compare, st.just("_time"), st.sampled_from([Op.LT, Op.GE, Op.EQ]), TIMES),
    st.builds(Exists, st.sampled_from(["host", "nothing", "_value", "_field"])),
)
PREDICATES: st.SearchStrategy[Predicate] = st.recursive(
    COMPARES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=5,
)
RANGES = st.just(EVERYTHING) | st.builds(TimeRange, TIMES, TIMES)


def _window(every: Duration, offset: Duration, location: str) -> Window:
    return Window(every=every, period=every, offset=offset, location=location)


WINDOWS = st.builds(
    _window,
    st.sampled_from([Duration(ns=n) for n in (MINUTE, HOUR, DAY, WEEK, 7)] + [Duration(months=1), Duration(months=3)]),
    st.sampled_from([Duration(), Duration(ns=HOUR), Duration(ns=-3 * DAY), Duration(ns=5)]),
    st.sampled_from(["UTC", "UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
)
GROUPS = st.none() | st.lists(
    st.sampled_from(["host", "region", "_measurement", "_field"]), max_size=4, unique=True
).map(tuple)


@st.composite
def requests(draw: st.DrawFn) -> ScanRequest:
    aggregate = draw(st.none() | st.sampled_from(list(Aggregate)))
    return ScanRequest(
        time_range=draw(RANGES),
        predicate=draw(st.none() | PREDICATES),
        absent_is_empty=draw(st.booleans()),
        fields=draw(st.none() | st.lists(st.sampled_from(["f", "i", "x", "none"]), max_size=3).map(tuple)),
        aggregate=aggregate,
        window=draw(st.none() | WINDOWS) if aggregate else None,
        group=draw(GROUPS) if aggregate else None,
        descending=draw(st.booleans()),
        limit=draw(st.none() | st.integers(0, 3)),
    )


def _outcome(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except FluxkeepError as error:
        return type(error)


@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches=BATCHES, asked=st.lists(requests(), min_size=1, max_size=4))
def test_scan_equals_the_oracle(kind: str, batches: Batches, asked: list[ScanRequest]) -> None:
    with memory(batches) as oracle, READERS[kind](batches) as reader:
        for request in asked:
            expected = _outcome(lambda r=request: answer(oracle, r))  # type: ignore[misc]
            found = _outcome(lambda r=request: answer(reader, r))  # type: ignore[misc]
            assert found == expected, request


@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches=BATCHES, predicate=st.none() | PREDICATES)
def test_names_equal_the_oracle(kind: str, batches: Batches, predicate: Predicate | None) -> None:
    with memory(batches) as oracle, READERS[kind](batches) as reader:
        assert reader.measurements(EVERYTHING, predicate) == oracle.measurements(EVERYTHING, predicate)
        assert reader.tag_keys(EVERYTHING, predicate) == oracle.tag_keys(EVERYTHING, predicate)
        for key in ("host", "_measurement", "_field", "nothing"):
            assert reader.tag_values(key, EVERYTHING, predicate) == oracle.tag_values(key, EVERYTHING, predicate)
        assert list(reader.series(EVERYTHING, predicate)) == list(oracle.series(EVERYTHING, predicate))
        assert reader.cardinality(EVERYTHING, predicate) == oracle.cardinality(EVERYTHING, predicate)
        found = reader.field_keys(EVERYTHING, predicate)
        expected = oracle.field_keys(EVERYTHING, predicate)
        assert found == expected
        for measurement in ("m", "n", "none"):
            assert reader.schema(measurement) == oracle.schema(measurement)


@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches=BATCHES, time_range=RANGES)
def test_names_within_a_range_leave_out_no_row(kind: str, batches: Batches, time_range: TimeRange) -> None:
    with memory(batches) as oracle, READERS[kind](batches) as reader:
        found = set(reader.series(time_range))
        assert found >= set(oracle.series(time_range))
        assert found <= set(oracle.series(EVERYTHING))


# --- examples that fix what the oracle itself means -----------------------------------------------

CPU = [
    point("cpu", {"host": "b"}, {"v": 1.5}, 10),
    point("cpu", {"host": "a"}, {"v": 4.0, "n": 7}, 10),
    point("cpu", {"host": "a"}, {"v": 2.0}, HOUR),
    point("cpu", {"host": "a"}, {"n": 8}, 10),
]
ALL = {"memory": memory, **READERS}


def _series(host: str, field: str, type_: FieldType) -> FieldSeries:
    return FieldSeries("cpu", (("host", host),), field, type_)


@pytest.mark.parametrize("kind", ALL)
def test_newest_write_wins_field_by_field(kind: str) -> None:
    with ALL[kind]([CPU]) as reader:
        assert answer(reader) == [
            (_series("a", "n", FieldType.INTEGER), (10, 8)),
            (_series("a", "v", FieldType.FLOAT), (10, 4.0)),
            (_series("a", "v", FieldType.FLOAT), (HOUR, 2.0)),
            (_series("b", "v", FieldType.FLOAT), (10, 1.5)),
        ]


@pytest.mark.parametrize("kind", ALL)
def test_windows_are_cut_to_the_range(kind: str) -> None:
    hour = Duration(ns=HOUR)
    request = ScanRequest(
        time_range=TimeRange(5, HOUR + 5),
        fields=("v",),
        aggregate=Aggregate.MEAN,
        window=Window(every=hour, period=hour),
        group=("host",),
    )
    with ALL[kind]([CPU]) as reader:
        assert [row for _, row in answer(reader, request)] == [
            (5, 4.0, 5, HOUR),
            (HOUR, 2.0, HOUR, HOUR + 5),
            (5, 1.5, 5, HOUR),
        ]


@pytest.mark.parametrize("kind", ALL)
def test_selectors_keep_the_time_of_their_row(kind: str) -> None:
    request = ScanRequest(fields=("v",), aggregate=Aggregate.MAX, group=())
    with ALL[kind]([CPU]) as reader:
        assert answer(reader, request) == [(FieldSeries("", (), "", FieldType.FLOAT), (10, 4.0))]


@pytest.mark.parametrize("kind", ALL)
def test_sum_of_strings_is_refused_by_its_type(kind: str) -> None:
    with (
        ALL[kind]([[point("m", {}, {"s": "text"}, 1)]]) as reader,
        pytest.raises(InvalidInput, match=r"^unsupported aggregate column type string$"),
    ):
        answer(reader, ScanRequest(aggregate=Aggregate.SUM))


@pytest.mark.parametrize("kind", ALL)
def test_two_types_in_one_group_collide(kind: str) -> None:
    with (
        ALL[kind]([CPU]) as reader,
        pytest.raises(InvalidInput, match='schema collision detected: column "_value" is both of type'),
    ):
        answer(reader, ScanRequest(aggregate=Aggregate.COUNT, group=()))
