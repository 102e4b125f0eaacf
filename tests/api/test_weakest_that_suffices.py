"""Every endpoint, tried with exactly the permissions that it says it needs, and with one of them missing.

`NEEDS` turns the words of `Endpoint.needs` into permissions. For each endpoint objects are made anew; a token with one
permission less must be refused, and then the token with all of them must do what an operator could.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response
from tests.api.incoming import Request

from fluxkeep.access.permissions import operator_permissions
from fluxkeep.api.app import Application
from fluxkeep.api.endpoint import Endpoint, Gate
from fluxkeep.api.routing import ANY_METHOD
from fluxkeep.clock import SystemClock
from fluxkeep.config.settings import load
from fluxkeep.server import build

# Needs in words, and the permissions that they mean: an action, a type, and then either `/` and the name of an object
# of the scene or `@org` for the organization. `object` is the one that the path names, of the family's type.
NEEDS: dict[str, tuple[str, ...]] = {
    "any credential": (),
    "write:orgs": ("write:orgs",),
    "write:users": ("write:users",),
    "write:authorizations@org, write:users/<owner>, every permission asked for": (
        "write:authorizations@org",
        "write:users/user",
        "read:tasks@org",
    ),
    "read:authorizations/<id>@org and read:users/<owner>, item by item": (
        "read:authorizations/object",
        "read:users/user",
    ),
    "read:authorizations/<id>@org, read:users/<owner>": ("read:authorizations/object", "read:users/user"),
    "write:authorizations/<id>@org, write:users/<owner>": ("write:authorizations/object", "write:users/user"),
    "read and write:authorizations/<id>@org, read and write:users/<owner>": (
        "read:authorizations/object",
        "write:authorizations/object",
        "read:users/user",
        "write:users/user",
    ),
    "read and write:authorizations/<id>@org, read and write:users/<owner>, every permission of the token": (
        "read:authorizations/object",
        "write:authorizations/object",
        "read:users/user",
        "write:users/user",
        "read:tasks@org",
    ),
    "write:users/<owner>": ("write:users/user",),
    "read:buckets/<id>, of a system bucket read:orgs/<org>, item by item": ("read:buckets/object",),
    "read:buckets/<id>, of a system bucket read:orgs/<org>": ("read:buckets/object",),
    "read:buckets/<its bucket>, item by item": ("read:buckets/buckets",),
    "read:buckets/<its bucket>": ("read:buckets/buckets",),
    "write:buckets/<its bucket>": ("write:buckets/buckets",),
    "read:buckets@org/bucket of each bucket read": ("read:buckets/buckets",),
    "read:buckets@org/bucket of each bucket read; write to delete": ("read:buckets/buckets",),
    "write:buckets@org/bucket": ("write:buckets/buckets",),
    "read on the object and the labels": ("read:FAMILY/object", "read:labels/labels"),
    "write on the object and the label": ("write:FAMILY/object", "write:labels/labels"),
    "read on the object and its organization": ("read:FAMILY/object", "read:orgs/orgs"),
    "write on the object": ("write:FAMILY/object",),
    "read:users/<own id>": ("read:users/me",),
    "read:orgs/<id> and read:secrets@org": ("read:orgs/orgs", "read:secrets@org"),
    "read:orgs/<id> and write:secrets@org": ("read:orgs/orgs", "write:secrets@org"),
    "operator permissions": tuple(str(one) for one in operator_permissions()),
}
# `<id>` and `@org` of the families that have nothing special: `read:labels/<id>, item by item`, `write:labels@org`.
PLAIN = re.compile(r"(read|write):(\w+)(/<id>|@org)(, item by item)?")

# A token is no session: what these need beside permissions is tried in `tests/credentials/test_signin_and_legacy.py`.
SESSIONS_ONLY = {"a session and the old password", "a session, write:users/<id> and the old password"}

DASHBOARD_VIEW = {"properties": {"type": "markdown", "shape": "chronograf-v2", "note": "n"}, "name": "v"}

# What to send, where an empty object would be refused before anybody looks at permissions.
BODIES: dict[str, Any] = {
    "POST /api/v2/authorizations": {"orgID": "$orgs", "userID": "$user", "permissions": "$asked"},
    "POST /private/legacy/authorizations": {
        "orgID": "$orgs",
        "userID": "$user",
        "permissions": "$asked",
        "token": "$new",
    },
    "PATCH /api/v2/authorizations/{id}": {"status": "inactive"},
    "PATCH /private/legacy/authorizations/{id}": {"status": "inactive"},
    "POST /private/legacy/authorizations/{id}/password": {"password": "long-enough-1"},
    "POST /api/v2/buckets": {"orgID": "$orgs", "name": "$new"},
    "POST /api/v2/dashboards": {"orgID": "$orgs", "name": "$new"},
    "PATCH /api/v2/dashboards/{id}": {"name": "$new"},
    "POST /api/v2/dashboards/{id}/cells": {"x": 0, "y": 0, "w": 1, "h": 1},
    "PUT /api/v2/dashboards/{id}/cells": [{"id": "$cells", "x": 1, "y": 1, "w": 2, "h": 2}],
    "PATCH /api/v2/dashboards/{id}/cells/{cellID}": {"x": 3},
    "PATCH /api/v2/dashboards/{id}/cells/{cellID}/view": DASHBOARD_VIEW,
    "POST /api/v2/dbrps": {
        "orgID": "$orgs",
        "bucketID": "$buckets",
        "database": "$new",
        "retention_policy": "r",
        "default": True,
    },
    "PATCH /api/v2/dbrps/{id}": {"retention_policy": "s"},
    "POST /api/v2/delete": {"start": "2000-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z"},
    "POST /api/v2/labels": {"orgID": "$orgs", "name": "$new"},
    "PATCH /api/v2/labels/{id}": {"name": "$new"},
    "POST /api/v2/orgs": {"name": "$new"},
    "PATCH /api/v2/orgs/{id}": {"description": "d"},
    "PATCH /api/v2/orgs/{id}/secrets": {"key": "value"},
    "POST /api/v2/orgs/{id}/secrets/delete": {"secrets": ["planted"]},
    "POST /api/v2/telegrafs": {"orgID": "$orgs", "name": "$new", "config": "[agent]"},
    "PUT /api/v2/telegrafs/{id}": {"name": "$new", "config": "[agent]"},
    "POST /api/v2/users": {"name": "$new"},
    "PATCH /api/v2/users/{id}": {"name": "$new"},
    "POST /api/v2/users/{id}/password": {"password": "long-enough-1"},
    "POST /api/v2/variables": "$new variable",
    "PATCH /api/v2/variables/{id}": {"name": "$new"},
    "PUT /api/v2/variables/{id}": "$variable",
    "PATCH /api/v2/buckets/{id}": {"description": "d"},
    "POST /api/v2/query": {"query": "$flux", "type": "flux"},
    "POST /api/v2/query/ast": {"query": "1"},
    "POST /api/v2/query/analyze": {"query": "1", "type": "flux"},
    "POST /api/v2/write": b"m v=1",
    "POST /write": b"m v=1",
}
BODIES |= {
    f"POST /api/v2/{family}/{{id}}/{role}": {"id": "$user"}
    for family in ("buckets", "dashboards", "orgs", "telegrafs")
    for role in ("members", "owners")
}
BODIES |= {
    f"POST /api/v2/{family}/{{id}}/labels": {"labelID": "$labels"}
    for family in ("buckets", "dashboards", "telegrafs", "variables")
}

# Where an operator that sends nothing useful is told so; a caller of less is refused before that.
TOLD = {
    "GET /api/v2/backup/shards/{shard}": 404,
    "POST /api/v2/restore/kv": 400,
    "POST /api/v2/restore/bucketMetadata": 400,
    "POST /api/v2/restore/bucket-metadata": 400,
    "POST /api/v2/restore/shards/{shard}": 400,
}

# Path parameters that name nothing of the scene.
STANDARD = {"shard": "1", "name": "count", "key": "planted"}


@dataclass
class House:
    """The whole server in this process."""

    application: Application
    loop: asyncio.AbstractEventLoop
    operator: str = ""
    user: str = ""
    asked: int = 0
    scenes: int = 0
    almost_operators: list[str] = field(default_factory=list)

    def ask(self, method: str, target: str, token: str, body: object = None) -> Response:
        path, _, query = target.partition("?")
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {"content-length": str(len(content)), "authorization": f"Token {token}"}
        self.asked += 1
        client = f"10.{self.asked >> 16}.{self.asked >> 8 & 255}.{self.asked & 255}"
        return self.loop.run_until_complete(
            self.application.respond(Request(method, path, headers, query, content, client=client))
        )

    def made(self, method: str, target: str, body: object = None) -> Any:
        response = self.ask(method, target, self.operator, body)
        assert response.status_code < 300, (target, bytes(response.body))
        return json.loads(bytes(response.body) or b"null")

    def token(self, org: str, permissions: list[dict[str, Any]]) -> str:
        wanted = {"orgID": org, "permissions": permissions}
        token: str = self.made("POST", "/api/v2/authorizations", wanted)["token"]
        return token


@dataclass
class Scene:
    """An organization of one endpoint's own, with one object of every kind."""

    house: House
    name: str
    ids: dict[str, str]

    @classmethod
    def make(cls, house: House, endpoint: Endpoint) -> Scene:
        house.scenes += 1
        name = f"scene{house.scenes}"
        org = house.made("POST", "/api/v2/orgs", {"name": name})["id"]
        bucket = house.made("POST", "/api/v2/buckets", {"orgID": org, "name": name})["id"]
        user = house.made("POST", "/api/v2/users", {"name": name})["id"]
        label = house.made("POST", "/api/v2/labels", {"orgID": org, "name": name})["label"]["id"]
        scene = cls(
            house,
            name,
            {"orgs": org, "buckets": bucket, "user": user, "users": user, "labels": label, "me": house.user},
        )
        made, asked = scene.ids, scene.filled("$asked")
        family = _family(endpoint)
        if family == "dashboards":
            made[family] = house.made("POST", "/api/v2/dashboards", {"orgID": org, "name": name})["id"]
            made["cells"] = house.made(
                "POST", f"/api/v2/dashboards/{made[family]}/cells", {"x": 0, "y": 0, "w": 1, "h": 1}
            )["id"]
        elif family in ("telegrafs", "variables"):
            create = f"POST /api/v2/{family}"
            made[family] = house.made(
                "POST", f"/api/v2/{family}", scene.filled("$variable" if family == "variables" else BODIES[create])
            )["id"]
        elif family == "dbrps":
            body = scene.filled(BODIES["POST /api/v2/dbrps"])
            made[family] = house.made("POST", "/api/v2/dbrps", {**body, "database": name})["id"]
        elif family == "authorizations":
            wanted = {"orgID": org, "userID": user, "permissions": asked, "token": name}
            path = endpoint.path.partition("/{")[0]
            made[family] = house.made("POST", path, wanted)["id"]
        elif endpoint.path.startswith("/api/v2/orgs/{id}/secrets"):
            house.ask("PATCH", f"/api/v2/orgs/{org}/secrets", house.operator, {"planted": "x"})
        if family in made:
            made["object"] = made[family]
            parent = f"/api/v2/{family}/{made[family]}"
            if "{userID}" in endpoint.path or (
                endpoint.path.endswith(("/members", "/owners")) and endpoint.method == "GET"
            ):
                role = "owners" if "/owners" in endpoint.path else "members"
                house.made("POST", f"{parent}/{role}", {"id": user})
            if "{labelID}" in endpoint.path or (
                endpoint.path.endswith("/labels") and "{id}" in endpoint.path and endpoint.method == "GET"
            ):
                house.made("POST", f"{parent}/labels", {"labelID": label})
        return scene

    def permission(self, text: str, family: str) -> dict[str, Any]:
        """A permission as a request spells it."""
        action, _, rest = text.replace("FAMILY", family).partition(":")
        kind, _, one = rest.partition("/")
        if one:
            return {"action": action, "resource": {"type": kind, "id": self.ids[one], "orgID": self.ids["orgs"]}}
        kind, _, org = kind.partition("@")
        return {"action": action, "resource": {"type": kind, **({"orgID": self.ids["orgs"]} if org else {})}}

    def filled(self, body: Any) -> Any:
        """A body with the names of objects replaced."""
        if isinstance(body, dict):
            return {name: self.filled(value) for name, value in body.items()}
        if isinstance(body, list):
            return [self.filled(one) for one in body]
        if not isinstance(body, str) or not body.startswith("$"):
            return body
        values = {"type": "constant", "values": ["a"]}
        variable = {"orgID": self.ids["orgs"], "name": self.name, "arguments": values}
        special = {
            "$asked": [{"action": "read", "resource": {"type": "tasks", "orgID": self.ids["orgs"]}}],
            "$new": f"new {self.name}",
            "$flux": f'from(bucket: "{self.name}") |> range(start: 0)',
            "$variable": variable,
            "$new variable": {**variable, "name": f"new {self.name}"},
        }
        return special[body] if body in special else self.ids[body[1:]]

    def target(self, endpoint: Endpoint) -> str:
        names = {"id": "object", "userID": "user", "labelID": "labels", "cellID": "cells"}
        path = re.sub(
            r"\{(\w+)\}",
            lambda found: self.ids[names[found[1]]] if found[1] in names else STANDARD[found[1]],
            endpoint.path,
        )
        words = f"bucket={self.name}&db={self.name}&q=SHOW+DATABASES&name={self.name}"
        # A name of an organization where one is asked for, else none: lists would be narrowed by it.
        if endpoint.path.endswith(("/write", "/query", "/delete", "/dbrps", "/dbrps/{id}")):
            return f"{path}?org={self.name}&{words}"
        return path if "{" in endpoint.path else f"{path}?orgID={self.ids['orgs']}&limit=100"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("weakest")
    flags = {"bolt-path": str(folder / "influxd.bolt"), "engine-path": str(folder / "engine"), "log-level": "error"}
    loop = asyncio.new_event_loop()
    with contextlib.ExitStack() as stack:
        made = House(build(load(flags, {}, folder), SystemClock(), stack), loop)
        body = {"username": "root", "password": "root-password", "org": "home", "bucket": "home"}
        setup = json.loads(bytes(made.ask("POST", "/api/v2/setup", "none", body).body))
        made.operator, made.user = setup["auth"]["token"], setup["user"]["id"]
        yield made
        loop.run_until_complete(made.application.stop())
    loop.close()


def _family(endpoint: Endpoint) -> str:
    parts = endpoint.path.split("/")
    return parts[3] if len(parts) > 3 else ""


def _needed(endpoint: Endpoint) -> tuple[str, ...]:
    """The permissions of an endpoint's needs.

    Raises:
        KeyError: Its words are not in the table.
    """
    plain = PLAIN.fullmatch(endpoint.needs)
    if plain is None:
        return NEEDS[endpoint.needs]
    action, kind, scope, _ = plain.groups()
    return (f"{action}:{kind}{'/object' if scope == '/<id>' else scope}",)


def _passes(scene: Scene, endpoint: Endpoint, response: Response) -> bool:
    """Whether an answer is one that the permissions let through: what may not be seen is not there, or not listed."""
    told = TOLD.get(f"{endpoint.method} {endpoint.path}")
    if told is not None:
        return response.status_code == told
    if response.status_code >= 300:
        return False
    if endpoint.needs.endswith("item by item"):
        return scene.ids["object"].encode() in _text(response)
    if endpoint.path.endswith("/{id}/labels") and endpoint.method == "GET":
        return scene.ids["labels"].encode() in _text(response)
    if endpoint.path == "/query":
        return scene.name.encode() in _text(response)
    return True


def _text(response: Response) -> bytes:
    return bytes(response.body)


def _short_of_one(house: House, scene: Scene, held: list[dict[str, Any]]) -> list[str]:
    """Tokens that hold all but one, each another one; and something that has nothing to do with it."""

    def tokens() -> list[str]:
        other = {"action": "read", "resource": {"type": "sources", "orgID": scene.ids["orgs"]}}
        return [house.token(scene.ids["orgs"], [other, *(one for one in held if one is not gone)]) for gone in held]

    if len(held) < len(operator_permissions()):
        return tokens()
    # The same for all endpoints, and many.
    house.almost_operators = house.almost_operators or tokens()
    return house.almost_operators


@pytest.mark.slow
def test_one_permission_less_is_refused_and_all_of_them_suffice(house: House) -> None:
    wrong: list[tuple[str, str, int, bytes]] = []
    tried = 0
    for endpoint in house.application.router.endpoints:
        if endpoint.gate is Gate.OPEN or endpoint.needs in SESSIONS_ONLY:
            continue
        name = f"{endpoint.method} {endpoint.path}"
        assert PLAIN.fullmatch(endpoint.needs) or endpoint.needs in NEEDS, f"{name}: say in NEEDS what its needs mean"
        scene = Scene.make(house, endpoint)
        family = _family(endpoint)
        held: list[dict[str, Any]] = []
        for one in (scene.permission(text, family) for text in _needed(endpoint)):
            if one not in held:
                held.append(one)
        method = "GET" if endpoint.method == ANY_METHOD else endpoint.method
        target, body = scene.target(endpoint), scene.filled(BODIES.get(name))
        for token in _short_of_one(house, scene, held):
            response = house.ask(method, target, token, body)
            if response.status_code >= 500 or _passes(scene, endpoint, response):
                wrong.append(("one less passes", name, response.status_code, _text(response)))
        exact = house.token(scene.ids["orgs"], held or [scene.permission("read:sources@org", "")])
        response = house.ask(method, target, exact, body)
        if not _passes(scene, endpoint, response):
            wrong.append(("all are refused", name, response.status_code, _text(response)))
        tried += 1
    assert wrong == []
    assert tried > 120


def test_the_table_says_nothing_that_no_endpoint_needs(house: House) -> None:
    endpoints = house.application.router.endpoints
    assert set(NEEDS) | SESSIONS_ONLY <= {endpoint.needs for endpoint in endpoints}
    assert set(BODIES) | set(TOLD) <= {f"{endpoint.method} {endpoint.path}" for endpoint in endpoints}
