"""The SQL of credentials: authorizations of both kinds, passwords, and look-up by digest.

Rows stop here; services get frozen values. Two ways lead to the file: the
store's own connections for whatever a transaction belongs to, and `Lookup`,
a prepared statement on a read-only connection of the driver, for the one
question that is asked with every request.

Source: tokens.md §1.1, §3.3, §3.5.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    Row,
    Select,
    Text,
    bindparam,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    text,
    true,
    type_coerce,
    update,
)
from sqlalchemy.exc import IntegrityError

from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType
from fluxkeep.errors import Conflict
from fluxkeep.ids import ID, AuthorizationID, OrgID, UserID
from fluxkeep.metastore.tables.credentials import authorizations as t_authorizations
from fluxkeep.metastore.tables.credentials import passwords as t_passwords
from fluxkeep.metastore.tables.credentials import v1_authorizations as t_v1
from fluxkeep.metastore.tables.credentials import v1_passwords as t_v1_passwords
from fluxkeep.secret import Secret

ACTIVE, INACTIVE = "active", "inactive"

# SQLite's own limit on variables is far above; this keeps statements few in the cache.
_IDS_IN_A_STATEMENT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """A record of an API token.

    Attributes:
        token: Only where the store holds it in clear; never part of a representation.
        digest: The stored form otherwise.
        expires_at: ns; refused from then on.
        revoked_at: ns; refused for good, kept for audit.
        rotating: Whether the secret before this one is still accepted.
        previous_until: Until when, ns; absent until the new secret was used.
        grace_ns: How long the previous secret lasts after that.
    """

    id: AuthorizationID
    token: Secret | None = field(default=None, repr=False)
    digest: str | None = field(default=None, repr=False)
    status: str = ACTIVE
    description: str = ""
    org_id: OrgID
    user_id: UserID
    permissions: PermissionSet
    created_at: int
    updated_at: int
    expires_at: int | None = None
    last_used_at: int | None = None
    revoked_at: int | None = None
    rotating: bool = False
    previous_until: int | None = None
    grace_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyAuthorization:
    """A record of a v1 user name; its password is kept apart."""

    id: AuthorizationID
    username: str
    status: str = ACTIVE
    description: str = ""
    org_id: OrgID
    user_id: UserID
    permissions: PermissionSet
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which authorizations are wanted; members combine with AND.

    Attributes:
        after: Only ids greater than this.
        text: Only those whose description contains it, in any case.
    """

    id: AuthorizationID | None = None
    user_id: UserID | None = None
    org_id: OrgID | None = None
    after: AuthorizationID | None = None
    text: str | None = None


# --- permissions as text ----------------------------------------------------------------------------------------


class _ResourceText(msgspec.Struct, omit_defaults=True, rename={"org_id": "orgID"}):
    type: str
    id: str | None = None
    org_id: str | None = None


class _PermissionText(msgspec.Struct):
    action: str
    resource: _ResourceText


_permission_decoder = msgspec.json.Decoder(list[_PermissionText])


def permissions_to_text(permissions: Iterable[Permission]) -> str:
    """The stored JSON of permissions, in the API's shape without names."""
    return msgspec.json.encode(
        [
            _PermissionText(
                p.action.value,
                _ResourceText(
                    p.type.value, None if p.id is None else str(p.id), None if p.org_id is None else str(p.org_id)
                ),
            )
            for p in permissions
        ]
    ).decode()


@lru_cache(maxsize=8192)
def permissions_from_text(stored: str) -> PermissionSet:
    """The compiled set of a stored JSON text; the same text gives the same set."""
    return PermissionSet(
        Permission(
            Action(p.action),
            ResourceType(p.resource.type),
            OrgID(p.resource.org_id) if p.resource.org_id else None,
            ID(p.resource.id) if p.resource.id else None,
        )
        for p in _permission_decoder.decode(stored)
    )


# --- API tokens -------------------------------------------------------------------------------------------------

_A = t_authorizations.c


# In the order in which `_authorization` takes them apart: by name it would cost more than all the rest of a list.
# Ids as texts: many records share an owner, so theirs are made once each.
_COLUMNS = (
    type_coerce(_A.id, Text),
    _A.token,
    _A.digest,
    _A.status,
    _A.description,
    type_coerce(_A.org_id, Text),
    type_coerce(_A.user_id, Text),
    _A.permissions,
    _A.created_at,
    _A.updated_at,
    _A.expires_at,
    _A.last_used_at,
    _A.revoked_at,
    _A.previous_token.is_not(None) | _A.previous_digest.is_not(None),
    _A.previous_until,
    _A.grace_ns,
)


_org = lru_cache(maxsize=4_096)(OrgID)
_user = lru_cache(maxsize=4_096)(UserID)


def _authorization(row: Sequence[Any]) -> Authorization:
    (
        key,
        token,
        digest,
        status,
        description,
        org_id,
        user_id,
        permissions,
        created_at,
        updated_at,
        expires_at,
        last_used_at,
        revoked_at,
        rotating,
        previous_until,
        grace_ns,
    ) = row
    return Authorization(
        id=AuthorizationID(key),
        token=None if token is None else Secret(token),
        digest=digest,
        status=status,
        description=description,
        org_id=_org(org_id),
        user_id=_user(user_id),
        permissions=permissions_from_text(permissions),
        created_at=created_at,
        updated_at=updated_at,
        expires_at=expires_at,
        last_used_at=last_used_at,
        revoked_at=revoked_at,
        rotating=bool(rotating),
        previous_until=previous_until,
        grace_ns=grace_ns,
    )


def find_authorization(connection: Connection, key: AuthorizationID) -> Authorization | None:
    """One record; none if there is no such id."""
    row = connection.execute(select(*_COLUMNS).where(_A.id == key)).one_or_none()
    return None if row is None else _authorization(row)


def scan_authorizations(connection: Connection, wanted: Filter) -> Iterator[Authorization]:
    """The records that a filter lets through, in order of id."""
    query = select(*_COLUMNS).order_by(_A.id)
    for column, value in ((_A.id, wanted.id), (_A.user_id, wanted.user_id), (_A.org_id, wanted.org_id)):
        if value is not None:
            query = query.where(column == value)
    if wanted.after is not None:
        query = query.where(_A.id > wanted.after)
    if wanted.text is not None:
        query = query.where(_A.description.icontains(wanted.text, autoescape=True))
    for rows in connection.execute(query.execution_options(yield_per=2_000)).partitions():
        yield from map(_authorization, rows)


def add_authorization(connection: Connection, record: Authorization, known: Sequence[str]) -> None:
    """Insert a record with its one secret.

    Args:
        connection: Inside the write transaction.
        record: With a token or a digest.
        known: Every stored form that the token could have; none may be taken.

    Raises:
        Conflict: `token already exists`. Source: tokens.md §1.5.
    """
    if _is_taken(connection, known, record.token):
        raise Conflict("token already exists")
    connection.execute(
        _INSERT,
        {
            "id": record.id,
            "token": None if record.token is None else record.token.reveal(),
            "digest": record.digest,
            "status": record.status,
            "description": record.description,
            "org_id": record.org_id,
            "user_id": record.user_id,
            "permissions": permissions_to_text(record.permissions),
            "created_at": record.created_at,
            "updated_at": record.updated_at,
            "expires_at": record.expires_at,
        },
    )


_INSERT = insert(t_authorizations)


def _is_taken(connection: Connection, known: Sequence[str], token: Secret | None) -> bool:
    """Whether a secret is another record's, current or previous, in any of its stored forms."""
    # Written out, since building it anew for each of many creations cost more than running it.
    marks = ",".join("?" * len(known))
    query = f"SELECT 1 FROM authorizations WHERE digest IN ({marks}) OR previous_digest IN ({marks})"  # noqa: S608  # marks only
    values = [*known, *known]
    if token is not None:
        query += " OR token = ? OR previous_token = ?"
        values += [token.reveal()] * 2
    return connection.exec_driver_sql(f"{query} LIMIT 1", tuple(values)).first() is not None


def change_authorization(connection: Connection, key: AuthorizationID, **columns: Any) -> None:
    """Set columns of one record; permissions are given as a set."""
    if "permissions" in columns:
        columns["permissions"] = permissions_to_text(columns["permissions"])
    connection.execute(update(t_authorizations).where(_A.id == key).values(columns))


def begin_rotation(connection: Connection, key: AuthorizationID) -> None:
    """Move the current secret into the place of the previous one."""
    connection.execute(
        update(t_authorizations)
        .where(_A.id == key)
        .values(previous_token=_A.token, previous_digest=_A.digest, token=None, digest=None, previous_until=None)
    )


def delete_authorization(connection: Connection, key: AuthorizationID) -> None:
    """Remove one record and with it its secret."""
    connection.execute(delete(t_authorizations).where(_A.id == key))


def count_authorizations(connection: Connection) -> int:
    """How many API tokens are stored."""
    return connection.execute(select(func.count()).select_from(t_authorizations)).scalar_one()


def note_use(connection: Connection, used: Mapping[AuthorizationID, int]) -> None:
    """Move `last_used_at` of records forward; those that are gone are passed over."""
    connection.execute(
        update(t_authorizations)
        .where(_A.id == bindparam("b_id"), or_(_A.last_used_at.is_(None), _A.last_used_at < bindparam("b_at")))
        .values(last_used_at=bindparam("b_at")),
        [{"b_id": key, "b_at": at} for key, at in used.items()],
    )


def replace_digest(connection: Connection, old: str, new: str) -> None:
    """Write another form of the same secret, wherever the old one stands."""
    connection.execute(update(t_authorizations).where(_A.digest == old).values(digest=new))
    connection.execute(update(t_authorizations).where(_A.previous_digest == old).values(previous_digest=new))


def end_rotations(connection: Connection, now: int) -> None:
    """Erase previous secrets whose grace is over."""
    connection.execute(
        update(t_authorizations)
        .where(_A.previous_until <= now)
        .values(previous_token=None, previous_digest=None, previous_until=None, grace_ns=None)
    )


def active_permissions_of(connection: Connection, user: UserID, now: int) -> tuple[PermissionSet, int | None]:
    """The permissions of a user's usable tokens, and when the first of these tokens ends, ns."""
    rows = connection.execute(
        select(_A.permissions, _A.expires_at).where(
            _A.user_id == user,
            _A.status == ACTIVE,
            _A.revoked_at.is_(None),
            or_(_A.expires_at.is_(None), _A.expires_at > now),
        )
    ).all()
    permissions = (p for row in rows for p in permissions_from_text(row.permissions))
    ends = [row.expires_at for row in rows if row.expires_at is not None]
    return PermissionSet(dict.fromkeys(permissions)), min(ends, default=None)


# --- hashing of what is stored ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSecret:
    """A secret as it stands in a record.

    Attributes:
        previous: It is the one that a rotation replaces.
    """

    id: AuthorizationID
    token: Secret | None = field(default=None, repr=False)
    digest: str | None = field(default=None, repr=False)
    previous: bool = False


def digests_from(connection: Connection, start: str) -> str | None:
    """The first stored digest that sorts at or after a text; for stepping from scheme to scheme."""
    found = [
        connection.execute(select(func.min(column)).where(column >= start)).scalar()
        for column in (_A.digest, _A.previous_digest)
    ]
    return min((digest for digest in found if digest is not None), default=None)


def plain_secrets(connection: Connection, limit: int | None = None) -> list[StoredSecret]:
    """Secrets that are stored in clear, in order of id, each record's current one first."""
    found: list[StoredSecret] = []
    for column, previous in ((_A.token, False), (_A.previous_token, True)):
        query = select(_A.id, column).where(column.is_not(None)).order_by(_A.id).limit(limit)
        found += [StoredSecret(id=row[0], token=Secret(row[1]), previous=previous) for row in connection.execute(query)]
    return found[:limit]


def count_plain(connection: Connection) -> int:
    """How many records hold a secret in clear."""
    query = select(func.count()).where(or_(_A.token.is_not(None), _A.previous_token.is_not(None)))
    return connection.execute(query).scalar_one()


def plain_descriptions(connection: Connection) -> list[tuple[AuthorizationID, str]]:
    """Ids and descriptions of records that hold a secret in clear, in order of id."""
    query = (
        select(_A.id, _A.description).where(or_(_A.token.is_not(None), _A.previous_token.is_not(None))).order_by(_A.id)
    )
    return [(row.id, row.description) for row in connection.execute(query)]


def records_without_secret(connection: Connection) -> list[AuthorizationID]:
    """Records that nobody can present a secret for, revoked ones apart."""
    query = select(_A.id).where(_A.token.is_(None), _A.digest.is_(None), _A.revoked_at.is_(None)).order_by(_A.id)
    return list(connection.execute(query).scalars())


def digests_with_prefix(
    connection: Connection, prefix: str, *, after: str, previous: bool, limit: int
) -> list[StoredSecret]:
    """Stored digests of one scheme, in order, a bounded number of them.

    Args:
        connection: Any.
        prefix: What the scheme's stored strings begin with.
        after: Only digests that sort after this.
        previous: Those of secrets that rotations replace, rather than current ones.
        limit: How many at most.
    """
    column = _A.previous_digest if previous else _A.digest
    # A range rather than LIKE, so that the unique index answers it.
    query = (
        select(_A.id, column)
        .where(column >= prefix, column > after, column < prefix + "\x7f")
        .order_by(column)
        .limit(limit)
    )
    return [StoredSecret(id=row[0], digest=row[1], previous=previous) for row in connection.execute(query)]


def odd_digests(connection: Connection, shapes: Sequence[tuple[str, int | None]]) -> list[AuthorizationID]:
    """Records whose stored form has none of the shapes: a prefix, and a length if it is fixed."""
    fits = [
        _A.digest.startswith(prefix, autoescape=True)
        & (func.length(_A.digest) == length if length is not None else true())
        for prefix, length in shapes
    ]
    query = select(_A.id).where(_A.digest.is_not(None), not_(or_(*fits))).order_by(_A.id)
    return list(connection.execute(query).scalars())


def set_digests(connection: Connection, new: Iterable[tuple[StoredSecret, str]]) -> None:
    """Store a digest in place of each secret; nothing else of the record moves."""
    for secret, digest in new:
        values = (
            {"previous_token": None, "previous_digest": digest}
            if secret.previous
            else {"token": None, "digest": digest}
        )
        connection.execute(update(t_authorizations).where(_A.id == secret.id).values(values))


def scrub_is_due(connection: Connection) -> bool:
    """Whether a hashing was begun whose traces have not been erased from the file yet."""
    return bool(connection.execute(text("PRAGMA user_version")).scalar_one())


def mark_scrub(connection: Connection, *, due: bool) -> None:
    """Remember inside the transaction that traces must be erased, or that they have been."""
    connection.execute(text(f"PRAGMA user_version = {int(due)}"))


# --- v1 credentials ---------------------------------------------------------------------------------------------

_V = t_v1.c


def _legacy(row: Row[Any]) -> LegacyAuthorization:
    return LegacyAuthorization(
        id=row.id,
        username=row.username,
        status=row.status,
        description=row.description,
        org_id=row.org_id,
        user_id=row.user_id,
        permissions=permissions_from_text(row.permissions),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def find_legacy(
    connection: Connection, *, authorization: AuthorizationID | None = None, username: str | None = None
) -> LegacyAuthorization | None:
    """One record by id or by name."""
    condition = _V.id == authorization if username is None else _V.username == username
    row = connection.execute(select(t_v1).where(condition)).one_or_none()
    return None if row is None else _legacy(row)


def scan_legacy(connection: Connection, wanted: Filter, username: str | None = None) -> Iterator[LegacyAuthorization]:
    """The records that a filter lets through, in order of id."""
    query: Select[Any] = select(t_v1).order_by(_V.id)
    for column, value in (
        (_V.id, wanted.id),
        (_V.user_id, wanted.user_id),
        (_V.org_id, wanted.org_id),
        (_V.username, username),
    ):
        if value is not None:
            query = query.where(column == value)
    for row in connection.execute(query):
        yield _legacy(row)


def add_legacy(connection: Connection, record: LegacyAuthorization) -> None:
    """Insert a record.

    Raises:
        Conflict: `token already exists`: the name is taken.
    """
    try:
        connection.execute(
            insert(t_v1).values(
                id=record.id,
                username=record.username,
                status=record.status,
                description=record.description,
                org_id=record.org_id,
                user_id=record.user_id,
                permissions=permissions_to_text(record.permissions),
                created_at=record.created_at,
                updated_at=record.updated_at,
            )
        )
    except IntegrityError:
        raise Conflict("token already exists") from None


def change_legacy(connection: Connection, key: AuthorizationID, **columns: Any) -> None:
    """Set columns of one record."""
    connection.execute(update(t_v1).where(_V.id == key).values(columns))


def delete_legacy(connection: Connection, key: AuthorizationID) -> None:
    """Remove one record and its password."""
    connection.execute(delete(t_v1).where(_V.id == key))


def legacy_password(connection: Connection, key: AuthorizationID) -> str | None:
    """The stored hash; none if no password was set."""
    return connection.execute(select(t_v1_passwords.c.hash).where(t_v1_passwords.c.authorization_id == key)).scalar()


def set_legacy_password(connection: Connection, key: AuthorizationID, stored: str, now: int) -> None:
    """Store a hash in place of any other."""
    connection.execute(delete(t_v1_passwords).where(t_v1_passwords.c.authorization_id == key))
    connection.execute(insert(t_v1_passwords).values(authorization_id=key, hash=stored, updated_at=now))


# --- users ------------------------------------------------------------------------------------------------------


def password_of(connection: Connection, user: UserID) -> str | None:
    """The stored hash; none if no password was set."""
    return connection.execute(select(t_passwords.c.hash).where(t_passwords.c.user_id == user)).scalar()


def set_password(connection: Connection, user: UserID, stored: str, now: int) -> None:
    """Store a hash in place of any other."""
    connection.execute(delete(t_passwords).where(t_passwords.c.user_id == user))
    connection.execute(insert(t_passwords).values(user_id=user, hash=stored, updated_at=now))


# --- the look-up of every request -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a presented secret was found to be.

    Attributes:
        stored: The digest that matched; none where the token is stored in clear.
        previous: It is the secret that a rotation replaces.
        rotation_is_new: It is the new secret of a rotation, and nobody has used it before.
    """

    id: AuthorizationID
    org_id: OrgID
    user_id: UserID
    status: str
    permissions: str
    expires_at: int | None
    revoked: bool
    stored: str | None = field(repr=False)
    plain: Secret | None = field(repr=False)
    previous: bool
    previous_until: int | None
    rotation_is_new: bool


_LOOKUP = """
SELECT id, org_id, user_id, status, permissions, expires_at, revoked_at IS NOT NULL, {digest}, {token}, {previous},
       previous_until, (previous_digest IS NOT NULL OR previous_token IS NOT NULL) AND previous_until IS NULL
FROM authorizations WHERE {column} {condition}"""


class Lookup:
    """Finds the record of a presented secret; a connection of the driver for each thread.

    Reads see the last commit, since each statement is its own transaction.
    """

    def __init__(self, path: Path) -> None:
        self._uri = f"{path.absolute().as_uri()}?mode=ro"
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        self._statements: dict[int, list[tuple[str, bool]]] = {}

    def find(self, secret: Secret, digests: Sequence[str]) -> Match | None:
        """The record that a secret belongs to, by any of its stored forms or in clear.

        The text is looked for among the tokens in clear only, the digests
        among the digests only: a stolen digest is not a token, whatever the
        store was configured to at the time. Source: tokens.md §3.3.
        """
        connection = self._connection()
        plain = secret.reveal()
        for statement, by_digest in self._statements_for(len(digests)):
            row = connection.execute(statement, digests if by_digest else (plain,)).fetchone()
            if row is not None:
                return _match(row)
        return None

    def close(self) -> None:
        """Close every thread's connection."""
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
            self._local = threading.local()

    def _statements_for(self, count: int) -> list[tuple[str, bool]]:
        statements = self._statements.get(count)
        if statements is None:
            among = f"IN ({','.join('?' * count)})"
            statements = []
            for previous in (False, True):
                prefix = "previous_" if previous else ""
                for column, condition in (("digest", among), ("token", "= ?")):
                    names = {"digest": prefix + "digest", "token": prefix + "token", "previous": int(previous)}
                    text_ = _LOOKUP.format(column=prefix + column, condition=condition, **names)
                    statements.append((text_, column == "digest"))
            self._statements[count] = statements
        return statements

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._uri, uri=True, check_same_thread=False, isolation_level=None)
            connection.execute("PRAGMA busy_timeout = 5000")
            connection.execute("PRAGMA query_only = ON")
            with self._lock:
                self._connections.append(connection)
            self._local.connection = connection
        return connection


def _match(row: tuple[Any, ...]) -> Match:
    return Match(
        id=AuthorizationID(row[0]),
        org_id=OrgID(row[1]),
        user_id=UserID(row[2]),
        status=row[3],
        permissions=row[4],
        expires_at=row[5],
        revoked=bool(row[6]),
        stored=row[7],
        plain=None if row[8] is None else Secret(row[8]),
        previous=bool(row[9]),
        previous_until=row[10],
        rotation_is_new=bool(row[11]) and not row[9],
    )
