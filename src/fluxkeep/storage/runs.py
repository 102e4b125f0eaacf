"""Sorted runs: rows by series, then time, and where each series stands among them.

A data file is one, and so is what readers make of a memtable's chunks. What is
asked of a few series, or of the first and last row of each, is then answered by
position.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.points import Int64s
from fluxkeep.storage.columns import Positions, Rows

if TYPE_CHECKING:
    from fluxkeep.storage.series_index import SeriesIndex

Ids = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]


class SeriesPlaces:
    """Where the series of a sorted run are.

    Attributes:
        ids: Series ids in the run's order, which is the order of tag sets.
        rows: Rows of each; `start[i]` is the first row of the i-th, the last entry their number.
        first, last: Inclusive time range of each.
        counts: By field how many values each has; the same array as `rows` if every row has one.
    """

    __slots__ = ("_having", "_tag_keys", "counts", "first", "ids", "last", "rows", "start")

    def __init__(self, ids: Ids, rows: Int64s, first: Int64s, last: Int64s, counts: dict[str, Int64s]) -> None:
        self.ids = ids
        self.rows = rows
        self.start: Int64s = np.concatenate(([0], np.cumsum(rows)))
        self.first = first
        self.last = last
        self.counts = counts
        # Worked out when first asked for; who asks at once works out the same.
        self._having: dict[str | None, Ids] = {}
        self._tag_keys: frozenset[str] | None = None

    def having(self, name: str | None) -> Ids:
        """The ids of the series that have a field, or any field."""
        found = self._having.get(name)
        if found is None:
            counts = list(self.counts.values()) if name is None else [self.counts[name]]
            if any(one is self.rows for one in counts):
                found = self.ids
            elif counts:
                found = self.ids[np.logical_or.reduce([one > 0 for one in counts])]
            else:
                found = self.ids[:0]
            self._having[name] = found
        return found

    def tag_keys(self, index: SeriesIndex) -> frozenset[str]:
        """The tag keys that the series have, by the index that numbered them."""
        if self._tag_keys is None:
            self._tag_keys = frozenset(index.keys(self.having(None)))
        return self._tag_keys

    def positions(self, wanted: Mask) -> Positions:
        """Places in the run of the series of a mask by id, ascending; the mask may be shorter than the ids."""
        if not len(wanted):
            return np.empty(0, np.int64)
        known = self.ids < len(wanted)
        return np.flatnonzero(wanted[np.minimum(self.ids, len(wanted) - 1)] & known)


class SortedRun:
    """Rows in memory that are sorted, without duplicates, and never change."""

    __slots__ = ("first", "last", "rows", "series")

    def __init__(self, rows: Rows) -> None:
        """Take at least one row."""
        edges = np.concatenate(([0], np.flatnonzero(rows.ids[1:] != rows.ids[:-1]) + 1))
        ends = np.append(edges[1:], len(rows))
        counts: dict[str, Int64s] = {}
        lengths = ends - edges
        for name, column in rows.columns.items():
            counts[name] = lengths
            if column.valid is not None:
                counts[name] = np.add.reduceat(column.valid.astype(np.int64), edges)
        self.rows = rows
        self.series = SeriesPlaces(rows.ids[edges], lengths, rows.time[edges], rows.time[ends - 1], counts)
        self.first = int(self.series.first.min())
        self.last = int(self.series.last.max())

    def __len__(self) -> int:
        return len(self.rows)
