"""Permissions: what may be done to which objects, and the standard sets of them.

Owns the 23 resource types, the matching rule and the sets of the reference.
Pure: no clock, no store. Who holds what is decided in `decisions`.

Source: tokens.md §1.6 to §1.8.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from fluxkeep.errors import InvalidInput
from fluxkeep.ids import ID, OrgID, UserID


class Action(enum.StrEnum):
    """What is done; writing never implies reading."""

    READ = "read"
    WRITE = "write"

    @classmethod
    def parse(cls, text: str) -> Action:
        """Read an action of a request.

        Raises:
            InvalidInput: Any other word. Source: tokens.md §2.1.
        """
        found = _ACTIONS.get(text)
        if found is None:
            raise InvalidInput("invalid action type for permission: unknown action for permission")
        return found


_ACTIONS = {action.value: action for action in Action}


class ResourceType(enum.StrEnum):
    """Kinds of objects, in the order in which the reference lists them."""

    AUTHORIZATIONS = "authorizations"
    BUCKETS = "buckets"
    DASHBOARDS = "dashboards"
    ORGS = "orgs"
    SOURCES = "sources"
    TASKS = "tasks"
    TELEGRAFS = "telegrafs"
    USERS = "users"
    VARIABLES = "variables"
    SCRAPERS = "scrapers"
    SECRETS = "secrets"
    LABELS = "labels"
    VIEWS = "views"
    DOCUMENTS = "documents"
    NOTIFICATION_RULES = "notificationRules"
    NOTIFICATION_ENDPOINTS = "notificationEndpoints"
    CHECKS = "checks"
    DBRP = "dbrp"
    NOTEBOOKS = "notebooks"
    ANNOTATIONS = "annotations"
    REMOTES = "remotes"
    REPLICATIONS = "replications"
    INSTANCE = "instance"

    @classmethod
    def parse(cls, text: str) -> ResourceType:
        """Read a resource type of a request.

        Raises:
            InvalidInput: Any other word. Source: tokens.md §2.1.
        """
        found = _TYPES.get(text)
        if found is None:
            raise InvalidInput("invalid resource type for permission: unknown resource type for permission")
        return found


_TYPES = {kind.value: kind for kind in ResourceType}

# Everything that a token can be given; `instance` belongs to the setup user's membership alone.
GRANTABLE_TYPES = tuple(kind for kind in ResourceType if kind is not ResourceType.INSTANCE)


@dataclass(frozen=True, slots=True)
class Permission:
    """An action on a kind of objects: all of them, an organization's, or one.

    Held, it grants; requested, it asks. Both are the same shape.

    Attributes:
        org_id: Scope to an organization; ignored in matching where `id` is given.
        id: Scope to one object, of whatever kind `type` says.
    """

    action: Action
    type: ResourceType
    org_id: OrgID | None = None
    id: ID | None = None

    def __str__(self) -> str:
        """The server's spelling, which error messages contain: `read:orgs/<org>/buckets/<id>`."""
        org = f"orgs/{self.org_id}/" if self.org_id is not None else ""
        one = f"/{self.id}" if self.id is not None else ""
        return f"{self.action.value}:{org}{self.type.value}{one}"

    def matches(self, wanted: Permission) -> bool:
        """Whether holding this allows `wanted`; the rule in its plainest form.

        `PermissionSet.allows` answers the same from an index.

        Quirk: an id-scoped permission disregards organizations, and one scoped to an organization
        does not reach objects requested by id alone (users and organizations always are).
        Source: tokens.md §1.7.
        """
        if self.action is not wanted.action:
            return False
        if self.type is ResourceType.INSTANCE:
            return True
        if self.type is not wanted.type:
            return False
        if self.id is not None:
            return self.id == wanted.id
        return self.org_id is None or self.org_id == wanted.org_id


@final
class PermissionSet:
    """An immutable list of permissions, compiled once so that a check is a few look-ups.

    Keeps the order it was given, which responses show and the operator check
    follows.
    """

    __slots__ = ("_all", "_by_id", "_by_org", "_everything", "_permissions")

    def __init__(self, permissions: Iterable[Permission] = ()) -> None:
        self._permissions = tuple(permissions)
        everything: set[Action] = set()
        whole: set[tuple[Action, ResourceType]] = set()
        by_org: set[tuple[Action, ResourceType, str]] = set()
        by_id: set[tuple[Action, ResourceType, str]] = set()
        for held in self._permissions:
            if held.type is ResourceType.INSTANCE:
                everything.add(held.action)
            elif held.id is not None:
                by_id.add((held.action, held.type, held.id))
            elif held.org_id is not None:
                by_org.add((held.action, held.type, held.org_id))
            else:
                whole.add((held.action, held.type))
        self._everything = frozenset(everything)
        self._all = frozenset(whole)
        self._by_org = frozenset(by_org)
        self._by_id = frozenset(by_id)

    def allows(self, wanted: Permission) -> bool:
        """Whether any member matches `wanted`."""
        action, kind = wanted.action, wanted.type
        return (
            (action, kind) in self._all
            or action in self._everything
            or (wanted.org_id is not None and (action, kind, wanted.org_id) in self._by_org)
            or (wanted.id is not None and (action, kind, wanted.id) in self._by_id)
        )

    def first_missing(self, wanted: Iterable[Permission]) -> Permission | None:
        """The first of `wanted` that no member matches; None if all are allowed."""
        for permission in wanted:
            if not self.allows(permission):
                return permission
        return None

    def covers(self, wanted: Iterable[Permission]) -> bool:
        """Whether every one of `wanted` is allowed."""
        return self.first_missing(wanted) is None

    def __or__(self, other: PermissionSet) -> PermissionSet:
        """The members of both, each once, in order."""
        return PermissionSet(dict.fromkeys((*self._permissions, *other._permissions)))

    def __iter__(self) -> Iterator[Permission]:
        return iter(self._permissions)

    def __len__(self) -> int:
        return len(self._permissions)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PermissionSet) and self._permissions == other._permissions

    def __hash__(self) -> int:
        return hash(self._permissions)

    def __repr__(self) -> str:
        return f"PermissionSet({', '.join(map(str, self._permissions))})"


_NOTHING = PermissionSet()


def no_permissions() -> PermissionSet:
    """The empty set."""
    return _NOTHING


_OPERATOR = PermissionSet(Permission(action, kind) for kind in GRANTABLE_TYPES for action in Action)
_INSTANCE_OWNER = PermissionSet(Permission(action, ResourceType.INSTANCE) for action in Action)


def operator_permissions() -> PermissionSet:
    """Everything in every organization: 44 unscoped permissions."""
    return _OPERATOR


def instance_owner_permissions() -> PermissionSet:
    """What the setup user's membership gives; matches everything and cannot be put in a token."""
    return _INSTANCE_OWNER


def all_access_permissions(org: OrgID, user: UserID) -> PermissionSet:
    """An All Access token of one organization and its owner, as clients build it: 43 permissions."""

    def expand() -> Iterator[Permission]:
        for kind in GRANTABLE_TYPES:
            if kind is ResourceType.ORGS:
                yield Permission(Action.READ, kind, id=org)
            elif kind is ResourceType.USERS:
                yield Permission(Action.READ, kind, id=user)
                yield Permission(Action.WRITE, kind, id=user)
            else:
                yield Permission(Action.READ, kind, org)
                yield Permission(Action.WRITE, kind, org)

    return PermissionSet(expand())


def owner_permissions(org: OrgID) -> PermissionSet:
    """What owning an organization gives: 44 permissions scoped to it."""
    return PermissionSet(_in_org(action, kind, org) for kind in GRANTABLE_TYPES for action in Action)


def member_permissions(org: OrgID) -> PermissionSet:
    """What membership of an organization gives: to read, 22 permissions."""
    return PermissionSet(_in_org(Action.READ, kind, org) for kind in GRANTABLE_TYPES)


def me_permissions(user: UserID) -> PermissionSet:
    """What a session may do to its own user."""
    return PermissionSet(Permission(action, ResourceType.USERS, id=user) for action in Action)


def _in_org(action: Action, kind: ResourceType, org: OrgID) -> Permission:
    return Permission(action, kind, id=org) if kind is ResourceType.ORGS else Permission(action, kind, org)
