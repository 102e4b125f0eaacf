"""The snapshot is what the rows say, whatever happened; short ways agree with long ones."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import ResourceType, operator_permissions
from fluxkeep.clock import ManualClock
from fluxkeep.errors import FluxkeepError
from fluxkeep.ids import IdGenerator, UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.tenancy.dbrps import DBRPFilter, _candidates
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.snapshot import Snapshot, load
from fluxkeep.tenancy.values import Role, Status

NAMES = st.sampled_from(["a", "b", "a/b", "a/autogen", "b/a", "autogen", ""])
STEP = st.tuples(st.integers(0, 11), st.integers(0, 1 << 16), NAMES, NAMES, st.booleans())


def step(tenancy: Tenancy, access: Access, which: int, pick: int, name: str, other: str, yes: bool) -> None:
    """One change, perhaps one that is refused."""
    now = tenancy.directory.now
    orgs, users, buckets = now.organizations.all, now.users.all, now.buckets.all
    mappings = list(now.dbrps.by_id.values())
    org = orgs[pick % len(orgs)] if orgs else None
    user = users[pick % len(users)] if users else None
    bucket = buckets[pick % len(buckets)] if buckets else None
    mapping = mappings[pick % len(mappings)] if mappings else None
    if which == 0 or org is None:
        tenancy.organizations.create(access, name=name)
    elif which == 1 or user is None:
        tenancy.users.create(access, name=name)
    elif which == 2:
        tenancy.organizations.update(access, org.id, name=name)
    elif which == 3 and yes:
        tenancy.organizations.delete(access, org.id)
    elif which == 4:
        tenancy.users.update(access, user.id, name=name, status=Status.INACTIVE)
    elif which == 5 and yes:
        tenancy.users.delete(access, user.id)
    elif which in (6, 3, 5) or bucket is None:
        tenancy.buckets.create(access, org_id=org.id, name=name)
    elif which == 7:
        tenancy.buckets.update(access, bucket.id, name=name)
    elif which == 8:
        tenancy.buckets.delete(access, bucket.id)
    elif which == 9:
        tenancy.memberships.create(access, (ResourceType.BUCKETS, bucket.id), Role.MEMBER, user.id, bucket.to_write)
    elif which == 10 or mapping is None:
        tenancy.dbrps.create(
            access, org_id=org.id, bucket_id=bucket.id, database=name, retention_policy=other, default=yes
        )
    elif yes:
        tenancy.dbrps.delete(access, mapping.org_id, mapping.id)
    else:
        tenancy.dbrps.update(access, mapping.org_id, mapping.id, default=not mapping.default)


def facts(now: Snapshot) -> dict[str, object]:
    return {
        "organizations": (now.organizations.all, now.organizations.by_name),
        "users": (now.users.all, now.users.by_name),
        "buckets": (now.buckets.all, now.buckets.named, now.buckets.of),
        "members": ({key: set(found) for key, found in now.memberships.of_user.items()}, now.memberships.of_resource),
        "dbrps": (now.dbrps.by_id, now.dbrps.of),
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=25))
def test_the_snapshot_equals_the_store_and_resolving_equals_listing(
    steps: list[tuple[int, int, str, str, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = ManualClock()
        store = MetaStore(Path(folder) / "x", clock)
        try:
            tenancy = Tenancy.open(store, IdGenerator(clock))
            access = Access(Principal(user_id=UserID("00000000000000ff"), permissions=operator_permissions()))
            for one in steps:
                clock.advance(ns=1)
                before = tenancy.directory.now
                try:
                    step(tenancy, access, *one)
                except FluxkeepError:
                    assert tenancy.directory.now is before
            with store.read() as connection:
                assert facts(load(connection)) == facts(tenancy.directory.now)
            check_resolving(tenancy, access)
        finally:
            store.close()


def check_resolving(tenancy: Tenancy, access: Access) -> None:
    now = tenancy.directory.now
    for org in now.organizations.all:
        listed = tenancy.dbrps.list_(access, org.id, DBRPFilter())
        for database in ("a", "b", "a/b", "autogen", ""):
            in_database = [one for one in listed if one.database == database]
            assert sum(one.default for one in in_database if not one.virtual) <= 1
            for policy in ("a", "b", "autogen"):
                expected = {one.id for one in in_database if one.retention_policy == policy}
                assert {one.id for one in _candidates(now, org.id, database, policy)} == expected
            expected = {one.id for one in in_database if one.default}
            assert {one.id for one in _candidates(now, org.id, database, None)} == expected


def test_readers_keep_the_state_they_took(tmp_path: Path) -> None:
    clock = ManualClock()
    store = MetaStore(tmp_path / "x", clock)
    try:
        tenancy = Tenancy.open(store, IdGenerator(clock))
        access = Access(Principal(user_id=UserID("00000000000000ff"), permissions=operator_permissions()))
        org = tenancy.organizations.create(access, name="o")
        before = tenancy.directory.now
        kept = facts(before)
        tenancy.organizations.update(access, org.id, name="p")
        tenancy.organizations.delete(access, org.id)
        assert facts(before) == kept
        assert tenancy.directory.now.organizations.all == ()
    finally:
        store.close()


def test_a_failing_transaction_leaves_the_snapshot(tmp_path: Path) -> None:
    clock = ManualClock()
    store = MetaStore(tmp_path / "x", clock)

    def make_and_fail(tenancy: Tenancy) -> None:
        with store.begin() as work:
            tenancy.users.add(work, name="u")
            assert tenancy.users.find_by_name("u") is None
            raise RuntimeError("no")

    try:
        tenancy = Tenancy.open(store, IdGenerator(clock))
        with pytest.raises(RuntimeError):
            make_and_fail(tenancy)
        assert tenancy.directory.now.users.all == ()
        with store.begin() as work:
            tenancy.users.add(work, name="u")
        assert tenancy.users.find_by_name("u") is not None
    finally:
        store.close()
