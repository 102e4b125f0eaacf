"""PointBatch: the columns of one write.

What the line-protocol scanner makes and the store takes. Points of one
measurement share columns; a point is a row. Nothing here loops per point.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.series import Series

Int64s: TypeAlias = npt.NDArray[np.int64]
UInt32s: TypeAlias = npt.NDArray[np.uint32]
Bools: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Strings:
    """Text values in Arrow's layout, so that Arrow and Polars take them without copying.

    Value i is `data[offsets[i]:offsets[i + 1]]`, valid UTF-8; `offsets` has one
    more entry than there are values and is int64.
    """

    offsets: Int64s
    data: bytes

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True, slots=True)
class FieldColumn:
    """One field of one measurement, one type; as long as the batch has rows.

    `valid[i]` is False where row i lacks the field; `values[i]` is then zero, or
    an empty string. None means every row has it.
    """

    name: str
    type: FieldType
    values: npt.NDArray[np.float64] | Int64s | npt.NDArray[np.uint64] | Bools | Strings
    valid: Bools | None


@dataclass(frozen=True, slots=True)
class KnownSeries:
    """Numbers that stand for series wherever batches of one generation bring them, so that none is looked up twice.

    Attributes:
        generation: Within one and the same measurement equal numbers mean equal series; of no
            other generation of this process anything follows.
        numbers: One for each entry of a batch's `series`; small and dense.
    """

    generation: int
    numbers: UInt32s


@dataclass(frozen=True, slots=True)
class MeasurementBatch:
    """All points of one measurement in one write, in input order.

    Attributes:
        measurement: Its name.
        series: The distinct series of the batch, in order of first appearance.
        series_index: Row to entry of `series`; uint32.
        time: Row to instant, int64 ns.
        line: Row to the ordinal of its point in the request, counted from 0 over
            all measurements; uint32. Error texts name the first refused point by it.
        fields: The columns. A name appears twice only where the request itself
            mixes types; rows are then valid in at most one of the two.
        known: Numbers of the series, if who made the batch has them.
    """

    measurement: str
    series: tuple[Series, ...]
    series_index: UInt32s
    time: Int64s
    line: UInt32s
    fields: tuple[FieldColumn, ...]
    known: KnownSeries | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True)
class PointBatch:
    """One write: measurements in order of first appearance.

    A measurement whose points share few fields may come in several batches, each
    a run of its points, because dense columns of all of it would be mostly holes.
    """

    measurements: tuple[MeasurementBatch, ...]

    @property
    def point_count(self) -> int:
        """Points in all."""
        return sum(len(m) for m in self.measurements)
