"""From a credential to a principal: the one place where it is decided who is calling.

    secret ──▶ cache by fingerprint ──▶ principal                      (microseconds, no I/O)
           └─▶ every stored form ──▶ one prepared look-up ──▶ checks ──▶ cache

The cache is emptied of what a commit changed before that commit's `begin`
returns, so a revocation holds for every request that starts after its answer.
A look-up that overlaps with a commit is answered and not cached (generations).
Nothing that was refused is cached.

Order of checks: known, not a JSON Web Token, user active (403), token active,
not expired (401). What the principal may do is decided by `access`.

Source: tokens.md §1.4, §1.9, §2.9, §3.5; W10, W11, W24, W26.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from fluxkeep.access.decisions import Principal
from fluxkeep.clock import Clock
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.events import LegacyChanged, PasswordChanged, TokenChanged, TokenCreated
from fluxkeep.credentials.hashing import Hasher, fingerprint
from fluxkeep.credentials.passwords import verify_password
from fluxkeep.credentials.sessions import Sessions
from fluxkeep.credentials.throttle import Throttle
from fluxkeep.credentials.tokens import is_jwt
from fluxkeep.errors import FluxkeepError, Forbidden, Unauthorized
from fluxkeep.ids import AuthorizationID, UserID
from fluxkeep.logs import get_logger
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.events import BucketChanged, BucketDeleted, DocumentDeleted, OrganizationChanged, UserDeleted
from fluxkeep.metastore.unit_of_work import Event
from fluxkeep.secret import Secret
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.snapshot import Draft
from fluxkeep.tenancy.values import User

CACHED_MAX = 65_536

INACTIVE_USER = "User is inactive"
INACTIVE_TOKEN = "token is inactive"  # noqa: S105  # a message
EXPIRED_TOKEN = "token is expired"  # noqa: S105  # a message

# The instant after every other.
_NEVER = 1 << 63

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class _Entry:
    principal: Principal
    owner: str
    ends_at: int


class _Cache(Generic[K]):
    """Principals by key, bounded; the oldest entry goes first. Reads take no lock.

    Each entry has an owner, by which it is dropped.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[K, _Entry] = {}
        self._owned: dict[str, set[K]] = {}
        self._lock = threading.Lock()
        self.generation = 0

    def get(self, key: K, now: int) -> Principal | None:
        entry = self._entries.get(key)
        return entry.principal if entry is not None and now < entry.ends_at else None

    def put(self, key: K, entry: _Entry, generation: int) -> None:
        """Keep an entry unless a commit has been heard of since `generation` was read."""
        with self._lock:
            if generation != self.generation:
                return
            self._entries[key] = entry
            self._owned.setdefault(entry.owner, set()).add(key)
            while len(self._entries) > self._limit:
                oldest = next(iter(self._entries))
                owner = self._entries.pop(oldest).owner
                self._owned[owner].discard(oldest)
                if not self._owned[owner]:
                    del self._owned[owner]

    def drop(self, owner: str) -> None:
        """Forget an owner's entries, and those being looked up now."""
        with self._lock:
            self.generation += 1
            for key in self._owned.pop(owner, ()):
                self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget all entries, and those being looked up now."""
        with self._lock:
            self.generation += 1
            self._entries.clear()
            self._owned.clear()


class Authenticator:
    """Recognises tokens, sessions and v1 user names; safe from any thread."""

    def __init__(
        self,
        store: MetaStore,
        tenancy: Tenancy,
        sessions: Sessions,
        clock: Clock,
        *,
        hasher: Hasher,
        throttle: Throttle,
        cached_max: int = CACHED_MAX,
    ) -> None:
        """Listen to the store from now on. Open the tenancy first: it must hear of a commit before this does."""
        self._store = store
        self._tenancy = tenancy
        self._sessions = sessions
        self._clock = clock
        self._hasher = hasher
        self._throttle = throttle
        self._lookup = rows.Lookup(store.path)
        self._tokens: _Cache[bytes] = _Cache(cached_max)
        self._names: _Cache[bytes] = _Cache(cached_max)
        self._users: _Cache[UserID] = _Cache(cached_max)
        # Salts the fingerprints of v1 passwords, which people choose, inside this process.
        self._salt = secrets.token_hex(16)
        self._used: dict[AuthorizationID, int] = {}
        self._rehash: dict[str, str] = {}
        self._log = get_logger("credentials")
        store.subscribe(self._heard)

    # --- API tokens ---------------------------------------------------------------------------------------------

    def token(self, secret: Secret, client: str) -> Principal:
        """The principal of an API token.

        A few microseconds where the token was seen lately, one look-up of some
        ten microseconds otherwise.

        Raises:
            Unauthorized: Unknown (`unauthorized access`), inactive, revoked or expired.
            Forbidden: Its user is inactive.
            TooManyRequests: Unknown, and the address has sent too many of those.
        """
        principal = self.cached(secret)
        return self._look_up(secret, client) if principal is None else principal

    def cached(self, secret: Secret) -> Principal | None:
        """The principal of a token that was seen lately; no I/O, none if it must be looked up."""
        now = self._clock.now_ns()
        principal = self._tokens.get(fingerprint(secret), now)
        if principal is not None:
            assert principal.authorization_id is not None
            self._used[principal.authorization_id] = now
        return principal

    def _look_up(self, secret: Secret, client: str) -> Principal:
        generation = self._tokens.generation
        text = secret.reveal()
        match = None if is_jwt(text) or not _is_storable(text) else self._find(secret)
        if match is None:
            raise self._refuse(client, Unauthorized(reason="unknown-token"), count=True)
        user = self._tenancy.users.find(match.user_id)
        if user is None:
            # The user is being deleted, and this token with it.
            raise self._refuse(client, Unauthorized(reason="unknown-token"), authorization=match.id)
        self._check(match, user, client)
        now = self._clock.now_ns()
        if match.rotation_is_new:
            self._start_grace(match, now)
        elif match.stored is not None and not self._hasher.is_current(match.stored):
            self._rehash[match.stored] = self._hasher.current(secret)
        ends_at = min(match.expires_at or _NEVER, (match.previous_until or _NEVER) if match.previous else _NEVER)
        principal = Principal(
            user_id=match.user_id,
            org_id=match.org_id,
            authorization_id=match.id,
            permissions=rows.permissions_from_text(match.permissions),
            kind="token",
            expires_at=match.expires_at,
        )
        self._tokens.put(fingerprint(secret), _Entry(principal, match.id, ends_at), generation)
        self._used[match.id] = now
        return principal

    def _find(self, secret: Secret) -> rows.Match | None:
        match = self._lookup.find(secret, self._hasher.candidates(secret))
        if match is None or (match.previous and match.previous_until is not None and self._over(match.previous_until)):
            return None
        # The index has found it; comparing again in constant time guards against an index that lies.
        if match.plain is not None:
            return match if match.plain == secret else None
        return match if match.stored is not None and self._hasher.verify(secret, match.stored) else None

    def _check(self, match: rows.Match, user: User, client: str) -> None:
        refusal: FluxkeepError | None = None
        if not user.is_active:
            refusal = Forbidden(INACTIVE_USER)
        elif match.status != rows.ACTIVE or match.revoked:
            refusal = Unauthorized(INACTIVE_TOKEN, reason="inactive-token")
        elif match.expires_at is not None and self._over(match.expires_at):
            refusal = Unauthorized(EXPIRED_TOKEN, reason="expired-token")
        if refusal is not None:
            raise self._refuse(client, refusal, authorization=match.id)

    def _over(self, instant: int) -> bool:
        return instant <= self._clock.now_ns()

    def _start_grace(self, match: rows.Match, now: int) -> None:
        """The new secret of a rotation is used for the first time: the old one's days are counted from here."""
        with self._store.begin() as work:
            record = rows.find_authorization(work.connection, match.id)
            if record is None or not record.rotating or record.previous_until is not None:
                return
            rows.change_authorization(work.connection, match.id, previous_until=now + (record.grace_ns or 0))
            work.emit(TokenChanged(match.id, match.user_id))

    # --- sessions -----------------------------------------------------------------------------------------------

    def session(self, key: Secret, client: str = "-") -> Principal:
        """The principal of a session key, with the user's permissions as they are now.

        They are those of the user's memberships, of the user's usable tokens, and of the user over itself.

        Raises:
            Unauthorized: Unknown or over.
            Forbidden: The user is inactive or gone.
        """
        session = self._sessions.find(key)
        if session is None:
            raise self._refuse(client, Unauthorized(reason="unknown-token"))
        user = self._tenancy.users.find(session.user_id)
        if user is None or not user.is_active:
            raise self._refuse(client, Forbidden(INACTIVE_USER))
        now = self._clock.now_ns()
        principal = self._users.get(user.id, now)
        if principal is None:
            generation = self._users.generation
            with self._store.read() as connection:
                owned, ends_at = rows.active_permissions_of(connection, user.id, now)
            held = self._tenancy.memberships.permissions_of(user.id) | owned
            principal = Principal(user_id=user.id, permissions=held, kind="session")
            self._users.put(user.id, _Entry(principal, user.id, ends_at or _NEVER), generation)
        if session.renewed:
            return replace(principal, renewed_until=session.expires_at)
        return principal

    # --- v1 user names ------------------------------------------------------------------------------------------

    def v1(self, username: str, secret: Secret, client: str) -> Principal:
        """The principal of a v1 user name and password or, where nobody has that name, of the secret as a token.

        A password is checked in some 30 ms the first time, so not on the event
        loop; afterwards it is found like a token.

        Raises:
            Unauthorized: `Unauthorized`, whatever was wrong.
            TooManyRequests: Wrong, and the address has sent too many of those.
        """
        now = self._clock.now_ns()
        print_ = fingerprint(Secret(f"{self._salt}\0{len(username)}\0{username}\0{secret.reveal()}"))
        principal = self._names.get(print_, now)
        if principal is not None:
            return principal
        generation = self._names.generation
        with self._store.read() as connection:
            record = rows.find_legacy(connection, username=username) if _is_storable(username) else None
            stored = rows.legacy_password(connection, record.id) if record is not None else None
        if record is None:
            return self._v1_token(secret, client)
        if not verify_password(secret, stored):
            raise self._refuse(
                client, Unauthorized("Unauthorized", reason="unknown-token"), authorization=record.id, count=True
            )
        user = self._tenancy.users.find(record.user_id)
        if record.status != rows.ACTIVE or user is None or not user.is_active:
            raise self._refuse(client, Unauthorized("Unauthorized", reason="inactive-token"), authorization=record.id)
        principal = Principal(
            user_id=record.user_id,
            org_id=record.org_id,
            authorization_id=record.id,
            permissions=record.permissions,
            kind="v1",
        )
        self._names.put(print_, _Entry(principal, record.id, _NEVER), generation)
        return principal

    def _v1_token(self, secret: Secret, client: str) -> Principal:
        try:
            return self.token(secret, client)
        except (Unauthorized, Forbidden) as refusal:
            raise Unauthorized("Unauthorized", reason=getattr(refusal, "reason", "inactive-token")) from None

    # --- housekeeping -------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what uses have left to write: last uses, better digests, ended rotations.

        Call it every half minute or so and at the end; a use since the last
        call is lost in a crash, and nothing else.
        """
        used, self._used = self._used, {}
        rehash, self._rehash = self._rehash, {}
        now = self._clock.now_ns()
        with self._store.begin() as work:
            if used:
                rows.note_use(work.connection, used)
            for old, new in rehash.items():
                rows.replace_digest(work.connection, old, new)
            rows.end_rotations(work.connection, now)

    def last_use(self, authorization: AuthorizationID) -> int | None:
        """When a token was used that `flush` has not written yet, ns."""
        return self._used.get(authorization)

    def close(self) -> None:
        """Write what is left and close the look-up's connections."""
        self.flush()
        self._lookup.close()

    def refused(self, client: str, refusal: FluxkeepError) -> FluxkeepError:
        """Log and count a password that was wrong; the error to raise for it, which may be that there were too many."""
        return self._refuse(client, refusal, count=True)

    def _refuse(
        self,
        client: str,
        refusal: FluxkeepError,
        *,
        authorization: AuthorizationID | None = None,
        count: bool = False,
    ) -> FluxkeepError:
        if isinstance(refusal, Unauthorized):
            reason = refusal.reason
        else:
            reason = "inactive-user" if refusal.message == INACTIVE_USER else "wrong-password"
        self._log.info("authentication.refused", client=client, reason=reason, authorization_id=authorization)
        if count:
            self._throttle.failed(client)
        return refusal

    def _heard(self, events: tuple[Event, ...]) -> None:
        for event in events:
            match event:
                case TokenCreated(user_id=user):
                    self._users.drop(user)
                case TokenChanged(id=authorization, user_id=user):
                    self._tokens.drop(authorization)
                    self._users.drop(user)
                case LegacyChanged(id=authorization):
                    self._names.drop(authorization)
                case PasswordChanged(user_id=user):
                    self._sessions.end_user(user)
                case UserDeleted(user_id=user):
                    self._sessions.end_user(user)
                    self._forget_all()
                case Draft() | BucketChanged() | BucketDeleted() | DocumentDeleted() | OrganizationChanged():
                    # What of these concerns a principal comes as one of the other events.
                    pass
                case _:
                    self._forget_all()

    def _forget_all(self) -> None:
        self._tokens.clear()
        self._names.clear()
        self._users.clear()


def _is_storable(text: str) -> bool:
    """Whether a text from a header could have been stored at all: lone surrogates stand for bytes that are no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
