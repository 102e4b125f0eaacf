"""Who may give what, and who may see or change an authorization, in the reference's order of checks.

Used alike by API tokens and v1 authorizations.

Source: tokens.md §1.10, §1.11; W9, W15.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType, operator_permissions
from fluxkeep.errors import Forbidden, InvalidInput
from fluxkeep.ids import AuthorizationID, OrgID, UserID
from fluxkeep.tenancy.snapshot import Snapshot
from fluxkeep.tenancy.values import user_permission

UNABLE = "unable to create token"
INSTANCE_TEXT = "authorizations cannot be created with the instance type, it is only used during setup"
STATUS_TEXT = "invalid status: must be active or inactive"
NO_PERMISSIONS = "authorization must include permissions"


class Owned(Protocol):
    """An authorization of either kind."""

    @property
    def id(self) -> AuthorizationID:
        """Its id."""
        ...

    @property
    def org_id(self) -> OrgID:
        """The organization it belongs to."""
        ...

    @property
    def user_id(self) -> UserID:
        """Its owner."""
        ...

    @property
    def permissions(self) -> PermissionSet:
        """What it grants."""
        ...


def check_grant(
    access: Access, now: Snapshot, *, org_id: OrgID, user_id: UserID, permissions: Sequence[Permission]
) -> None:
    """Return only if the caller may make an authorization for that user in that organization.

    Raises:
        InvalidInput: The caller's user, the target user or the organization is gone; a permission
            belongs to another organization.
        Unauthorized: The caller may not write authorizations there, or that user.
        Forbidden: The caller lacks a permission it asks for, or asks for the instance.
    """
    if access.user_id not in now.users.by_id:
        raise InvalidInput(UNABLE)
    access.require(Permission(Action.WRITE, ResourceType.AUTHORIZATIONS, org_id))
    access.require(user_permission(Action.WRITE, user_id))
    require_held(access, permissions)
    for permission in permissions:
        if permission.type is ResourceType.INSTANCE:
            raise Forbidden(INSTANCE_TEXT)
    for permission in permissions:
        if permission.org_id is not None and permission.org_id != org_id:
            raise InvalidInput(f"permission {permission} is not for org id {org_id}")
    if user_id not in now.users.by_id or org_id not in now.organizations.by_id:
        raise InvalidInput(UNABLE)


def require_held(access: Access, permissions: Sequence[Permission] | PermissionSet) -> None:
    """Return only if the caller holds every one of them: nobody gives what they lack.

    Raises:
        Forbidden: Naming the first that is lacking.
    """
    missing = access.first_missing(permissions)
    if missing is not None:
        raise Forbidden(f"permission {missing} is not allowed: {missing} is unauthorized")


def to_read(record: Owned) -> tuple[Permission, Permission]:
    """What seeing a record needs, in the order in which what is lacking is named."""
    return (
        Permission(Action.READ, ResourceType.AUTHORIZATIONS, record.org_id, record.id),
        user_permission(Action.READ, record.user_id),
    )


def to_write(record: Owned) -> tuple[Permission, Permission]:
    """What changing or deleting a record needs, in the order in which what is lacking is named."""
    return (
        Permission(Action.WRITE, ResourceType.AUTHORIZATIONS, record.org_id, record.id),
        user_permission(Action.WRITE, record.user_id),
    )


def require_all(access: Access, wanted: Sequence[Permission]) -> None:
    """Return only if the caller may do all of it.

    Raises:
        Unauthorized: Naming the first that is lacking.
    """
    for permission in wanted:
        access.require(permission)


def guard_operator(access: Access, record: Owned) -> None:
    """Return only if the record is no operator's, or the caller is an operator.

    Raises:
        Unauthorized: Naming the first of the 44 permissions that is lacking. W9.
    """
    if record.permissions.covers(operator_permissions()):
        access.require_operator()


def check_status(status: str | None, message: str) -> str | None:
    """A status as given in a request; empty is active, absent stays absent.

    Raises:
        InvalidInput: With `message`, for any other word.
    """
    if status is None or status in ("active", "inactive"):
        return status
    if not status:
        return "active"
    raise InvalidInput(message)
