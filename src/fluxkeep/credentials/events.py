"""What a commit changed about credentials. Whoever caches a principal listens to these.

Every other event counts as "anything may have changed" and empties the cache,
so that a room which knows nothing of tokens cannot leave a stale one behind.
"""

from __future__ import annotations

from dataclasses import dataclass

from fluxkeep.ids import AuthorizationID, UserID
from fluxkeep.metastore.unit_of_work import Event


@dataclass(frozen=True, slots=True)
class TokenCreated(Event):
    """A new API token of a user; nobody can have cached the token itself."""

    user_id: UserID


@dataclass(frozen=True, slots=True)
class TokenChanged(Event):
    """An API token was changed or deleted."""

    id: AuthorizationID
    user_id: UserID


@dataclass(frozen=True, slots=True)
class LegacyChanged(Event):
    """A v1 user name or its password was changed or deleted."""

    id: AuthorizationID


@dataclass(frozen=True, slots=True)
class PasswordChanged(Event):
    """A user's password was set; the user's sessions end."""

    user_id: UserID
