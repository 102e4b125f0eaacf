"""Questions about names while points come, go and are flushed: what is remembered is never older than the answer."""

from __future__ import annotations

import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.test_reader import BATCHES, PREDICATES, TIMES, Batches
from tests.storage.kit import BUCKET, QUIET, open_engine, write

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.memory_reader import MemoryReader
from fluxkeep.datamodel.point_rows import point
from fluxkeep.datamodel.predicates import Compare, Op, Predicate
from fluxkeep.datamodel.reader import Reader, ScanRequest
from fluxkeep.datamodel.timerange import EVERYTHING, TimeRange


def names(reader: Reader, predicate: Predicate | None) -> object:
    """Everything that a reader says of names."""
    return (
        reader.measurements(EVERYTHING, predicate),
        reader.tag_keys(EVERYTHING, predicate),
        [reader.tag_values(key, EVERYTHING, predicate) for key in ("host", "_measurement", "_field")],
        reader.field_keys(EVERYTHING, predicate),
        list(reader.series(EVERYTHING, predicate)),
        reader.cardinality(EVERYTHING, predicate),
        [reader.schema(name) for name in ("m", "n")],
    )


DOOMED = st.none() | st.builds(Compare, st.sampled_from(["host", "region"]), st.just(Op.EQ), st.sampled_from("abc"))
STEPS = st.lists(st.sampled_from(["flush", "sort", "compact", "nothing"]), min_size=5, max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    batches=BATCHES,
    steps=STEPS,
    doomed=st.lists(st.tuples(DOOMED, TIMES, TIMES), max_size=3),
    predicate=st.none() | PREDICATES,
)
def test_names_after_each_write_and_delete_equal_the_oracle(
    batches: Batches, steps: list[str], doomed: list[tuple[Compare | None, int, int]], predicate: Predicate | None
) -> None:
    oracle = MemoryReader()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(Path(folder), replace(QUIET, sort_rows_min=1))
        reader = engine.reader(BUCKET.id)
        for number, batch in enumerate(batches):
            if batch:
                assert not write(engine, batch).refusals
                oracle.write(batch)
            assert names(reader, predicate) == names(oracle, predicate)
            match steps[number]:
                case "flush":
                    engine.flush()
                case "sort":
                    reader.scan(ScanRequest())
                case "compact":
                    engine.flush()
                    while engine.compact():
                        pass
            assert names(reader, predicate) == names(oracle, predicate)
            if number < len(doomed):
                compare, one, other = doomed[number]
                time_range = TimeRange(min(one, other), max(one, other) + 1)
                engine.delete(BUCKET.id, time_range, compare)
                oracle.delete(time_range, compare)
                assert names(reader, predicate) == names(oracle, predicate)
        engine.close()


def test_the_last_points_of_a_field_and_a_tag_gone_from_a_file_take_both_names_along(tmp_path: Path) -> None:
    engine = open_engine(tmp_path, QUIET)
    write(engine, [point("m", {"host": "a"}, {"f": 1.0}, 10), point("m", {"region": "b"}, {"n": 1}, 20)])
    engine.flush()
    reader = engine.reader(BUCKET.id)
    assert dict(reader.schema("m").fields) == {"f": FieldType.FLOAT, "n": FieldType.INTEGER}
    assert reader.schema("m").tag_keys == {"host", "region"}
    engine.delete(BUCKET.id, EVERYTHING, Compare("region", Op.EQ, "b"))
    assert dict(reader.schema("m").fields) == {"f": FieldType.FLOAT}
    assert reader.schema("m").tag_keys == {"host"}
    engine.delete(BUCKET.id, EVERYTHING, None)
    assert not reader.schema("m").fields
    assert not reader.schema("m").tag_keys
    assert reader.measurements() == []
    engine.close()


def test_series_that_have_other_fields_alone_are_not_named_for_one_field(tmp_path: Path) -> None:
    engine = open_engine(tmp_path, QUIET)
    write(engine, [point("m", {"host": "a"}, {"f": 1.0}, 10), point("m", {"host": "b"}, {"n": 1}, 20)])
    engine.flush()
    reader = engine.reader(BUCKET.id)
    mine = Compare("_field", Op.EQ, "f")
    assert reader.tag_values("host", EVERYTHING, mine) == ["a"]
    assert reader.cardinality(EVERYTHING, mine) == 1
    engine.close()


def test_what_a_write_brought_is_named_at_once_while_others_ask(tmp_path: Path) -> None:
    engine = open_engine(tmp_path, replace(QUIET, sort_rows_min=1))
    reader = engine.reader(BUCKET.id)
    missing: list[int] = []
    asking = threading.Event()

    def ask() -> None:
        while not asking.is_set():
            reader.scan(ScanRequest())
            reader.schema("m")

    others = [threading.Thread(target=ask) for _ in range(2)]
    for other in others:
        other.start()
    try:
        for n in range(150):
            write(engine, [point("m", {f"tag{n}": "v", "host": f"h{n}"}, {f"f{n}": float(n)}, 10 * n)])
            found = engine.reader(BUCKET.id).schema("m")
            if f"f{n}" not in found.fields or f"tag{n}" not in found.tag_keys:
                missing.append(n)
            if n % 40 == 39:
                engine.flush()
    finally:
        asking.set()
        for other in others:
            other.join()
    assert missing == []
    assert len(reader.schema("m").fields) == 150
    engine.close()
