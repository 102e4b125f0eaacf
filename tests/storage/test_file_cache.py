"""What is kept of data files: bounded, never of a file that was dropped, and never another answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.storage.kit import BUCKET, QUIET, answer, open_engine, write

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.point_rows import point
from fluxkeep.datamodel.reader import Aggregate, ScanRequest
from fluxkeep.storage.columns import Column
from fluxkeep.storage.file_cache import FileCache
from fluxkeep.storage.parquet_files import DataFile
from fluxkeep.storage.series_index import SeriesIndex


def _file() -> DataFile:
    return DataFile(Path("1.parquet"), Path("1.series.parquet"), "1", [("v", "integer")], SeriesIndex("m"))


def _column(rows: int) -> Column:
    return Column(FieldType.INTEGER, np.zeros(rows, np.int64), None)


def test_the_longest_unused_column_goes_first() -> None:
    cache, file = FileCache(2, 800), _file()
    for group in range(4):
        cache.keep(file, group, "v", _column(30))
        assert cache.find(file, 0, "v") is not None
    assert [cache.find(file, group, "v") is not None for group in range(4)] == [True, False, True, True]
    assert cache.nbytes == 720
    cache.keep(file, 9, "v", _column(101))
    assert cache.find(file, 9, "v") is None
    cache.keep(file, 0, "v", _column(40))
    assert cache.nbytes == 800


def test_nothing_is_kept_of_a_dropped_file() -> None:
    cache, file = FileCache(2, 800), _file()
    cache.touch(file)
    cache.keep(file, 0, "v", _column(30))
    cache.forget(file)
    # A scan that began before goes on reading.
    cache.touch(file)
    cache.keep(file, 0, "v", _column(30))
    assert cache.find(file, 0, "v") is None
    assert cache.nbytes == 0


def test_dropped_files_leave_the_device_though_they_were_read(tmp_path: Path) -> None:
    engine = open_engine(tmp_path, QUIET)
    for time in range(4):
        write(engine, [point("m", {"host": f"h{i}"}, {"v": i + time / 4}, time) for i in range(9)])
        engine.flush()
    answers = []
    for _ in range(3):
        answers.append(answer(engine.reader(BUCKET.id), ScanRequest(aggregate=Aggregate.MAX)))
        answers.append(answer(engine.reader(BUCKET.id), ScanRequest(aggregate=Aggregate.MAX)))
        engine.compact()
    assert all(one == answers[0] for one in answers)
    assert len(list(tmp_path.rglob("*.parquet"))) == 2
    engine.close()
