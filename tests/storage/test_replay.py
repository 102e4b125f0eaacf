"""Replay: records are parsed and entered together, and what comes out is what was acknowledged one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.storage.kit import BUCKET, NOW, answer, open_engine

from fluxkeep.datamodel.predicates import Compare, Op
from fluxkeep.datamodel.timerange import EVERYTHING, TimeRange
from fluxkeep.errors import Corruption
from fluxkeep.ids import BucketID
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol import parse
from fluxkeep.storage import Engine, StoredBucket, replay
from fluxkeep.storage.frames import FRAME, HEADER, pack_frame
from fluxkeep.storage.wal import POINTS

OTHER = StoredBucket(BucketID("00000000000000bb"))


def _write(
    engine: Engine, text: str, *, bucket: StoredBucket = BUCKET, unit: Precision = Precision.NS, now: int = NOW
) -> None:
    payload = text.encode()
    engine.write(bucket, parse(payload, precision=unit, now_ns=now).batch, payload, unit, now)


def _all(engine: Engine) -> list[list[Any]]:
    return [answer(engine.reader(bucket.id)) for bucket in (BUCKET, OTHER)]


def _killed_and_opened(engine: Engine, path: Path) -> Engine:
    engine._unlock()
    return open_engine(path)


def test_each_record_keeps_its_own_time_refusals_and_precision(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    _write(engine, "m,t=a v=1")
    _write(engine, "m,t=a v=2", now=NOW + 5)
    _write(engine, '# a comment with one " and a backslash at its end \\')
    _write(engine, "m,t=b v=4 8\nm,t=b v=3i 7\n\nm,t=b w=5i 9")
    _write(engine, "m,t=b v=5i 8", bucket=OTHER)
    _write(engine, "m,t=b v=6 3\nm v=1i,w=2i 4", unit=Precision.S)
    _write(engine, "m,t=b v=7 3000000000\nm,t=b v=8 7")
    before = _all(engine)
    assert [(row[0], row[1]) for s, row in before[0] if s.tags == (("t", "b"),) and s.field == "v"] == [
        (7, 8.0),
        (8, 4.0),
        (3_000_000_000, 7.0),
    ]
    assert _all(_killed_and_opened(engine, tmp_path)) == before


def test_a_delete_between_records_hides_only_what_came_before_it(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    for text in ("m,t=a v=1 1", "m,t=b v=1 1"):
        _write(engine, text)
        _write(engine, text, bucket=OTHER)
    engine.delete(BUCKET.id, TimeRange(0, 10), Compare("t", Op.EQ, "a"))
    _write(engine, "m,t=a v=2 2")
    engine.delete(OTHER.id, EVERYTHING)
    _write(engine, "m,t=c v=3 3", bucket=OTHER)
    before = _all(engine)
    assert [[(s.tags[0][1], row[1]) for s, row in rows] for rows in before] == [[("a", 2.0), ("b", 1.0)], [("c", 3.0)]]
    again = _killed_and_opened(engine, tmp_path)
    assert _all(again) == before
    assert _all(_killed_and_opened(again, tmp_path)) == before


@st.composite
def acts(draw: st.DrawFn) -> list[tuple[str, Any]]:
    line = st.builds(
        "{},t={} {}={}{}".format,
        st.sampled_from(["m", "n"]),
        st.sampled_from("ab"),
        st.sampled_from("vw"),
        st.sampled_from(["1", "2.5", "3i", '"x"', "t"]),
        st.sampled_from(["", " 1", " 2", " 604800000000000"]),
    )
    write = st.tuples(
        st.just("write"),
        st.tuples(
            st.sampled_from([BUCKET, OTHER]),
            st.lists(line, min_size=1, max_size=4),
            st.sampled_from([Precision.NS, Precision.MS]),
            st.integers(NOW, NOW + 3),
        ),
    )
    delete = st.tuples(
        st.just("delete"), st.tuples(st.sampled_from([BUCKET, OTHER]), st.sampled_from(["a", "b"]), st.integers(1, NOW))
    )
    drop = st.tuples(st.just("drop"), st.sampled_from([BUCKET, OTHER]))
    return draw(st.lists(st.one_of(write, write, write, write, delete, drop), min_size=1, max_size=14))


@settings(max_examples=60, deadline=None)
@given(acts(), st.sampled_from([1, 60, 2 << 20]))
def test_any_log_is_replayed_to_what_was_there(
    tmp_path_factory: pytest.TempPathFactory, done: list[tuple[str, Any]], together_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("replay")
    engine = open_engine(path)
    for name, details in done:
        match name:
            case "write":
                bucket, lines, unit, now = details
                _write(engine, "\n".join(lines), bucket=bucket, unit=unit, now=now)
            case "delete":
                bucket, tag, stop = details
                engine.delete(bucket.id, TimeRange(0, stop), Compare("t", Op.EQ, tag))
            case _:
                engine.drop_bucket(details.id)
    before = _all(engine)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "_TOGETHER_BYTES", together_bytes)
        again = _killed_and_opened(engine, path)
    assert _all(again) == before
    again.close()


@pytest.mark.parametrize("record", [b"", b"\1" * 20, bytes(40)])
def test_a_record_that_verifies_and_makes_no_sense_is_named(tmp_path: Path, record: bytes) -> None:
    engine = open_engine(tmp_path)
    _write(engine, "m v=1 1")
    engine._unlock()
    (segment,) = (tmp_path / "wal").glob("*.wal")
    raw = bytearray(segment.read_bytes())
    _, _, length, *_ = FRAME.unpack_from(raw, HEADER.size)
    at = HEADER.size + FRAME.size + length + (-length % 8)
    frame = pack_frame(POINTS, 99, at, record)
    raw[at : at + len(frame)] = frame
    segment.write_bytes(raw)
    with pytest.raises(Corruption, match=f"a record of wal/{segment.name} can't be read"):
        open_engine(tmp_path)


def test_a_log_of_small_writes_enters_memory_as_few_pieces(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    for i in range(600):
        _write(engine, f"m,t={i % 7} v={i} {i}")
    before = _all(engine)
    again = _killed_and_opened(engine, tmp_path)
    (partition,) = again._memtable
    # Two segments hold them; alone they would be 600 pieces, joined by 32.
    assert len(partition.visible()) <= 5
    assert _all(again) == before
