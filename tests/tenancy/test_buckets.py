"""Buckets keep to http-api.md §5."""

from __future__ import annotations

import pytest

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType
from fluxkeep.errors import Conflict, Internal, InvalidInput, NotFound, Unauthorized, Unprocessable
from fluxkeep.ids import BucketID, OrgID, UserID
from fluxkeep.instants import SECOND
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.events import BucketDeleted
from fluxkeep.metastore.unit_of_work import Event
from fluxkeep.tenancy.buckets import RetentionRule
from fluxkeep.tenancy.listing import Window
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import Bucket, Organization

UNKNOWN = BucketID("00000000000000aa")


def holding(*permissions: Permission) -> Access:
    return Access(Principal(user_id=UserID("00000000000000ff"), permissions=PermissionSet(permissions)))


def rule(every: int | None = None, shard: int | None = None) -> list[RetentionRule]:
    return [RetentionRule(every_seconds=every, shard_group_seconds=shard)]


def seconds(bucket: Bucket) -> tuple[int, int]:
    return bucket.retention_ns // SECOND, bucket.shard_group_ns // SECOND


@pytest.mark.parametrize(
    ("every", "shard", "expected"),
    [
        (None, None, (0, 604800)),
        (0, None, (0, 604800)),
        (3600, None, (3600, 3600)),
        (172799, None, (172799, 3600)),
        (172800, None, (172800, 86400)),
        (15551999, None, (15551999, 86400)),
        (15552000, None, (15552000, 604800)),
        (7200, 60, (7200, 3600)),
        (86400, 7200, (86400, 7200)),
        (86400, 0, (86400, 3600)),
        (None, 86400, (0, 86400)),
    ],
)
def test_retention_and_shard_groups(
    tenancy: Tenancy,
    operator: Access,
    acme: Organization,
    every: int | None,
    shard: int | None,
    expected: tuple[int, int],
) -> None:
    made = tenancy.buckets.create(operator, org_id=acme.id, name="b", rules=rule(every, shard))
    assert seconds(made) == expected
    assert made.effective_shard_group_ns == made.shard_group_ns


@pytest.mark.parametrize(
    ("rules", "kind", "text"),
    [
        (rule(3599), Internal, "retention policy duration must be at least 1h0m0s"),
        (rule(9_223_372_037), Internal, "retention policy duration must be at least 1h0m0s"),
        (rule(7200, 86400), Internal, "retention policy duration must be greater than the shard duration"),
        (rule(-1), Unprocessable, "expiration seconds cannot be negative"),
        (rule(86400, -1), Unprocessable, "shard-group duration seconds cannot be negative"),
        (rule() * 2, Unprocessable, "buckets cannot have more than one retention rule at this time"),
    ],
)
def test_rules_that_are_refused_make_nothing(
    tenancy: Tenancy, operator: Access, acme: Organization, rules: list[RetentionRule], kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=f"^{text}$"):
        tenancy.buckets.create(operator, org_id=acme.id, name="b", rules=rules)
    assert tenancy.buckets.find_by_name(acme.id, "b") is None


def test_names(tenancy: Tenancy, operator: Access, acme: Organization) -> None:
    with pytest.raises(InvalidInput, match=r"^bucket name _x is invalid\. Buckets may not start with underscore$"):
        tenancy.buckets.create(operator, org_id=acme.id, name="_x")
    with pytest.raises(InvalidInput, match=r'^bucket name a"b is invalid\. Bucket names may not include quotation'):
        tenancy.buckets.create(operator, org_id=acme.id, name='a"b')
    for name in ("", "plain", "Plain", "a b/ü,=\\"):
        assert tenancy.buckets.create(operator, org_id=acme.id, name=name).name == name
        with pytest.raises(Conflict, match="already exists"):
            tenancy.buckets.create(operator, org_id=acme.id, name=name)
    other = tenancy.organizations.create(operator, name="other")
    assert tenancy.buckets.create(operator, org_id=other.id, name="plain").org_id == other.id
    with pytest.raises(NotFound, match="organization not found"):
        tenancy.buckets.create(operator, org_id=OrgID("00000000000000aa"), name="n")


def test_changes_to_names(tenancy: Tenancy, operator: Access, acme: Organization) -> None:
    one = tenancy.buckets.create(operator, org_id=acme.id, name="one")
    tenancy.buckets.create(operator, org_id=acme.id, name="two")
    system = tenancy.buckets.find_by_name(acme.id, "_tasks")
    assert system is not None
    with pytest.raises(Conflict, match=r"^bucket name is not unique$"):
        tenancy.buckets.update(operator, one.id, name="two")
    with pytest.raises(InvalidInput, match="may not start with underscore"):
        tenancy.buckets.update(operator, one.id, name="_y")
    with pytest.raises(InvalidInput, match=r"^system buckets cannot be renamed$"):
        tenancy.buckets.update(operator, system.id, name="tasks")
    described = tenancy.buckets.update(operator, system.id, name="_tasks", description="d")
    assert (described.name, described.description) == ("_tasks", "d")
    assert tenancy.buckets.update(operator, one.id, name="renamed").name == "renamed"
    assert tenancy.buckets.find_by_name(acme.id, "one") is None
    with pytest.raises(NotFound, match="bucket not found"):
        tenancy.buckets.update(operator, UNKNOWN, name="z")


def test_changes_to_retention(tenancy: Tenancy, operator: Access, acme: Organization) -> None:
    one = tenancy.buckets.create(operator, org_id=acme.id, name="one").id

    def change(every: int | None = None, shard: int | None = None) -> tuple[int, int]:
        return seconds(tenancy.buckets.update(operator, one, rules=rule(every, shard)))

    with pytest.raises(Unprocessable, match=r"^shard-group duration must also be updated to be smaller"):
        change(86400)
    assert change(86400, 3600) == (86400, 3600)
    assert change(172800) == (172800, 3600)
    assert change(shard=7200) == (172800, 7200)
    assert seconds(tenancy.buckets.update(operator, one)) == (172800, 7200)
    with pytest.raises(Internal, match="at least 1h0m0s"):
        change(60)
    with pytest.raises(Unprocessable, match="cannot be negative"):
        change(-5)
    with pytest.raises(Unprocessable, match="must also be updated"):
        change(shard=172801)
    assert change(0) == (0, 7200)
    assert change(shard=0) == (0, 0)
    bucket = tenancy.buckets.find(one)
    assert bucket is not None
    assert bucket.effective_shard_group_ns == 604800 * SECOND


def test_deleting(store: MetaStore, tenancy: Tenancy, operator: Access, acme: Organization) -> None:
    one = tenancy.buckets.create(operator, org_id=acme.id, name="one")
    system = tenancy.buckets.find_by_name(acme.id, "_tasks")
    assert system is not None
    heard: list[Event] = []
    store.subscribe(heard.extend)
    with pytest.raises(InvalidInput, match=r"^system buckets cannot be deleted$"):
        tenancy.buckets.delete(operator, system.id)
    assert heard == []
    tenancy.buckets.delete(operator, one.id)
    assert BucketDeleted(acme.id, one.id) in heard
    assert tenancy.buckets.list_deleted() == [one.id]
    tenancy.buckets.forget_deleted(one.id)
    assert tenancy.buckets.list_deleted() == []
    for call in (tenancy.buckets.delete, tenancy.buckets.get):
        with pytest.raises(NotFound, match="bucket not found"):
            call(operator, one.id)
    assert tenancy.buckets.create(operator, org_id=acme.id, name="one").id != one.id


def test_lists(tenancy: Tenancy, operator: Access, acme: Organization) -> None:
    other = tenancy.organizations.create(operator, name="other")
    for name in ("delta", "Beta", "alpha", "0num", "zulu"):
        tenancy.buckets.create(operator, org_id=acme.id, name=name)
    far = tenancy.buckets.create(operator, org_id=other.id, name="alpha")
    near = tenancy.buckets.find_by_name(acme.id, "alpha")
    delta = tenancy.buckets.find_by_name(acme.id, "delta")
    assert near is not None
    assert delta is not None

    def names(**wanted: object) -> list[str]:
        return [one.name for one in tenancy.buckets.list_(operator, **wanted)]  # type: ignore[arg-type]

    ordered = ["0num", "Beta", "_monitoring", "_tasks", "alpha", "delta", "zulu"]
    assert names(org_id=acme.id) == ordered
    assert names(org="acme") == ordered
    assert names(org_id=acme.id, window=Window(descending=True)) == ordered[::-1]
    assert names(org_id=acme.id, window=Window(limit=3, offset=3)) == ordered[3:6]
    assert names(org_id=acme.id, window=Window(after=delta.id)) == ["zulu"]
    assert names(org_id=acme.id, window=Window(after=delta.id, descending=True)) == ordered[4::-1]
    assert names(org_id=acme.id, window=Window(limit=1, offset=1, after=near.id)) == ["zulu"]
    everywhere = tenancy.buckets.list_(operator)
    assert [one.id for one in everywhere] == sorted(one.id for one in tenancy.buckets.all())
    assert len(everywhere) == 10
    middle = everywhere[4]
    assert tenancy.buckets.list_(operator, window=Window(after=middle.id)) == everywhere[5:]
    assert tenancy.buckets.list_(operator, window=Window(after=middle.id, descending=True)) == everywhere[3::-1]
    assert {one.id for one in tenancy.buckets.list_(operator, name="alpha")} == {near.id, far.id}
    assert tenancy.buckets.list_(operator, name="alpha", org_id=other.id) == [far]
    assert tenancy.buckets.list_(operator, bucket_id=near.id, name="zulu", org_id=other.id) == [near]
    assert names(name="nobody") == []
    assert names(org_id=OrgID("00000000000000aa")) == []
    for wanted, text in (
        ({"name": "nobody", "org_id": acme.id}, 'bucket "nobody" not found'),
        ({"bucket_id": UNKNOWN}, "bucket not found"),
        ({"org": "nobody"}, 'organization name "nobody" not found'),
        ({"org_id": acme.id, "window": Window(after=far.id)}, "bucket not found"),
    ):
        with pytest.raises(NotFound, match=f"^{text}$"):
            names(**wanted)


def test_a_page_resumes_by_id_after_a_bucket_that_is_gone(
    tenancy: Tenancy, operator: Access, acme: Organization
) -> None:
    for number in range(5):
        tenancy.buckets.create(operator, org_id=acme.id, name=f"b{number}")
    before = tenancy.buckets.list_(operator)
    gone = next(one for one in before[1:-1] if not one.is_system)
    at = before.index(gone)
    tenancy.buckets.delete(operator, gone.id)
    assert tenancy.buckets.list_(operator, window=Window(after=gone.id)) == before[at + 1 :]
    assert tenancy.buckets.list_(operator, window=Window(after=gone.id, descending=True)) == before[at - 1 :: -1]


def test_what_readers_see(tenancy: Tenancy, operator: Access, acme: Organization) -> None:
    alpha = tenancy.buckets.create(operator, org_id=acme.id, name="alpha")
    zulu = tenancy.buckets.create(operator, org_id=acme.id, name="zulu")
    tasks = tenancy.buckets.find_by_name(acme.id, "_tasks")
    assert tasks is not None
    one = holding(Permission(Action.READ, ResourceType.BUCKETS, acme.id, alpha.id))
    whole = holding(Permission(Action.READ, ResourceType.BUCKETS, acme.id))
    org = holding(Permission(Action.READ, ResourceType.ORGS, id=acme.id))
    assert tenancy.buckets.list_(one, org_id=acme.id) == [alpha]
    # Filtered after paging: the first two are the system's.
    assert tenancy.buckets.list_(one, org_id=acme.id, window=Window(limit=2)) == []
    assert tenancy.buckets.list_(one, name="zulu", org_id=acme.id) == []
    assert tenancy.buckets.list_(one, bucket_id=zulu.id) == []
    assert tenancy.buckets.list_(whole, org_id=acme.id) == [alpha, zulu]
    assert [b.name for b in tenancy.buckets.list_(org, org_id=acme.id)] == ["_monitoring", "_tasks"]
    with pytest.raises(Unauthorized, match=f"^read:orgs/{acme.id}/buckets/{zulu.id} is unauthorized$"):
        tenancy.buckets.get(one, zulu.id)
    with pytest.raises(Unauthorized, match=f"^read:orgs/{acme.id} is unauthorized$"):
        tenancy.buckets.get(whole, tasks.id)


def test_a_writer_may_change_and_delete_but_not_read(tenancy: Tenancy, operator: Access, acme: Organization) -> None:
    writer = holding(Permission(Action.WRITE, ResourceType.BUCKETS, acme.id))
    made = tenancy.buckets.create(writer, org_id=acme.id, name="b")
    with pytest.raises(Unauthorized):
        tenancy.buckets.get(writer, made.id)
    assert tenancy.buckets.update(writer, made.id, description="d").description == "d"
    tenancy.buckets.delete(writer, made.id)
    reader = holding(Permission(Action.READ, ResourceType.BUCKETS, acme.id))
    with pytest.raises(Unauthorized, match=f"^write:orgs/{acme.id}/buckets is unauthorized$"):
        tenancy.buckets.create(reader, org_id=acme.id, name="c")
    one = tenancy.buckets.create(operator, org_id=acme.id, name="c")
    for change in (tenancy.buckets.update, tenancy.buckets.delete):
        with pytest.raises(Unauthorized, match=f"^write:orgs/{acme.id}/buckets/{one.id} is unauthorized$"):
            change(reader, one.id)
