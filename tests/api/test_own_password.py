"""The two requests that need a session and the old password: what less than that gets, and that it suffices.

The walk of `test_weakest_that_suffices.py` knows tokens only and leaves these out.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.responses import Response
from tests.api.incoming import Request
from tests.api.test_every_endpoint import House

from fluxkeep.api.endpoint import Gate
from fluxkeep.clock import SystemClock
from fluxkeep.config.settings import load
from fluxkeep.server import build

OLD, NEW = "long-enough-1", "long-enough-2"


@dataclass
class People:
    """Two users without any membership, each signed in."""

    house: House
    ids: dict[str, str]
    cookies: dict[str, str]

    def put(self, path: str, who: str | None, *, basic: str | None = OLD, new: str | None = NEW) -> Response:
        content = b"" if new is None else json.dumps({"password": new}).encode()
        headers = {"content-length": str(len(content))}
        if who is not None:
            headers["cookie"] = self.cookies[who]
        if basic is not None:
            headers["authorization"] = "Basic " + base64.b64encode(f"anybody:{basic}".encode()).decode()
        request = Request("PUT", path, headers, "", content, client="10.1.0.1")
        return self.house.loop.run_until_complete(self.house.application.respond(request))

    def sign_in(self, name: str, password: str) -> Response:
        headers = {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}
        request = Request("POST", "/api/v2/signin", headers, "", b"", client="10.1.0.2")
        response = self.house.loop.run_until_complete(self.house.application.respond(request))
        if response.status_code == 204:
            self.cookies[name] = response.headers["set-cookie"].partition(";")[0]
        return response


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    flags = {"bolt-path": str(tmp_path / "influxd.bolt"), "engine-path": str(tmp_path / "engine"), "log-level": "error"}
    loop = asyncio.new_event_loop()
    with contextlib.ExitStack() as stack:
        application = build(load(flags, {}, tmp_path), SystemClock(), stack)
        house = House(application, loop, {}, "", "")
        body = {"username": "root", "password": "root-password", "org": "home", "bucket": "home"}
        house.operator = json.loads(bytes(house.ask("POST", "/api/v2/setup", None, body).body))["auth"]["token"]
        made = People(house, {}, {})
        for name in ("mine", "other"):
            made.ids[name] = house.json("POST", "/api/v2/users", house.operator, {"name": name})["id"]
            where = f"/api/v2/users/{made.ids[name]}/password"
            assert house.ask("POST", where, house.operator, {"password": OLD}).status_code == 204
            assert made.sign_in(name, OLD).status_code == 204
        yield made
        loop.run_until_complete(application.stop())
    loop.close()


def message(response: Response) -> tuple[int, str]:
    return response.status_code, json.loads(bytes(response.body))["message"]


@pytest.mark.parametrize("own", [True, False])
def test_what_is_less_than_a_session_and_the_old_password(people: People, own: bool) -> None:
    path = "/api/v2/me/password" if own else f"/api/v2/users/{people.ids['mine']}/password"
    assert message(people.put(path, None)) == (401, "unauthorized access")
    assert message(people.put(path, "mine", basic="wrong-password")) == (
        403,
        "your username or password is incorrect",
    )
    assert people.put(path, "mine", basic=None).status_code in (400, 401, 500)
    assert message(people.put(path, "mine", new="short")) == (
        400,
        "passwords must be between 8 and 72 characters long",
    )
    for token in (people.house.operator, "wrong"):
        # The header is taken by the old password, so a token is none, and an operator's no better than a wrong one.
        assert people.house.ask("PUT", path, token, {"password": NEW}).status_code in (400, 401)
    if not own:
        assert message(people.put(path, "other")) == (401, f"write:users/{people.ids['mine']} is unauthorized")
    assert people.sign_in("mine", OLD).status_code == 204
    assert people.sign_in("mine", NEW).status_code == 401


@pytest.mark.parametrize("own", [True, False])
def test_a_user_without_any_membership_can_change_its_own(people: People, own: bool) -> None:
    path = "/api/v2/me/password" if own else f"/api/v2/users/{people.ids['mine']}/password"
    before = people.cookies["mine"]
    assert people.put(path, "mine").status_code == 204
    assert people.sign_in("mine", OLD).status_code == 401
    assert people.sign_in("mine", NEW).status_code == 204
    people.cookies["mine"] = before
    # The sessions from before have ended, and nobody else's.
    assert people.put(path, "mine", basic=NEW, new=OLD).status_code == 401
    assert people.put("/api/v2/me/password", "other", new=NEW).status_code == 204


def test_the_path_without_an_id_leads_to_nobody(people: People) -> None:
    assert message(people.put("/api/v2/users/password", "mine")) == (400, "invalid user ID provided in route")
    answer = people.put(f"/api/v2/users/{people.ids['mine']}", "mine")
    assert (answer.status_code, bytes(answer.body)) == (405, b"")


def test_these_two_are_all_that_the_other_walk_leaves_out(people: People) -> None:
    left = {
        f"{one.method} {one.path}"
        for one in people.house.application.router.endpoints
        if one.gate is not Gate.OPEN and "old password" in one.needs
    }
    # The third leads to nobody, whoever asks.
    assert left == {"PUT /api/v2/me/password", "PUT /api/v2/users/{id}/password", "PUT /api/v2/users/{id}"}
