"""Killed at one moment after the other: first the old state, from some moment on the new one, and nothing between.

The state machine chooses such moments at random; this shows that they lie inside the operations.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from tests.credentials.dying import Moment, die_inside
from tests.credentials.house import ON_TOKENS, House, found_in, secret

from fluxkeep.credentials import store as rows
from fluxkeep.errors import FluxkeepError
from fluxkeep.ids import AuthorizationID
from fluxkeep.secret import Secret

MOMENTS: dict[Literal["tick", "byte"], list[int]] = {
    "tick": [*range(0, 60, 4), 100, 1_000],
    # A page of the log is 4 KiB and a header; what is written of the last one does not count.
    "byte": [0, 10, 4_000, 4_152, 8_200, 12_000, 16_500, 100_000],
}


def state(house: House, key: AuthorizationID, token: Secret) -> tuple[object, ...]:
    """What the operations change: how many tokens there are, and what this one is and opens."""
    try:
        opens = house.access(token).allows(house.read_bucket())
    except FluxkeepError as error:
        opens = error.message  # type: ignore[assignment]
    with house.store.read() as connection:
        one = rows.find_authorization(connection, key)
    known = None if one is None else (one.description, one.status, one.revoked_at is not None, one.rotating)
    return house.authorizations.count(), known, opens


@pytest.mark.slow
@pytest.mark.parametrize("kind", MOMENTS)
@pytest.mark.parametrize("what", ON_TOKENS)
def test_a_kill_at_any_moment_leaves_the_old_state_or_the_new_one(
    tmp_path: Path, what: str, kind: Literal["tick", "byte"]
) -> None:
    house = House(tmp_path / "data")
    house.set_up()
    shown = house.mint()
    token, key = secret(shown), shown.record.id
    old = state(house, key, token)
    expected = house.crash(tmp_path / "expected")
    ON_TOKENS[what](expected, key)
    new = state(expected, key, token)
    expected.abandon()
    assert new != old

    seen = []
    for at in MOMENTS[kind]:
        folder = tmp_path / str(at)
        house.copy_to(folder)

        def work(arm: Callable[[], None], folder: Path = folder) -> str:
            mine = House(folder, house.clock)
            mine.operator.require_operator()
            arm()
            ON_TOKENS[what](mine, key)
            return ""

        died = die_inside(work, folder / "influxd.bolt-wal", Moment(kind, at))
        for text in (token.reveal(), *died.tokens):
            assert found_in(folder, text) == []
        again = House(folder, house.clock)
        seen.append(state(again, key, token))
        again.abandon()
        assert seen[-1] in ((new,) if died.done else (old, new))
    house.close()
    assert seen[0] == old
    assert seen[-1] == new
    # Once it is done it is done: no later moment finds the old state again.
    assert seen == [old] * seen.count(old) + [new] * seen.count(new)
