"""A device that fills up: what still works, what is said, and that all goes on when there is room again."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest
from tests.crash.faulty_files import FaultyFiles
from tests.storage.kit import BUCKET, answer, open_engine, write_lines

from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import DeviceFull
from fluxkeep.storage import Engine, StorageOptions

KIB = 1024
OPTIONS = StorageOptions(background=False, wal_segment_bytes=1024 * KIB)


def _times(engine: Engine) -> list[int]:
    return sorted({row[0] for _, row in answer(engine.reader(BUCKET.id))})


def _noise(size: int) -> bytes:
    """What does not get smaller than half by compression."""
    return random.Random(1).randbytes(size // 2).hex().encode()


def _used(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_less_room_than_a_segment_is_room_for_writes(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path, 1)
    engine = open_engine(tmp_path, OPTIONS, files)
    files.capacity = _used(tmp_path) + 300 * KIB
    for n in range(50):
        write_lines(engine, b"m v=1 %d\n" % n)
    assert [path.stat().st_size for path in (tmp_path / "wal").glob("*.wal")] == [256 * KIB]
    files.capacity = None
    for n in range(50, 60):
        write_lines(engine, b'm v=1,s="%b" %d\n' % (_noise(60_000), n))
    assert max(path.stat().st_size for path in (tmp_path / "wal").glob("*.wal")) == 1024 * KIB
    engine.close()
    assert _times(open_engine(tmp_path)) == list(range(60))


def test_a_full_device_refuses_writes_only_and_recovers_by_itself(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path, 1)
    engine = open_engine(tmp_path, OPTIONS, files)
    files.capacity = _used(tmp_path) + 20 * KIB
    kept = []
    with contextlib.suppress(DeviceFull):
        for n in range(10_000):
            write_lines(engine, b"m,host=h%d v=1 %d\n" % (n, n))
            kept.append(n)
    assert 20 < len(kept) < 10_000
    for _ in range(3):
        with pytest.raises(DeviceFull, match="no space left on device"):
            write_lines(engine, b'm v=1,s="%b" 1\n' % _noise(64_000))
    with pytest.raises(DeviceFull):
        engine.flush()
    assert _times(engine) == kept
    engine.delete(BUCKET.id, TimeRange(0, 10))
    assert _times(engine) == kept[10:]
    files.capacity = None
    write_lines(engine, b"m,host=z v=1 20000\n")
    assert engine.flush()
    assert _times(engine) == [*kept[10:], 20_000]


def test_a_start_on_a_full_device_serves_reads_and_recovers(tmp_path: Path) -> None:
    files = FaultyFiles(tmp_path, 1)
    engine = open_engine(tmp_path, OPTIONS, files)
    for n in range(5):
        write_lines(engine, b"m v=1 %d\n" % n)
    engine.flush()
    for n in range(5, 9):
        write_lines(engine, b"m v=1 %d\n" % n)
    files = files.lose_power()
    files.capacity = 0
    # As small as can be, so that replay wants to flush, which it cannot.
    engine = open_engine(tmp_path, StorageOptions(background=False, memtable_flush_bytes=1), files)
    assert _times(engine) == list(range(9))
    with pytest.raises(DeviceFull):
        write_lines(engine, b"m v=1 100\n")
    files.capacity = None
    write_lines(engine, b"m v=1 9\n")
    engine.delete(BUCKET.id, TimeRange(0, 2))
    assert engine.flush()
    assert _times(engine) == list(range(2, 10))
    files = files.lose_power()
    assert _times(open_engine(tmp_path, OPTIONS, files)) == list(range(2, 10))
