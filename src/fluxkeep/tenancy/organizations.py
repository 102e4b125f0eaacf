"""Organizations: making, finding, changing and deleting them.

Source: http-api.md §3, §27; tokens.md §1.13.
"""

from __future__ import annotations

from dataclasses import replace

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.errors import Conflict, InvalidInput, NotFound
from fluxkeep.ids import BucketID, IdGenerator, OrgID, UserID
from fluxkeep.instants import DAY, HOUR
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.events import (
    BucketChanged,
    BucketDeleted,
    OrganizationChanged,
    OrganizationDeleted,
    UserChanged,
)
from fluxkeep.metastore.unit_of_work import UnitOfWork
from fluxkeep.tenancy.listing import WHOLE, Window, cut
from fluxkeep.tenancy.snapshot import Directory, Draft
from fluxkeep.tenancy.values import Bucket, BucketType, Membership, Organization, Role

_ALL = Permission(Action.READ, ResourceType.ORGS)
_CREATE = Permission(Action.WRITE, ResourceType.ORGS)

# Name, description and retention of the buckets that every organization has.
SYSTEM_BUCKETS = (
    ("_tasks", "System bucket for task logs", 72 * HOUR),
    ("_monitoring", "System bucket for monitoring logs", 7 * DAY),
)


class Organizations:
    """The organizations of the instance. `find_` is for resolving and asks nobody."""

    def __init__(self, store: MetaStore, directory: Directory, ids: IdGenerator) -> None:
        self._store = store
        self._directory = directory
        self._ids = ids

    def find(self, org_id: OrgID) -> Organization | None:
        """The organization of that id."""
        return self._directory.now.organizations.by_id.get(org_id)

    def find_by_name(self, name: str) -> Organization | None:
        """The organization of that name, case-sensitive."""
        return self._directory.now.organizations.by_name.get(name)

    def get_by_name(self, name: str) -> Organization:
        """The organization of that name, whoever asks.

        Raises:
            NotFound: `organization name "<n>" not found`.
        """
        found = self.find_by_name(name)
        if found is None:
            raise NotFound(f'organization name "{name}" not found')
        return found

    def get(self, access: Access, org_id: OrgID) -> Organization:
        """The organization of that id.

        Raises:
            Unauthorized: Without permission to read it, whether it exists or not.
            NotFound: `organization not found`.
        """
        access.require(Permission(Action.READ, ResourceType.ORGS, id=org_id))
        return _get(self.find(org_id))

    def list_(
        self,
        access: Access,
        *,
        org_id: OrgID | None = None,
        name: str | None = None,
        user_id: UserID | None = None,
        window: Window = WHOLE,
    ) -> list[Organization]:
        """Organizations by id, those that the caller may read.

        An id wins over a name, a name over a user. Without a filter, a caller
        who may not read all of them is offered those the user belongs to.

        Raises:
            NotFound: Nothing has the id or the name.
        """
        now = self._directory.now
        if org_id is not None:
            found: tuple[Organization, ...] = (_get(now.organizations.by_id.get(org_id)),)
            window = WHOLE
        elif name is not None:
            found = (self.get_by_name(name),)
            window = WHOLE
        else:
            if user_id is None and not access.allows(_ALL):
                user_id = access.user_id
            found = now.organizations.all
            if user_id is not None:
                mine = {
                    one.resource_id
                    for one in now.memberships.of_user.get(user_id, ())
                    if one.resource_type is ResourceType.ORGS
                }
                found = tuple(one for one in found if one.id in mine)
        return access.filter(cut(found, window), lambda one: one.permission(Action.READ))

    def create(self, access: Access, *, name: str, description: str = "") -> Organization:
        """Make an organization with its system buckets, owned by the caller.

        Raises:
            Unauthorized: Without unscoped permission to write organizations.
            InvalidInput: `org name is empty`, also for blanks.
            Conflict: The name is taken.
        """
        access.require(_CREATE)
        with self._store.begin() as work:
            return self.add(work, name=name, description=description, owner=access.user_id)

    def add(self, work: UnitOfWork, *, name: str, description: str = "", owner: UserID | None) -> Organization:
        """As `create`, inside the caller's transaction and on nobody's behalf."""
        draft = self._directory.draft(work)
        _check_name(draft, name)
        organization = Organization(
            id=self._ids.random(OrgID),
            name=name,
            description=description,
            created_at=work.now_ns,
            updated_at=work.now_ns,
        )
        draft.put_organization(organization)
        work.emit(OrganizationChanged(organization.id))
        for bucket_name, bucket_description, retention_ns in SYSTEM_BUCKETS:
            bucket = Bucket(
                id=self._ids.random(BucketID),
                org_id=organization.id,
                type=BucketType.SYSTEM,
                name=bucket_name,
                description=bucket_description,
                retention_ns=retention_ns,
                shard_group_ns=DAY,
                created_at=work.now_ns,
                updated_at=work.now_ns,
            )
            draft.put_bucket(bucket)
            work.emit(BucketChanged(organization.id, bucket.id))
        if owner is not None and owner in draft.now.users.by_id:
            draft.add_membership(
                Membership(
                    user_id=owner,
                    resource_type=ResourceType.ORGS,
                    resource_id=organization.id,
                    role=Role.OWNER,
                    created_at=work.now_ns,
                )
            )
            work.emit(UserChanged(owner))
        return organization

    def update(
        self, access: Access, org_id: OrgID, *, name: str | None = None, description: str | None = None
    ) -> Organization:
        """Change what is given.

        Raises:
            Unauthorized: Without permission to write it, whether it exists or not.
            NotFound: `organization not found`.
            InvalidInput: The name is emptied.
            Conflict: The name is taken by another.
        """
        access.require(Permission(Action.WRITE, ResourceType.ORGS, id=org_id))
        with self._store.begin() as work:
            draft = self._directory.draft(work)
            organization = _get(draft.now.organizations.by_id.get(org_id))
            if name is not None:
                _check_name(draft, name, mine=org_id)
                organization = replace(organization, name=name)
            if description is not None:
                organization = replace(organization, description=description)
            organization = replace(organization, updated_at=work.now_ns)
            draft.put_organization(organization)
            work.emit(OrganizationChanged(org_id))
            return organization

    def delete(self, access: Access, org_id: OrgID) -> None:
        """Delete the organization and everything in it: buckets with their data, tokens, documents, memberships.

        Raises:
            Unauthorized: Without permission to write it, whether it exists or not.
            NotFound: With the reference's wrapped text.
        """
        access.require(Permission(Action.WRITE, ResourceType.ORGS, id=org_id))
        with self._store.begin() as work:
            draft = self._directory.draft(work)
            before = draft.now
            if org_id not in before.organizations.by_id:
                raise NotFound(f"error deleting organization id: {org_id}: organization not found")
            draft.drop_organization(org_id)
            for bucket in before.buckets.of.get(org_id, ()):
                work.emit(BucketDeleted(org_id, bucket.id))
            for membership in before.memberships.of_resource.get((ResourceType.ORGS, org_id), ()):
                work.emit(UserChanged(membership.user_id))
            work.emit(OrganizationDeleted(org_id))


def _get(found: Organization | None) -> Organization:
    if found is None:
        raise NotFound("organization not found")
    return found


def _check_name(draft: Draft, name: str, *, mine: OrgID | None = None) -> None:
    if not name.strip():
        raise InvalidInput("org name is empty")
    taken = draft.now.organizations.by_name.get(name)
    if taken is not None and taken.id != mine:
        raise Conflict(f"organization with name {name} already exists")
