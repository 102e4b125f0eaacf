"""Decisions: what a known caller may do. The only place that compares permissions.

Owns `Principal` (who is calling and what they hold) and `Access` (the answers
that services ask for). No service, reader or writer is handed out without an
`Access`. Recognising a credential is left to `credentials.authenticator`.

Source: tokens.md §1.4, §1.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

from fluxkeep.access.permissions import Permission, PermissionSet, operator_permissions
from fluxkeep.errors import Unauthorized
from fluxkeep.ids import AuthorizationID, OrgID, UserID

T = TypeVar("T")

Kind = Literal["token", "session", "v1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who a credential stands for.

    Attributes:
        org_id: The organization of the authorization; none for a session.
        authorization_id: The record behind a token or v1 password; none for a session.
        active: False makes every decision a refusal.
        kind: How the caller was recognised.
        expires_at: When the credential ends, ns; every use after it must be recognised anew.
        renewed_until: Set where this use moved the end of a session: the cookie is to be sent again.
    """

    user_id: UserID
    org_id: OrgID | None = None
    authorization_id: AuthorizationID | None = None
    permissions: PermissionSet
    active: bool = True
    kind: Kind = "token"
    expires_at: int | None = None
    renewed_until: int | None = None


class Access:
    """A caller's decisions; cheap to make, immutable, safe from any thread."""

    __slots__ = ("principal",)

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    @property
    def user_id(self) -> UserID:
        """The calling user."""
        return self.principal.user_id

    def allows(self, wanted: Permission) -> bool:
        """Whether the caller may do `wanted`."""
        return self.principal.active and self.principal.permissions.allows(wanted)

    def require(self, wanted: Permission) -> None:
        """Return only if the caller may do `wanted`.

        Raises:
            Unauthorized: `<perm> is unauthorized`, or `token is inactive`.
        """
        if not self.principal.active:
            raise Unauthorized("token is inactive", reason="inactive-token")
        if not self.principal.permissions.allows(wanted):
            raise Unauthorized(f"{wanted} is unauthorized")

    def covers(self, wanted: Iterable[Permission]) -> bool:
        """Whether the caller may do everything in `wanted`."""
        return self.principal.active and self.principal.permissions.covers(wanted)

    def first_missing(self, wanted: Iterable[Permission]) -> Permission | None:
        """The first of `wanted` that the caller may not do; none if all are allowed."""
        return next((permission for permission in wanted if not self.allows(permission)), None)

    def filter(self, items: Iterable[T], permission_of: Callable[[T], Permission | Iterable[Permission]]) -> list[T]:
        """The items whose permission, or all of whose permissions, the caller has; order is kept."""
        kept: list[T] = []
        for item in items:
            wanted = permission_of(item)
            if self.allows(wanted) if isinstance(wanted, Permission) else self.covers(wanted):
                kept.append(item)
        return kept

    @property
    def is_operator(self) -> bool:
        """Whether the caller satisfies all 44 operator permissions; there is no flag."""
        return self.covers(operator_permissions())

    def require_operator(self, message: str | None = None) -> None:
        """Return only if the caller is an operator.

        Args:
            message: Instead of naming the first missing permission.

        Raises:
            Unauthorized: Naming the first of the 44 that is missing. Source: tokens.md §1.7, §2.9.
        """
        for wanted in operator_permissions():
            if message is not None and self.principal.active and not self.allows(wanted):
                raise Unauthorized(message)
            self.require(wanted)
