"""What commits say about owners, for rooms that must not know each other.

`tenancy` emits them; who caches, or keeps data of, the object named listens:
credentials drop principals, storage drops series, resources drop documents.
The rows that refer to a deleted object are gone in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

from fluxkeep.ids import ID, BucketID, OrgID, UserID
from fluxkeep.metastore.unit_of_work import Event


@dataclass(frozen=True, slots=True)
class OrganizationChanged(Event):
    """An organization was made or renamed."""

    org_id: OrgID


@dataclass(frozen=True, slots=True)
class OrganizationDeleted(Event):
    """An organization and everything in it is gone; its buckets have events of their own."""

    org_id: OrgID


@dataclass(frozen=True, slots=True)
class UserChanged(Event):
    """A user's name or status, or what a membership allows the user, is another."""

    user_id: UserID


@dataclass(frozen=True, slots=True)
class UserDeleted(Event):
    """A user is gone, with password, memberships and authorizations."""

    user_id: UserID


@dataclass(frozen=True, slots=True)
class BucketChanged(Event):
    """A bucket was made, renamed, or keeps its data for another time."""

    org_id: OrgID
    bucket_id: BucketID


@dataclass(frozen=True, slots=True)
class BucketDeleted(Event):
    """A bucket's record is gone; its data is dropped by `ingest.upkeep`, soon or after a restart."""

    org_id: OrgID
    bucket_id: BucketID


@dataclass(frozen=True, slots=True)
class DocumentDeleted(Event):
    """A document of `resources` is gone, with the rows of its members and labels."""

    id: ID


@dataclass(frozen=True, slots=True)
class RecordsReplaced(Event):
    """Every record is another, after a restore; whatever was remembered of any is void."""
