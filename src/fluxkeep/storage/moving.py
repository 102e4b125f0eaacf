"""Whole shard groups: out of the store, into it, and everything replaced at once.

A part of the engine, for backup and restore; it shares the engine's locks.

Source: http-api.md §26.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec

from fluxkeep.errors import Corruption, FluxkeepError, NotFound
from fluxkeep.ids import BucketID
from fluxkeep.storage.catalog import Catalog
from fluxkeep.storage.files import Files
from fluxkeep.storage.manifest import Edit, FileEntry, ShardEntry, TombstoneEntry
from fluxkeep.storage.shards import Shard
from fluxkeep.storage.transfer import Replacement, ShardExport, ShardParcel, export_of, place_parcel, receiving

# Makes a decided replacement durable and calls what applies it.
Decide = Callable[[Replacement, Callable[[], None]], None]


class ShardMoves(ABC):
    """What the engine does with whole shard groups."""

    _catalog: Catalog
    _files: Files
    _settled: threading.Condition
    _next_file: int
    _sequence: int

    @abstractmethod
    def flush(self) -> bool:
        """Write what is in memory to data files."""

    @abstractmethod
    def _quiet(self) -> AbstractContextManager[None]: ...

    @abstractmethod
    def _drop_shards(self, shards: Sequence[Shard], dropped_bucket: BucketID | None) -> None: ...

    @abstractmethod
    def _discard(self, entries: Iterable[FileEntry]) -> None: ...

    def shards(self) -> Sequence[Shard]:
        """Every shard group of every bucket, by id."""
        with self._settled:
            return sorted(self._catalog.all_shards(), key=lambda shard: shard.id)

    def export_shard(self, identifier: int) -> ShardExport | None:
        """What a shard group holds as of now, flushed first; None if there is no such group.

        Raises:
            Corruption: One of its files is damaged: a copy would silently lack points.
            DeviceFull, DeviceFailure: The flush failed.
        """
        self.flush()
        with self._settled:
            shard = self._catalog.shard(identifier)
            if shard is None:
                return None
            stored = [one for files in self._catalog.stored(shard).values() for one in files]
            for one in stored:
                if (damaged := self._catalog.corrupt.get(one.entry.id)) is not None:
                    raise Corruption(f"a damaged data file cannot be exported: {damaged}", file=damaged)
            return export_of(shard, stored, self._catalog.tombstones(shard.bucket), self._catalog.folder)

    @contextmanager
    def receiving(self) -> Iterator[Path]:
        """A folder for the files of one parcel, gone when it is left.

        Raises:
            DeviceFull, DeviceFailure: The device.
        """
        with receiving(self._catalog.folder.parent) as folder:
            yield folder

    def import_shard(self, identifier: int, parcel: ShardParcel) -> None:
        """Add exported files to a shard group, all of them or none; points that are there twice count once.

        Args:
            identifier: The group; its bucket and bounds need not be those of the export.
            parcel: Checked by `receive_shard`; its files are moved.

        Raises:
            NotFound: There is no such group.
            DeviceFull, DeviceFailure: Nothing was added.
        """
        with self._settled:
            shard = self._catalog.shard(identifier)
        if shard is None:
            raise NotFound(f"shard {identifier} not found")
        entries, tombstones = self.stage(shard, parcel)
        try:
            with self._settled:
                if self._catalog.shard(identifier) is None:
                    raise NotFound(f"shard {identifier} not found")
                self._catalog.commit(
                    Edit(
                        add_files=entries,
                        add_tombstones=tombstones,
                        next_file=self._next_file,
                        sequence=self._sequence,
                    )
                )
        except FluxkeepError:
            self._discard(entries)
            raise

    def stage(self, shard: Shard, parcel: ShardParcel) -> tuple[tuple[FileEntry, ...], tuple[TombstoneEntry, ...]]:
        """Put a parcel's files into the data folder without naming them in the manifest.

        A start removes them; `replace` names them, `unstage` removes them.

        Args:
            shard: That they will belong to; it need not exist.

        Raises:
            DeviceFull, DeviceFailure: None is left.
        """
        with self._settled:
            entries, tombstones, span = parcel.adopt(shard, self._next_file, self._sequence)
            self._next_file += len(entries)
            self._sequence += span
        try:
            place_parcel(self._files, self._catalog.folder, parcel, entries)
        except FluxkeepError:
            self._discard(entries)
            raise
        return entries, tombstones

    def unstage(self, entries: Iterable[FileEntry]) -> None:
        """Remove staged files."""
        self._discard(entries)

    def create_shards(self, bucket: BucketID, bounds: Sequence[tuple[int, int]]) -> list[int]:
        """Make empty shard groups with given bounds; ids in their order."""
        with self._settled:
            first = self._catalog.next_shard
            entries = [ShardEntry(first + i, str(bucket), *pair) for i, pair in enumerate(bounds)]
            self._catalog.commit(Edit(add_shards=tuple(entries), next_shard=first + len(entries)))
            return [entry.id for entry in entries]

    def replace(self, replacement: Replacement, decide: Decide) -> None:
        """Put something else in the place of everything, at a moment at which nothing is written.

        Args:
            replacement: Its numbers are set here.
            decide: Called at that moment with the replacement as it will be and the function that
                applies it. It makes the decision durable, calls the function, and forgets the
                decision. After a kill in between, a start with the decided replacement applies it.

        Raises:
            DeviceFull, DeviceFailure: Applying it failed; a start with the decided replacement applies it.
        """
        with self._quiet():
            final = msgspec.structs.replace(replacement, next_file=self._next_file, sequence=self._sequence)
            decide(final, lambda: self._replace(final))

    def _replace(self, replacement: Replacement) -> None:
        """Drop everything, then add; nothing is in flight."""
        for bucket in {shard.bucket for shard in self._catalog.all_shards()}:
            self._drop_shards(self._catalog.shards_of(bucket).all(), dropped_bucket=bucket)
            self._catalog.forget_bucket(bucket)
        self._catalog.commit(
            Edit(
                add_shards=replacement.shards,
                add_files=replacement.files,
                add_tombstones=replacement.tombstones,
                next_file=replacement.next_file,
                next_shard=max((shard.id + 1 for shard in replacement.shards), default=0),
                sequence=self._sequence,
            )
        )

    def _finish_replacing(self, replacement: Replacement) -> None:
        """Apply what was decided before a kill, unless it was applied: then its files are in the manifest.

        Without files it may be applied twice: nothing was written in between.
        """
        known = {entry.id for entry in self._catalog.entries()}
        if any(entry.id in known for entry in replacement.files):
            return
        self._next_file = max(self._next_file, replacement.next_file)
        self._sequence = max(self._sequence, replacement.sequence)
        self._replace(replacement)
