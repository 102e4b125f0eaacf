"""The manifest: which shard groups, data files and tombstones there are.

A framed log of edits beside the data. One edit is one frame, so it happens
whole or not at all, and is durable when `commit` returns. A file is synced
before an edit names it, and its bytes are removed after an edit has dropped it.
When the log has outgrown its content it is rewritten: a snapshot goes to a new
file, is synced, and takes the manifest's name.

The format is described in docs/formats/manifest.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import Corruption, DeviceFull
from fluxkeep.ids import BucketID
from fluxkeep.storage.files import Files, device_errors
from fluxkeep.storage.frames import FRAME, HEADER, Damage, LogWriter, read_log
from fluxkeep.storage.shards import Shard
from fluxkeep.storage.tombstones import Tombstone, predicate_from_json, predicate_to_json

MAGIC = b"fkeepMAN"
VERSION = 1
EDIT = 1
NAME = "manifest"
# Kept allocated ahead, so that deletes can still be noted on a full disk.
_CAPACITY = 1 << 20
_REWRITE_FACTOR = 4
_EDIT_BYTES = 4096


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One data file (a Parquet file and its index).

    Attributes:
        id: Server-wide number that names both files.
        format: Version of their layout.
        bucket, shard, measurement: What it holds.
        generation: Of two files with the same point the one of the higher generation is newer.
        applied: Tombstones with lower sequence numbers have been applied to its rows.
        rows, series: How many.
        first, last: Inclusive time range in ns.
        bytes: Of both files together.
        data_crc, index_crc: CRC-32 of each file's bytes.
        fields: Names and types (`float`, `integer` …) of its field columns.
    """

    id: int
    format: int
    bucket: str
    shard: int
    measurement: str
    generation: int
    applied: int
    rows: int
    series: int
    first: int
    last: int
    bytes: int
    data_crc: int
    index_crc: int
    fields: tuple[tuple[str, str], ...]


class ShardEntry(msgspec.Struct, frozen=True):
    """A shard group in JSON."""

    id: int
    bucket: str
    start: int
    stop: int


class TombstoneEntry(msgspec.Struct, frozen=True):
    """A tombstone in JSON."""

    sequence: int
    bucket: str
    start: int
    stop: int
    predicate: Any


class Edit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change; its parts happen together.

    Attributes:
        next_file, next_shard: Numbers below were given out.
        flushed: WAL records with lower sequence numbers are in data files.
        sequence: Numbers below were given out.
        dropped_buckets: Buckets whose records with sequence numbers below the one given are void.
    """

    add_shards: tuple[ShardEntry, ...] = ()
    drop_shards: tuple[int, ...] = ()
    add_files: tuple[FileEntry, ...] = ()
    drop_files: tuple[int, ...] = ()
    add_tombstones: tuple[TombstoneEntry, ...] = ()
    drop_tombstones: tuple[int, ...] = ()
    dropped_buckets: tuple[tuple[str, int], ...] = ()
    next_file: int = 0
    next_shard: int = 0
    flushed: int = 0
    sequence: int = 0


@dataclass(slots=True)
class State:
    """What all edits add up to."""

    shards: dict[int, Shard] = field(default_factory=dict)
    files: dict[int, FileEntry] = field(default_factory=dict)
    tombstones: dict[int, Tombstone] = field(default_factory=dict)
    dropped_buckets: dict[BucketID, int] = field(default_factory=dict)
    next_file: int = 1
    next_shard: int = 1
    flushed: int = 1
    sequence: int = 1

    def apply(self, edit: Edit) -> None:
        """Take in one edit."""
        for s in edit.add_shards:
            self.shards[s.id] = Shard(s.id, BucketID(s.bucket), s.start, s.stop)
        for identifier in edit.drop_shards:
            self.shards.pop(identifier, None)
        for f in edit.add_files:
            self.files[f.id] = f
        for identifier in edit.drop_files:
            self.files.pop(identifier, None)
        for t in edit.add_tombstones:
            self.tombstones[t.sequence] = Tombstone(
                t.sequence, BucketID(t.bucket), TimeRange(t.start, t.stop), predicate_from_json(t.predicate)
            )
        for sequence in edit.drop_tombstones:
            self.tombstones.pop(sequence, None)
        for bucket, sequence in edit.dropped_buckets:
            self.dropped_buckets[BucketID(bucket)] = sequence
        self.next_file = max(self.next_file, edit.next_file)
        self.next_shard = max(self.next_shard, edit.next_shard)
        self.flushed = max(self.flushed, edit.flushed)
        self.sequence = max(self.sequence, edit.sequence)
        # Once the WAL holds nothing older, there is nothing left to be void.
        self.dropped_buckets = {b: s for b, s in self.dropped_buckets.items() if s > self.flushed}

    def snapshot(self) -> Edit:
        """The one edit that makes this state of nothing."""
        return Edit(
            add_shards=tuple(shard_entry(s) for s in self.shards.values()),
            add_files=tuple(self.files.values()),
            add_tombstones=tuple(tombstone_entry(t) for t in self.tombstones.values()),
            dropped_buckets=tuple((str(b), s) for b, s in self.dropped_buckets.items()),
            next_file=self.next_file,
            next_shard=self.next_shard,
            flushed=self.flushed,
            sequence=self.sequence,
        )


def shard_entry(shard: Shard) -> ShardEntry:
    """A shard group for an edit."""
    return ShardEntry(shard.id, str(shard.bucket), shard.start, shard.stop)


def tombstone_entry(t: Tombstone) -> TombstoneEntry:
    """A tombstone for an edit."""
    return TombstoneEntry(
        t.sequence, str(t.bucket), t.time_range.start, t.time_range.stop, predicate_to_json(t.predicate)
    )


def encode_edit(edit: Edit) -> bytes:
    """A frame's payload."""
    return msgspec.json.encode(edit)


def state_of(payloads: Sequence[bytes]) -> State:
    """What the edits of frames add up to.

    Raises:
        ValueError: A frame verifies and yet holds no edit.
    """
    decoder = msgspec.json.Decoder(Edit)
    state = State()
    try:
        for raw in payloads:
            state.apply(decoder.decode(raw))
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    return state


class Manifest:
    """The manifest of one data folder. `commit` is the caller's to serialise."""

    def __init__(self, files: Files, folder: Path) -> None:
        """Read the manifest, or begin one, and rewrite it if it has grown.

        A damaged one yields what verifies; `damage` says so and a copy is set aside.

        Raises:
            DeviceFull, DeviceFailure: The device.
            Corruption: It is not a manifest of a version known here.
        """
        self._files = files
        self._folder = folder
        self.state = State()
        self.damage: Sequence[Damage] = ()
        self._log: LogWriter | None = None
        with device_errors("opening the manifest"):
            files.make_directory(folder)
            names = files.names(folder)
            found = NAME in names
            if not found and any(files.names(folder / bucket) for bucket in names):
                # It is there before the first data file: without it the files are not to be taken for orphans.
                raise Corruption("the manifest is missing beside data files", file=NAME)
            raw = files.read(folder / NAME) if found else b""
        if found:
            content = read_log(raw, MAGIC, (VERSION,), file=NAME)
            self.damage = content.damage
            edits = [frame.payload for frame in content.frames if frame.kind == EDIT]
            try:
                self.state = state_of(edits)
            except ValueError as error:
                raise Corruption(f"the manifest holds an edit that can't be read: {error}", file=NAME) from error
            if not edits:
                # It gets its name with a snapshot in it: to go on without one would be to forget everything.
                raise Corruption("the manifest holds no edit", file=NAME)
            if self.damage:
                with device_errors("setting a damaged manifest aside"):
                    files.write(folder / f"{NAME}.corrupt", raw)
        # Always rewritten at start: a torn end is gone and space is allocated ahead.
        try:
            self._rewrite()
        except DeviceFull:
            # What is there can be read; the first change that finds room rewrites it.
            if not found:
                raise

    def commit(self, edit: Edit) -> None:
        """Make an edit durable and apply it.

        Raises:
            DeviceFull, DeviceFailure: It may or may not be found by a later start; the state
                here is as before, and the next commit rewrites the manifest so that it is not.
        """
        payload = encode_edit(edit)
        if self._log is not None and not self._log.fits(len(payload)):
            self._rewrite()
        if self._log is None:
            self._rewrite()
        assert self._log is not None
        try:
            self._log.sync(self._log.append(EDIT, self.state.sequence, payload))
        except Exception:
            self._log.abandon()
            self._log = None
            raise
        self.state.apply(edit)

    def close(self) -> None:
        """Close the file; every edit is durable already."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _rewrite(self) -> None:
        payload = encode_edit(self.state.snapshot())
        # Room for one more edit at least, or the next would have to rewrite again.
        least = HEADER.size + len(payload) + 4 * FRAME.size + _EDIT_BYTES
        capacity = max(_CAPACITY, HEADER.size + _REWRITE_FACTOR * (len(payload) + FRAME.size))
        path = self._folder / f"{NAME}.new"
        fresh = LogWriter.create(self._files, path, MAGIC, VERSION, capacity, least)
        try:
            fresh.sync(fresh.append(EDIT, self.state.sequence, payload))
            with device_errors("replacing the manifest"):
                self._files.rename(self._folder / f"{NAME}.new", self._folder / NAME)
                self._files.sync_directory(self._folder)
        except Exception:
            fresh.close()
            raise
        self.close()
        self._log = fresh
