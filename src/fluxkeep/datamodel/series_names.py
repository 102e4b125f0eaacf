"""The names of many field series as columns: what a group key is made of.

A scan may answer with a million field series; a Python object for each would cost
more than their rows. Sequences that keep their names in columns hand them out as
such; those of others are put together here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import polars as pl

from fluxkeep.datamodel.predicates import FIELD, MEASUREMENT
from fluxkeep.datamodel.reader import FieldSeries

Int64s = npt.NDArray[np.int64]

# Up to so many are looked at one by one: columns have a fixed cost.
_FEW = 8


@dataclass(frozen=True, slots=True)
class SeriesNames:
    """Of some field series, in the order asked for, one string each; null where a tag is absent.

    Attributes:
        columns: `_measurement`, `_field` and every tag key that any of them has, or those asked for.
    """

    columns: dict[str, pl.Series]


@runtime_checkable
class ColumnarSeries(Protocol):
    """A sequence of field series that has its names in columns."""

    def names(self, ordinals: Int64s, labels: Sequence[str] | None = None) -> SeriesNames:
        """The names of the field series with these ordinals; of the labels only where given."""
        ...


def names_of(series: Sequence[FieldSeries], ordinals: Int64s, labels: Sequence[str] | None = None) -> SeriesNames:
    """The names of some of a scan's field series, by their ordinals; of the labels only where given."""
    if len(ordinals) > _FEW and isinstance(series, ColumnarSeries):
        return series.names(ordinals, labels)
    chosen = [series[at] for at in ordinals.tolist()]
    tags = [dict(one.tags) for one in chosen]
    wanted = labels if labels is not None else (MEASUREMENT, FIELD, *dict.fromkeys(key for of in tags for key in of))
    columns: dict[str, pl.Series] = {}
    for label in wanted:
        values: list[str | None]
        if label == MEASUREMENT:
            values = [one.measurement for one in chosen]
        elif label == FIELD:
            values = [one.field for one in chosen]
        else:
            values = [of.get(label) for of in tags]
        columns[label] = pl.Series(label, values, dtype=pl.String)
    return SeriesNames(columns)
