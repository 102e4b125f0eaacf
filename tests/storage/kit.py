"""What the store's tests share: points as line protocol, an engine that works only when told to, answers as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fluxkeep.clock import ManualClock
from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.point_rows import FieldValue, Point
from fluxkeep.datamodel.reader import FieldSeries, Reader, ScanRequest
from fluxkeep.ids import BucketID
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol import parse
from fluxkeep.logs import configure
from fluxkeep.storage import Engine, StorageOptions, StoredBucket, WriteOutcome
from fluxkeep.storage.files import Files
from fluxkeep.storage.outcomes import Write

configure("error")

BUCKET = StoredBucket(BucketID("00000000000000aa"))
NOW = 1_700_000_000_000_000_000
QUIET = StorageOptions(background=False, wal_segment_bytes=1 << 16, row_group_rows=64, scan_block_values=50)

Row = tuple[FieldSeries, tuple[Any, ...]]


def open_engine(path: Path, options: StorageOptions = QUIET, files: Files | None = None) -> Engine:
    return Engine(path, ManualClock(NOW), options, files=files)


def lines_of(points: Iterable[Point]) -> bytes:
    """Line protocol of points whose names need no escapes."""
    return b"".join(_line(p) for p in points)


def _line(p: Point) -> bytes:
    tags = "".join(f",{k}={v}" for k, v in p.tags)
    fields = ",".join(f"{name}={_value(type_, value)}" for name, type_, value in p.fields)
    return f"{p.measurement}{tags} {fields} {p.time}\n".encode()


def _value(type_: FieldType, value: FieldValue) -> str:
    match type_:
        case FieldType.FLOAT:
            return repr(value)
        case FieldType.INTEGER:
            return f"{value}i"
        case FieldType.UNSIGNED:
            return f"{value}u"
        case FieldType.BOOLEAN:
            return "t" if value else "f"
        case FieldType.STRING:
            return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def write(engine: Engine, points: Sequence[Point], bucket: StoredBucket = BUCKET, now: int = NOW) -> WriteOutcome:
    return write_lines(engine, lines_of(points), bucket, now)


def one_write(points: Sequence[Point], bucket: StoredBucket = BUCKET, now: int = NOW) -> Write:
    """A write as `Engine.write_all` takes it."""
    payload = lines_of(points)
    return Write(bucket, parse(payload, precision=Precision.NS, now_ns=now).batch, payload, Precision.NS, now)


def write_lines(engine: Engine, payload: bytes, bucket: StoredBucket = BUCKET, now: int = NOW) -> WriteOutcome:
    parsed = parse(payload, precision=Precision.NS, now_ns=now)
    assert not parsed.errors, parsed.report
    return engine.write(bucket, parsed.batch, payload, Precision.NS, now)


def answer(reader: Reader, request: ScanRequest = ScanRequest()) -> list[Row]:  # noqa: B008 - frozen
    """The rows of an answer in order of field series; what the contract says of the order is asserted."""
    scan = reader.scan(request)
    series = list(scan.series)
    assert series == sorted(series, key=lambda s: (s.measurement, s.tags, s.field, s.type.value))
    assert not scan.warnings
    rows: list[tuple[int, tuple[Any, ...]]] = []
    last: dict[FieldType, int] = {}
    for batch in scan.batches:
        names = ["series", "time", "value"]
        names += ["start", "stop"] if request.aggregate and request.window else []
        assert batch.frame.columns == names
        found = batch.frame.rows()
        assert found, "no batch is empty"
        times = [(r[0], -r[1] if request.descending else r[1]) for r in found]
        assert times == sorted(times)
        assert found[0][0] > last.get(batch.type, -1)
        last[batch.type] = found[-1][0]
        rows += [(r[0], r[1:]) for r in found]
    rows.sort(key=lambda row: row[0])
    return [(series[ordinal], row) for ordinal, row in rows]
