"""The write-ahead log: every write is durable here before it is acknowledged.

Segments `<number>.wal` in one folder; one record per request, in the order of
their sequence numbers. A segment is removed once all its records are in data
files that the manifest names.

A points record: bucket u64 | precision ns i64 | arrival ns i64 | raw bytes u32 |
refused count u32 | codec u32 | refused ordinals u32[] | payload (line protocol).

The format is described in docs/formats/wal.md.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import zstandard

from fluxkeep.errors import Corruption, DeviceFull
from fluxkeep.ids import BucketID
from fluxkeep.storage.files import DeviceFailure, Files, device_errors
from fluxkeep.storage.frames import FRAME, HEADER, Damage, LogWriter, read_log

MAGIC = b"fkeepWAL"
VERSION = 1
# Every version that readers accept.
VERSIONS = (VERSION,)
POINTS = 1

_RECORD = struct.Struct("<QqqIII")
_RAW, _ZSTD = 0, 1
# Below this a compressed payload saves nothing worth its time.
_COMPRESS_BYTES_MIN = 256
_NEVER = 1 << 64
_contexts = threading.local()


@dataclass(frozen=True, slots=True)
class PointsRecord:
    """One write as it came in.

    Attributes:
        bucket: Where to.
        precision_ns: Nanoseconds per unit of the payload's timestamps.
        arrival_ns: The time of points that have none.
        refused: Ordinals of the points that were refused.
        payload: Line protocol.
    """

    bucket: BucketID
    precision_ns: int
    arrival_ns: int
    refused: npt.NDArray[np.uint32]
    payload: bytes


@dataclass(frozen=True, slots=True)
class PackedPayload:
    """A payload as it will stand in the log; made before the write's turn comes."""

    size: int
    codec: int
    body: bytes


def pack_payload(payload: bytes, level: int) -> PackedPayload:
    """Compress a payload where that gains."""
    if len(payload) >= _COMPRESS_BYTES_MIN:
        compressor = getattr(_contexts, "compressor", None)
        if compressor is None or _contexts.level != level:
            compressor = _contexts.compressor = zstandard.ZstdCompressor(level=level)
            _contexts.level = level
        compressed: bytes = compressor.compress(payload)
        if len(compressed) < len(payload):
            return PackedPayload(len(payload), _ZSTD, compressed)
    return PackedPayload(len(payload), _RAW, payload)


def pack_record(
    bucket: BucketID, precision_ns: int, arrival_ns: int, refused: npt.NDArray[np.uint32], payload: PackedPayload
) -> bytes:
    """A record's bytes."""
    head = _RECORD.pack(bucket.number, precision_ns, arrival_ns, payload.size, len(refused), payload.codec)
    return b"".join((head, refused.astype("<u4").tobytes(), payload.body))


def record_head(raw: bytes) -> tuple[int, int, int]:
    """The number of the bucket, the precision in ns and the payload's plain size of what `pack_record` made.

    Raises:
        ValueError: Not such a record.
    """
    try:
        bucket, precision_ns, _, size, _, _ = _RECORD.unpack_from(raw)
    except struct.error as error:
        raise ValueError(str(error)) from error
    if not bucket:
        raise ValueError("no bucket has the id 0")
    return bucket, precision_ns, size


def unpack_record(raw: bytes) -> PointsRecord:
    """Read back what `pack_record` made.

    Raises:
        ValueError: Not such a record.
    """
    try:
        bucket, precision_ns, arrival_ns, size, refused_count, codec = _RECORD.unpack_from(raw)
        start = _RECORD.size + 4 * refused_count
        refused = np.frombuffer(raw, "<u4", refused_count, _RECORD.size).astype(np.uint32)
        body = raw[start:]
        if codec == _ZSTD:
            decompressor = getattr(_contexts, "decompressor", None)
            if decompressor is None:
                decompressor = _contexts.decompressor = zstandard.ZstdDecompressor()
            # Room is made for what the frame claims before a byte is unpacked.
            if zstandard.get_frame_parameters(body).content_size != size:
                raise ValueError("lengths do not agree")
            body = decompressor.decompress(body)
        elif codec != _RAW:
            raise ValueError(f"unknown codec {codec}")
    except (struct.error, zstandard.ZstdError, MemoryError) as error:
        raise ValueError(str(error) or "no room for what it claims to hold") from error
    if len(body) != size or start > len(raw):
        raise ValueError("lengths do not agree")
    if not bucket:
        raise ValueError("no bucket has the id 0")
    return PointsRecord(BucketID.of(bucket), precision_ns, arrival_ns, refused, body)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A record written and not yet durable."""

    log: LogWriter
    offset: int


@dataclass(slots=True)
class _Segment:
    path: Path
    last_sequence: int


@dataclass(frozen=True, slots=True)
class ReplayedSegment:
    """One segment as found at start; `records` are sequence numbers and packed records that verified."""

    path: Path
    records: Sequence[tuple[int, bytes]]
    damage: Sequence[Damage]


class Wal:
    """The log's writing side. `append`, `rotate` and `release` are the caller's to serialise."""

    def __init__(self, files: Files, folder: Path, segment_bytes: int) -> None:
        self._files = files
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._current: LogWriter | None = None
        self._sealed: list[_Segment] = []
        self._open: _Segment | None = None
        with device_errors("making the WAL's folder"):
            files.make_directory(folder)
            names = [name for name in files.names(folder) if name.endswith(".wal")]
        self._next = max((int(name[:-4]) for name in names), default=0) + 1

    def replay(self) -> Iterator[ReplayedSegment]:
        """The segments that a former process left, oldest first.

        They count as sealed from then on. A segment that does not even begin as one is
        given with its damage and no records.

        Raises:
            DeviceFailure: One can't be read.
        """
        with device_errors("listing the WAL"):
            names = [name for name in self._files.names(self._folder) if name.endswith(".wal")]
        for name in names:
            path = self._folder / name
            records: list[tuple[int, bytes]] = []
            damage: list[Damage] = []
            # Unreadable is not damaged: what a later start may be able to read is not put away.
            with device_errors(f"reading the WAL segment {name}"):
                raw = self._files.read(path)
            try:
                content = read_log(raw, MAGIC, VERSIONS, file=f"wal/{name}")
                damage.extend(content.damage)
                records.extend((frame.sequence, frame.payload) for frame in content.frames if frame.kind == POINTS)
            except Corruption as error:
                damage.append(Damage(error.offset, "a WAL segment", error.message))
            # A damaged segment is not released with the others: it is to be set aside.
            last = _NEVER if damage else max((sequence for sequence, _ in records), default=0)
            self._sealed.append(_Segment(path, last))
            yield ReplayedSegment(path, records, damage)

    def append(self, sequence: int, payload: bytes) -> Ticket:
        """Write a record; it is durable once `Ticket.log.sync(Ticket.offset)` returns.

        Raises:
            DeviceFull: No space; the log is as it was.
            DeviceFailure: The device failed.
        """
        if self._current is not None and not self._current.fits(len(payload)):
            self.rotate()
        if self._current is None:
            least = HEADER.size + len(payload) + 2 * FRAME.size + 16
            path = self._folder / f"{self._next:012d}.wal"
            capacity = max(self._segment_bytes, least)
            self._current = LogWriter.create(self._files, path, MAGIC, VERSION, capacity, least)
            self._open = _Segment(path, sequence)
            self._next += 1
        assert self._open is not None
        try:
            offset = self._current.append(POINTS, sequence, payload)
        except (DeviceFull, DeviceFailure):
            self.give_up_segment()
            raise
        self._open.last_sequence = sequence
        return Ticket(self._current, offset)

    def rotate(self) -> None:
        """Seal the current segment; the next record begins a new one.

        A seal that fails leaves the segment unsealed, which its reader copes with.
        """
        if self._current is None or self._open is None:
            return
        try:
            self._current.seal()
        except (DeviceFull, DeviceFailure):
            self.give_up_segment()
            return
        self._current.close()
        self._sealed.append(self._open)
        self._current = self._open = None

    def give_up_segment(self) -> None:
        """Leave the current segment after a failure, cut to what is durable."""
        if self._current is None or self._open is None:
            return
        self._current.abandon()
        self._sealed.append(self._open)
        self._current = self._open = None

    def owns(self, log: LogWriter) -> bool:
        """Whether a log is the segment being written."""
        return self._current is log

    def release(self, sequence: int) -> None:
        """Remove the sealed segments whose records all lie below a sequence number."""
        kept: list[_Segment] = []
        for segment in self._sealed:
            if segment.last_sequence >= sequence:
                kept.append(segment)
                continue
            try:
                self._files.remove(segment.path)
            except OSError:
                kept.append(segment)
        self._sealed = kept

    def set_aside(self, path: Path) -> Path:
        """Rename a damaged segment, whose readable records are in data files by now; it is kept for people."""
        target = path.with_suffix(".wal.corrupt")
        with device_errors("setting a WAL segment aside"):
            self._files.rename(path, target)
            self._files.sync_directory(self._folder)
        self._sealed = [segment for segment in self._sealed if segment.path != path]
        return target

    def close(self) -> None:
        """Seal and close."""
        self.rotate()
