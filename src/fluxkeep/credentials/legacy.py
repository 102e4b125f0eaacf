"""v1 authorizations: user names with passwords for `/query` and `/write`.

Made, seen and changed under the rules of API tokens; their names are a
namespace of their own, and their passwords are never shown.

Source: tokens.md §1.14, §2.10; W20.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.events import LegacyChanged
from fluxkeep.credentials.grants import (
    NO_PERMISSIONS,
    STATUS_TEXT,
    check_grant,
    check_status,
    guard_operator,
    require_all,
    to_read,
    to_write,
)
from fluxkeep.credentials.passwords import check_rules, hash_password
from fluxkeep.credentials.store import Filter, LegacyAuthorization
from fluxkeep.errors import InvalidInput, NotFound
from fluxkeep.ids import AuthorizationID, BucketID, IdGenerator, OrgID, UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.unit_of_work import UnitOfWork
from fluxkeep.secret import Secret
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import user_permission

PATCH_STATUS_TEXT = "unknown authorization status"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLegacyAuthorization:
    """What is asked for; `user_id` is the caller's user if absent."""

    org_id: OrgID
    username: str
    user_id: UserID | None = None
    status: str | None = None
    description: str = ""
    permissions: Sequence[Permission] = ()


class LegacyAuthorizations:
    """The v1 user names of the instance."""

    def __init__(self, store: MetaStore, tenancy: Tenancy, ids: IdGenerator, *, strong_passwords: bool) -> None:
        self._store = store
        self._tenancy = tenancy
        self._ids = ids
        self._strong = strong_passwords

    def create(self, access: Access, wanted: NewLegacyAuthorization) -> LegacyAuthorization:
        """Make a user name; without a password nobody can use it yet.

        Raises:
            InvalidInput: No permissions, an unknown status, no name, a user or organization that is not there.
            Unauthorized: The caller may not write authorizations there, or that user.
            Forbidden: The caller lacks what it asks for.
            NotFound: A permission names a bucket that is not there.
            Conflict: The name is taken.
        """
        if not wanted.permissions:
            raise InvalidInput(NO_PERMISSIONS)
        status = check_status(wanted.status, STATUS_TEXT) or rows.ACTIVE
        if not wanted.username:
            raise InvalidInput("token required for v1 user authorization type")
        user_id = wanted.user_id or access.user_id
        with self._store.begin() as work:
            now = self._tenancy.directory.now
            check_grant(access, now, org_id=wanted.org_id, user_id=user_id, permissions=wanted.permissions)
            for permission in wanted.permissions:
                if (
                    permission.type is ResourceType.BUCKETS
                    and permission.id is not None
                    and BucketID(permission.id) not in now.buckets.by_id
                ):
                    raise NotFound("bucket not found when creating auth")
            record = LegacyAuthorization(
                id=self._ids.next(AuthorizationID),
                username=wanted.username,
                status=status,
                description=wanted.description,
                org_id=wanted.org_id,
                user_id=user_id,
                permissions=PermissionSet(wanted.permissions),
                created_at=work.now_ns,
                updated_at=work.now_ns,
            )
            # Nobody can have remembered it: a token presented under a name is remembered as a token.
            rows.add_legacy(work.connection, record)
            return record

    def get(self, access: Access, authorization: AuthorizationID) -> LegacyAuthorization:
        """One record.

        Raises:
            NotFound: `authorization not found`.
            Unauthorized: Naming what is lacking.
        """
        with self._store.read() as connection:
            record = _found(rows.find_legacy(connection, authorization=authorization))
        require_all(access, to_read(record))
        return record

    def list_(self, access: Access, wanted: Filter, username: str | None = None) -> list[LegacyAuthorization]:
        """The records that the caller may see, in order of id. An id wins alone, then a name.

        Raises:
            NotFound: Nothing has the id or the name.
        """
        with self._store.read() as connection:
            if wanted.id is not None:
                found = [_found(rows.find_legacy(connection, authorization=wanted.id))]
            elif username is not None:
                found = [_found(rows.find_legacy(connection, username=username))]
            else:
                found = list(rows.scan_legacy(connection, wanted))
        return access.filter(found, to_read)

    def update(
        self, access: Access, authorization: AuthorizationID, *, status: str | None, description: str | None
    ) -> LegacyAuthorization:
        """Change what is given.

        Raises:
            NotFound: `authorization not found`.
            Unauthorized: Naming what is lacking.
            InvalidInput: `unknown authorization status`.
        """
        with self._store.begin() as work:
            record = self._for_change(access, work, authorization)
            columns: dict[str, Any] = {"updated_at": work.now_ns}
            checked = check_status(status, PATCH_STATUS_TEXT)
            if checked is not None:
                columns["status"] = checked
            if description is not None:
                columns["description"] = description
            rows.change_legacy(work.connection, record.id, **columns)
            work.emit(LegacyChanged(record.id))
            return _found(rows.find_legacy(work.connection, authorization=record.id))

    def delete(self, access: Access, authorization: AuthorizationID) -> None:
        """Delete a user name and its password.

        Raises:
            NotFound: `authorization not found`.
            Unauthorized: Naming what is lacking.
        """
        with self._store.begin() as work:
            record = _found(rows.find_legacy(work.connection, authorization=authorization))
            require_all(access, to_write(record))
            guard_operator(access, record)
            rows.delete_legacy(work.connection, record.id)
            work.emit(LegacyChanged(record.id))

    def set_password(self, access: Access, authorization: AuthorizationID, password: Secret) -> None:
        """Set the password; the one before is refused from the next request on.

        Raises:
            NotFound: `authorization not found`.
            Unauthorized: The caller may not write the owner.
            InvalidInput: A rule is broken.
        """
        with self._store.read() as connection:
            record = _found(rows.find_legacy(connection, authorization=authorization))
        access.require(user_permission(Action.WRITE, record.user_id))
        check_rules(password, strong=self._strong)
        # Tens of milliseconds, so before the transaction: other writers wait for that.
        stored = hash_password(password)
        with self._store.begin() as work:
            _found(rows.find_legacy(work.connection, authorization=authorization))
            rows.set_legacy_password(work.connection, record.id, stored, work.now_ns)
            work.emit(LegacyChanged(record.id))

    def _for_change(self, access: Access, work: UnitOfWork, authorization: AuthorizationID) -> LegacyAuthorization:
        record = _found(rows.find_legacy(work.connection, authorization=authorization))
        require_all(access, (*to_read(record), *to_write(record)))
        guard_operator(access, record)
        return record


def _found(record: LegacyAuthorization | None) -> LegacyAuthorization:
    if record is None:
        raise NotFound("authorization not found")
    return record
