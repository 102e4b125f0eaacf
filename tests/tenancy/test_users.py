"""Users keep to http-api.md §4."""

from __future__ import annotations

import pytest

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import Action, PermissionSet, ResourceType, me_permissions
from fluxkeep.errors import Conflict, EmptyValue, InvalidInput, NotFound, Unauthorized
from fluxkeep.ids import UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.events import UserChanged, UserDeleted
from fluxkeep.metastore.unit_of_work import Event
from fluxkeep.tenancy.listing import Window
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.users import parse_status
from fluxkeep.tenancy.values import Organization, Role, Status, User, user_permission

UNKNOWN = UserID("00000000000000aa")


def only(user: User, *actions: Action) -> Access:
    return Access(
        Principal(user_id=user.id, permissions=PermissionSet(user_permission(action, user.id) for action in actions))
    )


def test_names_are_required_unique_and_case_sensitive(tenancy: Tenancy, operator: Access, root: User) -> None:
    alice = tenancy.users.create(operator, name="alice")
    with pytest.raises(EmptyValue, match="key required"):
        tenancy.users.create(operator, name="")
    with pytest.raises(Conflict, match="user with name alice already exists"):
        tenancy.users.create(operator, name="alice")
    other = tenancy.users.create(operator, name="Alice", oauth_id="o-1", status=Status.INACTIVE)
    with pytest.raises(Conflict, match="user with name alice already exists"):
        tenancy.users.update(operator, other.id, name="alice")
    with pytest.raises(EmptyValue, match="key required"):
        tenancy.users.update(operator, other.id, name="")
    assert tenancy.users.list_(operator) == [root, alice, other]
    assert tenancy.users.find_by_name("Alice") == other
    assert (other.oauth_id, other.is_active) == ("o-1", False)


def test_status_is_one_of_two_words() -> None:
    assert parse_status("active") is Status.ACTIVE
    assert parse_status("inactive") is Status.INACTIVE
    for text in ("", "asleep", "Active"):
        with pytest.raises(InvalidInput, match="invalid status: must be active or inactive"):
            parse_status(text)


def test_a_change_touches_only_what_is_given(tenancy: Tenancy, operator: Access) -> None:
    alice = tenancy.users.create(operator, name="alice")
    asleep = tenancy.users.update(operator, alice.id, status=Status.INACTIVE)
    assert (asleep.name, asleep.status) == ("alice", Status.INACTIVE)
    renamed = tenancy.users.update(operator, alice.id, name="alicia")
    assert (renamed.name, renamed.status) == ("alicia", Status.INACTIVE)
    assert tenancy.users.find(alice.id) == renamed
    assert tenancy.users.find_by_name("alice") is None


def test_filters_and_pages(tenancy: Tenancy, operator: Access, root: User) -> None:
    users = [root, *(tenancy.users.create(operator, name=f"u{n}") for n in range(4))]
    assert tenancy.users.list_(operator, user_id=users[2].id, name="ignored") == [users[2]]
    assert tenancy.users.list_(operator, name="u3") == [users[4]]
    for wanted in ({"user_id": UNKNOWN}, {"name": "nobody"}):
        with pytest.raises(NotFound, match="user not found"):
            tenancy.users.list_(operator, **wanted)
    assert tenancy.users.list_(operator, window=Window(limit=2, offset=1)) == users[1:3]
    assert tenancy.users.list_(operator, window=Window(limit=2, after=users[1].id)) == users[2:4]
    assert tenancy.users.list_(operator, window=Window(limit=2, descending=True)) == users[:2:-1]
    assert tenancy.users.list_(operator, window=Window(after=users[3].id, descending=True)) == users[2::-1]
    assert tenancy.users.list_(only(users[3], Action.READ)) == [users[3]]
    assert tenancy.users.list_(only(users[3], Action.READ), name="root") == []


def test_everybody_may_be_limited_to_oneself(tenancy: Tenancy, operator: Access, root: User) -> None:
    alice = tenancy.users.create(operator, name="alice")
    me = only(alice, Action.READ, Action.WRITE)
    assert tenancy.users.get(me, alice.id) == alice
    assert tenancy.users.update(me, alice.id, name="alicia").name == "alicia"
    for user_id in (root.id, UNKNOWN):
        with pytest.raises(Unauthorized, match=f"^read:users/{user_id} is unauthorized$"):
            tenancy.users.get(me, user_id)
        with pytest.raises(Unauthorized, match=f"^write:users/{user_id} is unauthorized$"):
            tenancy.users.delete(me, user_id)
        with pytest.raises(Unauthorized, match=f"^read:users/{user_id} is unauthorized$"):
            tenancy.memberships.get_permissions(me, user_id)
    with pytest.raises(Unauthorized, match=r"^write:users is unauthorized$"):
        tenancy.users.create(me, name="x")


def test_deleting_ends_memberships_and_tells(
    store: MetaStore, tenancy: Tenancy, operator: Access, acme: Organization
) -> None:
    alice = tenancy.users.create(operator, name="alice")
    resource = (ResourceType.ORGS, acme.id)
    tenancy.memberships.create(operator, resource, Role.MEMBER, alice.id, acme.permission(Action.WRITE))
    heard: list[Event] = []
    store.subscribe(heard.extend)
    tenancy.users.delete(operator, alice.id)
    assert UserDeleted(alice.id) in heard
    assert tenancy.memberships.list_(operator, resource, Role.MEMBER, acme.permission(Action.READ)) == []
    with pytest.raises(NotFound, match="user not found"):
        tenancy.users.delete(operator, alice.id)
    again = tenancy.users.create(operator, name="alice")
    assert again.id != alice.id
    assert tenancy.memberships.permissions_of(again.id) == me_permissions(again.id)


def test_a_change_of_status_is_told(store: MetaStore, tenancy: Tenancy, operator: Access, root: User) -> None:
    heard: list[Event] = []
    store.subscribe(heard.extend)
    tenancy.users.update(operator, root.id, status=Status.INACTIVE)
    assert UserChanged(root.id) in heard
    assert tenancy.directory.now.users.by_id[root.id].is_active is False
