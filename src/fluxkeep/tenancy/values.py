"""The nouns of tenancy as frozen values, each with the permissions that guard it.

Source: http-api.md §3, §4, §5, §8; tokens.md §1.7, §1.8.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.ids import DBRPID, ID, BucketID, OrgID, UserID
from fluxkeep.instants import DAY, HOUR

RETENTION_MIN_NS = HOUR
SHARD_GROUP_MIN_NS = HOUR

# The object of the membership that makes somebody owner of the whole instance.
INSTANCE_ID = ID("0000000000000001")


class Status(enum.StrEnum):
    """Whether a user may do anything at all."""

    ACTIVE = "active"
    INACTIVE = "inactive"


class BucketType(enum.StrEnum):
    """Who a bucket was made for."""

    USER = "user"
    SYSTEM = "system"


class Role(enum.StrEnum):
    """What a user is to a resource."""

    OWNER = "owner"
    MEMBER = "member"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """An organization; its name is unique in the instance."""

    id: OrgID
    name: str
    description: str = ""
    created_at: int
    updated_at: int

    def permission(self, action: Action) -> Permission:
        """What `action` on it needs; an organization is always asked for by id."""
        return Permission(action, ResourceType.ORGS, id=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user; the name is unique in the instance."""

    id: UserID
    name: str
    status: Status = Status.ACTIVE
    oauth_id: str = ""
    created_at: int
    updated_at: int

    @property
    def is_active(self) -> bool:
        """Whether the user's credentials are worth anything."""
        return self.status is Status.ACTIVE

    def permission(self, action: Action) -> Permission:
        """What `action` on the user needs; a user is always asked for by id."""
        return user_permission(action, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket; the name, which may be empty, is unique in its organization.

    Attributes:
        retention_policy_name: The `rp` given on creation; nothing else looks at it.
        retention_ns: How long points are kept; 0 is for ever.
        shard_group_ns: What was chosen; 0 leaves it to the server.
    """

    id: BucketID
    org_id: OrgID
    type: BucketType = BucketType.USER
    name: str
    description: str = ""
    retention_policy_name: str = ""
    retention_ns: int = 0
    shard_group_ns: int = 0
    created_at: int
    updated_at: int

    @property
    def is_system(self) -> bool:
        """Whether the server made it for itself."""
        return self.type is BucketType.SYSTEM

    @property
    def effective_shard_group_ns(self) -> int:
        """The span of its shard groups, never 0."""
        return self.shard_group_ns or default_shard_group_ns(self.retention_ns)

    @property
    def to_read(self) -> Permission:
        """What reading needs. Quirk: a system bucket's is that of its organization (http-api.md §5)."""
        if self.is_system:
            return Permission(Action.READ, ResourceType.ORGS, id=self.org_id)
        return Permission(Action.READ, ResourceType.BUCKETS, self.org_id, self.id)

    @property
    def to_write(self) -> Permission:
        """What writing points to it, changing and deleting it need."""
        return Permission(Action.WRITE, ResourceType.BUCKETS, self.org_id, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What one user is to one resource."""

    user_id: UserID
    resource_type: ResourceType
    resource_id: ID
    role: Role
    created_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DBRP:
    """A v1 database and retention policy that stand for a bucket.

    Attributes:
        default: Answers for the database where no policy is named.
        virtual: Derived from a bucket's name, not stored.
    """

    id: DBRPID
    org_id: OrgID
    bucket_id: BucketID
    database: str
    retention_policy: str
    default: bool
    virtual: bool = False
    created_at: int = 0

    def permission(self, action: Action) -> Permission:
        """What `action` on it needs: the same on its bucket, whatever the bucket's type (http-api.md §8)."""
        return Permission(action, ResourceType.BUCKETS, self.org_id, self.bucket_id)


def user_permission(action: Action, user_id: UserID) -> Permission:
    """What `action` on a user, known or not, needs."""
    return Permission(action, ResourceType.USERS, id=user_id)


def default_shard_group_ns(retention_ns: int) -> int:
    """The span of shard groups that the server chooses for a retention period.

    Source: http-api.md §5.
    """
    if retention_ns == 0 or retention_ns >= 180 * DAY:
        return 7 * DAY
    return DAY if retention_ns >= 2 * DAY else HOUR
