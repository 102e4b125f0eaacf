"""Authorizations of both kinds, setup and passwords as clients see and send them.

Members stand in the reference's order. What it does not have is absent unless
the record has it (`expiresAt`, `revokedAt`) or the client asks for it with
`include=lifecycle` (`lastUsedAt`, `rotation`).

Source: tokens.md §1.6, §1.12, §2.1, §2.6, §2.10.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import UNSET, Raw, Struct, UnsetType

from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType
from fluxkeep.api.bodies import BadBody
from fluxkeep.api.responses import encode_json
from fluxkeep.api.wire.tenancy import BucketOut, OrganizationOut, UserOut, body_id
from fluxkeep.credentials.authorizations import UNSET as NOT_GIVEN
from fluxkeep.credentials.authorizations import Change, NewAuthorization, Shown, Unset
from fluxkeep.credentials.legacy import NewLegacyAuthorization
from fluxkeep.credentials.store import LegacyAuthorization
from fluxkeep.errors import InvalidInput
from fluxkeep.ids import ID, BucketID, OrgID, UserID
from fluxkeep.instants import format_rfc3339, parse_rfc3339
from fluxkeep.tenancy.snapshot import Snapshot

TOKENS_PATH = "/api/v2/authorizations"
LEGACY_PATH = "/private/legacy/authorizations"


# --- permissions ------------------------------------------------------------------------------------------------


class ResourceIn(Struct, frozen=True):
    """What a permission is about; names beside the ids are ignored."""

    type: str | None = None
    id: str | None = None
    orgID: str | None = None


class PermissionIn(Struct, frozen=True):
    """A permission as asked for."""

    action: str | None = None
    resource: ResourceIn | None = None


class ResourceOut(Struct, frozen=True):
    """What a permission is about, with the names of what still exists."""

    type: str
    id: str | UnsetType = UNSET
    orgID: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    org: str | UnsetType = UNSET


class PermissionOut(Struct, frozen=True):
    """A permission as shown."""

    action: str
    resource: ResourceOut


def permission_out(permission: Permission, now: Snapshot | None) -> PermissionOut:
    """Of a value; without a snapshot no names are shown."""
    org_id = permission.org_id
    out = ResourceOut(
        type=permission.type.value,
        id=UNSET if permission.id is None else permission.id,
        orgID=UNSET if org_id is None else org_id,
        **({} if now is None else _names(permission, now)),
    )
    return PermissionOut(action=permission.action.value, resource=out)


def _names(permission: Permission, now: Snapshot) -> dict[str, str]:
    found: dict[str, str] = {}
    if permission.id is not None:
        named = _named(permission.type, permission.id, now)
        if named is None:
            # The object is gone: neither its name nor its organization's is shown.
            return {}
        if named:
            found["name"] = named
    if permission.org_id is not None:
        organization = now.organizations.by_id.get(permission.org_id)
        if organization is not None:
            found["org"] = organization.name
    return found


def _named(kind: ResourceType, object_id: ID, now: Snapshot) -> str | None:
    """The name of an object; empty where its kind shows none, None where it is gone."""
    match kind:
        case ResourceType.BUCKETS:
            bucket = now.buckets.by_id.get(BucketID(object_id))
            return None if bucket is None else bucket.name
        case ResourceType.ORGS:
            organization = now.organizations.by_id.get(object_id)
            return None if organization is None else organization.name
        case ResourceType.USERS:
            user = now.users.by_id.get(object_id)
            return None if user is None else user.name
        case _:
            return ""


def permissions_in(given: Iterable[PermissionIn]) -> list[Permission]:
    """Read permissions, ids first: the reference's decoder finds a bad id before anything else.

    Raises:
        BadBody: A malformed id.
        InvalidInput: An unknown type or action.
    """
    ids = [_ids_of(one.resource or ResourceIn()) for one in given]
    found = []
    for one, (org_id, object_id) in zip(given, ids, strict=True):
        resource = one.resource or ResourceIn()
        kind = ResourceType.parse(resource.type or "")
        found.append(Permission(Action.parse(one.action or ""), kind, org_id, object_id))
    return found


def _ids_of(resource: ResourceIn) -> tuple[OrgID | None, ID | None]:
    return body_id(resource.orgID, OrgID), body_id(resource.id, ID)


# --- authorizations ---------------------------------------------------------------------------------------------


class AuthorizationIn(Struct, frozen=True):
    """An authorization to be made; `token` counts for v1 ones only."""

    orgID: str | None = None
    userID: str | None = None
    status: str | None = None
    description: str | None = None
    permissions: list[PermissionIn] | None = None
    token: str | None = None
    expiresAt: str | None = None


class AuthorizationChangeIn(Struct, frozen=True):
    """What is to change of an authorization; whatever else is sent is ignored."""

    status: str | None = None
    description: str | None = None
    permissions: list[PermissionIn] | None = None
    expiresAt: str | UnsetType | None = UNSET


class RotationIn(Struct, frozen=True):
    """How long the old secret lasts after the first use of the new one."""

    gracePeriodSeconds: int = 0


class PasswordIn(Struct, frozen=True):
    """A new password."""

    password: str | None = None


class RotationOut(Struct, frozen=True):
    """How far a rotation is: the old secret's end is known once the new one was used."""

    gracePeriodSeconds: int
    previousValidUntil: str | UnsetType = UNSET


class AuthorizationOut(Struct, frozen=True):
    """An authorization as shown; `token` is always there, empty where the secret is not shown."""

    id: str
    token: str
    status: str
    description: str
    orgID: str
    org: str | UnsetType
    userID: str
    user: str | UnsetType
    permissions: Raw
    links: dict[str, str]
    createdAt: str
    updatedAt: str
    expiresAt: str | UnsetType = UNSET
    lastUsedAt: str | UnsetType = UNSET
    revokedAt: str | UnsetType = UNSET
    rotation: RotationOut | UnsetType = UNSET


class AuthorizationWriter:
    """Renders authorizations with the names of one snapshot; equal permissions are rendered once."""

    def __init__(self, now: Snapshot, *, lifecycle: bool = False) -> None:
        self._now = now
        self._lifecycle = lifecycle
        # By identity, since hashing a set of 44 costs more than the rest of a record; the set is kept so that its
        # number is not another's.
        self._permissions: dict[int, tuple[PermissionSet, Raw]] = {}
        # What follows the description in a list, by owner and permissions.
        self._middles: dict[tuple[str, str, int], str] = {}

    def token(self, shown: Shown) -> AuthorizationOut:
        """An API token."""
        record = shown.record
        rotation: RotationOut | UnsetType = UNSET
        if self._lifecycle and record.rotating:
            rotation = RotationOut(
                gracePeriodSeconds=(record.grace_ns or 0) // 1_000_000_000,
                previousValidUntil=_time_or_unset(record.previous_until),
            )
        created = format_rfc3339(record.created_at)
        # Plain strings: the encoder asks Python about each string of another type, and lists are long.
        return AuthorizationOut(
            id=str(record.id),
            token="" if shown.token is None else shown.token.reveal(),
            status=record.status,
            description=record.description,
            orgID=str(record.org_id),
            org=self._org(record.org_id),
            userID=str(record.user_id),
            user=self._user(record.user_id),
            permissions=self._rendered(record.permissions),
            links={"self": f"{TOKENS_PATH}/{record.id}", "user": f"/api/v2/users/{record.user_id}"},
            createdAt=created,
            updatedAt=created if record.updated_at == record.created_at else format_rfc3339(record.updated_at),
            expiresAt=_time_or_unset(record.expires_at),
            lastUsedAt=_time_or_unset(record.last_used_at) if self._lifecycle else UNSET,
            revokedAt=_time_or_unset(record.revoked_at),
            rotation=rotation,
        )

    def listed(self, shown: Shown) -> bytes:
        """The JSON of `token`, written without a value in between where that is possible: lists are long."""
        record = shown.record
        if self._lifecycle or record.expires_at is not None or record.revoked_at is not None:
            return encode_json(self.token(shown))
        key = (record.org_id, record.user_id, id(record.permissions))
        middle = self._middles.get(key)
        if middle is None:
            middle = self._middles[key] = self._middle(shown)
        created = format_rfc3339(record.created_at)
        updated = created if record.updated_at == record.created_at else format_rfc3339(record.updated_at)
        token = '""' if shown.token is None else encode_json(shown.token.reveal()).decode()
        return (
            f'{{"id":"{record.id}","token":{token},"status":"{record.status}",'
            f'"description":{encode_json(record.description).decode()},{middle}"links":{{"self":"{TOKENS_PATH}/{record.id}",'
            f'"user":"/api/v2/users/{record.user_id}"}},"createdAt":"{created}","updatedAt":"{updated}"}}'
        ).encode()

    def _middle(self, shown: Shown) -> str:
        record = shown.record
        members = {
            "orgID": str(record.org_id),
            "org": self._org(record.org_id),
            "userID": str(record.user_id),
            "user": self._user(record.user_id),
            "permissions": self._rendered(record.permissions),
        }
        # `_rendered` holds on to the permissions, so that their number stays theirs.
        return encode_json({name: value for name, value in members.items() if value is not UNSET}).decode()[1:-1] + ","

    def legacy(self, record: LegacyAuthorization) -> AuthorizationOut:
        """A v1 user name, shown as `token`."""
        return AuthorizationOut(
            id=record.id,
            token=record.username,
            status=record.status,
            description=record.description,
            orgID=record.org_id,
            org=self._org(record.org_id),
            userID=record.user_id,
            user=self._user(record.user_id),
            permissions=self._rendered(record.permissions),
            links={"self": f"{LEGACY_PATH}/{record.id}", "user": f"/api/v2/users/{record.user_id}"},
            createdAt=format_rfc3339(record.created_at),
            updatedAt=format_rfc3339(record.updated_at),
        )

    def _org(self, org_id: OrgID) -> str | UnsetType:
        found = self._now.organizations.by_id.get(org_id)
        return UNSET if found is None else found.name

    def _user(self, user_id: UserID) -> str | UnsetType:
        found = self._now.users.by_id.get(user_id)
        return UNSET if found is None else found.name

    def _rendered(self, permissions: PermissionSet) -> Raw:
        known = self._permissions.get(id(permissions))
        if known is not None:
            return known[1]
        rendered = Raw(encode_json([permission_out(one, self._now) for one in permissions]))
        self._permissions[id(permissions)] = (permissions, rendered)
        return rendered


def new_authorization(body: AuthorizationIn) -> NewAuthorization:
    """What a body asks for.

    Raises:
        BadBody: A malformed id or time.
        InvalidInput: In the reference's order: no permissions, an unknown type or action, no organization.
    """
    org_id, user_id, permissions = _common(body)
    return NewAuthorization(
        org_id=org_id,
        user_id=user_id,
        status=body.status,
        description=body.description or "",
        permissions=permissions,
        expires_at=None if body.expiresAt is None else _instant(body.expiresAt),
    )


def new_legacy_authorization(body: AuthorizationIn) -> NewLegacyAuthorization:
    """As `new_authorization`, with the user name in `token`."""
    org_id, user_id, permissions = _common(body)
    return NewLegacyAuthorization(
        org_id=org_id,
        username=body.token or "",
        user_id=user_id,
        status=body.status,
        description=body.description or "",
        permissions=permissions,
    )


def change_of(body: AuthorizationChangeIn) -> Change:
    """What a body changes.

    Raises:
        BadBody: A malformed id or time.
        InvalidInput: An unknown type or action.
    """
    expires_at: int | Unset | None = NOT_GIVEN
    if body.expiresAt is None:
        expires_at = None
    elif isinstance(body.expiresAt, str):
        expires_at = _instant(body.expiresAt)
    return Change(
        status=body.status,
        description=body.description,
        permissions=permissions_in(body.permissions or ()),
        expires_at=expires_at,
    )


def _common(body: AuthorizationIn) -> tuple[OrgID, UserID | None, Sequence[Permission]]:
    org_id, user_id = body_id(body.orgID, OrgID), body_id(body.userID, UserID)
    given = body.permissions or []
    for one in given:
        _ids_of(one.resource or ResourceIn())
    if not given:
        raise InvalidInput("authorization must include permissions")
    permissions = permissions_in(given)
    if org_id is None:
        raise InvalidInput("org id required: invalid ID")
    return org_id, user_id, permissions


def _instant(text: str) -> int:
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise BadBody("expiresAt must be an RFC 3339 time") from None


def _time_or_unset(instant: int | None) -> str | UnsetType:
    return UNSET if instant is None else format_rfc3339(instant)


# --- setup ------------------------------------------------------------------------------------------------------


class SetupIn(Struct, frozen=True):
    """What the first user asks for. Quirk: `retentionPeriodHrs` counts nanoseconds (tokens.md §2.6)."""

    username: str | None = None
    password: str | None = None
    org: str | None = None
    bucket: str | None = None
    retentionPeriodSeconds: int | None = None
    retentionPeriodHrs: int | None = None
    token: str | None = None


class SetupAuthorizationOut(Struct, frozen=True):
    """The operator's authorization at setup: without names, and without the hash that the reference leaks (W5)."""

    id: str
    token: str
    status: str
    description: str
    orgID: str
    userID: str
    permissions: list[PermissionOut]
    links: dict[str, str]
    createdAt: str
    updatedAt: str


class SetupOut(Struct, frozen=True):
    """What setup made."""

    user: UserOut
    bucket: BucketOut
    org: OrganizationOut
    auth: SetupAuthorizationOut


def setup_authorization_out(shown: Shown) -> SetupAuthorizationOut:
    """Of a value, with its secret."""
    record = shown.record
    return SetupAuthorizationOut(
        id=record.id,
        token="" if shown.token is None else shown.token.reveal(),
        status=record.status,
        description=record.description,
        orgID=record.org_id,
        userID=record.user_id,
        permissions=[permission_out(one, None) for one in record.permissions],
        links={"self": f"{TOKENS_PATH}/{record.id}", "user": f"/api/v2/users/{record.user_id}"},
        createdAt=format_rfc3339(record.created_at),
        updatedAt=format_rfc3339(record.updated_at),
    )
