"""Where the rows of one measurement of one shard group are: data files and memtables.

A snapshot holds what it reads: a data file that compaction drops stays on the
device until the last snapshot that uses it is gone.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.points import Int64s
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.storage.columns import Column, Rows, absent, concatenate, concatenate_rows, cut, take, take_rows
from fluxkeep.storage.file_cache import FileCache
from fluxkeep.storage.manifest import FileEntry
from fluxkeep.storage.merge import merge_rows, merge_sorted
from fluxkeep.storage.parquet_files import DataFile
from fluxkeep.storage.runs import SeriesPlaces, SortedRun
from fluxkeep.storage.series_index import SeriesIndex
from fluxkeep.storage.shards import Shard
from fluxkeep.storage.tombstones import Tombstone

Mask = npt.NDArray[np.bool_]

# Runs of wanted rows that lie closer together than this are read as one.
_GAP_ROWS = 16_384


def column_key(name: str, type_: FieldType) -> str:
    """Names a column where one field may have two types in two shard groups."""
    return f"{type_.value}:{name}"


@dataclass(slots=True)
class FileSource:
    """One data file and the tombstones that it has not had applied."""

    entry: FileEntry
    file: DataFile
    cache: FileCache
    tombstones: Sequence[Tombstone]
    index: SeriesIndex
    _doomed: dict[int, Mask] = field(default_factory=dict)

    @property
    def types(self) -> dict[str, FieldType]:
        """Fields and their types."""
        return self.file.types

    @property
    def first(self) -> int:
        """The earliest time."""
        return self.entry.first

    @property
    def last(self) -> int:
        """The latest time."""
        return self.entry.last

    @property
    def series(self) -> SeriesPlaces:
        """Where its series are; read when first asked for."""
        return self.file.series

    def read(self, wanted: Mask, fields: Sequence[str], time_range: TimeRange, *, remember: bool = True) -> Rows | None:
        """The rows of wanted series within a range, sorted, without duplicates; fields by their plain names.

        `remember` False leaves the cache alone: for who reads everything once.
        """
        at = _positions(self, wanted, time_range)
        fields = [f for f in fields if f in self.file.types]
        if not len(at) or not fields:
            return None
        self.cache.touch(self.file)
        cache = self.cache if remember else None
        pieces = [self._read_run(at[a:b], fields, cache) for a, b in _runs(self.series.start, at)]
        rows = concatenate_rows(pieces)
        return self._alive(_within(self, rows, time_range))

    def values_at(self, name: str, places: npt.NDArray[np.int64]) -> Column:
        """The values of a field that every one of these rows has, by row number, ascending."""
        self.cache.touch(self.file)
        if not len(places):
            return absent(self.types[name], 0)
        edges = np.append(places, places[-1])
        parts = []
        for a, b in _runs(edges, np.arange(len(places))):
            start, stop = int(places[a]), int(places[b - 1]) + 1
            column = self.file.read(start, stop, [name], with_time=False, cache=self.cache)[1][name]
            parts.append(take(column, places[a:b] - start))
        whole = concatenate(parts)
        return Column(whole.type, whole.values, None)

    def _read_run(self, at: npt.NDArray[np.int64], fields: Sequence[str], cache: FileCache | None) -> Rows:
        """The rows of some series that stand close together."""
        series = self.series
        start, stop = int(series.start[at[0]]), int(series.start[at[-1] + 1])
        time, columns = self.file.read(start, stop, fields, cache=cache)
        counts = series.rows[at]
        ids = np.repeat(series.ids[at], counts)
        if len(ids) == stop - start:
            return Rows(ids, time, columns)
        # Between the wanted series lie others: their rows are left out.
        rows = _row_numbers(series, at) - start
        return Rows(ids, time[rows], {name: take(c, rows) for name, c in columns.items()})

    def _alive(self, rows: Rows) -> Rows:
        for tombstone in self.tombstones:
            bounds = tombstone.time_range
            doomed = self._doomed.get(tombstone.sequence)
            if doomed is None:
                doomed = self.index.select(tombstone.predicate, "", absent_is_empty=True)
                self._doomed[tombstone.sequence] = doomed
            hit = doomed[rows.ids] & (rows.time >= bounds.start) & (rows.time < bounds.stop)
            if hit.any():
                rows = take_rows(rows, np.flatnonzero(~hit))
        return rows


def _runs(start: Int64s, at: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Slices of `at` whose rows stand close enough to be read together."""
    gaps = start[at[1:]] - start[at[:-1] + 1]
    cuts = np.flatnonzero(gaps > _GAP_ROWS) + 1
    edges = [0, *cuts.tolist(), len(at)]
    return list(itertools.pairwise(edges))


def _positions(source: FileSource | RunSource, wanted: Mask, time_range: TimeRange) -> npt.NDArray[np.int64]:
    """Places of the wanted series of a sorted run that may have rows within a range."""
    series = source.series
    at = series.positions(wanted)
    if source.first >= time_range.start and source.last < time_range.stop:
        return at
    return at[(series.first[at] < time_range.stop) & (series.last[at] >= time_range.start)]


def _row_numbers(series: SeriesPlaces, at: npt.NDArray[np.int64]) -> Int64s:
    """The numbers of all rows of some series."""
    counts = series.rows[at]
    offsets = np.repeat(series.start[at] - np.concatenate(([0], np.cumsum(counts[:-1]))), counts)
    numbers: Int64s = offsets + np.arange(len(offsets))
    return numbers


@dataclass(slots=True)
class RunSource:
    """A sorted run of a memtable partition."""

    run: SortedRun
    # Deletes are applied to memory at once.
    tombstones: Sequence[Tombstone] = ()

    @property
    def types(self) -> dict[str, FieldType]:
        """Fields and their types."""
        return {name: column.type for name, column in self.run.rows.columns.items()}

    @property
    def first(self) -> int:
        """The earliest time."""
        return self.run.first

    @property
    def last(self) -> int:
        """The latest time."""
        return self.run.last

    @property
    def series(self) -> SeriesPlaces:
        """Where its series are."""
        return self.run.series

    def read(self, wanted: Mask, fields: Sequence[str], time_range: TimeRange) -> Rows | None:
        """See `FileSource.read`."""
        whole = self.run.rows
        columns = {name: whole.columns[name] for name in fields if name in whole.columns}
        at = _positions(self, wanted, time_range)
        if not len(at) or not columns:
            return None
        if len(at) == len(self.series.ids):
            return _within(self, Rows(whole.ids, whole.time, columns), time_range)
        start, stop = int(self.series.start[at[0]]), int(self.series.start[at[-1] + 1])
        if at[-1] - at[0] == len(at) - 1:
            cuts = {name: cut(column, start, stop) for name, column in columns.items()}
            return _within(self, Rows(whole.ids[start:stop], whole.time[start:stop], cuts), time_range)
        return _within(self, take_rows(Rows(whole.ids, whole.time, columns), _row_numbers(self.series, at)), time_range)

    def values_at(self, name: str, places: npt.NDArray[np.int64]) -> Column:
        """See `FileSource.values_at`."""
        found = take(self.run.rows.columns[name], places)
        return Column(found.type, found.values, None)


@dataclass(slots=True)
class LooseSource:
    """The chunks of one memtable partition that are not sorted, older before newer; at least one row."""

    chunks: Sequence[Rows]

    @property
    def types(self) -> dict[str, FieldType]:
        """Fields and their types."""
        return {name: column.type for chunk in self.chunks for name, column in chunk.columns.items()}

    @property
    def first(self) -> int:
        """The earliest time."""
        return min(_bounds(chunk)[0] for chunk in self.chunks)

    @property
    def last(self) -> int:
        """The latest time."""
        return max(_bounds(chunk)[1] for chunk in self.chunks)

    def read(self, wanted: Mask, fields: Sequence[str], time_range: TimeRange) -> Rows | None:
        """Like `FileSource.read`, but neither sorted nor without duplicates."""
        pieces: list[Rows] = []
        for chunk in self.chunks:
            first, last, id_max = _bounds(chunk)
            if not time_range.overlaps(first, last):
                continue
            known = wanted if id_max < len(wanted) else np.append(wanted, np.zeros(id_max + 1 - len(wanted), np.bool_))
            hit = known[chunk.ids]
            if first < time_range.start or last >= time_range.stop:
                hit &= (chunk.time >= time_range.start) & (chunk.time < time_range.stop)
            columns = {name: chunk.columns[name] for name in fields if name in chunk.columns}
            narrowed = Rows(chunk.ids, chunk.time, columns)
            if hit.all():
                pieces.append(narrowed)
            elif hit.any():
                pieces.append(take_rows(narrowed, np.flatnonzero(hit)))
        return concatenate_rows(pieces) if pieces else None

    def mark(self, name: str, time_range: TimeRange, present: Mask) -> None:
        """Mark in a mask by id the series that have a field within a range."""
        for chunk in self.chunks:
            column = chunk.columns.get(name)
            if column is None:
                continue
            first, last, id_max = _bounds(chunk)
            if first >= time_range.start and last < time_range.stop:
                marks = chunk.notes.series.get(name)
                if marks is None:
                    marks = np.zeros(id_max + 1, np.bool_)
                    marks[chunk.ids if column.valid is None else chunk.ids[column.valid]] = True
                    chunk.notes.series[name] = marks
                present[: len(marks)] |= marks
            elif time_range.overlaps(first, last):
                hit = (chunk.time >= time_range.start) & (chunk.time < time_range.stop)
                if column.valid is not None:
                    hit &= column.valid
                present[chunk.ids[hit]] = True


def _bounds(chunk: Rows) -> tuple[int, int, int]:
    """First and last time and the largest id of rows that never change; worked out once."""
    if chunk.notes.bounds is None:
        chunk.notes.bounds = (int(chunk.time.min()), int(chunk.time.max()), int(chunk.ids.max()))
    return chunk.notes.bounds


Source: TypeAlias = FileSource | RunSource | LooseSource


@dataclass(frozen=True, slots=True)
class ShardSources:
    """The sources of one shard group, older before newer; the memtables are last."""

    shard: Shard
    files: Sequence[FileSource]
    memory: Sequence[RunSource | LooseSource]

    @property
    def types(self) -> dict[str, FieldType]:
        """Fields and their types in this shard group."""
        types: dict[str, FieldType] = {}
        for source in (*self.files, *self.memory):
            types.update(source.types)
        return types

    def read(
        self, wanted: Mask, fields: Sequence[str], time_range: TimeRange, rank: npt.NDArray[np.uint32]
    ) -> Rows | None:
        """The merged rows of wanted series, columns keyed by `column_key`.

        Rows in which all the wanted fields are absent may be among them.
        """
        pieces: list[Rows] = []
        for source in (*self.files, *self.memory):
            rows = source.read(wanted, fields, time_range)
            if rows is not None and len(rows):
                pieces.append(merge_rows([rows], rank) if isinstance(source, LooseSource) else rows)
        if not pieces:
            return None
        merged = merge_sorted(pieces, rank)
        return Rows(merged.ids, merged.time, {column_key(n, c.type): c for n, c in merged.columns.items()})


def memory_sources(runs: Sequence[SortedRun], loose: Sequence[Rows]) -> list[RunSource | LooseSource]:
    """The sources of one memtable partition."""
    chunks = [rows for rows in loose if len(rows)]
    found: list[RunSource | LooseSource] = [RunSource(run) for run in runs]
    return [*found, LooseSource(chunks)] if chunks else found


@dataclass(frozen=True, slots=True)
class Part:
    """Sources whose rows of a series lie before or behind those of all others; `plain` if it is one, sorted, and no
    delete hides rows.
    """

    sources: ShardSources
    plain: FileSource | RunSource | None


def parts_of(shard: ShardSources) -> list[Part]:
    """The parts of a shard group, in the order of time for each series; the indexes of its files have been read."""
    sources: list[Source] = [*shard.files, *shard.memory]
    spans = sorted((source.first, source.last, age) for age, source in enumerate(sources))
    groups: list[tuple[int, list[int]]] = []
    ends = _SeriesEnds()
    for first, last, age in spans:
        touched = next((at for at, (end, _) in enumerate(groups) if end >= first), len(groups))
        # A flush in the middle of a round over the series leaves files that share an instant and no series at it.
        if touched < len(groups) and not ends.all_before(sources[age]):
            last = max(last, *(end for end, _ in groups[touched:]))
            joined = [one for _, ages in groups[touched:] for one in ages]
            groups[touched:] = [(last, [*joined, age])]
        else:
            groups.append((last, [age]))
        ends.add(sources[age])
    return [_part(shard.shard, [sources[age] for age in sorted(ages)]) for _, ages in groups]


class _SeriesEnds:
    """The last time that each series has in some sources; worked out when it is first asked for."""

    def __init__(self) -> None:
        self._added: list[Source] = []
        self._last: Int64s = np.empty(0, np.int64)

    def add(self, source: Source) -> None:
        """Count a source in."""
        self._added.append(source)

    def all_before(self, source: Source) -> bool:
        """Whether every series of a source begins behind its end in those that were added."""
        for added in self._added:
            for ids, _, last in _spans(added):
                self._reach(int(ids.max()))
                np.maximum.at(self._last, ids, last)
        self._added.clear()
        for ids, first, _ in _spans(source):
            self._reach(int(ids.max()))
            if not bool((first > self._last[ids]).all()):
                return False
        return True

    def _reach(self, id_max: int) -> None:
        missing = id_max + 1 - len(self._last)
        if missing > 0:
            self._last = np.append(self._last, np.full(missing, np.iinfo(np.int64).min))


def _spans(source: Source) -> list[tuple[npt.NDArray[np.uint32], Int64s, Int64s]]:
    """Series with their first and last times; one may occur more than once."""
    if isinstance(source, LooseSource):
        return [(chunk.ids, chunk.time, chunk.time) for chunk in source.chunks]
    return [(source.series.ids, source.series.first, source.series.last)]


def _part(shard: Shard, sources: Sequence[Source]) -> Part:
    files = [source for source in sources if isinstance(source, FileSource)]
    memory = [source for source in sources if not isinstance(source, FileSource)]
    plain = None
    if len(sources) == 1 and not isinstance(sources[0], LooseSource) and not sources[0].tombstones:
        plain = sources[0]
    return Part(ShardSources(shard, files, memory), plain)


def _within(source: FileSource | RunSource, rows: Rows, time_range: TimeRange) -> Rows:
    """The rows of a source within a range."""
    if source.first >= time_range.start and source.last < time_range.stop:
        return rows
    outside = (rows.time < time_range.start) | (rows.time >= time_range.stop)
    return take_rows(rows, np.flatnonzero(~outside)) if outside.any() else rows


@dataclass(frozen=True, slots=True)
class MeasurementSnapshot:
    """All sources of one measurement, shard groups in order of time."""

    index: SeriesIndex
    shards: Sequence[ShardSources]

    @property
    def measurement(self) -> str:
        """The measurement's name."""
        return self.index.measurement

    def load(self) -> list[FileSource]:
        """Read the indexes of all files, so that every series has its id; gives the files."""
        files = [f for shard in self.shards for f in shard.files]
        for source in files:
            source.file.series  # noqa: B018 - read for its effect
        return files

    def rows_by_id(self, count: int) -> Int64s:
        """At most how many rows each series has."""
        rows = np.zeros(count, np.int64)
        for shard in self.shards:
            for source in (*shard.files, *shard.memory):
                if isinstance(source, LooseSource):
                    for chunk in source.chunks:
                        rows += np.bincount(chunk.ids, minlength=count)[:count]
                else:
                    known = source.series.ids < count
                    rows[source.series.ids[known]] += source.series.rows[known]
        return rows
