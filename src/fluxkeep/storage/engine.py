"""The store: open, write, read, delete, drop, flush, close.

A write is checked, put into the WAL and, invisible, into the memtable under one
lock, so that the log's order is the memtable's; the sync happens outside it,
and what it made durable becomes visible. A flush seals memtable and WAL segment
together when no write is between the two, writes data files, names them in the
manifest, and releases the segments.

What holds after a crash, whatever was torn or lost: a write that was
acknowledged is found, one that was refused is not.

See docs/formats for the bytes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fluxkeep.clock import Clock
from fluxkeep.datamodel.points import PointBatch
from fluxkeep.datamodel.predicates import Predicate
from fluxkeep.datamodel.reader import Reader
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import Conflict, Corruption, DeviceFull, FluxkeepError, Unavailable
from fluxkeep.ids import BucketID
from fluxkeep.instants import Precision
from fluxkeep.logs import get_logger
from fluxkeep.storage.catalog import Catalog
from fluxkeep.storage.compaction import compact, plan_compaction
from fluxkeep.storage.file_cache import FileCache
from fluxkeep.storage.files import DeviceFailure, Files, Locked, SystemFiles, device_errors
from fluxkeep.storage.flush import data_path, flush_rows, series_path
from fluxkeep.storage.frames import LogWriter
from fluxkeep.storage.manifest import Edit, FileEntry, ShardEntry, tombstone_entry
from fluxkeep.storage.memtable import Chunk, Memtable, Partition
from fluxkeep.storage.moving import ShardMoves
from fluxkeep.storage.outcomes import StoredBucket, Write, WriteOutcome
from fluxkeep.storage.reader import StoreReader
from fluxkeep.storage.replay import Decoder, replay
from fluxkeep.storage.settings import StorageOptions
from fluxkeep.storage.shards import Shard, group_duration
from fluxkeep.storage.snapshots import sources_of
from fluxkeep.storage.sources import MeasurementSnapshot, ShardSources
from fluxkeep.storage.tombstones import Tombstone
from fluxkeep.storage.transfer import Replacement, remove_received
from fluxkeep.storage.wal import PackedPayload, Ticket, Wal, pack_payload, pack_record
from fluxkeep.storage.worker import Worker
from fluxkeep.storage.write_plan import WritePlan, entering_rows, plan_write, retention_bound, times_of

# A shard group that time has passed by is merged to the end without any change to the catalog.
_LOOK_AGAIN_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A memtable that takes no more writes; `sequence` is above all its writes'."""

    memtable: Memtable
    sequence: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class _Begun:
    """A write in the log, and in the memtable without being seen there."""

    ticket: Ticket
    entered: Sequence[tuple[Partition, Chunk]]


class Engine(ShardMoves):
    """One data folder, used by one process. Every method may be called from any thread."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        options: StorageOptions | None = None,
        *,
        files: Files | None = None,
        decode: Decoder | None = None,
        replacement: Replacement | None = None,
    ) -> None:
        """Open a data folder or begin one, and replay the WAL.

        Args:
            path: The folder; made if missing.
            clock: Tells how long a memtable has been idle.
            options: Knobs.
            files: The file layer; tests give one that fails.
            decode: Reads payloads at replay; line protocol if not given.
            replacement: Decided by a former process that may have been killed before it was applied.

        Raises:
            Conflict: Another process has the folder.
            Corruption: The manifest can't be used. Lesser damage is set aside and reported.
            DeviceFull, DeviceFailure: The device.
        """
        self._options = options or StorageOptions()
        self._clock = clock
        self._log = get_logger("storage")
        self._files: Files = files or SystemFiles()
        with device_errors("opening the data folder"):
            self._files.make_directory(path)
        try:
            with device_errors("locking the data folder"):
                self._unlock = self._files.lock(path)
        except Locked as error:
            raise Conflict("the engine folder is in use by another process") from error
        try:
            cache = FileCache(self._options.open_files_max, self._options.column_cache_bytes_max)
            self._catalog = Catalog(self._files, path / "data", cache)
            self._wal = Wal(self._files, path / "wal", self._options.wal_segment_bytes)
            self._settled = threading.Condition(threading.Lock())
            self._flushing = threading.Lock()
            self._compacting = threading.Lock()
            # The catalog's version in which nothing was left to compact, and when that was found.
            self._compacted = (-1, 0)
            self._in_flight = 0
            self._waiting = 0
            self._sequence = self._catalog.sequence
            self._next_file = self._catalog.next_file
            self._memtable = Memtable()
            self._memtable_bytes = 0
            self._last_write_ns = clock.monotonic_ns()
            self._sealed: _Sealed | None = None
            self._closed = False
            remove_received(path)
            if replacement is not None:
                self._finish_replacing(replacement)
            self._recover(decode)
        except BaseException:
            self._unlock()
            raise
        self._worker = Worker(self._maintain, self.compact, self._log) if self._options.background else None

    # --- writing -----------------------------------------------------------------------------

    def write(
        self,
        bucket: StoredBucket,
        batch: PointBatch,
        payload: bytes,
        precision: Precision,
        now_ns: int,
        refused: Iterable[int] = (),
    ) -> WriteOutcome:
        """Store the points that can be; durable and visible on return. The arguments are those of a `Write`.

        Raises:
            Unavailable: Memory is full of writes that wait for a flush, or the store is closing.
            DeviceFull: No space for the log.
            DeviceFailure: The device failed; the points may be found after a restart.
        """
        (outcome,) = self.write_all([Write(bucket, batch, payload, precision, now_ns, tuple(refused))])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def write_all(self, writes: Sequence[Write]) -> list[WriteOutcome | Exception]:
        """Store several writes, one after the other, with one sync for all; durable and visible on return.

        Returns:
            For each what became of it, or the error because of which nothing did; see `write`.

        Raises:
            Unavailable: Of all of them nothing is stored.
        """
        level = self._options.wal_compression_level
        prepared = [(w, pack_payload(w.payload, level), np.array(sorted(set(w.refused)), np.uint32)) for w in writes]
        outcomes: list[WriteOutcome | Exception] = []
        begun: dict[int, _Begun] = {}
        with self._settled:
            self._admit()
            for number, (write, packed, refused) in enumerate(prepared):
                try:
                    outcome, under_way = self._begin(write, packed, refused)
                except Exception as error:  # noqa: BLE001  # its own writer's; the others' writes are under way
                    outcomes.append(error)
                    continue
                outcomes.append(outcome)
                if under_way is not None:
                    begun[number] = under_way
            self._in_flight += len(begun)
        failures = self._make_durable(list(begun.values()))
        for number, under_way in begun.items():
            outcomes[number] = failures.get(under_way.ticket.log, outcomes[number])
        if self._memtable_bytes > self._options.memtable_flush_bytes and self._worker is not None:
            self._worker.wake()
        return outcomes

    def _begin(
        self, write: Write, packed: PackedPayload, refused: npt.NDArray[np.uint32]
    ) -> tuple[WriteOutcome, _Begun | None]:
        """Put a write into the log, not durable, and into the memtable, invisible; the lock is held."""
        bucket, bound = write.bucket, retention_bound(write.bucket, write.now_ns)
        self._ensure_shards(bucket, write.batch, bound)
        shards, types = self._catalog.shards_of(bucket.id), self._catalog.types
        plan = plan_write(bucket, write.batch, refused, bound, shards, types)
        outcome = WriteOutcome(plan.accepted, plan.refusals)
        if not plan.accepted:
            return outcome, None
        record = pack_record(bucket.id, write.precision.value, write.now_ns, plan.refused, packed)
        ticket = self._wal.append(self._sequence, record)
        self._sequence += 1
        return outcome, _Begun(ticket, self._enter(plan))

    def _admit(self) -> None:
        """Wait until the memtables have room and nobody waits for quiet; the lock is held."""
        room = self._settled.wait_for(
            lambda: self._closed or (not self._waiting and self._held() <= self._options.memtable_bytes_max),
            self._options.write_wait_seconds_max,
        )
        if self._closed:
            raise Unavailable("the store is closing")
        if not room:
            raise Unavailable("memory for writes is full until a flush succeeds", retry_after_seconds=5)

    def _held(self) -> int:
        return self._memtable_bytes + (self._sealed.nbytes if self._sealed is not None else 0)

    def _ensure_shards(self, bucket: StoredBucket, batch: PointBatch, bound: int | None) -> None:
        """Make the shard groups that a write needs, durably, before the write is."""
        shards = self._catalog.shards_of(bucket.id)
        duration = group_duration(bucket.retention_ns, bucket.shard_group_ns)
        missing = shards.missing(times_of(batch, bound), duration)
        if missing:
            first = self._catalog.next_shard
            entries = [ShardEntry(first + i, str(bucket.id), *bounds) for i, bounds in enumerate(missing)]
            self._catalog.commit(Edit(add_shards=tuple(entries), next_shard=first + len(missing)))

    def _enter(self, plan: WritePlan) -> list[tuple[Partition, Chunk]]:
        """Put a write into the memtable, invisible."""
        for portion in plan.portions:
            self._catalog.types(portion.shard, portion.batch.measurement).update(portion.claims)
        entered: list[tuple[Partition, Chunk]] = []
        for shard, index, rows in entering_rows(plan, self._catalog.index):
            partition = self._memtable.partition(shard, index)
            chunk = partition.add(rows, pending=True)
            self._memtable_bytes += chunk.nbytes
            entered.append((partition, chunk))
        return entered

    def _make_durable(self, begun: Sequence[_Begun]) -> dict[LogWriter, Exception]:
        """Sync the logs of writes and show what became durable; gives the logs that failed, and why."""
        if not begun:
            return {}
        ends = {write.ticket.log: write.ticket.offset for write in begun}
        durable: set[LogWriter] = set()
        failures: dict[LogWriter, Exception] = {}
        try:
            for log, end in ends.items():
                try:
                    log.sync(end)
                    durable.add(log)
                except FluxkeepError as error:
                    failures[log] = error
        finally:
            with self._settled:
                for write in begun:
                    kept = write.ticket.log in durable
                    for partition, chunk in write.entered:
                        partition.settle(chunk, durable=kept)
                        self._memtable_bytes -= 0 if kept else chunk.nbytes
                self._last_write_ns = self._clock.monotonic_ns()
                self._in_flight -= len(begun)
                if not self._in_flight:
                    self._settled.notify_all()
                for log in ends.keys() - durable:
                    if self._wal.owns(log):
                        self._wal.give_up_segment()
        return failures

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Hold the lock at a moment at which no write is between log and memtable."""
        with self._settled:
            self._waiting += 1
            try:
                self._settled.wait_for(lambda: not self._in_flight)
                yield
            finally:
                self._waiting -= 1
                self._settled.notify_all()

    # --- reading -----------------------------------------------------------------------------

    def reader(self, bucket: BucketID) -> Reader:
        """Read access to a bucket; one that was never written to is empty."""
        return StoreReader(
            lambda time_range, measurement, sort: self._snapshot(bucket, time_range, measurement, sort=sort),
            self._set_aside,
            self._options.scan_block_values,
        )

    def _snapshot(
        self, bucket: BucketID, time_range: TimeRange, measurement: str | None, *, sort: bool
    ) -> tuple[list[MeasurementSnapshot], list[str]]:
        """The sources that may hold rows within a range, as of now."""
        if sort:
            self._sort_memory(bucket, time_range, measurement)
        found: dict[str, list[ShardSources]] = {}
        warnings: list[str] = []
        with self._settled:
            tables = [self._sealed.memtable] if self._sealed is not None else []
            tables.append(self._memtable)
            for shard in self._catalog.shards_of(bucket).all():
                if time_range.is_empty or not time_range.overlaps(shard.start, shard.stop - 1):
                    continue
                for name, sources in sources_of(
                    self._catalog, shard, time_range, measurement, tables, warnings
                ).items():
                    found.setdefault(name, []).append(sources)
            snapshots = [MeasurementSnapshot(self._catalog.index(bucket, n), shards) for n, shards in found.items()]
        return snapshots, warnings

    def _sort_memory(self, bucket: BucketID, time_range: TimeRange, measurement: str | None) -> None:
        """Sort the memtable rows that a scan is about to read; writes go on meanwhile."""
        with self._settled:
            partitions = [p for table in self._tables() for p in table.of_bucket(bucket)]
        for partition in partitions:
            shard = partition.shard
            if measurement in (None, partition.measurement) and time_range.overlaps(shard.start, shard.stop - 1):
                partition.arrange(self._options.sort_rows_min)

    def _set_aside(self, error: Corruption) -> None:
        """Remember a file as damaged: later reads leave it out and say so."""
        with self._settled:
            for entry in self._catalog.entries():
                if error.file == f"{entry.bucket}/{entry.shard}/{entry.id}.parquet":
                    self._catalog.corrupt[entry.id] = error.file
        self._log.error("storage.file.corrupt", file=error.file, offset=error.offset, reason=error.message)

    @property
    def corrupt_files(self) -> Sequence[str]:
        """Damaged files met so far."""
        with self._settled:
            return sorted(self._catalog.corrupt.values())

    # --- deleting ----------------------------------------------------------------------------

    def delete(self, bucket: BucketID, time_range: TimeRange, predicate: Predicate | None = None) -> None:
        """Hide the rows of matching series within a range; durable and seen by the next read.

        Args:
            bucket: Where.
            time_range: Which instants.
            predicate: Over tags and `_measurement`; an absent tag compares as "". None is everything.

        Raises:
            DeviceFull, DeviceFailure: Nothing has been deleted.
        """
        if time_range.is_empty:
            return
        with self._quiet():
            sequence = self._sequence
            tombstone = Tombstone(sequence, bucket, time_range, predicate)
            self._catalog.commit(Edit(add_tombstones=(tombstone_entry(tombstone),), sequence=sequence + 1))
            self._sequence += 1
            for table in self._tables():
                for partition in table.of_bucket(bucket):
                    doomed = partition.index.select(predicate, "", absent_is_empty=True)
                    partition.filter(doomed, time_range.start, time_range.stop)

    def _tables(self) -> list[Memtable]:
        return [self._memtable] if self._sealed is None else [self._sealed.memtable, self._memtable]

    def drop_bucket(self, bucket: BucketID) -> None:
        """Forget a bucket and remove its files; dropping one that holds nothing is fine.

        Raises:
            DeviceFull, DeviceFailure: The bucket is as it was.
        """
        with self._quiet():
            shards = self._catalog.shards_of(bucket).all()
            self._drop_shards(shards, dropped_bucket=bucket)
            self._catalog.forget_bucket(bucket)
            self._catalog.remove_dropped_folders()

    def enforce_retention(self, buckets: Iterable[StoredBucket], now_ns: int) -> int:
        """Drop the shard groups that lie wholly before what their bucket keeps.

        Returns:
            How many were dropped.

        Source: http-api.md §5.
        """
        kept = list(buckets)
        while True:
            with self._quiet():
                expired = self._expired(kept, now_ns)
                in_memory = any(True for table in self._tables() for s in expired for _ in table.of_shard(s.id))
                if expired and not in_memory:
                    self._drop_shards(expired, dropped_bucket=None)
                if not in_memory:
                    break
            # So that the WAL holds none of their records, which a replay would put back into a group made anew.
            self.flush()
        if not expired:
            return 0
        self._log.info("storage.retention.enforced", shard_groups=len(expired))
        return len(expired)

    def _expired(self, buckets: Iterable[StoredBucket], now_ns: int) -> list[Shard]:
        found: list[Shard] = []
        for bucket in buckets:
            bound = retention_bound(bucket, now_ns)
            if bound is not None:
                found += [s for s in self._catalog.shards_of(bucket.id).all() if s.stop <= bound]
        return found

    def _drop_shards(self, shards: Sequence[Shard], dropped_bucket: BucketID | None) -> None:
        """Drop shard groups with their files and memtable rows; nothing is in flight."""
        doomed = {shard.id for shard in shards}
        dropped = tuple(entry.id for entry in self._catalog.entries() if entry.shard in doomed)
        needless = self._catalog.needless_tombstones((), dropped, self._catalog.flushed)
        if dropped_bucket is not None:
            needless = tuple(t.sequence for t in self._catalog.tombstones(dropped_bucket))
        self._catalog.commit(
            Edit(
                drop_shards=tuple(sorted(doomed)),
                drop_files=dropped,
                drop_tombstones=needless,
                dropped_buckets=((str(dropped_bucket), self._sequence),) if dropped_bucket is not None else (),
                sequence=self._sequence,
            )
        )
        for table in self._tables():
            for shard in shards:
                for partition in table.of_shard(shard.id):
                    table.remove(partition)
                    if table is self._memtable:
                        self._memtable_bytes -= partition.nbytes
        self._catalog.remove_dropped_folders()

    # --- flushing ----------------------------------------------------------------------------

    def flush(self) -> bool:
        """Write what is in memory to data files and release the WAL behind it.

        Returns:
            Whether there was anything.

        Raises:
            DeviceFull, DeviceFailure: Memtable and WAL are kept as they were; the next
                flush tries again.
        """
        with self._flushing:
            # A flush that failed left its memtable; then the current one is flushed after it.
            retried = self._sealed is not None and self._flush_sealed()
            return (self._seal() and self._flush_sealed()) or retried

    def _seal(self, below: int | None = None) -> bool:
        """Put the memtable away to be flushed.

        Args:
            below: Above the sequence numbers of its writes; if not given, above all that were given out.
        """
        with self._quiet():
            if not self._memtable_bytes and not any(True for _ in self._memtable):
                return False
            self._wal.rotate()
            self._sealed = _Sealed(self._memtable, below or self._sequence, self._memtable_bytes)
            self._memtable = Memtable()
            self._memtable_bytes = 0
            return True

    def _flush_sealed(self) -> bool:
        sealed = self._sealed
        assert sealed is not None
        started_ns = self._clock.monotonic_ns()
        entries: list[FileEntry] = []
        try:
            for partition in sealed.memtable:
                entry = self._write_partition(partition, sealed.sequence)
                if entry is not None:
                    entries.append(entry)
            with self._settled:
                self._publish(sealed, entries)
        except FluxkeepError:
            self._discard(entries)
            raise
        with self._settled:
            self._wal.release(sealed.sequence)
        self._log.info(
            "storage.flushed",
            files=len(entries),
            rows=sum(e.rows for e in entries),
            bytes=sum(e.bytes for e in entries),
            milliseconds=(self._clock.monotonic_ns() - started_ns) // 1_000_000,
        )
        return True

    def _write_partition(self, partition: Partition, sequence: int) -> FileEntry | None:
        with self._settled:
            chunks = partition.visible()
            identifier = self._next_file
            self._next_file += 1
        return flush_rows(
            self._files,
            self._catalog.folder,
            partition.shard,
            partition.index,
            identifier,
            sequence,
            chunks,
            self._options.row_group_rows,
        )

    def _publish(self, sealed: _Sealed, entries: Sequence[FileEntry]) -> None:
        """Name flushed files in the manifest; those of shard groups dropped meanwhile are not. The lock is held."""
        alive = tuple(e for e in entries if self._catalog.shard(e.shard) is not None)
        self._catalog.commit(
            Edit(
                add_files=alive,
                next_file=self._next_file,
                flushed=sealed.sequence,
                sequence=self._sequence,
                drop_tombstones=self._catalog.needless_tombstones(alive, (), sealed.sequence),
            )
        )
        self._discard([e for e in entries if e not in alive])
        self._catalog.remove_dropped_folders()
        self._sealed = None
        self._settled.notify_all()

    def compact(self) -> bool:
        """Do one compaction job, the most useful.

        Returns:
            Whether there was one.

        Raises:
            DeviceFull, DeviceFailure: The files are as they were.
        """
        with self._compacting:
            with self._settled:
                looked_ns = self._clock.monotonic_ns()
                version, last_ns = self._compacted
                if version == self._catalog.version and looked_ns - last_ns < _LOOK_AGAIN_NS:
                    return False
                job = plan_compaction(self._catalog, self._options, self._clock.now_ns())
                if job is None:
                    self._compacted = (self._catalog.version, looked_ns)
                    return False
                identifier, applied = self._next_file, self._sequence
                self._next_file += 1
            started_ns = self._clock.monotonic_ns()
            try:
                entry = compact(job, self._files, self._catalog, self._options, identifier, applied)
            except Corruption as error:
                self._set_aside(error)
                return True
            entries = [] if entry is None else [entry]
            dropped = tuple(source.entry.id for source in job.sources)
            with self._settled:
                live = {e.id for e in self._catalog.entries()}
                if not live.issuperset(dropped):
                    # The shard group or the bucket went away meanwhile.
                    self._discard(entries)
                    self._catalog.remove_dropped_folders()
                    return True
                edit = Edit(
                    add_files=tuple(entries),
                    drop_files=dropped,
                    next_file=self._next_file,
                    sequence=self._sequence,
                    drop_tombstones=self._catalog.needless_tombstones(entries, dropped, self._catalog.flushed),
                )
                try:
                    self._catalog.commit(edit)
                except FluxkeepError:
                    self._discard(entries)
                    raise
            self._log.info(
                "storage.compacted",
                files=len(dropped),
                rows=sum(e.rows for e in entries),
                bytes=sum(e.bytes for e in entries),
                milliseconds=(self._clock.monotonic_ns() - started_ns) // 1_000_000,
            )
            return True

    def _discard(self, entries: Iterable[FileEntry]) -> None:
        for e in entries:
            for path in (
                data_path(self._catalog.folder, e.bucket, e.shard, e.id),
                series_path(self._catalog.folder, e.bucket, e.shard, e.id),
            ):
                try:
                    self._files.remove(path)
                except OSError as error:
                    self._log.warning("storage.file.kept", file=path.name, reason=str(error))

    # --- start, work in the background, stop -------------------------------------------------

    def _recover(self, decode: Decoder | None) -> None:
        """Remove orphans, replay the WAL, report damage."""
        if self._catalog.damage:
            for damage in self._catalog.damage:
                self._log.error("storage.manifest.damaged", offset=damage.offset, found=damage.found)
        else:
            with device_errors("removing orphans"):
                for path in self._catalog.orphans():
                    self._files.remove(path)
                self._catalog.remove_unknown_folders()
        damaged: list[Path] = []
        replayed = self._catalog.flushed
        for segment in self._wal.replay():
            for damage in segment.damage:
                self._log.error(
                    "storage.wal.damaged", segment=segment.path.name, offset=damage.offset, found=damage.found
                )
            if segment.damage:
                damaged.append(segment.path)
            for portion in replay(segment, self._catalog, decode):
                self._sequence = max(self._sequence, portion.sequence + 1)
                partition = self._memtable.partition(portion.shard, portion.index)
                chunk = partition.add(portion.rows, pending=False)
                self._memtable_bytes += chunk.nbytes
            # The manifest may know greater numbers, of deletes: records of the next segment lie below those.
            replayed = max([replayed, *(sequence + 1 for sequence, _ in segment.records)])
            self._sequence = max(self._sequence, replayed)
            if self._memtable_bytes > self._options.memtable_flush_bytes:
                self._flush_replayed(replayed)
        # What could be read is made safe first; then damaged segments may be put away.
        if damaged and self._flush_replayed(self._sequence):
            for path in damaged:
                self._wal.set_aside(path)
        if not any(True for _ in self._memtable):
            self._wal.release(self._sequence)

    def _flush_replayed(self, below: int) -> bool:
        """Flush what has been replayed so far; on a device that can't take it, it stays in memory and in the WAL."""
        try:
            with self._flushing:
                if self._sealed is not None:
                    self._flush_sealed()
                if self._seal(below):
                    self._flush_sealed()
        except (DeviceFull, DeviceFailure) as error:
            self._log.error("storage.replay.not_flushed", reason=error.message)
            return False
        return True

    def _maintain(self) -> None:
        """Flush when memory or time says so, and put away what readers kept from being removed."""
        with self._settled:
            self._catalog.remove_dropped_folders()
        idle_ns = self._clock.monotonic_ns() - self._last_write_ns
        full = self._memtable_bytes > self._options.memtable_flush_bytes or self._sealed is not None
        if full or (self._memtable_bytes and idle_ns > self._options.flush_idle_seconds * 1_000_000_000):
            self.flush()

    def close(self) -> None:
        """Finish what is in flight, flush, seal the WAL. Calling it again does nothing.

        A flush that fails is left to the next start's replay.
        """
        with self._quiet():
            if self._closed:
                return
            self._closed = True
        if self._worker is not None:
            self._worker.stop()
        try:
            self.flush()
        except FluxkeepError as error:
            self._log.error("storage.close.not_flushed", reason=error.message)
        with self._settled:
            self._wal.close()
            self._catalog.close()
            self._unlock()
