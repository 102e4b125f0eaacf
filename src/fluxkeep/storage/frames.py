"""Framed logs: the container of WAL segments and of the manifest.

    file   = header frame* zeros
    header = magic (8 bytes) version u32 crc32 u32          crc over magic and version
    frame  = mark u32 | crc32 u32 | length u32 | kind u32 | sequence u64 | durable u64 | payload | pad to 8

All numbers little-endian; a frame's crc covers everything after the crc field
up to the payload's end. `durable` is how much of the file its writer knew to be
synced when it wrote the frame. That is what tells damage from a torn end: a bad
frame that a later good frame swears was synced, or that precedes the seal, is
damage and reported; any other bad frame was never acknowledged, and the log ends
there.

The format is described in docs/formats/wal.md.
"""

from __future__ import annotations

import contextlib
import struct
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fluxkeep.errors import Corruption, DeviceFull
from fluxkeep.storage.files import DeviceFailure, Files, LogFile, device_errors

HEADER = struct.Struct("<8sII")
FRAME = struct.Struct("<IIIIQQ")
MARK = 0x4B464C58
SEAL = 0
_MARK_BYTES = struct.pack("<I", MARK)


class Frame(NamedTuple):
    """One frame that verified."""

    offset: int
    kind: int
    sequence: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that were once durable and no longer verify."""

    offset: int
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class LogContent:
    """What a log holds.

    Attributes:
        frames: All that verify and belong to the log, in order; without the seal.
        end: Offset where the next frame goes; behind a torn end lies garbage.
        sealed: The log was closed in good order.
        damage: Places inside the log that do not verify.
    """

    frames: Sequence[Frame]
    end: int
    sealed: bool
    damage: Sequence[Damage]


def header(magic: bytes, version: int) -> bytes:
    """The first bytes of a file of this kind."""
    return HEADER.pack(magic, version, zlib.crc32(magic + struct.pack("<I", version)))


def pack_frame(kind: int, sequence: int, durable: int, payload: bytes) -> bytes:
    """A frame's bytes, padded."""
    body = FRAME.pack(0, 0, len(payload), kind, sequence, durable)[8:] + payload
    return b"".join((struct.pack("<II", MARK, zlib.crc32(body)), body, bytes(-len(payload) % 8)))


def read_log(data: bytes, magic: bytes, versions: Sequence[int], *, file: str) -> LogContent:
    """Read a log's content.

    Raises:
        Corruption: The header is not that of such a log, or of a version unknown here.
    """
    if len(data) < HEADER.size:
        return LogContent((), HEADER.size, sealed=False, damage=())
    found, version, crc = HEADER.unpack_from(data)
    torn = crc != zlib.crc32(data[: HEADER.size - 4])
    begun = header(magic, versions[-1]).startswith(data[: HEADER.size].rstrip(b"\0"))
    if torn and begun and _next_frame(data, HEADER.size) is None:
        # The header is synced before the first frame: if none is there, nothing was ever acknowledged.
        return LogContent((), HEADER.size, sealed=False, damage=())
    if found != magic or torn:
        raise Corruption(f"{file} does not begin as a file of its kind does", file=file, offset=0)
    if version not in versions:
        raise Corruption(f"{file} has format version {version}, which is not known here", file=file, offset=0)
    frames: list[Frame] = []
    gaps: list[tuple[int, str, str]] = []
    durable = 0
    at = end = HEADER.size
    sealed = False
    unpack, size = FRAME.unpack_from, FRAME.size
    while at < len(data):
        problem = _problem(data, at)
        if problem is not None:
            # Numbers never fall: what looks like an older frame is a copy inside the payload of the bad one.
            following = _next_frame(data, at + 8, frames[-1].sequence if frames else 0)
            if following is None:
                break
            gaps.append((at, *problem))
            at = following
            continue
        _, _, length, kind, sequence, known = unpack(data, at)
        if known > durable:
            durable = known
        start = at + size
        if kind == SEAL:
            sealed, end = True, start
            break
        frames.append(Frame(at, kind, sequence, data[start : start + length]))
        at = end = start + length + (-length % 8)
    damage = [Damage(offset, expected, found_) for offset, expected, found_ in gaps if sealed or offset < durable]
    if len(damage) < len(gaps):
        # Not acknowledged from here on: a frame after it was never acknowledged either.
        first = next(offset for offset, _, _ in gaps if not (sealed or offset < durable))
        frames = [frame for frame in frames if frame.offset < first]
        end = first
    return LogContent(frames, end, sealed, damage)


def _problem(data: bytes, at: int) -> tuple[str, str] | None:
    """What is wrong with the frame at an offset: (expected, found); None if it verifies."""
    if at + FRAME.size > len(data):
        return "a frame", "the end of the file"
    mark, crc, length, *_ = FRAME.unpack_from(data, at)
    if mark != MARK:
        return f"mark {MARK:08x}", f"{mark:08x}"
    stop = at + FRAME.size + length
    if stop > len(data):
        return f"{length} bytes", "the end of the file"
    actual = zlib.crc32(memoryview(data)[at + 8 : stop])
    return None if actual == crc else (f"crc {crc:08x}", f"{actual:08x}")


def _next_frame(data: bytes, at: int, sequence: int = 0) -> int | None:
    """The next offset that holds a good frame that can stand there.

    A payload may hold the bytes of a frame, which would verify: one that is older than what
    came before, or that knows more to be durable than stands before it, is none.
    """
    while (at := data.find(_MARK_BYTES, at)) >= 0:
        if at % 8 == 0 and _problem(data, at) is None:
            _, _, _, kind, number, known = FRAME.unpack_from(data, at)
            if known <= at and (kind == SEAL or number >= sequence):
                return at
        at += 1
    return None


class LogWriter:
    """Appends frames to one log. Appends are the caller's to serialise; `sync` is safe from any thread."""

    def __init__(self, file: LogFile, end: int, capacity: int) -> None:
        self._file = file
        self._sync_lock = threading.Lock()
        self._failed = False
        self._closed = False
        self.end = end
        self.durable = end
        self.capacity = capacity

    @classmethod
    def create(
        cls, files: Files, path: Path, magic: bytes, version: int, capacity: int, least: int | None = None
    ) -> LogWriter:
        """A new preallocated log; its header and its name are durable on return.

        Args:
            files: The file layer.
            path: Where.
            magic: Of its kind.
            version: Of its format.
            capacity: Bytes to preallocate.
            least: Where the device has no room for that, less will do, down to this.

        Raises:
            DeviceFull: No space for it; nothing is left behind.
            DeviceFailure: The device failed.
        """
        while True:
            try:
                return cls._create(files, path, magic, version, capacity)
            except DeviceFull:
                if least is None or capacity <= least:
                    raise
            # A quarter each time: a few calls from the usual size down to the least.
            capacity = max(capacity // 4, least)

    @classmethod
    def _create(cls, files: Files, path: Path, magic: bytes, version: int, capacity: int) -> LogWriter:
        with device_errors("creating a log"):
            file = files.create(path, capacity)
            try:
                file.write_at(header(magic, version), 0)
                file.sync()
                files.sync_directory(path.parent)
            except OSError:
                file.close()
                files.remove(path)
                raise
        return cls(file, HEADER.size, capacity)

    def fits(self, payload_bytes: int) -> bool:
        """Whether a frame of this payload and a seal fit the preallocated space."""
        return self.end + payload_bytes + 2 * FRAME.size + 8 <= self.capacity

    def append(self, kind: int, sequence: int, payload: bytes) -> int:
        """Write a frame behind the last; not durable yet.

        Returns:
            The offset up to which the log must be durable for this frame to be.

        Raises:
            DeviceFull: No space; the log is as it was.
            DeviceFailure: The device failed, now or earlier on this log.
        """
        if self._failed:
            raise DeviceFailure("a log whose sync failed takes no more")
        raw = pack_frame(kind, sequence, self.durable, payload)
        with device_errors("appending to a log"):
            self._file.write_at(raw, self.end)
        self.end += len(raw)
        return self.end

    def sync(self, offset: int) -> None:
        """Make the log durable up to an offset.

        One sync serves every writer whose frame was written before it began: the others
        find their offset durable once they get the lock.

        Raises:
            DeviceFailure, DeviceFull: What was not durable yet may or may not survive. The log
                takes no more frames: after a failed sync the system may have dropped the
                dirty pages, so a later success would prove nothing.
        """
        if self.durable >= offset:
            return
        with self._sync_lock:
            if self.durable >= offset:
                return
            if self._failed:
                raise DeviceFailure("device failure while syncing a log")
            target = self.end
            try:
                with device_errors("syncing a log"):
                    self._file.sync()
            except Exception:
                self._failed = True
                raise
            self.durable = target

    def seal(self) -> None:
        """Sync, then mark the end, so that a reader knows that nothing is missing."""
        self.sync(self.end)
        self.sync(self.append(SEAL, 0, b""))

    def abandon(self) -> None:
        """Cut off what is not durable, as far as the device lets us, and close.

        Writers that still wait for a sync of this log fail.
        """
        with self._sync_lock:
            self._failed = True
            if self._closed:
                return
            # A tail that can't be cut was never acknowledged; a reader that finds it does no harm.
            with contextlib.suppress(OSError):
                self._file.truncate(self.durable)
                self._file.sync()
            self.close()

    def close(self) -> None:
        """Close the file; syncs nothing."""
        if not self._closed:
            self._closed = True
            self._file.close()
