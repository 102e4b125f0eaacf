"""Signing in and out, and changing users' passwords.

Source: tokens.md §2.7, §2.8; W24, W26, W27.
"""

from __future__ import annotations

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.authenticator import Authenticator
from fluxkeep.credentials.events import PasswordChanged
from fluxkeep.credentials.hashing import fingerprint
from fluxkeep.credentials.passwords import broken_rules, check_rules, hash_password, needs_rehash, verify_password
from fluxkeep.credentials.sessions import Session, Sessions
from fluxkeep.errors import Forbidden, Unauthorized
from fluxkeep.ids import UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.unit_of_work import UnitOfWork
from fluxkeep.secret import Secret
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import user_permission


class Passwords:
    """The passwords of users, and the sessions that they open."""

    def __init__(
        self,
        store: MetaStore,
        tenancy: Tenancy,
        sessions: Sessions,
        authenticator: Authenticator,
        *,
        strong_passwords: bool,
    ) -> None:
        self._store = store
        self._tenancy = tenancy
        self._sessions = sessions
        self._authenticator = authenticator
        self._strong = strong_passwords

    def sign_in(self, username: str, password: Secret, client: str) -> tuple[Secret, Session]:
        """Open a session.

        Quirk: an inactive user can sign in; each request that follows is refused.

        Returns:
            The key for the cookie, and the session.

        Raises:
            Unauthorized: Unknown user, no password, wrong password: one text and one duration.
            Forbidden: Right, but it breaks today's rules and must be changed.
            TooManyRequests: Wrong, and the address has sent too many of those.
        """
        user = self._tenancy.users.find_by_name(username)
        with self._store.read() as connection:
            stored = None if user is None else rows.password_of(connection, user.id)
        if not verify_password(password, stored) or user is None or stored is None:
            raise self._authenticator.refused(client, Unauthorized(reason="unknown-token"))
        broken = broken_rules(password, strong=self._strong)
        if broken:
            raise Forbidden("\n".join(["password change required", *broken]))
        if needs_rehash(stored):
            fresh = hash_password(password)
            with self._store.begin() as work:
                # Unless it was changed in between.
                if rows.password_of(work.connection, user.id) == stored:
                    rows.set_password(work.connection, user.id, fresh, work.now_ns)
        return self._sessions.create(user.id)

    def sign_out(self, key: Secret) -> None:
        """End a session.

        Raises:
            Unauthorized: There is none of that key.
        """
        if not self._sessions.end(fingerprint(key).hex()):
            raise Unauthorized(reason="unknown-token")

    def change_own(self, user_id: UserID, old: Secret, new: Secret, client: str = "-") -> None:
        """Change a password by showing the old one; every session of the user ends.

        Raises:
            Forbidden: `your username or password is incorrect`.
            TooManyRequests: It is, and the address has sent too many of those.
            InvalidInput: The new one breaks a rule.
        """
        with self._store.read() as connection:
            stored = rows.password_of(connection, user_id)
        if not verify_password(old, stored):
            # Whoever got hold of a session must not find the password by trying.
            raise self._authenticator.refused(client, Forbidden("your username or password is incorrect"))
        self._set(user_id, new)

    def change(self, access: Access, user_id: UserID, new: Secret) -> None:
        """Set a user's password; every session of the user ends.

        Raises:
            Unauthorized: The caller may not write the user.
            Forbidden: `your userID is incorrect`.
            InvalidInput: It breaks a rule.
        """
        access.require(user_permission(Action.WRITE, user_id))
        if self._tenancy.users.find(user_id) is None:
            raise Forbidden("your userID is incorrect")
        self._set(user_id, new)

    def add(self, work: UnitOfWork, user_id: UserID, stored: str) -> None:
        """Store a hash inside the caller's transaction and on nobody's behalf."""
        rows.set_password(work.connection, user_id, stored, work.now_ns)
        work.emit(PasswordChanged(user_id))

    def prepare(self, password: Secret) -> str:
        """The hash to `add`, made before the transaction: it takes tens of milliseconds.

        Raises:
            InvalidInput: It breaks a rule.
        """
        check_rules(password, strong=self._strong)
        return hash_password(password)

    def _set(self, user_id: UserID, new: Secret) -> None:
        stored = self.prepare(new)
        with self._store.begin() as work:
            if user_id not in self._tenancy.directory.now.users.by_id:
                raise Forbidden("your userID is incorrect")
            self.add(work, user_id, stored)
