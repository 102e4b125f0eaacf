"""Memberships keep to http-api.md §1.8 and tokens.md §1.8."""

from __future__ import annotations

import pytest

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import (
    Action,
    Permission,
    PermissionSet,
    ResourceType,
    instance_owner_permissions,
    me_permissions,
    member_permissions,
    no_permissions,
    owner_permissions,
)
from fluxkeep.errors import Internal, NotFound, Unauthorized
from fluxkeep.ids import UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.events import UserChanged
from fluxkeep.metastore.unit_of_work import Event
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import Organization, Role

NOBODY = Access(Principal(user_id=UserID("00000000000000ff"), permissions=no_permissions()))


def test_what_each_membership_grants(store: MetaStore, tenancy: Tenancy, operator: Access, acme: Organization) -> None:
    bucket = tenancy.buckets.create(operator, org_id=acme.id, name="b")
    expected = {
        (ResourceType.ORGS, acme.id, Role.OWNER): owner_permissions(acme.id),
        (ResourceType.ORGS, acme.id, Role.MEMBER): member_permissions(acme.id),
        (ResourceType.BUCKETS, bucket.id, Role.OWNER): no_permissions(),
        (ResourceType.BUCKETS, bucket.id, Role.MEMBER): PermissionSet(
            [Permission(Action.READ, ResourceType.BUCKETS, id=bucket.id)]
        ),
        (ResourceType.TASKS, bucket.id, Role.OWNER): no_permissions(),
    }
    for number, ((kind, resource_id, role), granted) in enumerate(expected.items()):
        user = tenancy.users.create(operator, name=str(number))
        with store.begin() as work:
            tenancy.memberships.add(work, (kind, resource_id), role, user.id)
        assert tenancy.memberships.permissions_of(user.id) == granted | me_permissions(user.id)


def test_the_instances_owner_may_do_everything(store: MetaStore, tenancy: Tenancy, operator: Access) -> None:
    user = tenancy.users.create(operator, name="setup")
    with store.begin() as work:
        tenancy.memberships.add_instance_owner(work, user.id)
    held = tenancy.memberships.permissions_of(user.id)
    assert held.covers(instance_owner_permissions())
    assert held.allows(Permission(Action.WRITE, ResourceType.CHECKS))


def test_somebody_unknown_may_do_what_everybody_may(tenancy: Tenancy) -> None:
    user_id = UserID("00000000000000aa")
    assert tenancy.memberships.permissions_of(user_id) == me_permissions(user_id)


def test_a_user_is_one_thing_to_a_resource(tenancy: Tenancy, operator: Access, acme: Organization) -> None:
    user = tenancy.users.create(operator, name="u")
    resource, write = (ResourceType.ORGS, acme.id), acme.permission(Action.WRITE)
    assert tenancy.memberships.create(operator, resource, Role.MEMBER, user.id, write) == user
    for role in Role:
        with pytest.raises(Internal, match=f"mapping for user {user.id} already exists$"):
            tenancy.memberships.create(operator, resource, role, user.id, write)
    with pytest.raises(NotFound, match="user not found"):
        tenancy.memberships.create(operator, resource, Role.MEMBER, UserID("00000000000000aa"), write)


def test_ending_disregards_the_role_and_strangers(
    store: MetaStore, tenancy: Tenancy, operator: Access, acme: Organization
) -> None:
    user = tenancy.users.create(operator, name="u")
    resource, write = (ResourceType.ORGS, acme.id), acme.permission(Action.WRITE)
    tenancy.memberships.create(operator, resource, Role.OWNER, user.id, write)
    heard: list[Event] = []
    store.subscribe(heard.extend)
    for _ in range(2):
        tenancy.memberships.delete(operator, resource, user.id, write)
    assert heard.count(UserChanged(user.id)) == 1
    assert tenancy.memberships.permissions_of(user.id) == me_permissions(user.id)


def test_without_permission_there_is_nothing_to_see_or_change(
    tenancy: Tenancy, operator: Access, acme: Organization
) -> None:
    resource = (ResourceType.ORGS, acme.id)
    with pytest.raises(NotFound, match=r"^404 page not found$"):
        tenancy.memberships.list_(NOBODY, resource, Role.OWNER, acme.permission(Action.READ))
    for call in (
        lambda: tenancy.memberships.create(NOBODY, resource, Role.OWNER, NOBODY.user_id, acme.permission(Action.WRITE)),
        lambda: tenancy.memberships.delete(NOBODY, resource, operator.user_id, acme.permission(Action.WRITE)),
    ):
        with pytest.raises(Unauthorized, match=f"^write:orgs/{acme.id} is unauthorized$"):
            call()
    assert tenancy.memberships.list_(operator, resource, Role.OWNER, acme.permission(Action.READ)) != []
