"""Organizations, users, buckets, mappings and labels as clients see and send them.

Members stand in the reference's order. An absent member is UNSET, never null,
unless said otherwise.

Source: http-api.md §3 to §5, §8, §11.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from fluxkeep.api.bodies import BadBody
from fluxkeep.errors import InvalidInput
from fluxkeep.ids import ID
from fluxkeep.instants import SECOND, format_rfc3339
from fluxkeep.resources.labels import Label
from fluxkeep.tenancy.buckets import RetentionRule
from fluxkeep.tenancy.values import DBRP, Bucket, Organization, Role, User

K = TypeVar("K", bound=ID)

Int64 = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


def body_id(text: str | None, kind: type[K]) -> K | None:
    """An id inside a body.

    Raises:
        BadBody: Malformed; the reference's decoder refuses it with the rest of the JSON.
    """
    if text is None:
        return None
    try:
        return kind.parse(text)
    except InvalidInput as error:
        raise BadBody(error.message) from None


class OrganizationOut(Struct, frozen=True):
    """An organization."""

    links: dict[str, str]
    id: str
    name: str
    description: str
    createdAt: str
    updatedAt: str


def organization_out(organization: Organization) -> OrganizationOut:
    """Of a value. Quirk: names in its links are not escaped, and two links lead nowhere (http-api.md §3)."""
    path = f"/api/v2/orgs/{organization.id}"
    name = organization.name
    return OrganizationOut(
        links={
            "buckets": f"/api/v2/buckets?org={name}",
            "dashboards": f"/api/v2/dashboards?org={name}",
            "labels": f"{path}/labels",
            "logs": f"{path}/logs",
            "members": f"{path}/members",
            "owners": f"{path}/owners",
            "secrets": f"{path}/secrets",
            "self": path,
            "tasks": f"/api/v2/tasks?org={name}",
        },
        id=organization.id,
        name=name,
        description=organization.description,
        createdAt=format_rfc3339(organization.created_at),
        updatedAt=format_rfc3339(organization.updated_at),
    )


class OrganizationIn(Struct, frozen=True):
    """An organization to be made, or what is to change of one."""

    name: str | None = None
    description: str | None = None


class UserOut(Struct, frozen=True):
    """A user."""

    links: dict[str, str]
    id: str
    name: str
    oauthID: str | UnsetType
    status: str


def user_out(user: User) -> UserOut:
    """Of a value."""
    return UserOut(
        links={"self": f"/api/v2/users/{user.id}"},
        id=user.id,
        name=user.name,
        oauthID=user.oauth_id or UNSET,
        status=user.status.value,
    )


class UserIn(Struct, frozen=True):
    """A user to be made, or what is to change of one."""

    name: str | None = None
    status: str | None = None
    oauthID: str | None = None


class MemberOut(Struct, frozen=True):
    """A user as member or owner of something."""

    role: str
    links: dict[str, str]
    id: str
    name: str
    oauthID: str | UnsetType
    status: str


def member_out(user: User, role: Role, *, logs: bool = False) -> MemberOut:
    """Of a value; `logs` adds the link that tasks and telegraf configurations show."""
    path = f"/api/v2/users/{user.id}"
    return MemberOut(
        role=role.value,
        links={"logs": f"{path}/logs", "self": path} if logs else {"self": path},
        id=user.id,
        name=user.name,
        oauthID=user.oauth_id or UNSET,
        status=user.status.value,
    )


class MemberIn(Struct, frozen=True):
    """Who is to become a member or owner; a name beside the id is ignored."""

    id: str | None = None


class LabelOut(Struct, frozen=True):
    """A label."""

    id: str
    orgID: str
    name: str
    properties: dict[str, str] | UnsetType


def label_out(label: Label) -> LabelOut:
    """Of a value."""
    return LabelOut(
        id=label.id,
        orgID=label.org_id,
        name=label.name,
        properties=dict(label.properties) if label.properties else UNSET,
    )


class LabelIn(Struct, frozen=True):
    """A label to be made, or what is to change of one."""

    orgID: str | None = None
    name: str | None = None
    properties: dict[str, str] | None = None


class LabelMappingIn(Struct, frozen=True):
    """Which label is to be attached."""

    labelID: str | None = None


class RetentionRuleOut(Struct, frozen=True):
    """How long a bucket keeps points."""

    type: str
    everySeconds: int
    shardGroupDurationSeconds: int


class BucketOut(Struct, frozen=True):
    """A bucket."""

    id: str
    orgID: str
    type: str
    description: str | UnsetType
    name: str
    rp: str | UnsetType
    retentionRules: list[RetentionRuleOut]
    createdAt: str
    updatedAt: str
    links: dict[str, str]
    labels: list[LabelOut]


def bucket_out(bucket: Bucket, labels: Iterable[Label] = ()) -> BucketOut:
    """Of a value. Its rules are empty where both durations are 0."""
    path = f"/api/v2/buckets/{bucket.id}"
    rule = RetentionRuleOut(
        type="expire",
        everySeconds=bucket.retention_ns // SECOND,
        shardGroupDurationSeconds=bucket.shard_group_ns // SECOND,
    )
    return BucketOut(
        id=bucket.id,
        orgID=bucket.org_id,
        type=bucket.type.value,
        description=bucket.description or UNSET,
        name=bucket.name,
        rp=bucket.retention_policy_name or UNSET,
        retentionRules=[rule] if bucket.retention_ns or bucket.shard_group_ns else [],
        createdAt=format_rfc3339(bucket.created_at),
        updatedAt=format_rfc3339(bucket.updated_at),
        links={
            "labels": f"{path}/labels",
            "members": f"{path}/members",
            "org": f"/api/v2/orgs/{bucket.org_id}",
            "owners": f"{path}/owners",
            "self": path,
            "write": f"/api/v2/write?org={bucket.org_id}&bucket={bucket.id}",
        },
        labels=[label_out(label) for label in labels],
    )


class RetentionRuleIn(Struct, frozen=True):
    """A rule as sent; its `type` is ignored."""

    everySeconds: Int64 | None = None
    shardGroupDurationSeconds: Int64 | None = None

    def rule(self) -> RetentionRule:
        """As the service takes it."""
        return RetentionRule(every_seconds=self.everySeconds, shard_group_seconds=self.shardGroupDurationSeconds)


class BucketIn(Struct, frozen=True):
    """A bucket to be made, or what is to change of one; `id`, `type` and `schemaType` are ignored."""

    orgID: str | None = None
    name: str | None = None
    description: str | None = None
    rp: str | None = None
    retentionRules: list[RetentionRuleIn] | None = None

    def rules(self) -> list[RetentionRule]:
        """As the service takes them."""
        return [one.rule() for one in self.retentionRules or ()]


class DBRPOut(Struct, frozen=True):
    """A mapping."""

    id: str
    database: str
    retention_policy: str
    default: bool
    virtual: bool
    orgID: str
    bucketID: str


def dbrp_out(mapping: DBRP) -> DBRPOut:
    """Of a value."""
    return DBRPOut(
        id=mapping.id,
        database=mapping.database,
        retention_policy=mapping.retention_policy,
        default=mapping.default,
        virtual=mapping.virtual,
        orgID=mapping.org_id,
        bucketID=mapping.bucket_id,
    )


class DBRPIn(Struct, frozen=True):
    """A mapping to be made, or what is to change of one."""

    orgID: str | None = None
    org: str | None = None
    bucketID: str | None = None
    database: str | None = None
    retention_policy: str | None = None
    default: bool | None = None
