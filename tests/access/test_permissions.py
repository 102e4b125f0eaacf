"""The matching rule and the standard sets, by table and against the plain rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.access.permissions import (
    GRANTABLE_TYPES,
    Action,
    Permission,
    PermissionSet,
    ResourceType,
    all_access_permissions,
    instance_owner_permissions,
    me_permissions,
    member_permissions,
    no_permissions,
    operator_permissions,
    owner_permissions,
)
from fluxkeep.errors import InvalidInput
from fluxkeep.ids import ID, BucketID, OrgID, UserID

ORG, ORG2 = OrgID("0a1b2c3d4e5f6071"), OrgID("0a1b2c3d4e5f6072")
USER, USER2 = UserID("0f1e2d3c4b5a6000"), UserID("0f1e2d3c4b5a6001")
BUCKET, BUCKET2 = BucketID("0b00000000000001"), BucketID("0b00000000000002")
R, W = Action.READ, Action.WRITE
BUCKETS, ORGS, USERS, INSTANCE = ResourceType.BUCKETS, ResourceType.ORGS, ResourceType.USERS, ResourceType.INSTANCE


@pytest.mark.parametrize(
    ("permission", "text"),
    [
        (Permission(R, BUCKETS), "read:buckets"),
        (Permission(R, BUCKETS, ORG), f"read:orgs/{ORG}/buckets"),
        (Permission(W, BUCKETS, id=BUCKET), f"write:buckets/{BUCKET}"),
        (Permission(R, BUCKETS, ORG, BUCKET), f"read:orgs/{ORG}/buckets/{BUCKET}"),
        (Permission(W, ResourceType.NOTIFICATION_RULES), "write:notificationRules"),
    ],
)
def test_spelling(permission: Permission, text: str) -> None:
    assert str(permission) == text


@pytest.mark.parametrize(
    ("held", "wanted", "allowed"),
    [
        # 1. actions differ
        (Permission(W, BUCKETS), Permission(R, BUCKETS), False),
        (Permission(W, INSTANCE), Permission(R, BUCKETS), False),
        # 2. instance reaches everything
        (Permission(R, INSTANCE), Permission(R, USERS, id=USER), True),
        (Permission(R, INSTANCE), Permission(R, INSTANCE), True),
        # 3. types differ
        (Permission(R, BUCKETS), Permission(R, ORGS), False),
        (Permission(R, BUCKETS), Permission(R, INSTANCE), False),
        # 4. unscoped
        (Permission(R, BUCKETS), Permission(R, BUCKETS, ORG, BUCKET), True),
        # 5. scoped to an organization
        (Permission(R, BUCKETS, ORG), Permission(R, BUCKETS, ORG, BUCKET), True),
        (Permission(R, BUCKETS, ORG), Permission(R, BUCKETS, ORG), True),
        (Permission(R, BUCKETS, ORG), Permission(R, BUCKETS, ORG2, BUCKET), False),
        (Permission(R, BUCKETS, ORG), Permission(R, BUCKETS), False),
        (Permission(R, ORGS, ORG), Permission(R, ORGS, id=ORG), False),
        (Permission(R, USERS, ORG), Permission(R, USERS, id=USER), False),
        # 6. scoped to one object: organizations are not looked at
        (Permission(R, BUCKETS, id=BUCKET), Permission(R, BUCKETS, ORG, BUCKET), True),
        (Permission(R, BUCKETS, ORG2, BUCKET), Permission(R, BUCKETS, ORG, BUCKET), True),
        (Permission(R, BUCKETS, ORG, BUCKET), Permission(R, BUCKETS, ORG, BUCKET2), False),
        (Permission(R, BUCKETS, ORG, BUCKET), Permission(R, BUCKETS, ORG), False),
        (Permission(R, BUCKETS, id=BUCKET), Permission(R, BUCKETS), False),
    ],
)
def test_matching(held: Permission, wanted: Permission, allowed: bool) -> None:
    assert held.matches(wanted) is allowed
    assert PermissionSet([held]).allows(wanted) is allowed


def test_sizes_and_shapes_of_the_standard_sets() -> None:
    operator = list(operator_permissions())
    assert len(operator) == 44
    assert [str(p) for p in operator[:4]] == [
        "read:authorizations",
        "write:authorizations",
        "read:buckets",
        "write:buckets",
    ]
    assert all(p.org_id is None and p.id is None and p.type is not INSTANCE for p in operator)
    everything = list(all_access_permissions(ORG, USER))
    assert len(everything) == 43
    assert Permission(R, ORGS, id=ORG) in everything
    assert Permission(W, ORGS, id=ORG) not in everything
    assert Permission(W, USERS, id=USER) in everything
    assert len(owner_permissions(ORG)) == 44
    assert Permission(W, ORGS, id=ORG) in list(owner_permissions(ORG))
    assert len(member_permissions(ORG)) == 22
    assert {p.action for p in member_permissions(ORG)} == {R}
    assert [str(p) for p in me_permissions(USER)] == [f"read:users/{USER}", f"write:users/{USER}"]
    assert [str(p) for p in instance_owner_permissions()] == ["read:instance", "write:instance"]


_SCOPED = [kind for kind in GRANTABLE_TYPES if kind is not ORGS]


def test_the_standard_sets_member_by_member() -> None:
    owner = [f"{a}:orgs/{ORG}" if k is ORGS else f"{a}:orgs/{ORG}/{k}" for k in GRANTABLE_TYPES for a in Action]
    assert [str(p) for p in owner_permissions(ORG)] == owner
    assert [str(p) for p in member_permissions(ORG)] == [text for text in owner if text.startswith("read:")]
    everything = set(owner) - {f"write:orgs/{ORG}", f"read:orgs/{ORG}/users", f"write:orgs/{ORG}/users"}
    everything |= {f"read:users/{USER}", f"write:users/{USER}"}
    assert {str(p) for p in all_access_permissions(ORG, USER)} == everything
    # An organization is asked for by its own id alone.
    for held in (owner_permissions(ORG), member_permissions(ORG), all_access_permissions(ORG, USER)):
        assert Permission(R, ORGS, id=ORG) in list(held)
    assert all(Permission(R, kind, ORG) in list(member_permissions(ORG)) for kind in _SCOPED)


def test_sets_are_values() -> None:
    one, two = PermissionSet([Permission(R, BUCKETS)]), PermissionSet([Permission(W, BUCKETS)])
    assert one != two
    assert one != "read:buckets"
    assert not (one == [Permission(R, BUCKETS)])  # noqa: SIM201 - the comparison itself is what is tried
    assert hash(one) != hash(two)
    assert repr(one | two) == "PermissionSet(read:buckets, write:buckets)"


def test_the_resource_types_and_their_order() -> None:
    assert " ".join(kind.value for kind in ResourceType) == (
        "authorizations buckets dashboards orgs sources tasks telegrafs users variables scrapers secrets labels views "
        "documents notificationRules notificationEndpoints checks dbrp notebooks annotations remotes replications "
        "instance"
    )


def test_words_that_are_neither_action_nor_type() -> None:
    with pytest.raises(InvalidInput, match=r"^invalid action type for permission: unknown action for permission$"):
        Action.parse("delete")
    with pytest.raises(InvalidInput, match=r"^invalid resource type for permission: unknown resource type for perm"):
        ResourceType.parse("flows")
    assert Action.parse("write") is W
    assert ResourceType.parse("dbrp") is ResourceType.DBRP


def test_union_keeps_order_and_drops_repeats() -> None:
    one, two = Permission(R, BUCKETS), Permission(W, BUCKETS)
    both = PermissionSet([one]) | PermissionSet([two, one])
    assert list(both) == [one, two]
    assert both.first_missing([one, Permission(R, ORGS), Permission(W, ORGS)]) == Permission(R, ORGS)
    assert both.covers([two, one])
    assert both == PermissionSet([one, two])
    assert hash(both) == hash(PermissionSet([one, two]))
    assert len(no_permissions()) == 0
    assert repr(PermissionSet([one])) == "PermissionSet(read:buckets)"


_IDS: list[ID] = [ORG, ORG2, USER, BUCKET]
_PERMISSIONS = st.builds(
    Permission,
    st.sampled_from(Action),
    st.sampled_from([BUCKETS, ORGS, USERS, INSTANCE]),
    st.sampled_from([None, ORG, ORG2]),
    st.sampled_from([None, *_IDS]),
)


@given(held=st.lists(_PERMISSIONS, max_size=6), wanted=_PERMISSIONS)
def test_the_index_answers_as_the_plain_rule(held: list[Permission], wanted: Permission) -> None:
    assert PermissionSet(held).allows(wanted) is any(p.matches(wanted) for p in held)


# --- the matrix -------------------------------------------------------------------------------------------------

_ROLES = {
    "operator token": operator_permissions(),
    "instance owner": instance_owner_permissions(),
    "all access token": all_access_permissions(ORG, USER),
    "org owner session": owner_permissions(ORG) | me_permissions(USER),
    "org member session": member_permissions(ORG) | me_permissions(USER),
    "read/write token": PermissionSet([Permission(R, BUCKETS, ORG, BUCKET), Permission(W, BUCKETS, ORG, BUCKET)]),
    "nobody": no_permissions(),
}


def _requests(kind: ResourceType) -> list[tuple[str, OrgID | None, ID | None]]:
    if kind is ORGS:
        return [("own", None, ORG), ("other", None, ORG2), ("create", None, None)]
    if kind is USERS:
        return [("self", None, USER), ("other", None, USER2), ("create", None, None)]
    if kind is INSTANCE:
        return [("all", None, None)]
    return [
        ("one in org", ORG, BUCKET),
        ("list or create in org", ORG, None),
        ("one in other org", ORG2, BUCKET2),
        ("list or create in other org", ORG2, None),
        ("unscoped", None, None),
    ]


def render_matrix() -> str:
    """Role by resource by action as text, one line for each kind of request."""
    width = max(len(role) for role in _ROLES)
    lines = ["Who may do what: r = read, w = write, . = refused.", ""]
    for kind in ResourceType:
        lines.append(kind.value)
        requests = _requests(kind)
        lines.append("  " + " " * width + "  " + "  ".join(name for name, _, _ in requests))
        for role, held in _ROLES.items():
            cells = []
            for name, org, one in requests:
                marks = "".join(a.value[0] if held.allows(Permission(a, kind, org, one)) else "." for a in Action)
                cells.append(marks.ljust(len(name)))
            lines.append(f"  {role.ljust(width)}  {'  '.join(cells)}".rstrip())
        lines.append("")
    return "\n".join(lines)


def test_the_matrix_is_the_reviewed_one() -> None:
    reviewed = (Path(__file__).parent / "matrix.txt").read_text()
    assert render_matrix() == reviewed, "permissions changed: render the matrix again and review the difference"


def test_every_grantable_type_is_every_type_but_instance() -> None:
    assert set(ResourceType) - set(GRANTABLE_TYPES) == {INSTANCE}
