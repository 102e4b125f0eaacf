"""Revocation against racing clients: after the answer to a revocation, nothing that starts later succeeds.

Clients present tokens or cookies in a loop and note when each request began
and how it went; the revoker notes when each revocation was answered. The
recorded history is then checked. `REVOCATIONS=10000`, shared among the ways of
revoking, makes it long.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.credentials.house import House, secret

from fluxkeep.clock import SystemClock
from fluxkeep.credentials.authorizations import Change
from fluxkeep.credentials.services import CredentialOptions
from fluxkeep.credentials.throttle import ThrottleOptions
from fluxkeep.errors import FluxkeepError
from fluxkeep.ids import AuthorizationID, UserID
from fluxkeep.secret import Secret
from fluxkeep.tenancy.values import Status

REVOCATIONS = int(os.environ.get("REVOCATIONS", "250"))
CLIENTS = 4


@dataclass
class Key:
    """A credential, and what ends it."""

    secret: Secret
    token: AuthorizationID | None = None
    user: UserID | None = None


@dataclass
class Way:
    """A kind of credential and a way to end it.

    `admit` raises where the credential is refused or may not do what it could before.
    """

    make: Callable[[House, int], Key]
    admit: Callable[[House, Secret], None]
    revoke: Callable[[House, Key], object]

    def succeeds(self, house: House, key: Key) -> bool:
        try:
            self.admit(house, key.secret)
        except FluxkeepError:
            return False
        return True


def token_of_admin(house: House, _: int) -> Key:
    shown = house.mint()
    return Key(secret(shown), token=shown.record.id)


def token_of_a_user(house: House, number: int) -> Key:
    user = house.tenancy.users.create(house.operator, name=f"user {number}").id
    return Key(secret(house.mint(user_id=user)), user=user)


def session_of_a_user(house: House, number: int) -> Key:
    user = house.tenancy.users.create(house.operator, name=f"user {number}").id
    return Key(house.sessions.create(user)[0], user=user)


def present_token(house: House, key: Secret) -> None:
    house.access(key).require(house.read_bucket())


def present_cookie(house: House, key: Secret) -> None:
    house.authenticator.session(key)


def token_id(key: Key) -> AuthorizationID:
    assert key.token is not None
    return key.token


def user_id(key: Key) -> UserID:
    assert key.user is not None
    return key.user


def deactivate(house: House, key: Key) -> None:
    house.authorizations.update(house.operator, token_id(key), Change(status="inactive"))


def delete(house: House, key: Key) -> None:
    house.authorizations.delete(house.operator, token_id(key))


def regenerate(house: House, key: Key) -> None:
    house.authorizations.regenerate(house.operator, token_id(key))


def revoke(house: House, key: Key) -> None:
    house.authorizations.revoke(house.operator, token_id(key))


def change_password(house: House, key: Key) -> None:
    house.passwords.change(house.operator, user_id(key), Secret("another-password"))


def deactivate_user(house: House, key: Key) -> None:
    house.tenancy.users.update(house.operator, user_id(key), status=Status.INACTIVE)


def delete_user(house: House, key: Key) -> None:
    house.tenancy.users.delete(house.operator, user_id(key))


WAYS = {
    "a token is deactivated": Way(token_of_admin, present_token, deactivate),
    "a token is deleted": Way(token_of_admin, present_token, delete),
    "a token is regenerated": Way(token_of_admin, present_token, regenerate),
    "a token is revoked": Way(token_of_admin, present_token, revoke),
    "a password is changed": Way(session_of_a_user, present_cookie, change_password),
    "a token's user is deactivated": Way(token_of_a_user, present_token, deactivate_user),
    "a session's user is deactivated": Way(session_of_a_user, present_cookie, deactivate_user),
    "a token's user is deleted": Way(token_of_a_user, present_token, delete_user),
    "a session's user is deleted": Way(session_of_a_user, present_cookie, delete_user),
}


@pytest.mark.parametrize("name", WAYS)
def test_no_request_that_starts_after_a_revocation_succeeds(tmp_path: Path, name: str) -> None:
    way = WAYS[name]
    count = -(-REVOCATIONS // len(WAYS))
    house = House(
        tmp_path / "data",
        SystemClock(),  # type: ignore[arg-type]  # nothing here moves it
        CredentialOptions(throttle=ThrottleOptions(burst=1 << 40)),
    )
    house.set_up()
    keys = [way.make(house, number) for number in range(count)]
    answered: list[int] = []
    successes: list[tuple[int, int]] = []
    position = 0
    finished = threading.Event()

    def client(number: int) -> None:
        mine: list[tuple[int, int]] = []
        while not finished.is_set():
            # Around the one that is being revoked now: before, at and after the moment.
            for offset in (number % 3 - 1, 0):
                target = min(max(position + offset, 0), count - 1)
                began = time.monotonic_ns()
                if way.succeeds(house, keys[target]):
                    mine.append((target, began))
        successes.extend(mine)

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, number) for number in range(CLIENTS)]
        try:
            for position, key in enumerate(keys):  # noqa: B007  # the clients read it
                way.revoke(house, key)
                answered.append(time.monotonic_ns())
        finally:
            finished.set()
        for future in clients:
            future.result()

    assert len(successes) > 0
    assert [target for target, began in successes if began > answered[target]] == []
    assert not any(way.succeeds(house, key) for key in keys)
    house.close()


def test_creation_and_revocation_do_not_deadlock(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    house.set_up()

    def churn(_: int) -> int:
        done = 0
        for _ in range(20):
            shown = house.mint()
            house.access(secret(shown))
            house.authorizations.rotate(house.operator, shown.record.id, 1)
            house.authorizations.delete(house.operator, shown.record.id)
            done += 1
        return done

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(churn, range(6))) == 120
    assert house.authorizations.count() == 1
    house.close()
