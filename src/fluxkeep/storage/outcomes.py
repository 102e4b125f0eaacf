"""What storage is told about a bucket and a write, and what it says of one.

Storage knows buckets by id and never makes texts for clients: a refusal is
typed, and who answers the client words it.

Source: http-api.md §6.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.points import PointBatch
from fluxkeep.ids import BucketID
from fluxkeep.instants import Precision


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
class Write:
    """One write, as `Engine.write` takes it.

    Attributes:
        bucket: Where to.
        batch: The payload's points.
        payload: The line protocol that `batch` was parsed from, kept for replay.
        precision: Unit of the payload's timestamps.
        now_ns: Time of points that have none; retention counts from it.
        refused: Ordinals of points that the caller has refused itself.
    """

    bucket: StoredBucket
    batch: PointBatch
    payload: bytes
    precision: Precision
    now_ns: int
    refused: Sequence[int] = ()


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
