"""What storage is told about a bucket, and what it says of a write.

Storage knows buckets by id and never makes texts for clients: a refusal is
typed, and who answers the client words it.

Source: http-api.md §6.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.ids import BucketID


@dataclass(frozen=True, slots=True)
class StoredBucket:
    """What storage needs to know of a bucket.

    Attributes:
        id: Its id.
        retention_ns: Points older than this are refused and dropped; 0 keeps forever.
        shard_group_ns: Length of new shard groups, at least an hour; 0 lets storage
            choose by the retention period.
    """

    id: BucketID
    retention_ns: int = 0
    shard_group_ns: int = 0


@dataclass(frozen=True, slots=True)
class TypeConflicts:
    """Points of one shard group refused because a field has another type there.

    A point with a conflict is refused whole. Measurement, field and types are those
    of the first conflict in the request.
    """

    shard: int
    dropped: int
    line: int
    measurement: str
    field: str
    new: FieldType
    existing: FieldType


@dataclass(frozen=True, slots=True)
class RefusedPoint:
    """One refused point: its series key and time."""

    key: str
    time: int


@dataclass(frozen=True, slots=True)
class BeyondRetention:
    """Points older than the bucket keeps; `bound` is the oldest instant that it takes."""

    dropped: int
    retention_ns: int
    bound: int
    oldest: RefusedPoint
    newest: RefusedPoint


Refusal: TypeAlias = TypeConflicts | BeyondRetention


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """What became of a write: everything not refused is durable and visible.

    Attributes:
        accepted: Points taken.
        refusals: Type conflicts by shard group in order of time, then retention.
    """

    accepted: int
    refusals: tuple[Refusal, ...] = ()

    @property
    def dropped(self) -> int:
        """Points refused in all."""
        return sum(refusal.dropped for refusal in self.refusals)
