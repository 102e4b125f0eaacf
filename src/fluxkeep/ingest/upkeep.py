"""Upkeep: what happens to data because of its bucket's record.

Data of a deleted bucket is dropped, and data older than its bucket keeps. Both
are chores of the server's: a crash in between leaves a note in the store, and
the next start goes on.

Source: http-api.md §5.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from fluxkeep.clock import Clock
from fluxkeep.errors import FluxkeepError
from fluxkeep.ids import BucketID
from fluxkeep.logs import get_logger
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.events import BucketDeleted
from fluxkeep.metastore.unit_of_work import Event
from fluxkeep.storage.outcomes import StoredBucket
from fluxkeep.tenancy.buckets import Buckets


class SeriesStore(Protocol):
    """What upkeep does to storage."""

    def drop_bucket(self, bucket: BucketID) -> None:
        """Forget a bucket and remove its files; dropping one that holds nothing is fine."""
        ...

    def enforce_retention(self, buckets: Iterable[StoredBucket], now_ns: int) -> int:
        """Drop what lies wholly before what its bucket keeps; says how many shard groups went."""
        ...


class Upkeep:
    """The chores. Call them from one thread."""

    def __init__(self, store: MetaStore, buckets: Buckets, series: SeriesStore, clock: Clock) -> None:
        self._buckets = buckets
        self._series = series
        self._clock = clock
        self._log = get_logger("ingest")
        # Whether the store may hold notes; at first those of an earlier process.
        self._noted = True
        store.subscribe(self._note)

    def drop_deleted(self) -> None:
        """Drop the data of deleted buckets. What fails is tried again the next time."""
        if not self._noted:
            return
        self._noted = False
        for bucket_id in self._buckets.list_deleted():
            try:
                self._series.drop_bucket(bucket_id)
            except FluxkeepError as error:
                self._noted = True
                self._log.error("bucket.drop.failed", bucket=bucket_id, error=error.message)
                continue
            self._buckets.forget_deleted(bucket_id)
            self._log.info("bucket.dropped", bucket=bucket_id)

    def enforce_retention(self) -> None:
        """Drop the shard groups that lie wholly before what their bucket keeps."""
        kept = [StoredBucket(one.id, one.retention_ns, one.shard_group_ns) for one in self._buckets.all()]
        dropped = self._series.enforce_retention(kept, self._clock.now_ns())
        if dropped:
            self._log.info("retention.enforced", shard_groups=dropped)

    def _note(self, events: tuple[Event, ...]) -> None:
        if any(isinstance(event, BucketDeleted) for event in events):
            self._noted = True
