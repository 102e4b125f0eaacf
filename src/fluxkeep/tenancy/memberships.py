"""Memberships: what users are to resources, and what that allows them.

Source: http-api.md §1.8, §27; tokens.md §1.8, §1.9.
"""

from __future__ import annotations

from fluxkeep.access.decisions import Access
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
from fluxkeep.errors import Internal, NotFound
from fluxkeep.ids import OrgID, UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.events import UserChanged
from fluxkeep.metastore.unit_of_work import UnitOfWork
from fluxkeep.tenancy.snapshot import Directory, Resource
from fluxkeep.tenancy.values import INSTANCE_ID, Membership, Role, User, user_permission


class Memberships:
    """Members and owners of organizations, buckets and documents."""

    def __init__(self, store: MetaStore, directory: Directory) -> None:
        self._store = store
        self._directory = directory

    def permissions_of(self, user_id: UserID) -> PermissionSet:
        """What the user's memberships allow, and what everybody may do to themselves.

        The user need not exist. Source: tokens.md §1.9 (a) and (c).
        """
        held = no_permissions()
        for membership in self._directory.now.memberships.of_user.get(user_id, ()):
            held = held | _granted(membership)
        return held | me_permissions(user_id)

    def get_permissions(self, access: Access, user_id: UserID) -> PermissionSet:
        """As `permissions_of`, for a caller.

        Raises:
            Unauthorized: Without permission to read the user.
        """
        access.require(user_permission(Action.READ, user_id))
        return self.permissions_of(user_id)

    def list_(self, access: Access, resource: Resource, role: Role, wanted: Permission) -> list[User]:
        """The users who are that to the resource, by id.

        Args:
            access: The caller's.
            resource: Which.
            role: Members or owners.
            wanted: What reading the resource needs.

        Raises:
            NotFound: `404 page not found`: what may not be read is not there (http-api.md §1.8).
        """
        if not access.allows(wanted):
            raise NotFound("404 page not found")
        now = self._directory.now
        return [
            now.users.by_id[one.user_id] for one in now.memberships.of_resource.get(resource, ()) if one.role is role
        ]

    def create(self, access: Access, resource: Resource, role: Role, user_id: UserID, wanted: Permission) -> User:
        """Make a user a member or owner.

        Args:
            access: The caller's.
            resource: Which; must exist.
            role: What the user becomes.
            user_id: Who.
            wanted: What changing the resource needs.

        Raises:
            Unauthorized: Without `wanted`.
            NotFound: `user not found`.
            Internal: The user is something to the resource already; the reference says so with a 500.
        """
        access.require(wanted)
        with self._store.begin() as work:
            return self.add(work, resource, role, user_id)

    def add(self, work: UnitOfWork, resource: Resource, role: Role, user_id: UserID) -> User:
        """As `create`, inside the caller's transaction and on nobody's behalf."""
        draft = self._directory.draft(work)
        user = draft.now.users.by_id.get(user_id)
        if user is None:
            raise NotFound("user not found")
        if draft.now.memberships.find(resource, user_id) is not None:
            raise Internal(
                f"Unexpected error when assigning user to a resource: mapping for user {user_id} already exists"
            )
        draft.add_membership(
            Membership(
                user_id=user_id,
                resource_type=resource[0],
                resource_id=resource[1],
                role=role,
                created_at=work.now_ns,
            )
        )
        work.emit(UserChanged(user_id))
        return user

    def add_instance_owner(self, work: UnitOfWork, user_id: UserID) -> None:
        """Make the user of the setup owner of the whole instance."""
        self.add(work, (ResourceType.INSTANCE, INSTANCE_ID), Role.OWNER, user_id)

    def delete(self, access: Access, resource: Resource, user_id: UserID, wanted: Permission) -> None:
        """End whatever the user is to the resource; harmless for a stranger.

        Quirk: the role is not looked at (http-api.md §1.8).

        Raises:
            Unauthorized: Without `wanted`.
        """
        access.require(wanted)
        with self._store.begin() as work:
            draft = self._directory.draft(work)
            if draft.now.memberships.find(resource, user_id) is not None:
                draft.drop_membership(resource, user_id)
                work.emit(UserChanged(user_id))


def _granted(membership: Membership) -> PermissionSet:
    match membership.resource_type, membership.role:
        case ResourceType.INSTANCE, Role.OWNER:
            return instance_owner_permissions()
        case ResourceType.ORGS, Role.OWNER:
            return owner_permissions(OrgID(membership.resource_id))
        case ResourceType.ORGS, Role.MEMBER:
            return member_permissions(OrgID(membership.resource_id))
        case ResourceType.BUCKETS, Role.MEMBER:
            return PermissionSet([Permission(Action.READ, ResourceType.BUCKETS, id=membership.resource_id)])
        case _:
            # Owning or belonging to anything else is shown and grants nothing.
            return no_permissions()
