"""Organizations keep to http-api.md §3."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import (
    Action,
    Permission,
    PermissionSet,
    ResourceType,
    me_permissions,
    owner_permissions,
)
from fluxkeep.clock import ManualClock
from fluxkeep.errors import Conflict, InvalidInput, NotFound, Unauthorized
from fluxkeep.ids import IdGenerator, LabelID, OrgID, ResourceID, UserID
from fluxkeep.instants import DAY
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.events import BucketDeleted, OrganizationDeleted, UserChanged
from fluxkeep.metastore.tables import metadata, resources
from fluxkeep.metastore.unit_of_work import Event
from fluxkeep.tenancy.listing import Window
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.snapshot import load
from fluxkeep.tenancy.values import BucketType, Organization, Role, User

UNKNOWN = OrgID("00000000000000aa")


def reading(*orgs: Organization, user: User | None = None) -> Access:
    permissions = PermissionSet(one.permission(Action.READ) for one in orgs)
    return Access(Principal(user_id=user.id if user else UserID("00000000000000ff"), permissions=permissions))


def test_a_new_organization_has_system_buckets_and_its_maker_as_owner(
    tenancy: Tenancy, operator: Access, acme: Organization, root: User
) -> None:
    found = {bucket.name: bucket for bucket in tenancy.buckets.list_(operator, org_id=acme.id)}
    assert list(found) == ["_monitoring", "_tasks"]
    tasks, monitoring = found["_tasks"], found["_monitoring"]
    assert (tasks.retention_ns, tasks.shard_group_ns) == (3 * DAY, DAY)
    assert (monitoring.retention_ns, monitoring.shard_group_ns) == (7 * DAY, DAY)
    assert tasks.description == "System bucket for task logs"
    assert monitoring.description == "System bucket for monitoring logs"
    assert {bucket.type for bucket in found.values()} == {BucketType.SYSTEM}
    owners = tenancy.memberships.list_(operator, (ResourceType.ORGS, acme.id), Role.OWNER, acme.permission(Action.READ))
    assert owners == [root]
    granted = set(owner_permissions(acme.id))
    assert granted <= set(tenancy.memberships.permissions_of(root.id))


@pytest.mark.parametrize("name", ["", "  ", "\t"])
def test_a_blank_name_is_refused(tenancy: Tenancy, operator: Access, acme: Organization, name: str) -> None:
    with pytest.raises(InvalidInput, match="org name is empty"):
        tenancy.organizations.create(operator, name=name)
    with pytest.raises(InvalidInput, match="org name is empty"):
        tenancy.organizations.update(operator, acme.id, name=name)
    assert [one.name for one in tenancy.organizations.list_(operator)] == ["acme"]


def test_names_are_unique_and_case_sensitive(tenancy: Tenancy, operator: Access, acme: Organization) -> None:
    with pytest.raises(Conflict, match="organization with name acme already exists"):
        tenancy.organizations.create(operator, name="acme")
    other = tenancy.organizations.create(operator, name="ACME")
    with pytest.raises(Conflict, match="organization with name acme already exists"):
        tenancy.organizations.update(operator, other.id, name="acme")
    assert tenancy.organizations.update(operator, acme.id, name="acme").name == "acme"


def test_change_touches_only_what_is_given(
    tenancy: Tenancy, operator: Access, acme: Organization, clock: ManualClock
) -> None:
    clock.advance(seconds=1)
    described = tenancy.organizations.update(operator, acme.id, description="makes things")
    assert (described.name, described.description) == ("acme", "makes things")
    assert described.created_at == acme.created_at
    assert described.updated_at == acme.updated_at + 1_000_000_000
    renamed = tenancy.organizations.update(operator, acme.id, name="new")
    assert (renamed.name, renamed.description) == ("new", "makes things")
    assert tenancy.organizations.find_by_name("acme") is None
    assert tenancy.organizations.find_by_name("new") == tenancy.organizations.find(acme.id) == renamed


def test_filters(tenancy: Tenancy, operator: Access, acme: Organization, root: User) -> None:
    with pytest.raises(NotFound, match='organization name "nobody" not found'):
        tenancy.organizations.list_(operator, name="nobody")
    with pytest.raises(NotFound, match=r"^organization not found$"):
        tenancy.organizations.list_(operator, org_id=UNKNOWN)
    assert tenancy.organizations.list_(operator, name="acme") == [acme]
    assert tenancy.organizations.list_(operator, org_id=acme.id, name="ignored") == [acme]
    assert tenancy.organizations.list_(operator, user_id=root.id) == [acme]
    assert tenancy.organizations.list_(operator, user_id=UserID("00000000000000aa")) == []


def test_who_may_not_read_everything_is_offered_the_own_organizations(
    tenancy: Tenancy, operator: Access, acme: Organization, root: User
) -> None:
    other = tenancy.organizations.create(operator, name="other")
    stranger = reading(acme, other)
    assert tenancy.organizations.list_(stranger) == []
    assert tenancy.organizations.list_(stranger, name="acme") == [acme]
    assert tenancy.organizations.list_(reading(other, user=root)) == [other]
    assert tenancy.organizations.list_(reading(other), name="acme") == []
    assert tenancy.organizations.list_(reading(other), org_id=acme.id) == []


def test_pages_are_cut_before_what_may_not_be_read_is_taken_out(
    tenancy: Tenancy, operator: Access, acme: Organization, root: User
) -> None:
    made = [acme, *(tenancy.organizations.create(operator, name=f"o{n}") for n in range(4))]
    by_id = sorted(made, key=lambda one: one.id)
    assert tenancy.organizations.list_(operator, window=Window(limit=2, offset=1)) == by_id[1:3]
    assert tenancy.organizations.list_(operator, window=Window(limit=2, offset=-1)) == by_id[:2]
    assert tenancy.organizations.list_(operator, window=Window(limit=100, offset=99)) == []
    last = reading(by_id[-1], user=root)
    assert tenancy.organizations.list_(last, window=Window(limit=2)) == []


def test_existence_is_not_told_to_who_may_not_know(tenancy: Tenancy, acme: Organization) -> None:
    nobody = reading()
    for org_id in (acme.id, UNKNOWN):
        with pytest.raises(Unauthorized, match=f"^read:orgs/{org_id} is unauthorized$"):
            tenancy.organizations.get(nobody, org_id)
        with pytest.raises(Unauthorized, match=f"^write:orgs/{org_id} is unauthorized$"):
            tenancy.organizations.update(nobody, org_id, name="mine")
        with pytest.raises(Unauthorized, match=f"^write:orgs/{org_id} is unauthorized$"):
            tenancy.organizations.delete(nobody, org_id)
    with pytest.raises(Unauthorized, match=r"^write:orgs is unauthorized$"):
        tenancy.organizations.create(nobody, name="mine")


def test_an_owner_may_not_make_organizations(tenancy: Tenancy, acme: Organization) -> None:
    owner = Access(Principal(user_id=UserID("00000000000000ff"), permissions=owner_permissions(acme.id)))
    with pytest.raises(Unauthorized):
        tenancy.organizations.create(owner, name="another")


def test_deleting_takes_everything_along(
    store: MetaStore, tenancy: Tenancy, operator: Access, acme: Organization, root: User
) -> None:
    kept = tenancy.organizations.create(operator, name="kept")
    bucket = tenancy.buckets.create(operator, org_id=acme.id, name="b")
    elsewhere = tenancy.buckets.create(operator, org_id=kept.id, name="b")
    member = tenancy.users.create(operator, name="member")
    for resource in ((ResourceType.ORGS, acme.id), (ResourceType.BUCKETS, bucket.id)):
        tenancy.memberships.create(
            operator, resource, Role.MEMBER, member.id, Permission(Action.WRITE, ResourceType.ORGS)
        )
    tenancy.dbrps.create(operator, org_id=acme.id, bucket_id=bucket.id, database="d", retention_policy="r")
    # A mapping of the deleted organization to a bucket of another, and the other way round.
    tenancy.dbrps.create(operator, org_id=acme.id, bucket_id=elsewhere.id, database="d", retention_policy="s")
    tenancy.dbrps.create(operator, org_id=kept.id, bucket_id=bucket.id, database="d", retention_policy="r")
    document = ResourceID("00000000000000d1")
    with store.begin() as work:
        c = work.connection
        c.execute(
            resources.documents.insert().values(
                id=document, kind="telegraf", org_id=acme.id, name_key=None, body="{}", created_at=0, updated_at=0
            )
        )
        c.execute(
            resources.labels.insert().values(
                id=LabelID("00000000000000e1"), org_id=acme.id, name="l", name_key="l", properties="{}"
            )
        )
        tenancy.memberships.add(work, (ResourceType.TELEGRAFS, document), Role.MEMBER, member.id)
    heard: list[Event] = []
    store.subscribe(heard.extend)

    tenancy.organizations.delete(operator, acme.id)

    assert tenancy.organizations.list_(operator) == [kept]
    assert [one.org_id for one in tenancy.buckets.all()] == [kept.id] * 3
    assert tenancy.memberships.permissions_of(member.id) == me_permissions(member.id)
    assert {event.bucket_id for event in heard if isinstance(event, BucketDeleted)} >= {bucket.id}
    assert OrganizationDeleted(acme.id) in heard
    assert UserChanged(member.id) in heard
    assert UserChanged(root.id) in heard
    with store.read() as connection:
        counts = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
        assert load(connection).memberships.all == tenancy.directory.now.memberships.all
    assert {name: count for name, count in counts.items() if count} == {
        "organizations": 1,
        "users": 2,
        "buckets": 3,
        "memberships": 1,
        "deleted_buckets": 3,
    }
    assert set(tenancy.buckets.list_deleted()) == {e.bucket_id for e in heard if isinstance(e, BucketDeleted)}


def test_deleting_the_unknown_has_a_text_of_its_own(tenancy: Tenancy, operator: Access) -> None:
    with pytest.raises(NotFound, match=f"error deleting organization id: {UNKNOWN}: organization not found"):
        tenancy.organizations.delete(operator, UNKNOWN)


def test_ids_are_never_time_ordered(store: MetaStore, tenancy: Tenancy, operator: Access) -> None:
    ids = [tenancy.organizations.create(operator, name=f"n{n}").id for n in range(20)]
    assert ids != sorted(ids)


def test_a_reopened_store_has_the_same_directory(
    store: MetaStore, tenancy: Tenancy, operator: Access, acme: Organization, clock: ManualClock
) -> None:
    tenancy.buckets.create(operator, org_id=acme.id, name="b")
    again = Tenancy.open(store, IdGenerator(clock))
    assert again.directory.now.organizations.all == tenancy.directory.now.organizations.all
    assert again.directory.now.buckets.all == tenancy.directory.now.buckets.all
    assert again.directory.now.memberships.all == tenancy.directory.now.memberships.all
