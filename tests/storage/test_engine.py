"""The engine's promises one by one: refusals, durability, limits, space, damage."""

from __future__ import annotations

import threading
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from tests.storage.kit import BUCKET, NOW, QUIET, answer, open_engine, write, write_lines

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.point_rows import point
from fluxkeep.datamodel.predicates import Compare, Op
from fluxkeep.datamodel.reader import ScanRequest
from fluxkeep.datamodel.timerange import EVERYTHING, TimeRange
from fluxkeep.errors import Conflict, Corruption, Unavailable
from fluxkeep.instants import DAY, HOUR, WEEK
from fluxkeep.storage import BeyondRetention, Engine, RefusedPoint, StorageOptions, StoredBucket, TypeConflicts

KEPT = StoredBucket(BUCKET.id, retention_ns=DAY, shard_group_ns=HOUR)


def _values(engine: Engine) -> list[tuple[str, int, object]]:
    return [(s.field, row[0], row[1]) for s, row in answer(engine.reader(BUCKET.id))]


def _kill(engine: Engine) -> None:
    """What SIGKILL leaves: the lock goes, nothing is flushed or sealed."""
    engine._unlock()


def test_a_type_conflict_refuses_the_point_and_keeps_the_rest(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    write_lines(engine, b"m v=1 1\n")
    outcome = write_lines(engine, b"m w=2 2\nm v=3i,w=1 3\nm v=4i 4\nm v=5 5\n")
    assert outcome.accepted == 2
    assert outcome.refusals == (TypeConflicts(1, 2, 1, "m", "v", FieldType.INTEGER, FieldType.FLOAT),)
    expected = [("v", 1, 1.0), ("v", 5, 5.0), ("w", 2, 2.0)]
    assert _values(engine) == expected
    _kill(engine)
    assert _values(open_engine(tmp_path)) == expected, "replay leaves out what was refused"


def test_within_a_request_the_first_point_fixes_the_type(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    outcome = write_lines(engine, b"m v=1i 1\nm v=2.5 2\nm v=3i 3\n")
    assert outcome.refusals == (TypeConflicts(1, 1, 1, "m", "v", FieldType.FLOAT, FieldType.INTEGER),)
    assert _values(engine) == [("v", 1, 1), ("v", 3, 3)]


def test_types_are_fixed_per_shard_group_only(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    write_lines(engine, b"m v=1 1\n")
    outcome = write_lines(engine, b"m v=2i %d\nm v=3i 2\n" % (2 * WEEK))
    assert outcome.accepted == 1
    assert engine.reader(BUCKET.id).field_keys() == [("m", "v", FieldType.INTEGER)]
    assert engine.reader(BUCKET.id).field_keys(TimeRange(0, 10)) == [("m", "v", FieldType.FLOAT)]


def test_types_outlast_a_flush_and_a_restart(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    write_lines(engine, b"m v=1 1\n")
    engine.close()
    engine = open_engine(tmp_path)
    assert write_lines(engine, b"m v=1i 2\n").dropped == 1


def test_points_older_than_retention_are_refused(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    bound = NOW - DAY
    lines = b"m,a=x v=1 %d\nm,a=y v=1 %d\nm v=1 %d\nm v=2 %d\n" % (bound - 5, bound - 1, bound, NOW + WEEK)
    outcome = write_lines(engine, lines, KEPT)
    assert outcome.accepted == 2
    assert outcome.refusals == (
        BeyondRetention(2, DAY, bound, RefusedPoint("m,a=x", bound - 5), RefusedPoint("m,a=y", bound - 1)),
    )


def test_a_field_named_time_is_left_out(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    assert write_lines(engine, b"m time=1,v=2 1\nm time=3 2\n").accepted == 1
    assert _values(engine) == [("v", 1, 2.0)]


def test_of_lines_with_different_fields_the_last_one_wins(tmp_path: Path) -> None:
    """The scanner may part such lines into several batches."""
    engine = open_engine(tmp_path)
    sparse = b"".join(b"m f%d=1 %d\n" % (i, i) for i in range(300))
    write_lines(engine, b"m f=1 7\n" + sparse + b"m f=2,g=1 7\nm f=3 7\n")
    found = [row for s, row in answer(engine.reader(BUCKET.id)) if s.field == "f"]
    assert found == [(7, 3.0)]
    _kill(engine)
    assert [r for s, r in answer(open_engine(tmp_path).reader(BUCKET.id)) if s.field == "f"] == [(7, 3.0)]


def test_points_that_the_caller_refused_stay_out_after_a_kill(tmp_path: Path) -> None:
    from fluxkeep.instants import Precision
    from fluxkeep.lineprotocol import parse

    engine = open_engine(tmp_path)
    payload = b"m v=1 1\nm v=2 2\n"
    batch = parse(payload, precision=Precision.NS, now_ns=NOW).batch
    assert engine.write(BUCKET, batch, payload, Precision.NS, NOW, refused=[0]).accepted == 1
    _kill(engine)
    assert _values(open_engine(tmp_path)) == [("v", 2, 2.0)]


def test_acknowledged_writes_of_many_threads_survive_a_kill(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)

    def client(number: int) -> None:
        for i in range(25):
            write(engine, [point("m", {"client": str(number)}, {"v": float(i)}, i)])

    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    engine.flush()
    for thread in threads:
        thread.join()
    _kill(engine)
    assert len(_values(open_engine(tmp_path))) == 200


def test_many_small_writes_make_few_chunks(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    for i in range(2_000):
        write(engine, [point("m", {}, {"v": i}, i % 100)])
    (partition,) = engine._memtable
    assert len(partition.visible()) < 100
    assert _values(engine) == [("v", i, 1_900 + i) for i in range(100)]


def test_a_full_memory_refuses_writes_until_a_flush(tmp_path: Path) -> None:
    options = StorageOptions(background=False, memtable_bytes_max=10_000, write_wait_seconds_max=0.01)
    engine = open_engine(tmp_path, options)
    points = [point("m", {}, {"v": i}, i) for i in range(500)]
    write(engine, points)
    with pytest.raises(Unavailable, match="memory for writes is full") as refused:
        write(engine, points)
    assert refused.value.retry_after_seconds > 0
    engine.flush()
    assert write(engine, points).accepted == 500


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    with pytest.raises(Conflict, match="in use by another process"):
        open_engine(tmp_path)
    engine.close()
    open_engine(tmp_path).close()


def test_a_closed_engine_takes_nothing(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    engine.close()
    engine.close()
    with pytest.raises(Unavailable):
        write_lines(engine, b"m v=1 1\n")


def test_retention_drops_whole_groups_and_gives_space_back(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    write_lines(engine, b"m v=1 %d\nm v=2 %d\n" % (NOW - 20 * HOUR, NOW), KEPT)
    engine.flush()
    write_lines(engine, b"m v=3 %d\n" % (NOW - 20 * HOUR + 1), KEPT)
    assert engine.enforce_retention([KEPT], NOW) == 0
    assert engine.enforce_retention([KEPT], NOW + 6 * HOUR) == 1
    assert _values(engine) == [("v", NOW, 2.0)]
    assert len(list((tmp_path / "data").rglob("*.parquet"))) == 2
    _kill(engine)
    assert _values(open_engine(tmp_path)) == [("v", NOW, 2.0)]


def test_a_dropped_bucket_leaves_no_file(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    write_lines(engine, b"m v=1 1\n")
    engine.flush()
    write_lines(engine, b"m v=2 2\n")
    engine.drop_bucket(BUCKET.id)
    assert _values(engine) == []
    assert not list((tmp_path / "data").rglob("*.parquet"))
    _kill(engine)
    assert _values(open_engine(tmp_path)) == []


def test_a_scan_under_way_outlives_the_files_it_reads(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    for host in "ab":
        write(engine, [point("m", {"host": host}, {"v": float(i)}, i) for i in range(40)])
        engine.flush()
    write(engine, [point("n", {}, {"v": 1.0}, 1)])
    scan = engine.reader(BUCKET.id).scan(ScanRequest())
    first = next(scan.batches)
    engine.drop_bucket(BUCKET.id)
    assert len(first.frame) + sum(len(batch.frame) for batch in scan.batches) == 81


def test_a_delete_gives_space_back(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    write(engine, [point("m", {"host": h}, {"v": i * 0.37}, i) for h in "ab" for i in range(5_000)])
    engine.flush()
    before = sum(path.stat().st_size for path in (tmp_path / "data").rglob("*.parquet"))
    engine.delete(BUCKET.id, EVERYTHING, Compare("host", Op.EQ, "a"))
    assert engine.reader(BUCKET.id).tag_values("host") == ["b"]
    assert engine.compact()
    assert not engine.compact()
    after = sum(path.stat().st_size for path in (tmp_path / "data").rglob("*.parquet"))
    assert after < 0.7 * before
    assert not engine._catalog.tombstones(BUCKET.id)
    assert len(_values(engine)) == 5_000


def test_any_tool_reads_a_data_file(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    write_lines(engine, b'm,host=a,v=tag v=1.25,i=3i,s="x" 10\nm,host=b v=-2.5,b=t 20\nm v=3.75,u=7u 30\n')
    engine.close()
    (data,) = [p for p in (tmp_path / "data").rglob("*.parquet") if not p.name.endswith(".series.parquet")]
    table = pq.read_table(data, partitioning=None)
    rows = table.sort_by("time").to_pylist()
    assert [row["host"] for row in rows] == ["a", "b", None]
    assert [row["v"] for row in rows] == ["tag", None, None], "a tag keeps its name"
    assert [float(row["v_field"]) for row in rows] == [1.25, -2.5, 3.75]
    assert [row["i"] for row in rows] == [3, None, None]
    assert [row["time"].value for row in rows] == [10, 20, 30]
    frame = pl.read_parquet(data, use_pyarrow=False).sort("time")
    assert frame["u"].to_list() == [None, None, 7]
    index = pq.read_table(data.with_suffix(".series.parquet"), partitioning=None).to_pylist()
    assert [(row["#rows"], row["#first"], row["#last"]) for row in index] == [(1, 30, 30), (1, 10, 10), (1, 20, 20)]


def test_a_damaged_data_file_is_set_aside_and_named(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    for measurement in "mn":
        write(engine, [point(measurement, {}, {"v": i * 0.1}, i) for i in range(100)])
    engine.close()
    victim = min(
        (p for p in (tmp_path / "data").rglob("*.parquet") if ".series" not in p.name), key=lambda p: int(p.stem)
    )
    raw = bytearray(victim.read_bytes())
    raw[60] ^= 0xFF
    victim.write_bytes(raw)
    engine = open_engine(tmp_path)
    with pytest.raises(Corruption):
        answer(engine.reader(BUCKET.id))
    scan = engine.reader(BUCKET.id).scan(ScanRequest())
    assert len(scan.warnings) == 1
    assert victim.name in scan.warnings[0]
    assert sum(len(batch.frame) for batch in scan.batches) == 100
    assert engine.corrupt_files == [victim.relative_to(tmp_path / "data").as_posix()]


def test_a_missing_data_file_is_named(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    write_lines(engine, b"m v=1 1\n")
    engine.close()
    for path in (tmp_path / "data").rglob("*.parquet"):
        path.unlink()
    engine = open_engine(tmp_path)
    assert engine.reader(BUCKET.id).scan(ScanRequest()).warnings


def test_damage_inside_the_wal_is_set_aside_and_the_rest_replayed(tmp_path: Path) -> None:
    engine = open_engine(tmp_path, QUIET)
    for i in range(5):
        write_lines(engine, b"m v=%d %d\n" % (i, i))
    _kill(engine)
    (segment,) = (tmp_path / "wal").glob("*.wal")
    raw = bytearray(segment.read_bytes())
    at = raw.index(b"v=2 2")
    raw[at] ^= 0xFF
    segment.write_bytes(raw)
    engine = open_engine(tmp_path)
    assert _values(engine) == [("v", i, float(i)) for i in (0, 1, 3, 4)]
    assert [p.name for p in (tmp_path / "wal").iterdir()] == [segment.name + ".corrupt"]
    _kill(engine)
    assert len(_values(open_engine(tmp_path))) == 4


def test_orphans_are_removed_at_start(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    write_lines(engine, b"m v=1 1\n")
    engine.close()
    (data,) = [p for p in (tmp_path / "data").rglob("*.parquet") if ".series" not in p.name]
    orphan = data.with_name("99.parquet")
    orphan.write_bytes(data.read_bytes())
    open_engine(tmp_path).close()
    assert not orphan.exists()
    assert data.exists()


def test_a_replay_that_flushes_on_its_way_loses_no_record_below_a_delete(tmp_path: Path) -> None:
    """The manifest knows the number of a delete, which is above those of records that wait in later segments."""
    options = StorageOptions(background=False, wal_segment_bytes=512, memtable_flush_bytes=1)
    engine = open_engine(tmp_path, options)
    for n in range(30):
        write_lines(engine, b"m v=%d %d\n" % (n, n))
    assert len(list((tmp_path / "wal").glob("*.wal"))) > 3
    engine.delete(BUCKET.id, TimeRange(100, 200))
    _kill(engine)
    again = open_engine(tmp_path, options)
    assert _values(again) == [("v", n, float(n)) for n in range(30)]
    _kill(again)
    assert len(_values(open_engine(tmp_path, options))) == 30


def test_a_log_whose_header_was_torn_was_never_written_to(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    write_lines(engine, b"m v=1 1\n")
    _kill(engine)
    for size in (3, 8, 11, 15):
        (tmp_path / "wal" / f"00000000010{size:02d}.wal").write_bytes(b"fkeepWAL\1\0\0\0\0\0\0\0"[:size] + bytes(100))
    assert _values(open_engine(tmp_path)) == [("v", 1, 1.0)]
    assert not list((tmp_path / "wal").glob("*.corrupt"))


@pytest.mark.parametrize("raw", [b"", bytes(4096)])
def test_an_empty_manifest_is_not_taken_for_an_empty_store(tmp_path: Path, raw: bytes) -> None:
    engine = open_engine(tmp_path)
    write_lines(engine, b"m v=1 1\n")
    engine.close()
    (tmp_path / "data" / "manifest").write_bytes(raw)
    with pytest.raises(Corruption):
        open_engine(tmp_path)
    assert list((tmp_path / "data").glob("*/*/*.parquet"))


def test_a_missing_manifest_is_not_taken_for_an_empty_store(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    write_lines(engine, b"m v=1 1\n")
    engine.close()
    (tmp_path / "data" / "manifest").unlink()
    with pytest.raises(Corruption, match="missing"):
        open_engine(tmp_path)
    assert list((tmp_path / "data").glob("*/*/*.parquet"))
