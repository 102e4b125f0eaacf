"""The memtable: what was written since the last flush, in columns.

A write adds a chunk per shard group and measurement, in the order of sequence
numbers, when it enters the WAL. The chunk is invisible until the record is
durable, and taken out if that fails. Small chunks are joined in powers of a
fixed number, so that a million one-line writes do not make a million chunks.

Nothing here locks; the engine does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from fluxkeep.ids import BucketID
from fluxkeep.storage.columns import Rows, concatenate_rows, take_rows
from fluxkeep.storage.series_index import SeriesIndex
from fluxkeep.storage.shards import Shard

_JOIN = 32
# What a chunk's Python objects take besides its columns, roughly.
_CHUNK_OVERHEAD_BYTES = 600
_LEVEL_MAX = 4


class Chunk:
    """The rows that one write adds to one partition, or several such joined."""

    __slots__ = ("level", "nbytes", "pending", "rows")

    def __init__(self, rows: Rows, *, pending: bool, level: int = 0) -> None:
        self.rows = rows
        self.pending = pending
        self.level = level
        columns = sum(column.nbytes for column in rows.columns.values())
        self.nbytes = columns + rows.ids.nbytes + rows.time.nbytes + _CHUNK_OVERHEAD_BYTES


class Partition:
    """One measurement of one shard group, in memory."""

    def __init__(self, shard: Shard, index: SeriesIndex) -> None:
        self.shard = shard
        self.index = index
        self.nbytes = 0
        self._chunks: list[Chunk] = []
        self._waiting = 0

    @property
    def measurement(self) -> str:
        """The measurement's name."""
        return self.index.measurement

    def add(self, rows: Rows, *, pending: bool) -> Chunk:
        """Add a chunk behind all others."""
        chunk = Chunk(rows, pending=pending)
        self._chunks.append(chunk)
        self.nbytes += chunk.nbytes
        if pending:
            self._waiting += 1
        else:
            self._join()
        return chunk

    def settle(self, chunk: Chunk, *, durable: bool) -> None:
        """Make a pending chunk visible, or take it out."""
        chunk.pending = False
        self._waiting -= 1
        if durable:
            self._join()
            return
        self._chunks.remove(chunk)
        self.nbytes -= chunk.nbytes

    def visible(self) -> tuple[Rows, ...]:
        """The rows of durable writes, older before newer."""
        return tuple(chunk.rows for chunk in self._chunks if not chunk.pending)

    def filter(self, doomed: npt.NDArray[np.bool_], start: int, stop: int) -> None:
        """Remove the rows of doomed series (a mask by id) within [start, stop); nothing is pending."""
        kept: list[Chunk] = []
        for chunk in self._chunks:
            rows = chunk.rows
            hit = doomed[rows.ids] & (rows.time >= start) & (rows.time < stop)
            if not hit.any():
                kept.append(chunk)
            elif not hit.all():
                kept.append(Chunk(take_rows(rows, np.flatnonzero(~hit)), pending=False, level=chunk.level))
        self._chunks = kept
        self.nbytes = sum(chunk.nbytes for chunk in kept)

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
        while end:
            level = self._chunks[end - 1].level
            start = end
            while start and self._chunks[start - 1].level <= level:
                start -= 1
            if end - start < _JOIN or level >= _LEVEL_MAX:
                return
            run = self._chunks[start:end]
            joined = Chunk(concatenate_rows([chunk.rows for chunk in run]), pending=False, level=level + 1)
            self._chunks[start:end] = [joined]
            self.nbytes += joined.nbytes - sum(chunk.nbytes for chunk in run)
            end = start + 1


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
