"""Which series and fields a measurement has: questions about names, answered from the indexes.

Sorted runs and chunks never change, so each remembers what it holds over all its
time; an answer is then put together of as many parts as there are sources, whatever
their rows and series. A snapshot names its sources, so nothing has to be forgotten
when points are written, flushed, merged or deleted. Rows are looked at only where a
delete may have taken a series' last one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.predicates import Predicate
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.storage.plan import fields_wanted
from fluxkeep.storage.series_index import depends_on_field
from fluxkeep.storage.sources import LooseSource, MeasurementSnapshot, ShardSources, Source

Mask = npt.NDArray[np.bool_]
Ids = npt.NDArray[np.uint32]
Kind = tuple[str, FieldType]


@dataclass(frozen=True, slots=True)
class Presence:
    """The field series of one measurement within a range that a predicate over series leaves.

    Attributes:
        snapshot: Its sources, indexes read.
        kinds: Fields and types that any wanted series may have, sorted.
        masks: Of each kind which series are wanted, by id.
        alike: The field does not matter: all kinds that there are have the same mask.
        unnarrowed: Every series is wanted of every field.
    """

    snapshot: MeasurementSnapshot
    time_range: TimeRange
    kinds: Sequence[Kind]
    masks: Sequence[Mask]
    alike: bool
    unnarrowed: bool

    def fields(self) -> dict[str, FieldType]:
        """The fields that there are, by name, with the type of the newest shard group that has them."""
        newest: dict[str, tuple[int, FieldType]] = {}
        for (name, type_), mask in zip(self.kinds, self.masks, strict=True):
            # Of several types each has shard groups of its own.
            for shard in reversed(self.snapshot.shards):
                if self._has(shard, name, type_, mask):
                    found = newest.get(name)
                    if found is None or shard.shard.start > found[0]:
                        newest[name] = (shard.shard.start, type_)
                    break
        return {name: type_ for name, (_, type_) in newest.items()}

    def tag_keys(self) -> set[str]:
        """The tag keys that the series have."""
        index = self.snapshot.index
        if not self.unnarrowed:
            return set(index.keys(self.ids()))
        found: set[str] = set()
        rest: list[Source] = []
        for source in self._sources():
            if not isinstance(source, LooseSource) and self._whole(source):
                found |= source.series.tag_keys(index)
            else:
                rest.append(source)
        if rest:
            found.update(index.keys(np.flatnonzero(self._marked(rest)).astype(np.uint32)))
        return found

    def ids(self) -> Ids:
        """The series that have any of the fields."""
        if self.alike:
            mask = self.masks[0]
            found = self._marked(self._sources())[: len(mask)] & mask
        else:
            found = np.logical_or.reduce([self.having(at) for at in range(len(self.kinds))])
        return np.flatnonzero(found).astype(np.uint32)

    def having(self, at: int) -> Mask:
        """The series that have one of the kinds, by id."""
        (name, type_), mask = self.kinds[at], self.masks[at]
        present = np.zeros(len(mask), np.bool_)
        for shard in self.snapshot.shards:
            present |= self._present_in(shard, name, type_)[: len(mask)]
        return present & mask

    def _sources(self) -> Iterable[Source]:
        return (source for shard in self.snapshot.shards for source in (*shard.files, *shard.memory))

    def _whole(self, source: Source) -> bool:
        """Whether all that a sorted run holds counts: it lies within the range and no delete hides rows."""
        if isinstance(source, LooseSource) or source.tombstones:
            return False
        return source.first >= self.time_range.start and source.last < self.time_range.stop

    def _has(self, shard: ShardSources, name: str, type_: FieldType, mask: Mask) -> bool:
        """Whether any wanted series has a field in a shard group."""
        if self.unnarrowed:
            for source in (*shard.files, *shard.memory):
                if isinstance(source, LooseSource) or source.types.get(name) is not type_:
                    continue
                if self._whole(source) and len(source.series.having(name)):
                    return True
        return bool((self._present_in(shard, name, type_)[: len(mask)] & mask).any())

    def _present_in(self, shard: ShardSources, name: str, type_: FieldType) -> Mask:
        """Which series have a field in a shard group, by id, wanted or not."""
        present = np.zeros(len(self.snapshot.index), np.bool_)
        for source in (*shard.files, *shard.memory):
            if source.types.get(name) is type_:
                self._mark(source, [name], present)
        return present

    def _marked(self, sources: Iterable[Source]) -> Mask:
        """Which series have any field in some sources, by id, wanted or not."""
        present = np.zeros(len(self.snapshot.index), np.bool_)
        for source in sources:
            self._mark(source, None, present)
        return present

    def _mark(self, source: Source, names: Sequence[str] | None, present: Mask) -> None:
        """Mark the series that have one of these fields in a source, or any field."""
        if isinstance(source, LooseSource):
            for name in source.types if names is None else names:
                source.mark(name, self.time_range, present)
            return
        series = source.series
        if self._whole(source):
            for ids in (series.having(None),) if names is None else map(series.having, names):
                present[ids] = True
            return
        hit = (series.first < self.time_range.stop) & (series.last >= self.time_range.start)
        if not source.tombstones:
            for ids in (series.having(None),) if names is None else map(series.having, names):
                marks = np.zeros(len(present), np.bool_)
                marks[ids] = True
                present[series.ids[hit & marks[series.ids]]] = True
            return
        if hit.any():
            wanted = np.zeros(len(present), np.bool_)
            wanted[series.ids[hit]] = True
            rows = source.read(wanted, list(source.types) if names is None else names, self.time_range)
            for column in () if rows is None else rows.columns.values():
                assert rows is not None
                present[rows.ids if column.valid is None else rows.ids[column.valid]] = True


def presence_of(snapshot: MeasurementSnapshot, over_series: Predicate | None, time_range: TimeRange) -> Presence | None:
    """What a measurement has within a range; None if no series of it is wanted.

    Args:
        snapshot: Its sources, indexes read.
        over_series: Looks at series alone; an absent tag compares as "".
        time_range: A source that it only touches may name a series without rows in it.
    """
    by_field = depends_on_field(over_series)
    wanted = fields_wanted(snapshot, over_series, absent_is_empty=True)
    if not wanted:
        return None
    kinds, masks = [kind for kind, _ in wanted], [mask for _, mask in wanted]
    return Presence(snapshot, time_range, kinds, masks, not by_field, not by_field and bool(masks[0].all()))
