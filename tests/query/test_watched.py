"""Readers of a query whose client may leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.influxql.kit import MemorySources

from fluxkeep.datamodel.memory_reader import MemoryReader
from fluxkeep.datamodel.reader import Reader, Scan, ScanBatch, ScanRequest
from fluxkeep.errors import Abandoned
from fluxkeep.ids import BucketID
from fluxkeep.influxql.engine import execute
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol.parser import parse
from fluxkeep.query.watched import watched

BUCKET = BucketID("00000000000000c1")
DATA = b"m,a=1 v=1 1\nm,a=2 v=2 2\nm,a=2 n=3i 3\n"

QUESTIONS: list[Callable[[Reader], object]] = [
    lambda reader: [(b.type, b.frame.rows()) for b in reader.scan(ScanRequest()).batches],
    lambda reader: reader.measurements(),
    lambda reader: reader.tag_keys(),
    lambda reader: reader.tag_values("a"),
    lambda reader: reader.field_keys(),
    lambda reader: list(reader.series()),
    lambda reader: reader.cardinality(),
]


def _reader() -> MemoryReader:
    return MemoryReader(parse(DATA, precision=Precision.NS, now_ns=0).batch)


@pytest.mark.parametrize("question", QUESTIONS)
def test_answers_are_the_same_until_the_client_leaves(question: Callable[[Reader], object]) -> None:
    left = False
    reader = watched(lambda _: _reader(), lambda: left)(BUCKET)
    assert question(reader) == question(_reader())
    left = True
    with pytest.raises(Abandoned):
        question(reader)


def test_a_scan_stops_between_batches() -> None:
    given: list[ScanBatch] = []
    whole = _reader().scan(ScanRequest())
    batches = list(whole.batches)
    assert len(batches) == 2

    class Slow(MemoryReader):
        def scan(self, request: ScanRequest) -> Scan:
            return Scan(whole.series, self._batches())

        def _batches(self) -> Iterator[ScanBatch]:
            for batch in batches:
                given.append(batch)
                yield batch

    reader = watched(lambda _: Slow(), lambda: len(given) == 2)(BUCKET)
    scan = reader.scan(ScanRequest())
    assert next(scan.batches) is batches[0]
    with pytest.raises(Abandoned):
        next(scan.batches)


def test_statements_after_the_client_left_do_not_run() -> None:
    left = False
    results = execute("SHOW DATABASES; SHOW DATABASES", sources=MemorySources({}), now_ns=0, gone=lambda: left)
    assert next(results).error is None
    left = True
    with pytest.raises(Abandoned):
        next(results)
