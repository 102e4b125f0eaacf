"""Shard groups as they travel: out of one store, into another, or into the same under other ids.

    tar ─┬─ <bucket>/autogen/<shard>/entries.json     format, file entries, tombstones
         ├─ <bucket>/autogen/<shard>/<id>.parquet     as docs/formats/parquet.md
         └─ <bucket>/autogen/<shard>/<id>.series.parquet

An export refers to the live files and keeps them from being removed; reading
them is left to whoever sends it. A parcel is an export that was read back and
checked whole: every file named, of the size and checksum that its entry says.

Source: http-api.md §26.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import InvalidInput
from fluxkeep.storage.catalog import StoredFile
from fluxkeep.storage.files import Files, device_errors
from fluxkeep.storage.flush import data_path, series_path
from fluxkeep.storage.manifest import FileEntry, TombstoneEntry, tombstone_entry
from fluxkeep.storage.parquet_files import FORMAT_VERSION
from fluxkeep.storage.shards import Shard
from fluxkeep.storage.tombstones import Tombstone

FORMAT = 1
_INDEX = "entries.json"
_BLOCK_BYTES = 1 << 20


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


@dataclass(frozen=True, slots=True)
class ShardParcel:
    """An export that was received and checked."""

    entries: tuple[FileEntry, ...]
    tombstones: tuple[TombstoneEntry, ...]
    contents: Mapping[int, tuple[bytes, bytes]]

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


def unpack_shard(tar: bytes) -> ShardParcel:
    """Read an exported shard group back and check all of it.

    Raises:
        InvalidInput: Not such a tar, cut off, of an unknown format, or a file that is not what its entry says.
    """
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None:
                    files[member.name.rpartition("/")[2]] = content.read()
    except (tarfile.TarError, EOFError) as error:
        if tar == bytes(2 * tarfile.BLOCKSIZE):
            return ShardParcel((), (), {})
        raise InvalidInput("the body is not a backup of a shard: it is no tar archive") from error
    if not files:
        return ShardParcel((), (), {})
    if _INDEX not in files:
        raise InvalidInput("the body is not a backup of a shard that this server can read: it has no entries.json")
    try:
        contents = msgspec.json.decode(files[_INDEX], type=_Contents)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"the backup of a shard has an entries.json that cannot be read: {error}") from error
    if contents.format != FORMAT or any(entry.format != FORMAT_VERSION for entry in contents.files):
        raise InvalidInput(f"the backup of a shard has format {contents.format}, which this server cannot read")
    bytes_of: dict[int, tuple[bytes, bytes]] = {}
    for entry in contents.files:
        data, index = files.get(f"{entry.id}.parquet"), files.get(f"{entry.id}.series.parquet")
        if data is None or index is None:
            raise InvalidInput(f"the backup of a shard is cut off: file {entry.id} is missing")
        if zlib.crc32(data) != entry.data_crc or zlib.crc32(index) != entry.index_crc:
            raise InvalidInput(f"the backup of a shard is damaged: file {entry.id} has another checksum")
        bytes_of[entry.id] = (data, index)
    return ShardParcel(contents.files, contents.tombstones, bytes_of)


def write_parcel(files: Files, folder: Path, parcel: ShardParcel, entries: Sequence[FileEntry]) -> None:
    """Write a parcel's files under their adopted names, synced; the manifest does not name them yet.

    Raises:
        DeviceFull, DeviceFailure: Some may be left behind; the caller discards `entries`.
    """
    with device_errors("writing restored files"):
        for source, entry in zip(parcel.entries, entries, strict=True):
            data, index = parcel.contents[source.id]
            path = data_path(folder, entry.bucket, entry.shard, entry.id)
            files.make_directory(path.parent)
            files.write(path, data)
            files.write(series_path(folder, entry.bucket, entry.shard, entry.id), index)
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
