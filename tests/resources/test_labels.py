"""Labels keep to http-api.md §11 and §1.8."""

from __future__ import annotations

import pytest

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType
from fluxkeep.errors import Conflict, InvalidInput, NotFound, Unauthorized
from fluxkeep.ids import ID, IdGenerator, LabelID, OrgID, UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.resources.labels import Label, Labels
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import Organization

SOMETHING = ID("00000000000000c1")
TO_WRITE = Permission(Action.WRITE, ResourceType.BUCKETS, id=SOMETHING)


@pytest.fixture
def labels(store: MetaStore, tenancy: Tenancy, ids: IdGenerator) -> Labels:
    return Labels(store, ids)


def holding(*permissions: Permission) -> Access:
    return Access(Principal(user_id=UserID("00000000000000ff"), permissions=PermissionSet(permissions)))


def attach(labels: Labels, access: Access, label: Label, resource: ID = SOMETHING) -> Label:
    return labels.attach(access, ResourceType.BUCKETS, resource, label.id, TO_WRITE)


def test_names_are_trimmed_and_unique_but_for_case(labels: Labels, operator: Access, acme: Organization) -> None:
    red = labels.create(operator, org_id=acme.id, name="  red ")
    assert red.name == "red"
    for name in ("red", "RED", " Red"):
        with pytest.raises(Conflict, match=rf"^label with name {name.strip()} already exists$"):
            labels.create(operator, org_id=acme.id, name=name)
    plain = labels.create(operator, org_id=acme.id, name="plain")
    with pytest.raises(Conflict, match=r"^label with name Red already exists$"):
        labels.update(operator, plain.id, name="Red")
    assert labels.update(operator, red.id, name="RED").name == "RED"
    assert labels.create(operator, org_id=OrgID("00000000000000aa"), name="red").org_id != acme.id


@pytest.mark.parametrize("name", ["", "  "])
def test_a_label_needs_a_name_before_an_organization(labels: Labels, operator: Access, name: str) -> None:
    with pytest.raises(InvalidInput, match="label name is required"):
        labels.create(operator, org_id=None, name=name)
    with pytest.raises(InvalidInput, match="orgID is required"):
        labels.create(operator, org_id=None, name="n")


def test_properties_merge_and_empty_ones_go(labels: Labels, operator: Access, acme: Organization) -> None:
    made = labels.create(operator, org_id=acme.id, name="n", properties={"color": "#f00", "none": ""})
    assert made.properties == {"color": "#f00"}
    changed = labels.update(operator, made.id, properties={"color": "#a00", "extra": "e"})
    assert changed.properties == {"color": "#a00", "extra": "e"}
    assert labels.update(operator, made.id, properties={"extra": ""}).properties == {"color": "#a00"}
    assert labels.update(operator, made.id, name="").name == "n"


def test_lists(labels: Labels, operator: Access, acme: Organization) -> None:
    made = [labels.create(operator, org_id=acme.id, name=name) for name in ("b", "a")]
    far = labels.create(operator, org_id=OrgID("00000000000000aa"), name="b")
    assert labels.list_(operator) == [*made, far]
    assert labels.list_(operator, name="b") == [made[0], far]
    assert labels.list_(operator, name="b", org_id=acme.id) == [made[0]]
    reader = holding(Permission(Action.READ, ResourceType.LABELS, acme.id))
    assert labels.list_(reader) == made
    assert labels.list_(holding()) == []


def test_attaching_and_detaching(labels: Labels, operator: Access, acme: Organization) -> None:
    one, two = (labels.create(operator, org_id=acme.id, name=name) for name in ("one", "two"))
    attach(labels, operator, two)
    attach(labels, operator, one)
    assert labels.of(operator, SOMETHING) == (one, two)
    assert labels.of(operator, SOMETHING) is labels.of(operator, SOMETHING)
    with pytest.raises(Conflict, match="Cannot add label, label already exists on resource"):
        attach(labels, operator, one)
    for _ in range(2):
        labels.detach(operator, SOMETHING, one.id, TO_WRITE)
    assert labels.of(operator, SOMETHING) == (two,)
    labels.delete(operator, two.id)
    assert labels.of(operator, SOMETHING) == ()
    with pytest.raises(NotFound, match="label not found"):
        attach(labels, operator, two)
    with pytest.raises(NotFound, match="label not found"):
        labels.detach(operator, SOMETHING, two.id, TO_WRITE)


def test_attaching_needs_both(labels: Labels, operator: Access, acme: Organization) -> None:
    label = labels.create(operator, org_id=acme.id, name="n")
    only_label = holding(label.permission(Action.WRITE))
    only_resource = holding(TO_WRITE)
    for access, missing in ((only_label, TO_WRITE), (only_resource, label.permission(Action.WRITE))):
        with pytest.raises(Unauthorized, match=f"^{missing} is unauthorized$"):
            attach(labels, access, label)
        with pytest.raises(Unauthorized, match=f"^{missing} is unauthorized$"):
            labels.detach(access, SOMETHING, label.id, TO_WRITE)
    assert attach(labels, holding(label.permission(Action.WRITE), TO_WRITE), label) == label


def test_labels_that_may_not_be_read_are_not_shown(labels: Labels, operator: Access, acme: Organization) -> None:
    one, two = (labels.create(operator, org_id=acme.id, name=name) for name in ("one", "two"))
    attach(labels, operator, one)
    attach(labels, operator, two)
    assert labels.of(holding(two.permission(Action.READ)), SOMETHING) == (two,)
    assert labels.of(holding(), SOMETHING) == ()


def test_permissions(labels: Labels, operator: Access, acme: Organization) -> None:
    label = labels.create(operator, org_id=acme.id, name="n")
    reader = holding(Permission(Action.READ, ResourceType.LABELS, acme.id))
    with pytest.raises(Unauthorized, match=rf"^write:orgs/{acme.id}/labels is unauthorized$"):
        labels.create(reader, org_id=acme.id, name="m")
    with pytest.raises(Unauthorized, match=rf"^write:orgs/{acme.id}/labels/{label.id} is unauthorized$"):
        labels.update(reader, label.id, name="m")
    with pytest.raises(Unauthorized, match=rf"^write:orgs/{acme.id}/labels/{label.id} is unauthorized$"):
        labels.delete(reader, label.id)
    with pytest.raises(Unauthorized, match=rf"^read:orgs/{acme.id}/labels/{label.id} is unauthorized$"):
        labels.get(holding(), label.id)
    assert labels.get(reader, label.id) == label
    with pytest.raises(NotFound, match="label not found"):
        labels.get(holding(), LabelID("00000000000000aa"))


def test_labels_follow_their_organization_and_bucket(
    store: MetaStore, tenancy: Tenancy, ids: IdGenerator, labels: Labels, operator: Access, acme: Organization
) -> None:
    other = tenancy.organizations.create(operator, name="other")
    gone = labels.create(operator, org_id=acme.id, name="gone")
    kept = labels.create(operator, org_id=other.id, name="kept")
    bucket = tenancy.buckets.create(operator, org_id=other.id, name="b")
    attach(labels, operator, gone, bucket.id)
    attach(labels, operator, kept, bucket.id)
    attach(labels, operator, kept)
    tenancy.organizations.delete(operator, acme.id)
    assert labels.list_(operator) == [kept]
    assert labels.of(operator, bucket.id) == (kept,)
    tenancy.buckets.delete(operator, bucket.id)
    assert labels.of(operator, bucket.id) == ()
    assert labels.of(operator, SOMETHING) == (kept,)
    again = Labels(store, ids)
    assert again.list_(operator) == [kept]
    assert again.of(operator, SOMETHING) == (kept,)
    assert again.of(operator, bucket.id) == ()
