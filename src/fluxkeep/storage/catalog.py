"""What the store has: shard groups, open data files, series, types, tombstones.

The manifest's state with what is derived from it. Changes go through `commit`,
which makes them durable first. Nothing here locks; the engine does.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.ids import BucketID
from fluxkeep.storage.file_cache import FileCache
from fluxkeep.storage.files import Files
from fluxkeep.storage.flush import data_path, series_path
from fluxkeep.storage.manifest import NAME, Edit, FileEntry, Manifest
from fluxkeep.storage.parquet_files import DataFile
from fluxkeep.storage.series_index import SeriesIndex
from fluxkeep.storage.shards import Shard, ShardMap
from fluxkeep.storage.sources import FileSource
from fluxkeep.storage.tombstones import Tombstone


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A live data file."""

    entry: FileEntry
    file: DataFile


class Catalog:
    """The live contents of one data folder."""

    def __init__(self, files: Files, folder: Path, cache: FileCache) -> None:
        """Open the manifest.

        Raises:
            Corruption: It can't be used at all.
            DeviceFull, DeviceFailure: The device.
        """
        self._files = files
        self._folder = folder
        self._manifest = Manifest(files, folder)
        self.damage = self._manifest.damage
        self.cache = cache
        self.corrupt: dict[int, str] = {}
        # Counts commits: who found nothing to do need not look again before it has changed.
        self.version = 0
        self._shards: dict[BucketID, ShardMap] = {}
        self._stored: dict[int, dict[str, list[StoredFile]]] = {}
        self._indexes: dict[tuple[BucketID, str], SeriesIndex] = {}
        self._types: dict[tuple[int, str], dict[str, FieldType]] = {}
        # Folders of what was dropped, until they are gone.
        self._dropped_folders: set[Path] = set()
        for shard in self._manifest.state.shards.values():
            self.shards_of(shard.bucket).add(shard)
        for entry in sorted(self._manifest.state.files.values(), key=lambda e: e.generation):
            self._open(entry)

    @property
    def folder(self) -> Path:
        """Where the data files are."""
        return self._folder

    @property
    def flushed(self) -> int:
        """WAL records with lower sequence numbers are in data files."""
        return self._manifest.state.flushed

    @property
    def sequence(self) -> int:
        """Sequence numbers below were given out when the manifest was last written."""
        return self._manifest.state.sequence

    @property
    def next_file(self) -> int:
        """The least file number that the manifest does not know as given out."""
        return self._manifest.state.next_file

    @property
    def next_shard(self) -> int:
        """The least free shard id."""
        return self._manifest.state.next_shard

    def entries(self) -> Sequence[FileEntry]:
        """All live data files."""
        return list(self._manifest.state.files.values())

    def shards_of(self, bucket: BucketID) -> ShardMap:
        """The shard groups of a bucket; empty for one never written to."""
        return self._shards.setdefault(bucket, ShardMap())

    def all_shards(self) -> Sequence[Shard]:
        """Every shard group."""
        return list(self._manifest.state.shards.values())

    def shard(self, identifier: int) -> Shard | None:
        """A shard group that is there."""
        return self._manifest.state.shards.get(identifier)

    def index(self, bucket: BucketID, measurement: str) -> SeriesIndex:
        """The series of a measurement."""
        found = self._indexes.get((bucket, measurement))
        if found is None:
            found = self._indexes[(bucket, measurement)] = SeriesIndex(measurement)
        return found

    def types(self, shard: Shard, measurement: str) -> dict[str, FieldType]:
        """The field types of a measurement in a shard group; to be added to."""
        return self._types.setdefault((shard.id, measurement), {})

    def stored(self, shard: Shard) -> dict[str, list[StoredFile]]:
        """The data files of a shard group by measurement, older generations first."""
        return self._stored.get(shard.id, {})

    def dropped_at(self, bucket: BucketID) -> int:
        """Records of a bucket with lower sequence numbers are void."""
        return self._manifest.state.dropped_buckets.get(bucket, 0)

    def tombstones(self, bucket: BucketID) -> list[Tombstone]:
        """The deletes that may still hide rows of a bucket."""
        return [t for t in self._manifest.state.tombstones.values() if t.bucket == bucket]

    def source(self, stored: StoredFile, bucket: BucketID) -> FileSource:
        """A data file with the deletes that it has not had applied."""
        entry = stored.entry
        pending = [
            t
            for t in self.tombstones(bucket)
            if t.sequence >= entry.applied and t.time_range.overlaps(entry.first, entry.last)
        ]
        return FileSource(entry, stored.file, self.cache, pending, self.index(bucket, entry.measurement))

    def needless_tombstones(self, added: Iterable[FileEntry], dropped: Iterable[int], flushed: int) -> tuple[int, ...]:
        """Tombstones that hide nothing once an edit has happened."""
        gone = set(dropped)
        live = [e for e in self._manifest.state.files.values() if e.id not in gone]
        live += list(added)
        return tuple(
            t.sequence
            for t in self._manifest.state.tombstones.values()
            if t.sequence <= flushed
            and not any(
                e.bucket == t.bucket and e.applied <= t.sequence and t.time_range.overlaps(e.first, e.last)
                for e in live
            )
        )

    def commit(self, edit: Edit) -> None:
        """Make an edit durable, then apply it here.

        The bytes of dropped files go when the last snapshot that reads them is gone.

        Raises:
            DeviceFull, DeviceFailure: Nothing has changed.
        """
        dropped = [self._manifest.state.files[i] for i in edit.drop_files if i in self._manifest.state.files]
        shards = [self._manifest.state.shards[i] for i in edit.drop_shards if i in self._manifest.state.shards]
        self._manifest.commit(edit)
        self.version += 1
        for entry in edit.add_shards:
            self.shards_of(BucketID(entry.bucket)).add(self._manifest.state.shards[entry.id])
            # A restored one has the number that it had.
            bucket = self._folder / entry.bucket
            self._dropped_folders -= {bucket, bucket / str(entry.id)}
        for file in edit.add_files:
            self._open(file)
        for file in dropped:
            self._forget(file)
        for shard in shards:
            self.shards_of(shard.bucket).remove(shard)
            self._stored.pop(shard.id, None)
            self._dropped_folders.add(self._folder / str(shard.bucket) / str(shard.id))
            for key in [key for key in self._types if key[0] == shard.id]:
                del self._types[key]

    def forget_bucket(self, bucket: BucketID) -> None:
        """Drop what is remembered of a bucket's series, and its folder when that is empty."""
        self._dropped_folders.add(self._folder / str(bucket))
        self._shards.pop(bucket, None)
        for key in [key for key in self._indexes if key[0] == bucket]:
            del self._indexes[key]

    def orphans(self) -> list[Path]:
        """Files in the data folder that the manifest does not name."""
        known: set[Path] = set()
        for entry in self._manifest.state.files.values():
            known.add(data_path(self._folder, entry.bucket, entry.shard, entry.id))
            known.add(series_path(self._folder, entry.bucket, entry.shard, entry.id))
        found: list[Path] = []
        for folder in self._shard_folders():
            found += [folder / n for n in self._files.names(folder) if n.endswith(".parquet")]
        return [path for path in found if path not in known]

    def remove_unknown_folders(self) -> None:
        """Remove the empty folders of shard groups and buckets that are not known any more.

        Raises:
            OSError: The device.
        """
        known = {self._folder / str(s.bucket) / str(s.id) for s in self._manifest.state.shards.values()}
        folders = set(self._shard_folders())
        folders |= {folder.parent for folder in folders}
        folders |= {self._folder / n for n in self._files.names(self._folder) if not n.startswith(NAME)}
        for folder in sorted(folders - known - {folder.parent for folder in known}, reverse=True):
            self._files.remove_folder(folder)

    def remove_dropped_folders(self) -> None:
        """Remove the folders of what was dropped since the start, as far as nobody reads in them any more."""
        for folder in sorted(self._dropped_folders, reverse=True):
            # What can't be removed now goes at the next start.
            with contextlib.suppress(OSError):
                self._files.remove_folder(folder)
                if not self._files.names(folder):
                    self._dropped_folders.discard(folder)

    def _shard_folders(self) -> list[Path]:
        buckets = [self._folder / name for name in self._files.names(self._folder)]
        return [bucket / name for bucket in buckets for name in self._files.names(bucket)]

    def close(self) -> None:
        """Close every file."""
        for by_measurement in self._stored.values():
            for stored in by_measurement.values():
                for one in stored:
                    one.file.close()
        self._manifest.close()

    def _open(self, entry: FileEntry) -> None:
        bucket = BucketID(entry.bucket)
        data = data_path(self._folder, entry.bucket, entry.shard, entry.id)
        series = series_path(self._folder, entry.bucket, entry.shard, entry.id)
        name = f"{entry.bucket}/{entry.shard}/{data.name}"
        file = DataFile(data, series, name, entry.fields, self.index(bucket, entry.measurement))
        stored = self._stored.setdefault(entry.shard, {}).setdefault(entry.measurement, [])
        stored.append(StoredFile(entry, file))
        stored.sort(key=lambda one: one.entry.generation)
        types = self._types.setdefault((entry.shard, entry.measurement), {})
        for field, type_ in entry.fields:
            types.setdefault(field, FieldType(type_))

    def _forget(self, entry: FileEntry) -> None:
        self.corrupt.pop(entry.id, None)
        by_measurement = self._stored.get(entry.shard, {})
        for one in by_measurement.get(entry.measurement, []):
            if one.entry.id == entry.id:
                self.cache.forget(one.file)
                weakref.finalize(
                    one.file,
                    _remove,
                    self._files,
                    data_path(self._folder, entry.bucket, entry.shard, entry.id),
                    series_path(self._folder, entry.bucket, entry.shard, entry.id),
                )
        kept = [one for one in by_measurement.get(entry.measurement, []) if one.entry.id != entry.id]
        if kept:
            by_measurement[entry.measurement] = kept
        else:
            by_measurement.pop(entry.measurement, None)


def _remove(files: Files, *paths: Path) -> None:
    for path in paths:
        # What can't be removed now is an orphan at the next start.
        with contextlib.suppress(OSError):
            files.remove(path)
