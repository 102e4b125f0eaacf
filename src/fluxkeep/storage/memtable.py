"""The memtable: what was written since the last flush, in columns.

A write adds a chunk per shard group and measurement, in the order of sequence
numbers, when it enters the WAL. The chunk is invisible until the record is
durable, and taken out if that fails. Small chunks are joined in powers of a
fixed number, so that a million one-line writes do not make a million chunks.

Readers sort what they find: before a scan the settled chunks at the front become
a sorted run. A run is merged with the one before it when that is not much bigger,
so that a row is sorted again a logarithmic number of times however often readers
come; what is written and never read is sorted by the flush alone.

Writers are serialised by the engine; a partition's lock keeps them and readers
who sort apart.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from fluxkeep.ids import BucketID
from fluxkeep.storage.columns import Rows, concatenate_rows, take_rows
from fluxkeep.storage.merge import merge_rows, merge_sorted
from fluxkeep.storage.runs import SortedRun
from fluxkeep.storage.series_index import SeriesIndex
from fluxkeep.storage.shards import Shard

_JOIN = 32
# What a chunk's Python objects take besides its columns, roughly.
_CHUNK_OVERHEAD_BYTES = 600
_LEVEL_MAX = 4
# Chunks of so many rows are few enough as they are.
_JOINED_ROWS = 2_048
_RUN_RATIO = 2


class Chunk:
    """The rows that one write adds to one partition, or several such joined; `run` if they are sorted."""

    __slots__ = ("level", "nbytes", "pending", "rows", "run")

    def __init__(self, rows: Rows, *, pending: bool, level: int = 0, run: SortedRun | None = None) -> None:
        self.rows = rows
        self.pending = pending
        self.level = level
        self.run = run
        columns = sum(column.nbytes for column in rows.columns.values())
        self.nbytes = columns + rows.ids.nbytes + rows.time.nbytes + _CHUNK_OVERHEAD_BYTES


class Partition:
    """One measurement of one shard group, in memory."""

    def __init__(self, shard: Shard, index: SeriesIndex) -> None:
        self.shard = shard
        self.index = index
        # As counted when written: what sorting and joining save is not given back.
        self.nbytes = 0
        self._lock = threading.Lock()
        self._arranging = threading.Lock()
        self._chunks: list[Chunk] = []
        self._waiting = 0
        # Chunks at the front that are sorted runs, or are being made one: they are not joined.
        self._fixed = 0

    @property
    def measurement(self) -> str:
        """The measurement's name."""
        return self.index.measurement

    def add(self, rows: Rows, *, pending: bool) -> Chunk:
        """Add a chunk behind all others."""
        chunk = Chunk(rows, pending=pending, level=0 if len(rows) < _JOINED_ROWS else _LEVEL_MAX)
        with self._lock:
            self._chunks.append(chunk)
            self.nbytes += chunk.nbytes
            if pending:
                self._waiting += 1
            else:
                self._join()
        return chunk

    def settle(self, chunk: Chunk, *, durable: bool) -> None:
        """Make a pending chunk visible, or take it out."""
        with self._lock:
            chunk.pending = False
            self._waiting -= 1
            if durable:
                self._join()
                return
            self._chunks.remove(chunk)
            self.nbytes -= chunk.nbytes

    def visible(self) -> tuple[Rows, ...]:
        """The rows of durable writes, older before newer."""
        with self._lock:
            return tuple(chunk.rows for chunk in self._chunks if not chunk.pending)

    def snapshot(self) -> tuple[tuple[SortedRun, ...], tuple[Rows, ...]]:
        """What `visible` gives, in two: the sorted runs, and the newer chunks behind them."""
        with self._lock:
            visible = [chunk for chunk in self._chunks if not chunk.pending]
        runs = [chunk.run for chunk in visible if chunk.run is not None]
        return tuple(runs), tuple(chunk.rows for chunk in visible[len(runs) :])

    def arrange(self, rows_min: int) -> None:
        """Sort the settled chunks at the front if they have so many rows; what is visible stays the same."""
        with self._arranging:
            with self._lock:
                taken = self._arrangeable(rows_min)
                start = self._fixed - len(taken)
            if not taken:
                return
            chunk = None
            try:
                chunk = _sorted(taken, self.index)
            finally:
                with self._lock:
                    self._settle_run(start, taken, chunk)

    def _arrangeable(self, rows_min: int) -> list[Chunk]:
        """The chunks to become one run, from now on fixed; none if it is not worth it."""
        first = sum(1 for chunk in self._chunks if chunk.run is not None)
        stop = first
        rows = 0
        while stop < len(self._chunks) and not self._chunks[stop].pending:
            rows += len(self._chunks[stop].rows)
            stop += 1
        if rows < max(rows_min, 1):
            return []
        while first and len(self._chunks[first - 1].rows) <= _RUN_RATIO * rows:
            first -= 1
            rows += len(self._chunks[first].rows)
        self._fixed = stop
        return self._chunks[first:stop]

    def _settle_run(self, start: int, taken: Sequence[Chunk], chunk: Chunk | None) -> None:
        """Put a run in the place of the chunks that it was made of, unless a delete has changed them meanwhile."""
        found = self._chunks[start : start + len(taken)]
        same = len(found) == len(taken) and all(one is other for one, other in zip(found, taken, strict=True))
        if chunk is not None and same:
            self._chunks[start : start + len(taken)] = [chunk]
        self._fixed = sum(1 for one in self._chunks if one.run is not None)

    def filter(self, doomed: npt.NDArray[np.bool_], start: int, stop: int) -> None:
        """Remove the rows of doomed series (a mask by id) within [start, stop); nothing is pending."""
        with self._lock:
            kept: list[Chunk] = []
            for chunk in self._chunks:
                rows = chunk.rows
                hit = doomed[rows.ids] & (rows.time >= start) & (rows.time < stop)
                if not hit.any():
                    kept.append(chunk)
                elif not hit.all():
                    left = take_rows(rows, np.flatnonzero(~hit))
                    run = SortedRun(left) if chunk.run is not None else None
                    kept.append(Chunk(left, pending=False, level=chunk.level, run=run))
            self._chunks = kept
            self.nbytes = sum(chunk.nbytes for chunk in kept)
            self._fixed = sum(1 for chunk in kept if chunk.run is not None)

    def _join(self) -> None:
        """Join the last settled chunks of the lowest level while there are enough of them.

        With writers side by side some chunk at the end always waits for its sync; those before it are
        joined all the same.
        """
        end = len(self._chunks)
        waiting, at = self._waiting, end
        while waiting:
            at -= 1
            if self._chunks[at].pending:
                waiting -= 1
                end = at
        while end > self._fixed:
            level = self._chunks[end - 1].level
            start = end
            while start > self._fixed and self._chunks[start - 1].level <= level:
                start -= 1
            if end - start < _JOIN or level >= _LEVEL_MAX:
                return
            run = self._chunks[start:end]
            rows = concatenate_rows([chunk.rows for chunk in run])
            joined = Chunk(rows, pending=False, level=level + 1 if len(rows) < _JOINED_ROWS else _LEVEL_MAX)
            self._chunks[start:end] = [joined]
            end = start + 1


def _sorted(chunks: Sequence[Chunk], index: SeriesIndex) -> Chunk:
    """One run of runs and the loose chunks behind them."""
    rank = index.rank()
    loose = [chunk.rows for chunk in chunks if chunk.run is None]
    pieces = [chunk.rows for chunk in chunks if chunk.run is not None]
    rows = merge_sorted([*pieces, merge_rows(loose, rank)], rank)
    return Chunk(rows, pending=False, level=_LEVEL_MAX, run=SortedRun(rows))


class Memtable:
    """All partitions that are written together and flushed together."""

    def __init__(self) -> None:
        self._partitions: dict[tuple[int, str], Partition] = {}

    def partition(self, shard: Shard, index: SeriesIndex) -> Partition:
        """The partition of a measurement in a shard group; made if new."""
        key = (shard.id, index.measurement)
        found = self._partitions.get(key)
        if found is None:
            found = self._partitions[key] = Partition(shard, index)
        return found

    def __iter__(self) -> Iterator[Partition]:
        return iter(tuple(self._partitions.values()))

    def of_bucket(self, bucket: BucketID) -> Sequence[Partition]:
        """The partitions of one bucket."""
        return [p for p in self._partitions.values() if p.shard.bucket == bucket]

    def of_shard(self, shard_id: int) -> Sequence[Partition]:
        """The partitions of one shard group."""
        return [p for p in self._partitions.values() if p.shard.id == shard_id]

    def remove(self, partition: Partition) -> None:
        """Forget a partition and its rows."""
        self._partitions.pop((partition.shard.id, partition.measurement), None)
