"""Data follows its bucket's record, also past a crash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import operator_permissions
from fluxkeep.clock import ManualClock
from fluxkeep.errors import DeviceFull
from fluxkeep.ids import BucketID, IdGenerator, UserID
from fluxkeep.ingest.upkeep import Upkeep
from fluxkeep.instants import DAY, HOUR
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.storage.outcomes import StoredBucket
from fluxkeep.tenancy.buckets import RetentionRule
from fluxkeep.tenancy.services import Tenancy

OPERATOR = Access(Principal(user_id=UserID("00000000000000ff"), permissions=operator_permissions()))


class Series:
    def __init__(self) -> None:
        self.dropped: list[BucketID] = []
        self.full = False
        self.enforced: list[tuple[list[StoredBucket], int]] = []

    def drop_bucket(self, bucket: BucketID) -> None:
        if self.full:
            raise DeviceFull("no space")
        self.dropped.append(bucket)

    def enforce_retention(self, buckets: Iterable[StoredBucket], now_ns: int) -> int:
        self.enforced.append((list(buckets), now_ns))
        return 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MetaStore]:
    store = MetaStore(tmp_path / "x", ManualClock())
    yield store
    store.close()


@pytest.fixture
def tenancy(store: MetaStore) -> Tenancy:
    return Tenancy.open(store, IdGenerator(store.clock))


def test_data_of_deleted_buckets_is_dropped_once(store: MetaStore, tenancy: Tenancy) -> None:
    series = Series()
    upkeep = Upkeep(store, tenancy.buckets, series, store.clock)
    org = tenancy.organizations.create(OPERATOR, name="o")
    bucket = tenancy.buckets.create(OPERATOR, org_id=org.id, name="b")
    upkeep.drop_deleted()
    assert series.dropped == []
    tenancy.buckets.delete(OPERATOR, bucket.id)
    for _ in range(2):
        upkeep.drop_deleted()
        assert series.dropped == [bucket.id]
    tenancy.organizations.delete(OPERATOR, org.id)
    upkeep.drop_deleted()
    assert len(set(series.dropped)) == len(series.dropped) == 3


def test_what_fails_and_what_a_crash_left_is_done_later(store: MetaStore, tenancy: Tenancy) -> None:
    series = Series()
    upkeep = Upkeep(store, tenancy.buckets, series, store.clock)
    org = tenancy.organizations.create(OPERATOR, name="o")
    bucket = tenancy.buckets.create(OPERATOR, org_id=org.id, name="b")
    tenancy.buckets.delete(OPERATOR, bucket.id)
    series.full = True
    upkeep.drop_deleted()
    assert tenancy.buckets.list_deleted() == [bucket.id]
    series.full = False
    later = Series()
    Upkeep(store, tenancy.buckets, later, store.clock).drop_deleted()
    assert later.dropped == [bucket.id]
    upkeep.drop_deleted()
    assert series.dropped == []
    assert tenancy.buckets.list_deleted() == []


def test_retention_is_the_buckets(store: MetaStore, tenancy: Tenancy) -> None:
    series = Series()
    org = tenancy.organizations.create(OPERATOR, name="o")
    bucket = tenancy.buckets.create(
        OPERATOR, org_id=org.id, name="b", rules=[RetentionRule(every_seconds=86400, shard_group_seconds=3600)]
    )
    Upkeep(store, tenancy.buckets, series, store.clock).enforce_retention()
    ((buckets, now_ns),) = series.enforced
    assert now_ns == store.clock.now_ns()
    assert StoredBucket(bucket.id, DAY, HOUR) in buckets
    assert len(buckets) == 3
