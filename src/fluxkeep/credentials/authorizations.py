"""API tokens: making, finding, changing, rotating, revoking and deleting their records.

A secret leaves this module in three answers only: of create, rotate and
regenerate. Where hashing is off it can be shown again, to a caller who holds
every permission of the token.

Source: tokens.md §1.10 to §1.12, §2.1 to §2.5, §3.6; W8, W9; lifecycle additions of our own.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.authenticator import Authenticator
from fluxkeep.credentials.events import TokenChanged, TokenCreated
from fluxkeep.credentials.grants import (
    NO_PERMISSIONS,
    STATUS_TEXT,
    check_grant,
    check_status,
    guard_operator,
    require_all,
    require_held,
    to_read,
    to_write,
)
from fluxkeep.credentials.hashing import Hasher
from fluxkeep.credentials.store import Authorization, Filter
from fluxkeep.credentials.tokens import mint
from fluxkeep.errors import Conflict, Forbidden, InvalidInput, NotFound
from fluxkeep.ids import AuthorizationID, IdGenerator, OrgID, UserID
from fluxkeep.instants import SECOND
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.unit_of_work import UnitOfWork
from fluxkeep.secret import Secret
from fluxkeep.tenancy.services import Tenancy

_READ_ALL = (Permission(Action.READ, ResourceType.AUTHORIZATIONS), Permission(Action.READ, ResourceType.USERS))

GRACE_SECONDS_MAX = 366 * 86_400
PATCH_STATUS_TEXT = "encodeAuthorization: unknown authorization status"


class Unset(enum.Enum):
    """A member that a request does not have, where null has a meaning of its own."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAuthorization:
    """What is asked for.

    Attributes:
        user_id: The owner; the caller's user if absent.
        status: As sent; empty or absent is active.
        expires_at: ns; never if absent.
    """

    org_id: OrgID
    user_id: UserID | None = None
    status: str | None = None
    description: str = ""
    permissions: Sequence[Permission] = ()
    expires_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to change; absent members stay.

    Attributes:
        permissions: Equal to the present ones or fewer; empty is as good as absent.
        expires_at: ns; None removes the end.
    """

    status: str | None = None
    description: str | None = None
    permissions: Sequence[Permission] = ()
    expires_at: int | Unset | None = UNSET


@dataclass(frozen=True, slots=True)
class Shown:
    """A record as one caller may see it.

    Attributes:
        token: The secret where this answer shows it.
    """

    record: Authorization
    token: Secret | None = field(default=None, repr=False)


class Authorizations:
    """The API tokens of the instance."""

    def __init__(
        self,
        store: MetaStore,
        tenancy: Tenancy,
        ids: IdGenerator,
        authenticator: Authenticator,
        *,
        hasher: Hasher,
        hashed: bool,
    ) -> None:
        self._store = store
        self._tenancy = tenancy
        self._ids = ids
        self._authenticator = authenticator
        self._hasher = hasher
        self._hashed = hashed

    def create(self, access: Access, wanted: NewAuthorization) -> Shown:
        """Make a token; the answer holds the only copy of its secret.

        Raises:
            InvalidInput: No permissions, an unknown status, an end that is past, a user or organization
                that is not there, a permission of another organization.
            Unauthorized: The caller may not write authorizations there, or that user.
            Forbidden: The caller lacks what it asks for.
        """
        if not wanted.permissions:
            raise InvalidInput(NO_PERMISSIONS)
        check_status(wanted.status, STATUS_TEXT)
        self._check_end(access, wanted.expires_at)
        user_id = wanted.user_id or access.user_id
        check_grant(
            access,
            self._tenancy.directory.now,
            org_id=wanted.org_id,
            user_id=user_id,
            permissions=wanted.permissions,
        )
        with self._store.begin() as work:
            # Again inside the transaction: either may have been deleted since.
            check_grant(
                access,
                self._tenancy.directory.now,
                org_id=wanted.org_id,
                user_id=user_id,
                permissions=wanted.permissions,
            )
            return self.add(work, replace(wanted, user_id=user_id), mint())

    def add(self, work: UnitOfWork, wanted: NewAuthorization, token: Secret) -> Shown:
        """Store a token inside the caller's transaction and on nobody's behalf.

        Raises:
            Conflict: `token already exists`.
        """
        assert wanted.user_id is not None
        record = Authorization(
            id=self._ids.next(AuthorizationID),
            token=None if self._hashed else token,
            digest=self._hasher.current(token) if self._hashed else None,
            status=wanted.status or rows.ACTIVE,
            description=wanted.description,
            org_id=wanted.org_id,
            user_id=wanted.user_id,
            permissions=PermissionSet(wanted.permissions),
            created_at=work.now_ns,
            updated_at=work.now_ns,
            expires_at=wanted.expires_at,
        )
        rows.add_authorization(work.connection, record, self._hasher.candidates(token))
        work.emit(TokenCreated(record.user_id))
        return Shown(record, token)

    def get(self, access: Access, authorization: AuthorizationID) -> Shown:
        """One record.

        Raises:
            NotFound: `authorization not found`.
            Unauthorized: Naming what is lacking.
        """
        with self._store.read() as connection:
            record = _found(rows.find_authorization(connection, authorization))
        require_all(access, to_read(record))
        return self._show(access, record)

    def list_(self, access: Access, wanted: Filter, limit: int | None = None) -> Iterator[Shown]:
        """The records that the caller may see, in order of id, as they are read.

        The first step of the iteration raises, if anything does.

        Raises:
            NotFound: The filter has an id that nothing has.
        """
        if wanted.id is not None:
            # An id wins alone. Source: tokens.md §2.2.
            with self._store.read() as connection:
                one = _found(rows.find_authorization(connection, wanted.id))
            if access.covers(to_read(one)):
                yield self._show(access, one)
            return
        left = limit
        # Who may read all tokens of all users is not asked for each of them.
        all_of_them = access.covers(_READ_ALL)
        with self._store.read() as connection:
            for record in rows.scan_authorizations(connection, wanted):
                if left == 0:
                    return
                if all_of_them or access.covers(to_read(record)):
                    left = None if left is None else left - 1
                    yield self._show(access, record)

    def update(self, access: Access, authorization: AuthorizationID, change: Change) -> Shown:
        """Change status, description or end, or narrow the permissions.

        Raises:
            NotFound: `authorization not found`.
            Unauthorized: Naming what is lacking.
            InvalidInput: An unknown status, or an end that is past.
            Forbidden: Permissions wider than the present ones, or a later end for a token that the
                caller could not make.
            Conflict: The token was revoked and is to be active.
        """
        with self._store.begin() as work:
            record = self._for_change(access, work, authorization)
            columns: dict[str, Any] = {"updated_at": work.now_ns}
            status = check_status(change.status, PATCH_STATUS_TEXT)
            if status is not None:
                if status == rows.ACTIVE and record.revoked_at is not None:
                    raise Conflict("a revoked authorization cannot be activated")
                columns["status"] = status
            if change.description is not None:
                columns["description"] = change.description
            narrowed = _narrowed(record, change.permissions)
            if narrowed is not None:
                columns["permissions"] = narrowed
            if change.expires_at is not UNSET:
                self._check_end(access, change.expires_at)
                if change.expires_at is None or (record.expires_at or change.expires_at) < change.expires_at:
                    require_held(access, record.permissions)
                columns["expires_at"] = change.expires_at
            once: Secret | None = None
            if self._hashed and record.token is not None:
                # Only after an online restore: hashed now, shown this last time. Source: tokens.md §3.6.
                once = record.token
                columns |= {"token": None, "digest": self._hasher.current(once)}
            return self._changed(access, work, record, columns, once)

    def delete(self, access: Access, authorization: AuthorizationID) -> None:
        """Delete a token; it is refused from the next request on.

        Raises:
            NotFound: `authorization not found`.
            Unauthorized: Naming what is lacking.
        """
        with self._store.begin() as work:
            record = _found(rows.find_authorization(work.connection, authorization))
            require_all(access, to_write(record))
            guard_operator(access, record)
            rows.delete_authorization(work.connection, record.id)
            work.emit(TokenChanged(record.id, record.user_id))

    def rotate(self, access: Access, authorization: AuthorizationID, grace_seconds: int) -> Shown:
        """Give the record a new secret and go on accepting the old one for a while.

        The new secret is valid at once. The old one is accepted until
        `grace_seconds` after the new one was first used, so a fleet can be
        moved at its own pace. A second rotation before that first use replaces
        the new secret; one while the grace runs is refused.

        Raises:
            InvalidInput: The grace is negative or longer than a year.
            NotFound: `authorization not found`.
            Unauthorized: As `update`.
            Forbidden: The caller lacks a permission of the token.
            Conflict: Revoked, or the grace of a rotation is running.
        """
        if not 0 <= grace_seconds <= GRACE_SECONDS_MAX:
            raise InvalidInput(f"gracePeriodSeconds must be between 0 and {GRACE_SECONDS_MAX}")
        with self._store.begin() as work:
            record = self._for_secret(access, work, authorization)
            running = record.rotating and record.previous_until is not None
            if running and record.previous_until is not None and record.previous_until > work.now_ns:
                raise Conflict("a rotation is under way: the previous secret is still accepted")
            if not record.rotating or running:
                rows.begin_rotation(work.connection, record.id)
            token = mint()
            return self._changed(
                access, work, record, {"grace_ns": grace_seconds * SECOND, **self._stored(token)}, token
            )

    def regenerate(self, access: Access, authorization: AuthorizationID) -> Shown:
        """Give the record a new secret; every older one is refused from the next request on.

        Raises:
            NotFound: `authorization not found`.
            Unauthorized: As `update`.
            Forbidden: The caller lacks a permission of the token.
            Conflict: Revoked.
        """
        with self._store.begin() as work:
            record = self._for_secret(access, work, authorization)
            token = mint()
            return self._changed(access, work, record, {**_NO_PREVIOUS, **self._stored(token)}, token)

    def revoke(self, access: Access, authorization: AuthorizationID) -> Shown:
        """Refuse the token for good and keep its record for audit; a second time changes nothing.

        Raises:
            NotFound: `authorization not found`.
            Unauthorized: As `update`.
        """
        with self._store.begin() as work:
            record = self._for_change(access, work, authorization)
            if record.revoked_at is not None:
                return self._show(access, record)
            columns: dict[str, Any] = {"status": rows.INACTIVE, "revoked_at": work.now_ns, **_NO_PREVIOUS}
            if record.token is not None:
                # Nobody needs it in clear any more, whatever the store is configured to.
                columns |= {"token": None, "digest": self._hasher.current(record.token)}
            return self._changed(access, work, record, {"updated_at": work.now_ns, **columns}, None)

    def count(self) -> int:
        """How many tokens are stored; the metric `influxdb_tokens_total`."""
        with self._store.read() as connection:
            return rows.count_authorizations(connection)

    def _for_change(self, access: Access, work: UnitOfWork, authorization: AuthorizationID) -> Authorization:
        record = _found(rows.find_authorization(work.connection, authorization))
        require_all(access, (*to_read(record), *to_write(record)))
        guard_operator(access, record)
        return record

    def _for_secret(self, access: Access, work: UnitOfWork, authorization: AuthorizationID) -> Authorization:
        record = self._for_change(access, work, authorization)
        require_held(access, record.permissions)
        if record.revoked_at is not None:
            raise Conflict("a revoked authorization gets no new secret")
        return record

    def _stored(self, token: Secret) -> dict[str, Any]:
        if self._hashed:
            return {"token": None, "digest": self._hasher.current(token)}
        return {"token": token.reveal(), "digest": None}

    def _changed(
        self, access: Access, work: UnitOfWork, record: Authorization, columns: dict[str, Any], token: Secret | None
    ) -> Shown:
        rows.change_authorization(work.connection, record.id, **{"updated_at": work.now_ns, **columns})
        work.emit(TokenChanged(record.id, record.user_id))
        fresh = _found(rows.find_authorization(work.connection, record.id))
        shown = self._show(access, fresh)
        return Shown(shown.record, token) if token is not None and access.covers(fresh.permissions) else shown

    def _show(self, access: Access, record: Authorization) -> Shown:
        unwritten = self._authenticator.last_use(record.id)
        if unwritten is not None:
            record = replace(record, last_used_at=unwritten)
        if record.token is not None and access.covers(record.permissions):
            return Shown(record, record.token)
        return Shown(record)

    def _check_end(self, access: Access, expires_at: int | None) -> None:
        limit = access.principal.expires_at
        if limit is not None and (expires_at is None or expires_at > limit):
            raise Forbidden("a token that expires cannot give a longer life than its own")
        if expires_at is not None and expires_at <= self._store.clock.now_ns():
            raise InvalidInput("expiresAt must be in the future")


_NO_PREVIOUS: dict[str, Any] = {
    "previous_token": None,
    "previous_digest": None,
    "previous_until": None,
    "grace_ns": None,
}


def _found(record: Authorization | None) -> Authorization:
    if record is None:
        raise NotFound("authorization not found")
    return record


def _narrowed(record: Authorization, permissions: Sequence[Permission]) -> PermissionSet | None:
    """The permissions after a change, if it narrows them.

    An empty list and an equal set change nothing, as in the reference, whose
    clients send the whole object back. W8.
    """
    if not permissions or set(permissions) == set(record.permissions):
        return None
    wider = record.permissions.first_missing(permissions)
    if wider is not None:
        raise Forbidden(f"permission {wider} is not allowed: permissions can only be narrowed")
    return PermissionSet(dict.fromkeys(permissions))
