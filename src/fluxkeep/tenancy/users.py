"""Users: making, finding, changing and deleting them. Passwords are `credentials`'.

Source: http-api.md §4, §27; tokens.md §1.13, W29.
"""

from __future__ import annotations

from dataclasses import replace

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.errors import Conflict, EmptyValue, InvalidInput, NotFound
from fluxkeep.ids import IdGenerator, UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.events import UserChanged, UserDeleted
from fluxkeep.metastore.unit_of_work import UnitOfWork
from fluxkeep.tenancy.listing import WHOLE, Window, cut
from fluxkeep.tenancy.snapshot import Directory, Draft
from fluxkeep.tenancy.values import Status, User, user_permission

_CREATE = Permission(Action.WRITE, ResourceType.USERS)


def parse_status(text: str) -> Status:
    """Read a user's status.

    Raises:
        InvalidInput: Neither word.
    """
    try:
        return Status(text)
    except ValueError:
        raise InvalidInput("invalid status: must be active or inactive") from None


class Users:
    """The users of the instance. `find_` is for resolving and asks nobody."""

    def __init__(self, store: MetaStore, directory: Directory, ids: IdGenerator) -> None:
        self._store = store
        self._directory = directory
        self._ids = ids

    def find(self, user_id: UserID) -> User | None:
        """The user of that id."""
        return self._directory.now.users.by_id.get(user_id)

    def find_by_name(self, name: str) -> User | None:
        """The user of that name, case-sensitive."""
        return self._directory.now.users.by_name.get(name)

    def get(self, access: Access, user_id: UserID) -> User:
        """The user of that id.

        Raises:
            Unauthorized: Without permission to read the user, who may not exist.
            NotFound: `user not found`.
        """
        access.require(user_permission(Action.READ, user_id))
        return _get(self.find(user_id))

    def list_(
        self, access: Access, *, user_id: UserID | None = None, name: str | None = None, window: Window = WHOLE
    ) -> list[User]:
        """Users by id, those that the caller may read; an id wins over a name.

        Raises:
            NotFound: Nobody has the id or the name.
        """
        now = self._directory.now
        if user_id is not None:
            found = [_get(now.users.by_id.get(user_id))]
        elif name is not None:
            found = [_get(now.users.by_name.get(name))]
        else:
            found = cut(now.users.all, window)
        return access.filter(found, lambda one: one.permission(Action.READ))

    def create(self, access: Access, *, name: str, status: Status = Status.ACTIVE, oauth_id: str = "") -> User:
        """Make a user, without a password.

        Raises:
            Unauthorized: Without unscoped permission to write users.
            EmptyValue: `key required`, of the name.
            Conflict: The name is taken.
        """
        access.require(_CREATE)
        with self._store.begin() as work:
            return self.add(work, name=name, status=status, oauth_id=oauth_id)

    def add(self, work: UnitOfWork, *, name: str, status: Status = Status.ACTIVE, oauth_id: str = "") -> User:
        """As `create`, inside the caller's transaction and on nobody's behalf."""
        draft = self._directory.draft(work)
        _check_name(draft, name)
        user = User(
            id=self._ids.next(UserID),
            name=name,
            status=status,
            oauth_id=oauth_id,
            created_at=work.now_ns,
            updated_at=work.now_ns,
        )
        draft.put_user(user)
        work.emit(UserChanged(user.id))
        return user

    def update(self, access: Access, user_id: UserID, *, name: str | None = None, status: Status | None = None) -> User:
        """Change what is given; an inactive user's credentials are refused from the next request on.

        Raises:
            Unauthorized: Without permission to write the user, who may not exist.
            NotFound: `user not found`.
            EmptyValue: The name is emptied.
            Conflict: The name is taken by another.
        """
        access.require(user_permission(Action.WRITE, user_id))
        with self._store.begin() as work:
            draft = self._directory.draft(work)
            user = _get(draft.now.users.by_id.get(user_id))
            if name is not None:
                _check_name(draft, name, mine=user_id)
                user = replace(user, name=name)
            if status is not None:
                user = replace(user, status=status)
            user = replace(user, updated_at=work.now_ns)
            draft.put_user(user)
            work.emit(UserChanged(user_id))
            return user

    def delete(self, access: Access, user_id: UserID) -> None:
        """Delete the user with password, memberships and authorizations (tokens.md W13).

        Raises:
            Unauthorized: Without permission to write the user, who may not exist.
            NotFound: `user not found`.
        """
        access.require(user_permission(Action.WRITE, user_id))
        with self._store.begin() as work:
            draft = self._directory.draft(work)
            _get(draft.now.users.by_id.get(user_id))
            draft.drop_user(user_id)
            work.emit(UserDeleted(user_id))


def _get(found: User | None) -> User:
    if found is None:
        raise NotFound("user not found")
    return found


def _check_name(draft: Draft, name: str, *, mine: UserID | None = None) -> None:
    if not name:
        raise EmptyValue("key required")
    taken = draft.now.users.by_name.get(name)
    if taken is not None and taken.id != mine:
        raise Conflict(f"user with name {name} already exists")
