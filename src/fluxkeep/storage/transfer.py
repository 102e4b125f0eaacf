"""Shard groups as they travel: out of one store, into another, or into the same under other ids.

    tar ─┬─ <bucket>/autogen/<shard>/entries.json     format, file entries, tombstones
         ├─ <bucket>/autogen/<shard>/<id>.parquet     as docs/formats/parquet.md
         └─ <bucket>/autogen/<shard>/<id>.series.parquet

An export refers to the live files and keeps them from being removed; reading
them is left to whoever sends it. A parcel is an export that was read back, file
by file into a folder, and checked whole: every file named, with the checksum
that its entry says. A replacement is what a store holds after a full restore.

Source: http-api.md §26.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import InvalidInput
from fluxkeep.storage.catalog import StoredFile
from fluxkeep.storage.files import Files, device_errors
from fluxkeep.storage.flush import data_path, series_path
from fluxkeep.storage.manifest import FileEntry, ShardEntry, TombstoneEntry, tombstone_entry
from fluxkeep.storage.parquet_files import FORMAT_VERSION
from fluxkeep.storage.shards import Shard
from fluxkeep.storage.tombstones import Tombstone

FORMAT = 1
_INDEX = "entries.json"
_BLOCK_BYTES = 1 << 20
_RECEIVING = ".receiving-"


class _Contents(msgspec.Struct, frozen=True, kw_only=True):
    """`entries.json`."""

    format: int
    files: tuple[FileEntry, ...]
    tombstones: tuple[TombstoneEntry, ...]


@dataclass(frozen=True, slots=True)
class ShardExport:
    """What a shard group holds.

    Attributes:
        held: Keeps the files on the device until the export is let go.
    """

    shard: Shard
    entries: tuple[FileEntry, ...]
    tombstones: tuple[TombstoneEntry, ...]
    paths: Mapping[int, tuple[Path, Path]]
    held: tuple[object, ...]

    def tar(self, since_ns: int | None = None) -> Iterator[bytes]:
        """The export as a tar, in pieces; of nothing only its trailer.

        Args:
            since_ns: Leave out files that were there before this instant.
        """
        entries = self.entries
        if since_ns is not None:
            entries = tuple(e for e in entries if self.paths[e.id][0].stat().st_mtime_ns >= since_ns)
        if entries:
            base = f"{self.shard.bucket}/autogen/{self.shard.id}"
            contents = _Contents(format=FORMAT, files=entries, tombstones=self.tombstones)
            index = msgspec.json.encode(contents)
            yield from _member(f"{base}/{_INDEX}", len(index), iter((index,)))
            for entry in entries:
                for path in self.paths[entry.id]:
                    yield from _member(f"{base}/{path.name}", path.stat().st_size, _blocks(path))
        yield bytes(2 * tarfile.BLOCKSIZE)


def export_of(shard: Shard, stored: Sequence[StoredFile], tombstones: Sequence[Tombstone], folder: Path) -> ShardExport:
    """The export of a shard group's live files.

    A tombstone reaches over all shard groups of its bucket; only its part of this one travels.
    """
    clipped = []
    for t in tombstones:
        part = TimeRange(max(t.time_range.start, shard.start), min(t.time_range.stop, shard.stop))
        if not part.is_empty:
            clipped.append(tombstone_entry(Tombstone(t.sequence, t.bucket, part, t.predicate)))
    return ShardExport(
        shard,
        tuple(one.entry for one in stored),
        tuple(clipped),
        {
            one.entry.id: (
                data_path(folder, one.entry.bucket, one.entry.shard, one.entry.id),
                series_path(folder, one.entry.bucket, one.entry.shard, one.entry.id),
            )
            for one in stored
        },
        tuple(one.file for one in stored),
    )


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """What is to stand in the place of everything a store holds.

    Attributes:
        shards: The shard groups, with their ids.
        files, tombstones: As adopted; the files are in the data folder, and the manifest does not name them yet.
        next_file: File numbers below were given out.
        sequence: WAL records with lower numbers are void.
    """

    shards: tuple[ShardEntry, ...]
    files: tuple[FileEntry, ...] = ()
    tombstones: tuple[TombstoneEntry, ...] = ()
    next_file: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class ShardParcel:
    """An export that was received and checked.

    Attributes:
        paths: Where the received data file and index of an entry are, by its id; synced.
    """

    entries: tuple[FileEntry, ...]
    tombstones: tuple[TombstoneEntry, ...]
    paths: Mapping[int, tuple[Path, Path]]

    def adopt(
        self, shard: Shard, first_file: int, first_sequence: int
    ) -> tuple[tuple[FileEntry, ...], tuple[TombstoneEntry, ...], int]:
        """The entries under numbers of the receiving store, and how many sequence numbers they take.

        Which file is newer and which tombstone hides which file depends only on the order of sequence
        numbers, so all of them move by one distance.
        """
        numbers = [n for e in self.entries for n in (e.generation, e.applied)]
        numbers += [t.sequence for t in self.tombstones]
        if not numbers:
            return (), (), 0
        shift = first_sequence - min(numbers)
        entries = tuple(
            msgspec.structs.replace(
                entry,
                id=first_file + i,
                bucket=str(shard.bucket),
                shard=shard.id,
                generation=entry.generation + shift,
                applied=entry.applied + shift,
            )
            for i, entry in enumerate(self.entries)
        )
        tombstones = tuple(
            TombstoneEntry(t.sequence + shift, str(shard.bucket), t.start, t.stop, t.predicate) for t in self.tombstones
        )
        return entries, tombstones, max(numbers) - min(numbers) + 1


@contextmanager
def receiving(engine: Path) -> Iterator[Path]:
    """A folder for what is received, on the device of the data, gone when it is left.

    Raises:
        DeviceFull, DeviceFailure: The device.
    """
    with device_errors("making a folder for restored files"):
        folder = tempfile.mkdtemp(dir=engine, prefix=_RECEIVING)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_received(engine: Path) -> None:
    """Remove folders of a process that was killed while it received."""
    for folder in engine.glob(f"{_RECEIVING}*"):
        shutil.rmtree(folder, ignore_errors=True)


def receive_shard(tar: IO[bytes], folder: Path) -> ShardParcel:
    """Read an exported shard group back into a folder and check all of it; no file is held in memory.

    Raises:
        InvalidInput: Not such a tar, cut off, of an unknown format, or a file that is not what its entry says.
        DeviceFull, DeviceFailure: The device.
    """
    contents: _Contents | None = None
    awaited: dict[str, int] = {}
    try:
        with tarfile.open(fileobj=tar, mode="r|", bufsize=_BLOCK_BYTES) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is None:
                    continue
                name = member.name.rpartition("/")[2]
                if contents is None:
                    contents = _contents(name, content)
                    for entry in contents.files:
                        awaited[f"{entry.id}.parquet"] = entry.data_crc
                        awaited[f"{entry.id}.series.parquet"] = entry.index_crc
                elif (checksum := awaited.pop(name, None)) is None:
                    raise InvalidInput(f"the backup of a shard holds {name!r}, which its entries.json does not name")
                elif _received(content, folder / name) != checksum:
                    identifier = name.partition(".")[0]
                    raise InvalidInput(f"the backup of a shard is damaged: file {identifier} has another checksum")
    except (tarfile.TarError, EOFError) as error:
        if contents is None:
            raise InvalidInput("the body is not a backup of a shard: it is no tar archive") from error
        raise InvalidInput(f"the backup of a shard is cut off: {error}") from error
    if awaited:
        identifier = next(iter(awaited)).partition(".")[0]
        raise InvalidInput(f"the backup of a shard is cut off: file {identifier} is missing")
    if contents is None:
        return ShardParcel((), (), {})
    return ShardParcel(
        contents.files,
        contents.tombstones,
        {e.id: (folder / f"{e.id}.parquet", folder / f"{e.id}.series.parquet") for e in contents.files},
    )


def _contents(name: str, content: IO[bytes]) -> _Contents:
    if name != _INDEX:
        raise InvalidInput("the body is not a backup of a shard that this server can read: it has no entries.json")
    try:
        contents = msgspec.json.decode(content.read(), type=_Contents)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"the backup of a shard has an entries.json that cannot be read: {error}") from error
    if contents.format != FORMAT or any(entry.format != FORMAT_VERSION for entry in contents.files):
        raise InvalidInput(f"the backup of a shard has format {contents.format}, which this server cannot read")
    return contents


def _received(content: IO[bytes], path: Path) -> int:
    """Write a file, synced, and give the CRC-32 of its bytes."""
    checksum = 0
    with device_errors("writing restored files"), path.open("xb") as file:
        while block := content.read(_BLOCK_BYTES):
            checksum = zlib.crc32(block, checksum)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return checksum


def place_parcel(files: Files, folder: Path, parcel: ShardParcel, entries: Sequence[FileEntry]) -> None:
    """Move a parcel's files to their adopted names, synced; the manifest does not name them yet.

    Raises:
        DeviceFull, DeviceFailure: Some may be there; the caller discards `entries`.
    """
    with device_errors("placing restored files"):
        for source, entry in zip(parcel.entries, entries, strict=True):
            data, index = parcel.paths[source.id]
            path = data_path(folder, entry.bucket, entry.shard, entry.id)
            files.make_directory(path.parent)
            files.rename(data, path)
            files.rename(index, series_path(folder, entry.bucket, entry.shard, entry.id))
            files.sync_directory(path.parent)


def _member(name: str, size: int, blocks: Iterator[bytes]) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o600
    yield info.tobuf(tarfile.PAX_FORMAT)
    yield from blocks
    yield bytes(-size % tarfile.BLOCKSIZE)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
