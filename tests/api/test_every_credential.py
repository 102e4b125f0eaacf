"""Every endpoint of the house, tried with every kind of credential that must not pass, and the reviewed list of needs.

The routes come from the house's own router. `tests/api/access.txt` names each with the gate before it and the weakest
permission that suffices; a route that is added, or guarded otherwise, changes it, and the difference is reviewed.
`WRITE_ACCESS=1 pytest tests/api/test_every_credential.py` writes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response
from tests.api.test_every_endpoint import House

import fluxkeep.ui
from fluxkeep.api.endpoint import Endpoint, Gate
from fluxkeep.api.routing import ANY_METHOD
from fluxkeep.clock import ManualClock
from fluxkeep.config.settings import load
from fluxkeep.instants import SECOND, format_rfc3339
from fluxkeep.server import build

REVIEWED = Path(__file__).with_name("access.txt")


@dataclass
class Street:
    """A house and, by its state, a token that used to have every permission."""

    house: House
    tokens: dict[str, str] = field(default_factory=dict)


# State of the credential, status and message on /api/v2 and on /query and /write.
REFUSALS = {
    "inactive": (401, "token is inactive"),
    "revoked": (401, "token is inactive"),
    "expired": (401, "token is expired"),
    "deleted": (401, "unauthorized access"),
    "regenerated": (401, "unauthorized access"),
    "of an inactive user": (403, "User is inactive"),
    "of a deleted user": (401, "unauthorized access"),
    "of a deleted organization": (401, "unauthorized access"),
}


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    folder: Path = tmp_path_factory.mktemp("street")
    flags = {"bolt-path": str(folder / "influxd.bolt"), "engine-path": str(folder / "engine"), "log-level": "error"}
    loop = asyncio.new_event_loop()
    clock = ManualClock()
    with contextlib.ExitStack() as stack:
        application = build(load(flags, {}, folder), clock, stack)
        house = House(application, loop, {}, "", "")
        body = {"username": "root", "password": "root-password", "org": "home", "bucket": "home"}
        setup = json.loads(bytes(house.ask("POST", "/api/v2/setup", None, body).body))
        house.operator = setup["auth"]["token"]
        house.ids = {"orgs": setup["org"]["id"], "users": setup["user"]["id"], "buckets": setup["bucket"]["id"]}
        street = Street(house)
        _people(street, setup, clock)
        yield street
        loop.run_until_complete(application.stop())
    loop.close()


def _people(street: Street, setup: Any, clock: ManualClock) -> None:
    house, operator, tokens = street.house, street.house.operator, street.tokens
    other = house.json("POST", "/api/v2/orgs", operator, {"name": "elsewhere"})["id"]
    users = {name: house.json("POST", "/api/v2/users", operator, {"name": name})["id"] for name in ("off", "gone")}

    def token(state: str, org: str | None = None, **members: str) -> str:
        everything = setup["auth"]["permissions"]
        wanted = {"orgID": org or house.ids["orgs"], "permissions": everything, **members}
        made = house.json("POST", "/api/v2/authorizations", operator, wanted)
        tokens[state] = made["token"]
        assert house.ask("GET", "/api/v2/buckets", made["token"]).status_code == 200
        return f"/api/v2/authorizations/{made['id']}"

    house.json("PATCH", token("inactive"), operator, {"status": "inactive"})
    house.json("POST", token("revoked") + "/revoke", operator)
    house.json("POST", token("regenerated") + "/regenerate", operator)
    assert house.ask("DELETE", token("deleted"), operator).status_code == 204
    token("expired", expiresAt=format_rfc3339(clock.now_ns() + SECOND))
    token("of an inactive user", userID=users["off"])
    token("of a deleted user", userID=users["gone"])
    token("of a deleted organization", other)
    house.json("PATCH", f"/api/v2/users/{users['off']}", operator, {"status": "inactive"})
    assert house.ask("DELETE", f"/api/v2/users/{users['gone']}", operator).status_code == 204
    assert house.ask("DELETE", f"/api/v2/orgs/{other}", operator).status_code == 204
    clock.advance(seconds=1)
    assert set(tokens) == set(REFUSALS)


def _methods(endpoint: Endpoint) -> tuple[str, ...]:
    return ("GET", "POST") if endpoint.method == ANY_METHOD else (endpoint.method,)


@pytest.mark.parametrize("state", REFUSALS)
def test_a_credential_that_has_ended_opens_nothing(street: Street, state: str) -> None:
    house = street.house
    status, message = REFUSALS[state]
    guarded = [one for one in house.application.router.endpoints if one.gate is not Gate.OPEN]
    assert {one.gate for one in guarded} == {Gate.V1, Gate.V2}
    for endpoint in guarded:
        expected = (401, "Unauthorized") if endpoint.gate is Gate.V1 else (status, message)
        for method in _methods(endpoint):
            response = house.ask(method, house.target(endpoint), street.tokens[state], {})
            answer = json.loads(bytes(response.body))
            assert (response.status_code, answer["message"]) == expected, (method, endpoint.path)


@pytest.mark.parametrize("state", REFUSALS)
def test_nor_does_it_find_out_which_paths_exist(street: Street, state: str) -> None:
    status, message = REFUSALS[state]
    for path in ("/api/v2/nope", "/api/v2/nope/deeper", "/private/nope"):
        response = street.house.ask("GET", path, street.tokens[state])
        assert (response.status_code, json.loads(bytes(response.body))["message"]) == (status, message)


# Paths that no endpoint has: unknown ones behind each gate and beside it, and those of the web page.
UNROUTED = (
    "/", "/index.html", "/orgs/0123456789abcdef/tokens", "/nope", "/api", "/api/nope", "/apiv2",
    "/api/v2/", "/api/v2/nope", "/api/v2nope", "/api/v2/authorizations/0123456789abcdef/nope", "/api/v2/setup/",
    "/api/v2/signin/nope", "/private", "/private/", "/private/nope", "/private/legacy/authorizations/a/b", "/v1",
    "/v1/nope", "/v1nope", "/query/", "/query/nope", "/write/", "/write/nope", "/ping/", "/ping/nope", "/health/nope",
    "/metrics/nope", "/debug", "/debug/nope", "/docs", "/docs/nope",
)  # fmt: skip


def _unrouted(street: Street) -> str:
    """Which gate is before each of them, and what is behind it."""
    return "".join(
        f"{method:6} {path}\n       {_gate_and_answer(street, method, path)}\n"
        for path in UNROUTED
        for method in ("GET", "POST")
    )


def _gate_and_answer(street: Street, method: str, path: str) -> str:
    house = street.house
    credentials = {"nobody": None, "wrong": "wrong", **street.tokens}
    refused = {name: _answer(house.ask(method, path, token)) for name, token in credentials.items()}
    passed = _answer(house.ask(method, path, house.operator))
    unknown = "401 unauthorized access"
    gates = {
        "open": dict.fromkeys(credentials, passed),
        "v2": {state: f"{status} {message}" for state, (status, message) in REFUSALS.items()}
        | dict.fromkeys(("nobody", "wrong"), unknown),
        "v1": dict.fromkeys(credentials, "401 Unauthorized") | {"nobody": unknown},
    }
    return f"{next(gate for gate, answers in gates.items() if answers == refused)}: {passed}"


def _answer(response: Response) -> str:
    kind = response.headers.get("content-type", "nothing").partition(";")[0]
    if kind == "application/json":
        return f"{response.status_code} {json.loads(bytes(response.body)).get('message', '')}"
    # Whether the page was built is not what this is about.
    return f"{response.status_code} {'the page' if response.status_code == 200 else kind}"


def test_the_needs_of_every_endpoint_are_the_reviewed_ones(street: Street) -> None:
    endpoints = sorted(street.house.application.router.endpoints, key=lambda one: (one.path, one.method))
    text = "".join(f"{one.method:6} {one.path}\n       {one.gate.value}: {one.needs}\n" for one in endpoints)
    text += f"\npaths without an endpoint\n\n{_unrouted(street)}"
    if os.environ.get("WRITE_ACCESS"):
        REVIEWED.write_text(text)
    assert text == REVIEWED.read_text(), "routes changed: write access.txt again and review the difference"


def test_every_file_of_the_page_is_the_same_for_everybody(street: Street) -> None:
    house = street.house
    folder = Path(fluxkeep.ui.__file__).parent / "dist"
    files = [f"/{file.relative_to(folder).as_posix()}" for file in folder.rglob("*") if file.is_file()]
    for path in ("/", *files):
        answers = [house.ask("GET", path, token) for token in (None, "wrong", *street.tokens.values(), house.operator)]
        assert len({(one.status_code, bytes(one.body)) for one in answers}) == 1, path
        assert not [one for one in answers if "set-cookie" in one.headers], path


@pytest.mark.parametrize(
    ("token", "warned"), [("short", True), ("a" * 40, True), ("Zk3-9fQvXw0LmT7sYb2RhJ5cUeGnPa8D", False)]
)
def test_a_weak_token_of_one_s_own_is_accepted_with_a_warning(tmp_path: Path, token: str, warned: bool) -> None:
    flags = {"bolt-path": str(tmp_path / "influxd.bolt"), "engine-path": str(tmp_path / "engine"), "log-level": "error"}
    loop = asyncio.new_event_loop()
    with contextlib.ExitStack() as stack:
        application = build(load(flags, {}, tmp_path), ManualClock(), stack)
        house = House(application, loop, {}, "", "")
        body = {"username": "root", "password": "root-password", "org": "home", "bucket": "home", "token": token}
        response = house.ask("POST", "/api/v2/setup", None, body)
        assert response.status_code == 201
        assert ("x-fluxkeep-warning" in response.headers) is warned
        assert token not in response.headers.get("x-fluxkeep-warning", "")
        loop.run_until_complete(application.stop())
    loop.close()
