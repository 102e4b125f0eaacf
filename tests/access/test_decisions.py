"""What an Access answers, and in which words it refuses."""

from __future__ import annotations

import pytest

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import (
    Action,
    Permission,
    PermissionSet,
    ResourceType,
    all_access_permissions,
    instance_owner_permissions,
    operator_permissions,
)
from fluxkeep.errors import Unauthorized
from fluxkeep.ids import BucketID, OrgID, UserID

ORG = OrgID("0a1b2c3d4e5f6071")
USER = UserID("0f1e2d3c4b5a6000")
BUCKET, OTHER = BucketID("0b00000000000001"), BucketID("0b00000000000002")
READ = Permission(Action.READ, ResourceType.BUCKETS, ORG, BUCKET)


def access(permissions: PermissionSet, *, active: bool = True) -> Access:
    return Access(Principal(user_id=USER, permissions=permissions, active=active))


def test_require_names_what_is_missing() -> None:
    reader = access(PermissionSet([READ]))
    reader.require(READ)
    with pytest.raises(Unauthorized) as refused:
        reader.require(Permission(Action.WRITE, ResourceType.BUCKETS, ORG, BUCKET))
    assert refused.value.message == f"write:orgs/{ORG}/buckets/{BUCKET} is unauthorized"
    assert refused.value.reason == "missing-permission"


def test_the_first_of_several_that_are_missing_is_named() -> None:
    reader = access(PermissionSet([READ]))
    write = Permission(Action.WRITE, ResourceType.BUCKETS, ORG, BUCKET)
    users = Permission(Action.READ, ResourceType.USERS, id=USER)
    assert reader.first_missing([READ, write, users]) == write
    assert reader.first_missing([READ]) is None
    assert reader.first_missing([]) is None


def test_an_inactive_caller_may_do_nothing() -> None:
    sleeper = access(operator_permissions(), active=False)
    assert not sleeper.allows(READ)
    assert not sleeper.covers([])
    assert not sleeper.is_operator
    assert sleeper.first_missing([READ]) == READ
    assert sleeper.filter([READ], lambda p: p) == []
    with pytest.raises(Unauthorized, match=r"^token is inactive$") as refused:
        sleeper.require(READ)
    assert refused.value.reason == "inactive-token"
    for message in (None, "operators only"):
        with pytest.raises(Unauthorized, match=r"^token is inactive$"):
            sleeper.require_operator(message)


def test_filter_keeps_order_and_asks_for_all() -> None:
    reader = access(PermissionSet([READ]))
    buckets = [OTHER, BUCKET, BUCKET]

    def one(bucket: BucketID) -> Permission:
        return Permission(Action.READ, ResourceType.BUCKETS, ORG, bucket)

    assert reader.filter(buckets, one) == [BUCKET, BUCKET]
    assert reader.filter(buckets, lambda b: (one(b), Permission(Action.READ, ResourceType.USERS, id=USER))) == []


def test_operators() -> None:
    access(operator_permissions()).require_operator()
    access(instance_owner_permissions()).require_operator()
    assert access(instance_owner_permissions()).is_operator
    everything = access(all_access_permissions(ORG, USER))
    assert not everything.is_operator
    with pytest.raises(Unauthorized, match=r"^read:authorizations is unauthorized$"):
        everything.require_operator()
    with pytest.raises(Unauthorized, match=r"^operators only$"):
        everything.require_operator("operators only")
    almost = access(PermissionSet(list(operator_permissions())[:-1]))
    with pytest.raises(Unauthorized, match=r"^write:replications is unauthorized$"):
        almost.require_operator()
    assert almost.user_id == USER
