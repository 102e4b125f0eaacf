"""Mappings keep to http-api.md §8."""

from __future__ import annotations

import pytest

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType
from fluxkeep.clock import ManualClock
from fluxkeep.errors import Conflict, InvalidInput, NotFound, Unauthorized
from fluxkeep.ids import DBRPID, BucketID, IdGenerator, OrgID, UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.tenancy.dbrps import DBRPFilter
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import DBRP, Bucket, Organization

ANY = DBRPFilter()


def holding(*permissions: Permission) -> Access:
    return Access(Principal(user_id=UserID("00000000000000ff"), permissions=PermissionSet(permissions)))


@pytest.fixture
def bucket(tenancy: Tenancy, operator: Access, acme: Organization) -> Bucket:
    return tenancy.buckets.create(operator, org_id=acme.id, name="b")


def test_every_bucket_has_a_virtual_mapping(tenancy: Tenancy, operator: Access, acme: Organization) -> None:
    for name in ("db1/rp1", "db1/rp/2", "plain"):
        tenancy.buckets.create(operator, org_id=acme.id, name=name)
    found = tenancy.dbrps.list_(operator, acme.id, ANY)
    assert {(one.database, one.retention_policy, one.default) for one in found} == {
        ("_monitoring", "autogen", True),
        ("_tasks", "autogen", True),
        ("db1", "rp1", False),
        ("db1", "rp/2", False),
        ("plain", "autogen", True),
    }
    assert all(one.virtual and str(one.id) == str(one.bucket_id) for one in found)


def test_a_stored_mapping_hides_its_twin_and_takes_the_default(
    tenancy: Tenancy, operator: Access, acme: Organization, bucket: Bucket
) -> None:
    other = tenancy.buckets.create(operator, org_id=acme.id, name="other")

    def create(policy: str) -> DBRP:
        return tenancy.dbrps.create(operator, org_id=acme.id, bucket_id=other.id, database="b", retention_policy=policy)

    weekly = create("weekly")
    of_b = tenancy.dbrps.list_(operator, acme.id, DBRPFilter(database="b"))
    assert [(one.retention_policy, one.default, one.virtual) for one in of_b] == [
        ("weekly", True, False),
        ("autogen", False, True),
    ]
    assert tenancy.dbrps.list_(operator, acme.id, DBRPFilter(database="b", default=True)) == [weekly]
    autogen = create("autogen")
    assert tenancy.dbrps.list_(operator, acme.id, DBRPFilter(database="b")) == [weekly, autogen]


def test_the_default_moves(tenancy: Tenancy, operator: Access, acme: Organization, bucket: Bucket) -> None:
    def create(policy: str, *, default: bool = False) -> DBRPID:
        return tenancy.dbrps.create(
            operator, org_id=acme.id, bucket_id=bucket.id, database="d", retention_policy=policy, default=default
        ).id

    def default() -> list[DBRPID]:
        return [one.id for one in tenancy.dbrps.list_(operator, acme.id, DBRPFilter(database="d", default=True))]

    one, two = create("1"), create("2", default=True)
    assert default() == [two]
    three = create("3")
    assert default() == [two]
    assert tenancy.dbrps.update(operator, acme.id, one, default=True).default
    assert default() == [one]
    assert not tenancy.dbrps.update(operator, acme.id, one, default=False).default
    assert default() == [two]
    tenancy.dbrps.delete(operator, acme.id, two)
    assert default() == [one]
    tenancy.dbrps.delete(operator, acme.id, three)
    assert tenancy.dbrps.update(operator, acme.id, one, default=False).default
    tenancy.dbrps.delete(operator, acme.id, one)
    assert default() == []


def test_what_is_refused(tenancy: Tenancy, operator: Access, acme: Organization, bucket: Bucket) -> None:
    def create(database: str = "d", policy: str = "r", bucket_id: BucketID = bucket.id) -> DBRP:
        return tenancy.dbrps.create(
            operator, org_id=acme.id, bucket_id=bucket_id, database=database, retention_policy=policy
        )

    for name in ("", ".", "..", "a/b", "a\\b", "a\tb"):
        with pytest.raises(InvalidInput, match=r"^DBRP provided is invalid: database must contain at least one"):
            create(database=name)
        with pytest.raises(InvalidInput, match=r"^DBRP provided is invalid: retentionPolicy must contain at least"):
            create(policy=name)
    for name in ("a b", "ü", 'a"b', "a.b-c_d"):
        assert create(database=name).database == name
    with pytest.raises(NotFound, match="bucket not found"):
        create(bucket_id=BucketID("00000000000000aa"))
    made = create()
    second = create(policy="s")
    with pytest.raises(Conflict, match="another DBRP mapping with same orgID, db, and rp exists"):
        create()
    with pytest.raises(Conflict, match="another DBRP mapping with same orgID, db, and rp exists"):
        tenancy.dbrps.update(operator, acme.id, second.id, retention_policy="r")
    assert tenancy.dbrps.update(operator, acme.id, made.id, retention_policy="r") == made
    for org_id, dbrp_id in ((OrgID("00000000000000aa"), made.id), (acme.id, DBRPID("00000000000000aa"))):
        with pytest.raises(NotFound, match="unable to find DBRP"):
            tenancy.dbrps.get(operator, org_id, dbrp_id)
        with pytest.raises(NotFound, match="unable to find DBRP"):
            tenancy.dbrps.update(operator, org_id, dbrp_id)
        with pytest.raises(NotFound, match="unable to find DBRP"):
            tenancy.dbrps.delete(operator, org_id, dbrp_id)


def test_virtual_mappings_can_be_read_and_not_changed(
    tenancy: Tenancy, operator: Access, acme: Organization, bucket: Bucket
) -> None:
    virtual = DBRPID(bucket.id)
    assert tenancy.dbrps.get(operator, acme.id, virtual).virtual
    for call in (tenancy.dbrps.update, tenancy.dbrps.delete):
        with pytest.raises(InvalidInput, match="virtual DBRP mappings"):
            call(operator, acme.id, virtual)


def test_a_mapping_goes_with_its_bucket(tenancy: Tenancy, operator: Access, acme: Organization, bucket: Bucket) -> None:
    tenancy.dbrps.create(operator, org_id=acme.id, bucket_id=bucket.id, database="d", retention_policy="r")
    tenancy.buckets.delete(operator, bucket.id)
    assert tenancy.dbrps.list_(operator, acme.id, DBRPFilter(database="d")) == []
    assert tenancy.directory.now.dbrps.by_id == {}


def test_the_default_of_a_bucket_that_goes_passes_on(
    tenancy: Tenancy, operator: Access, acme: Organization, bucket: Bucket, store: MetaStore, clock: ManualClock
) -> None:
    other = tenancy.buckets.create(operator, org_id=acme.id, name="other")
    for policy, target in (("short", bucket), ("long", other), ("longest", other)):
        tenancy.dbrps.create(
            operator, org_id=acme.id, bucket_id=target.id, database="db", retention_policy=policy, default=False
        )
    tenancy.buckets.delete(operator, bucket.id)
    left = tenancy.dbrps.list_(operator, acme.id, DBRPFilter(database="db"))
    assert [(one.retention_policy, one.default) for one in left] == [("long", True), ("longest", False)]
    reread = Tenancy.open(store, IdGenerator(clock))
    assert reread.dbrps.list_(operator, acme.id, DBRPFilter(database="db")) == left


def test_permissions_are_the_buckets(tenancy: Tenancy, operator: Access, acme: Organization, bucket: Bucket) -> None:
    made = tenancy.dbrps.create(operator, org_id=acme.id, bucket_id=bucket.id, database="d", retention_policy="r")
    reader = holding(Permission(Action.READ, ResourceType.BUCKETS, acme.id, bucket.id))
    assert [one.database for one in tenancy.dbrps.list_(reader, acme.id, ANY)] == ["d", "b"]
    assert tenancy.dbrps.get(reader, acme.id, made.id) == made
    text = f"^write:orgs/{acme.id}/buckets/{bucket.id} is unauthorized$"
    with pytest.raises(Unauthorized, match=text):
        tenancy.dbrps.create(reader, org_id=acme.id, bucket_id=bucket.id, database="e", retention_policy="r")
    for call in (tenancy.dbrps.update, tenancy.dbrps.delete):
        with pytest.raises(Unauthorized, match=text):
            call(reader, acme.id, made.id)
    assert tenancy.dbrps.list_(holding(), acme.id, ANY) == []


def test_a_writer_of_one_bucket_cannot_put_it_in_the_place_of_another_organizations(
    tenancy: Tenancy, operator: Access, acme: Organization, bucket: Bucket
) -> None:
    victim = tenancy.organizations.create(operator, name="victim")
    theirs = tenancy.buckets.create(operator, org_id=victim.id, name="telegraf")
    attacker = holding(Permission(Action.WRITE, ResourceType.BUCKETS, acme.id, bucket.id))
    for org_id in (victim.id, OrgID("00000000000000aa")):
        with pytest.raises(Unauthorized, match=f"^write:orgs/{org_id}/buckets is unauthorized$"):
            tenancy.dbrps.create(
                attacker, org_id=org_id, bucket_id=bucket.id, database="telegraf", retention_policy="autogen"
            )
    assert tenancy.dbrps.resolve(operator, victim.id, "telegraf") == theirs
    own = tenancy.dbrps.create(
        attacker, org_id=acme.id, bucket_id=bucket.id, database="telegraf", retention_policy="autogen"
    )
    assert own.bucket_id == bucket.id


def test_resolving_for_v1_clients(tenancy: Tenancy, operator: Access, acme: Organization, bucket: Bucket) -> None:
    slashed = tenancy.buckets.create(operator, org_id=acme.id, name="db1/rp1")
    tenancy.dbrps.create(operator, org_id=acme.id, bucket_id=bucket.id, database="d", retention_policy="r")
    resolve = tenancy.dbrps.resolve
    assert resolve(operator, acme.id, "b") == resolve(operator, acme.id, "b", "autogen") == bucket
    assert resolve(operator, acme.id, "b", "") == bucket
    assert resolve(operator, acme.id, "d") == resolve(operator, acme.id, "d", "r") == bucket
    assert resolve(operator, acme.id, "db1", "rp1") == slashed
    assert resolve(operator, acme.id, "db1") is None
    assert resolve(operator, acme.id, "db1/rp1") is None
    assert resolve(operator, acme.id, "d", "s") is None
    assert resolve(operator, OrgID("00000000000000aa"), "b") is None
    writer = holding(Permission(Action.WRITE, ResourceType.BUCKETS, acme.id, bucket.id))
    assert resolve(writer, acme.id, "b") is None
    assert resolve(writer, acme.id, "b", writing=True) == bucket
    assert resolve(writer, acme.id, "db1", "rp1", writing=True) is None
