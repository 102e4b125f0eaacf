"""What a scan may gather before it answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.storage.kit import BUCKET, open_engine, write

from fluxkeep.datamodel.memory_account import MemoryExceeded
from fluxkeep.datamodel.point_rows import point
from fluxkeep.datamodel.reader import Aggregate, Reader, ScanRequest
from fluxkeep.datamodel.timerange import Window
from fluxkeep.instants import Duration
from fluxkeep.storage import Engine, StorageOptions

SERIES, ROWS = 50, 100


@pytest.fixture(params=["memory", "files"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(tmp_path, StorageOptions(background=False))
    for n in range(ROWS):
        write(engine, [point("m", {"s": f"{s:02d}"}, {"f": float(n + s)}, 10 * n) for s in range(SERIES)])
    if request.param == "files":
        engine.flush()
    yield engine
    engine.close()


def answers(reader: Reader, request: ScanRequest) -> list[tuple[object, ...]]:
    """All rows."""
    return [row for batch in reader.scan(request).batches for row in batch.frame.rows()]


def test_a_small_allowance_makes_small_blocks_and_the_same_answer(engine: Engine) -> None:
    reader = engine.reader(BUCKET.id)
    for aggregate in (None, Aggregate.MEAN, Aggregate.MAX):
        free = ScanRequest(aggregate=aggregate)
        bound = ScanRequest(aggregate=aggregate, bytes_max=4_000)
        assert answers(reader, bound) == answers(reader, free)
    # Blocks of one series each, rather than of all.
    assert len(list(reader.scan(ScanRequest(bytes_max=4_000)).batches)) == SERIES
    assert len(list(reader.scan(ScanRequest()).batches)) == 1


def test_a_series_that_does_not_fit_is_refused(engine: Engine) -> None:
    scan = engine.reader(BUCKET.id).scan(ScanRequest(bytes_max=1_500))
    with pytest.raises(MemoryExceeded, match="memory allocation limit reached: limit 1500 bytes"):
        list(scan.batches)


def test_groups_that_do_not_fit_are_refused(engine: Engine) -> None:
    every = Duration(ns=10)
    window = Window(every=every, period=every)
    request = ScanRequest(aggregate=Aggregate.SUM, window=window, group=("_field",))
    reader = engine.reader(BUCKET.id)
    whole = answers(reader, request)
    assert len(whole) == ROWS
    bound = ScanRequest(aggregate=Aggregate.SUM, window=window, group=("_field",), bytes_max=100_000)
    with pytest.raises(MemoryExceeded):
        reader.scan(bound)
    roomy = ScanRequest(aggregate=Aggregate.SUM, window=window, group=("_field",), bytes_max=1_000_000)
    assert answers(reader, roomy) == whole
