"""Revocation against racing clients: after the answer to a revocation, nothing that starts later succeeds.

Clients present tokens in a loop and note when each request began and how it
went; the revoker notes when each revocation was answered. The recorded
history is then checked. `REVOCATIONS=10000` makes it long.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.credentials.house import House, secret

from fluxkeep.clock import SystemClock
from fluxkeep.credentials.authorizations import Change
from fluxkeep.credentials.services import CredentialOptions
from fluxkeep.credentials.throttle import ThrottleOptions
from fluxkeep.errors import FluxkeepError
from fluxkeep.ids import AuthorizationID
from fluxkeep.secret import Secret

REVOCATIONS = int(os.environ.get("REVOCATIONS", "100"))
CLIENTS = 4

Revoke = Callable[[House, AuthorizationID], None]


def deactivate(house: House, token: AuthorizationID) -> None:
    house.authorizations.update(house.operator, token, Change(status="inactive"))


def delete(house: House, token: AuthorizationID) -> None:
    house.authorizations.delete(house.operator, token)


def regenerate(house: House, token: AuthorizationID) -> None:
    house.authorizations.regenerate(house.operator, token)


@pytest.mark.parametrize("revoke", [deactivate, delete, regenerate])
def test_no_request_that_starts_after_a_revocation_succeeds(tmp_path: Path, revoke: Revoke) -> None:
    house = House(
        tmp_path / "data",
        SystemClock(),  # type: ignore[arg-type]  # nothing here moves it
        CredentialOptions(throttle=ThrottleOptions(burst=1 << 40)),
    )
    house.set_up()
    shown = [house.mint() for _ in range(REVOCATIONS)]
    answered: dict[AuthorizationID, int] = {}
    successes: list[tuple[AuthorizationID, int]] = []
    position = 0
    finished = threading.Event()

    def client(number: int) -> None:
        mine: list[tuple[AuthorizationID, int]] = []
        while not finished.is_set():
            # Around the one that is being revoked now: before, at and after the moment.
            for offset in (number % 3 - 1, 0):
                one = shown[min(max(position + offset, 0), REVOCATIONS - 1)]
                began = time.monotonic_ns()
                if succeeds(house, secret(one)):
                    mine.append((one.record.id, began))
        successes.extend(mine)

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, number) for number in range(CLIENTS)]
        try:
            for position, one in enumerate(shown):  # noqa: B007  # the clients read it
                revoke(house, one.record.id)
                answered[one.record.id] = time.monotonic_ns()
        finally:
            finished.set()
        for future in clients:
            future.result()

    assert len(successes) > 0
    late = [token for token, began in successes if began > answered[token]]
    assert late == []
    for one in shown:
        assert not succeeds(house, secret(one))
    house.close()


def succeeds(house: House, token: Secret) -> bool:
    try:
        house.access(token)
    except FluxkeepError:
        return False
    return True


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
