"""The one seam between the engines and storage: ScanRequest and Reader.

A Reader belongs to one bucket and to one caller's Access; who holds it may read
that bucket. The engines know nothing else of storage.

A scan answers with *field series*: a series (measurement and tags) and one of
its fields. Rows come in long form, a frame per value type:

    ┌────────────┬───────────┬─────────┐
    │ series u32 │ time i64  │ value   │   sorted by series, then time (or time
    └────────────┴───────────┴─────────┘   descending), value never null

`series` is an ordinal into `Scan.series`. With a window aggregate two more
columns, `start` and `stop` (i64, the window's bounds cut to the range), follow.
`time` of an aggregate's row is that of the row it selected; of count, sum and
mean it is the window's cut start, or the range's start without windows.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.predicates import Predicate
from fluxkeep.datamodel.series import Tags
from fluxkeep.datamodel.timerange import EVERYTHING, TimeRange, Window
from fluxkeep.errors import InvalidInput

if TYPE_CHECKING:
    import polars as pl


class Aggregate(enum.Enum):
    """Aggregates that a store can answer; nulls do not exist in its rows."""

    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    FIRST = "first"
    LAST = "last"

    @property
    def is_selector(self) -> bool:
        """Selectors keep the time of the row they chose; of equals the earliest (last: the latest)."""
        return self in (Aggregate.MIN, Aggregate.MAX, Aggregate.FIRST, Aggregate.LAST)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """What an engine wants of one bucket.

    Attributes:
        time_range: [start, stop) in ns.
        predicate: Over tags, `_measurement`, `_field`, `_value`, `_time`; None keeps all.
        absent_is_empty: How an absent tag compares: as "" (InfluxQL, delete) or as null (Flux).
        fields: Only these fields; None for all. Narrower than the predicate, never wider.
        aggregate: One row per field series (and window) rather than rows.
            count gives integers; sum keeps the type; mean gives floats. Types for which
            an aggregate has no meaning (sum, mean, min, max of strings or booleans) are an
            `InvalidInput` naming the type: `unsupported aggregate column type string`,
            raised when rows of such a type are met, at once or while iterating. Integer
            sums wrap.
        window: With `aggregate`: per window, windows without rows absent.
        group: With `aggregate`: series are merged into groups by these columns (tags,
            `_measurement`, `_field`); an empty tuple is one group. None: no merging. Groups
            hold one value type only; mixing raises `InvalidInput` as the engines do. Of
            rows with equal times the earlier series' comes first. Needs `aggregate`.
        descending: The answer's rows of a series by time descending; what an aggregate
            selects does not depend on it.
        limit: At most so many of the answer's rows of each field series, from the front.
        bytes_max: What may be gathered before a batch is given; 0 for no limit.
    """

    time_range: TimeRange = EVERYTHING
    predicate: Predicate | None = None
    absent_is_empty: bool = False
    fields: tuple[str, ...] | None = None
    aggregate: Aggregate | None = None
    window: Window | None = None
    group: tuple[str, ...] | None = None
    descending: bool = False
    limit: int | None = None
    bytes_max: int = 0


@dataclass(frozen=True, slots=True)
class FieldSeries:
    """One field of one series; `tags` sorted by key; `type` as stored, whatever an aggregate makes of it.

    Of a group: only the group's columns; a tag that its series lack is absent, measurement and
    field are "" when the group does not name them.
    """

    measurement: str
    tags: Tags
    field: str
    type: FieldType


@dataclass(frozen=True, slots=True)
class ScanBatch:
    """Rows of one value type, the answer's; see the module's docstring for the columns."""

    type: FieldType
    frame: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Scan:
    """The answer: the field series that may have rows, and their rows.

    Attributes:
        series: In order of measurement, tags (compared as (key, value) pairs in key order), field,
            type: the order in which the reference emits tables. A field whose type
            differs between shards appears once per type. May name series
            that turn out to have no rows.
        batches: Streamed; each holds whole field series, a series never spans two batches of its
            type, and ordinals ascend from batch to batch of one type.
        warnings: Files that were set aside as corrupt and would have fed this answer.
    """

    series: Sequence[FieldSeries]
    batches: Iterator[ScanBatch]
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class MeasurementSchema:
    """What a measurement has over all time.

    Attributes:
        fields: Of each field the newest shard's type.
        tag_keys: Without `_measurement` and `_field`.
    """

    fields: Mapping[str, FieldType]
    tag_keys: frozenset[str]


_FLUX_NAMES = {
    FieldType.FLOAT: "float",
    FieldType.INTEGER: "int",
    FieldType.UNSIGNED: "uint",
    FieldType.STRING: "string",
    FieldType.BOOLEAN: "bool",
}


def unsupported_aggregate(type_: FieldType) -> InvalidInput:
    """An aggregate on a type that has none. Source: flux.md §8."""
    return InvalidInput(f"unsupported aggregate column type {_FLUX_NAMES[type_]}")


def schema_collision(one: FieldType, other: FieldType) -> InvalidInput:
    """Two value types in one group. Source: flux.md §8."""
    return InvalidInput(
        f'schema collision detected: column "_value" is both of type {_FLUX_NAMES[one]} and {_FLUX_NAMES[other]}'
    )


def answer_type(stored: FieldType, aggregate: Aggregate | None) -> FieldType:
    """The type of an answer's values: counts are integers, means are floats, all else is as stored."""
    if aggregate is Aggregate.COUNT:
        return FieldType.INTEGER
    return FieldType.FLOAT if aggregate is Aggregate.MEAN else stored


@runtime_checkable
class Noticing(Protocol):
    """A reader that knows what it had to leave out of its answers.

    Attributes:
        noticed: Warnings of all answers so far, those without a `Scan` too.
    """

    noticed: list[str]


class Reader(Protocol):
    """Read access to one bucket.

    The questions about names are answered from the index. Predicates there look at series
    only; what they say about `_value` and `_time` is not asked. A range that covers part
    of a file may name a series whose rows lie in the file's range but not in the asked one.
    """

    def scan(self, request: ScanRequest) -> Scan:
        """Rows or aggregates of the field series that match.

        Raises:
            InvalidInput: An aggregate on a type that has none.
            MemoryExceeded: More than `bytes_max` would be gathered; also while iterating.
        """
        ...

    def measurements(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """Names in byte order; an absent tag compares as ""."""
        ...

    def tag_keys(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """Tag keys in byte order, without `_measurement` and `_field`."""
        ...

    def tag_values(self, key: str, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """Values of a tag, of `_measurement` or of `_field`, in byte order."""
        ...

    def field_keys(
        self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None
    ) -> list[tuple[str, str, FieldType]]:
        """(measurement, field, type), in that order; the type is the newest shard's."""
        ...

    def schema(self, measurement: str) -> MeasurementSchema:
        """Fields and tag keys of one measurement, of one state of the bucket; empty if there is none."""
        ...

    def series(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> Sequence[FieldSeries]:
        """The field series themselves, ordered as in `Scan.series`; answered from the index."""
        ...

    def cardinality(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> int:
        """How many series (measurement and tags, fields not counted)."""
        ...
