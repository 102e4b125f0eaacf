"""Every endpoint of the house, tried with no credential, a wrong one and a weak one.

The house is built whole, in this process, and the endpoints are taken from its
router, so that one that is added is tried without being listed here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response
from tests.api.incoming import Request

from fluxkeep.access.permissions import Permission, all_access_permissions
from fluxkeep.api.app import Application
from fluxkeep.api.endpoint import Endpoint, Gate
from fluxkeep.api.routing import ANY_METHOD
from fluxkeep.clock import SystemClock
from fluxkeep.config.settings import load
from fluxkeep.ids import OrgID, UserID
from fluxkeep.server import build

# Words that stand for what a stranger must not learn.
USER, ORG, BUCKET = "planted-user", "planted-org", "planted-bucket"
PLANTED = (USER, ORG, BUCKET)


@dataclass
class House:
    application: Application
    loop: asyncio.AbstractEventLoop
    ids: dict[str, str]
    operator: str
    weak: str
    foreign: str = ""
    asked: int = 0

    def ask(self, method: str, target: str, token: str | None = None, body: object = None) -> Response:
        path, _, query = target.partition("?")
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"content-length": str(len(content))}
        if token is not None:
            headers["authorization"] = f"Token {token}"
        # An address of its own for each request, or the throttle answers before the gate does.
        self.asked += 1
        request = Request(method, path, headers, query, content, client=f"10.0.{self.asked >> 8}.{self.asked & 255}")
        return self.loop.run_until_complete(self.application.respond(request))

    def json(self, method: str, target: str, token: str, body: object = None) -> Any:
        response = self.ask(method, target, token, body)
        assert response.status_code < 300, bytes(response.body)
        return json.loads(bytes(response.body))

    def target(self, endpoint: Endpoint) -> str:
        """The endpoint's path with ids that exist, and the parameters that most families read."""
        family = endpoint.path.split("/")[3] if endpoint.path.count("/") > 2 else ""
        by_name = {"id": self.ids.get(family, self.ids["buckets"]), "userID": self.ids["users"]}
        path = re.sub(r"\{(\w+)\}", lambda found: by_name.get(found[1], self.ids["buckets"]), endpoint.path)
        return f"{path}?org={ORG}&bucket={BUCKET}&db={BUCKET}&q=SHOW+MEASUREMENTS"

    def state(self) -> str:
        """What the operator sees of everything that a request could change."""
        paths = ("orgs", "users", "buckets?limit=100", "authorizations", "labels", f"dbrps?org={ORG}")
        seen = [self.ask("GET", f"/api/v2/{path}", self.operator) for path in paths]
        return "\n".join(re.sub(r'"(lastUsedAt|updatedAt)":"[^"]*"', "", bytes(one.body).decode()) for one in seen)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("house")
    flags = {"bolt-path": str(folder / "influxd.bolt"), "engine-path": str(folder / "engine"), "log-level": "error"}
    loop = asyncio.new_event_loop()
    with contextlib.ExitStack() as stack:
        application = build(load(flags, {}, folder), SystemClock(), stack)
        made = House(application, loop, {}, "", "")
        body = {"username": USER, "password": "planted-password", "org": ORG, "bucket": BUCKET}
        setup = json.loads(bytes(made.ask("POST", "/api/v2/setup", None, body).body))
        made.operator = setup["auth"]["token"]
        org, user = setup["org"]["id"], setup["user"]["id"]
        made.ids = {
            "orgs": org,
            "users": user,
            "buckets": setup["bucket"]["id"],
            "authorizations": setup["auth"]["id"],
            "labels": made.json("POST", "/api/v2/labels", made.operator, {"orgID": org, "name": ORG})["label"]["id"],
        }
        stranger = made.json("POST", "/api/v2/users", made.operator, {"name": "stranger"})["id"]
        other = made.json("POST", "/api/v2/orgs", made.operator, {"name": "elsewhere"})["id"]
        weak = {
            "orgID": other,
            "userID": stranger,
            "permissions": [{"action": "read", "resource": {"type": "telegrafs", "orgID": other}}],
        }
        foreign = [
            {"action": one.action.value, "resource": {"type": one.type.value, **_scope(one)}}
            for one in all_access_permissions(OrgID(other), UserID(stranger))
        ]
        foreign_token = {"orgID": other, "userID": stranger, "permissions": foreign}
        made.foreign = made.json("POST", "/api/v2/authorizations", made.operator, foreign_token)["token"]
        made.weak = made.json("POST", "/api/v2/authorizations", made.operator, weak)["token"]
        yield made
        loop.run_until_complete(application.stop())
    loop.close()


def _guarded(house: House) -> list[Endpoint]:
    return [one for one in house.application.router.endpoints if one.gate is not Gate.OPEN]


def _methods(endpoint: Endpoint) -> tuple[str, ...]:
    return ("GET", "POST") if endpoint.method == ANY_METHOD else (endpoint.method,)


def test_nothing_is_answered_to_nobody(house: House) -> None:
    guarded = _guarded(house)
    assert len(guarded) > 40
    for endpoint in guarded:
        for method in _methods(endpoint):
            for token in (None, "wrong", "", "$influxdb2-sha256$abc"):
                response = house.ask(method, house.target(endpoint), token)
                message = json.loads(bytes(response.body))
                assert response.status_code == 401, (method, endpoint.path, token)
                assert message["code"] == "unauthorized"
                assert message["message"] in ("unauthorized access", "Unauthorized")
                assert set(message) == {"code", "message"}


def _scope(permission: Permission) -> dict[str, str]:
    return {name: str(value) for name, value in (("orgID", permission.org_id), ("id", permission.id)) if value}


@pytest.mark.parametrize("whose", ["weak", "foreign"])
def test_a_token_without_the_right_changes_nothing_and_learns_nothing(house: House, whose: str) -> None:
    """A weak one, and one that may do everything in another organization."""
    token = house.weak if whose == "weak" else house.foreign
    before = house.state()
    much = {"name": "taken", "orgID": house.ids["orgs"], "status": "inactive", "password": "x" * 9}
    assert all(word in before for word in PLANTED)
    for endpoint in _guarded(house):
        for method in _methods(endpoint):
            for body in (None, {}, much):
                response = house.ask(method, house.target(endpoint), token, body)
                text = bytes(response.body).decode("utf-8", "replace")
                where = (method, endpoint.path, response.status_code, text[:200])
                assert response.status_code < 500 or response.status_code == 501, where
                # The request's own words may be repeated in a refusal; nothing else may be.
                if response.status_code < 400:
                    assert not [word for word in PLANTED if f'"{word}"' in text], where
    assert house.state() == before


def test_the_open_ones_are_these(house: House) -> None:
    found = {f"{one.method} {one.path}" for one in house.application.router.endpoints if one.gate is Gate.OPEN}
    assert found == {
        "* /debug/pprof",
        "* /debug/pprof/{profile}",
        "* /health",
        "* /metrics",
        "* /ping",
        "* /ready",
        "GET /api/v2",
        "GET /api/v2/setup",
        "GET /api/v2/swagger.json",
        "POST /api/v2/setup",
        "POST /api/v2/signin",
        "POST /api/v2/signout",
    }


def test_every_endpoint_says_what_it_needs(house: House) -> None:
    assert [one.path for one in house.application.router.endpoints if not one.needs] == []


def test_the_contract_lists_every_endpoint(house: House) -> None:
    contract = json.loads(bytes(house.ask("GET", "/api/v2/swagger.json").body))
    assert set(contract["paths"]) == {one.path for one in house.application.router.endpoints}
