"""Sessions: who signed in with which cookie, in memory only.

A restart ends them all, as in the reference. Keys are kept by fingerprint, so
a dump of the process shows no usable cookie. What a session may do is
computed by the authenticator for each request.

Source: tokens.md §2.7; W26.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from fluxkeep.clock import Clock
from fluxkeep.credentials.hashing import fingerprint
from fluxkeep.credentials.tokens import mint
from fluxkeep.ids import UserID
from fluxkeep.instants import MINUTE
from fluxkeep.secret import Secret

COOKIE = "influxdb-oss-session"
RENEWAL_NS = 5 * MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How long sessions last.

    Attributes:
        length_ns: From sign-in; the server's `session-length`, which is in minutes.
        renew: Whether use extends it.
        sessions_max: How many are kept; the one that ends first goes first.
    """

    length_ns: int = 60 * MINUTE
    renew: bool = True
    sessions_max: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in user.

    Attributes:
        digest: Stands for the key inside this process.
        expires_at: ns; moves with use.
        renewed: Whether this use moved it, so that the cookie must be sent again.
    """

    digest: str
    user_id: UserID
    created_at: int
    expires_at: int
    renewed: bool = False


class Sessions:
    """The sessions of this process; safe from any thread."""

    def __init__(self, clock: Clock, options: SessionOptions | None = None) -> None:
        self._clock = clock
        self._options = options or SessionOptions()
        self._lock = threading.Lock()
        self._by_digest: dict[str, Session] = {}

    def create(self, user: UserID) -> tuple[Secret, Session]:
        """Sign a user in.

        Returns:
            The key for the cookie, which is shown this once, and the session.
        """
        key = mint()
        now = self._clock.now_ns()
        session = Session(
            digest=fingerprint(key).hex(), user_id=user, created_at=now, expires_at=now + self._options.length_ns
        )
        with self._lock:
            if len(self._by_digest) >= self._options.sessions_max:
                self._make_room(now)
            self._by_digest[session.digest] = session
        return key, session

    def find(self, key: Secret) -> Session | None:
        """The live session of a key, its end moved if this use renews it; none if unknown or over."""
        digest = fingerprint(key).hex()
        now = self._clock.now_ns()
        with self._lock:
            session = self._by_digest.get(digest)
            if session is None:
                return None
            if session.expires_at <= now:
                del self._by_digest[digest]
                return None
            extended = now + RENEWAL_NS
            if not self._options.renew or extended <= session.expires_at:
                return session
            kept = Session(
                digest=digest, user_id=session.user_id, created_at=session.created_at, expires_at=extended, renewed=True
            )
            self._by_digest[digest] = kept
            return kept

    def end(self, digest: str) -> bool:
        """Sign out; whether there was such a session."""
        with self._lock:
            return self._by_digest.pop(digest, None) is not None

    def end_user(self, user: UserID) -> None:
        """End every session of a user: after a password change and when the user is deleted."""
        with self._lock:
            gone = [digest for digest, session in self._by_digest.items() if session.user_id == user]
            for digest in gone:
                del self._by_digest[digest]

    def end_all(self) -> None:
        """End every session."""
        with self._lock:
            self._by_digest.clear()

    def _make_room(self, now: int) -> None:
        over = [digest for digest, session in self._by_digest.items() if session.expires_at <= now]
        if not over:
            over = [min(self._by_digest.values(), key=lambda session: session.expires_at).digest]
        for digest in over:
            del self._by_digest[digest]
