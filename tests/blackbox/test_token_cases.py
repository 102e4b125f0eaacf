"""The acceptance cases 1 to 77 of the specification of tokens, numbered as there, against the installed server.

Where §8 of the specification has a better answer, it is the one expected.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.blackbox.process import Answer, Server, bucket_permission

pytestmark = pytest.mark.slow

OP = "case-operator-token-0123456789-abcdefghij"
PASSWORD = "case-password"
PHC = "$influxdb2-sha256$u3TdAwT4OwTb_bZ21lE0UJmOZbh9X3iYjQJAiES8j5Q="
SPEC_TOKEN = "my-super-secret-auth-token"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJvcGVyYXRvciJ9.c2lnbmF0dXJl"
TOKENS = "/api/v2/authorizations"
LEGACY = "/private/legacy/authorizations"
TYPES = (
    "authorizations",
    "buckets",
    "dashboards",
    "orgs",
    "sources",
    "tasks",
    "telegrafs",
    "users",
    "variables",
    "scrapers",
    "secrets",
    "labels",
    "views",
    "documents",
    "notificationRules",
    "notificationEndpoints",
    "checks",
    "dbrp",
    "notebooks",
    "annotations",
    "remotes",
    "replications",
)


def permission(action: str, kind: str, **scope: str) -> dict[str, Any]:
    return {"action": action, "resource": {"type": kind, **scope}}


def operator_set() -> list[dict[str, Any]]:
    return [permission(action, kind) for kind in TYPES for action in ("read", "write")]


def all_access_set(org: str, user: str) -> list[dict[str, Any]]:
    held = [permission("read", "orgs", id=org)]
    held += [permission(action, "users", id=user) for action in ("read", "write")]
    others = [kind for kind in TYPES if kind not in ("orgs", "users")]
    return held + [permission(action, kind, orgID=org) for kind in others for action in ("read", "write")]


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def says(answer: Answer, status: int, message: str, code: str | None = None) -> None:
    assert (answer.status, answer.json["message"]) == (status, message)
    assert answer.headers["x-platform-error-code"] == answer.json["code"]
    if code is not None:
        assert answer.json["code"] == code


def unauthorized(answer: Answer, wanted: str) -> None:
    says(answer, 401, f"{wanted} is unauthorized", "unauthorized")


@dataclass
class Fixtures:
    """The fixtures of the specification."""

    server: Server
    org: str
    user: str
    bucket: str
    org2: str
    user2: str
    aa: str
    rw: str

    def ask(self, method: str, path: str, token: str | None = OP, body: Any = None, **headers: str) -> Answer:
        return self.server.ask(method, path, token, body, headers)

    def create(self, token: str | None = OP, **members: Any) -> Answer:
        wanted: dict[str, Any] = {"orgID": self.org, "permissions": [permission("read", "buckets", orgID=self.org)]}
        wanted |= members
        return self.ask("POST", TOKENS, token, {name: value for name, value in wanted.items() if value is not ...})

    def made(self, token: str | None = OP, **members: Any) -> dict[str, Any]:
        answer = self.create(token, **members)
        assert answer.status == 201, answer.text
        made: dict[str, Any] = answer.json
        return made

    def listed(self, query: str = "", token: str = OP) -> list[dict[str, Any]]:
        answer = self.ask("GET", TOKENS + query, token)
        assert answer.status == 200, answer.text
        found: list[dict[str, Any]] = answer.json["authorizations"]
        return found

    def status_of(self, token: str) -> int:
        return self.ask("GET", f"/api/v2/buckets?orgID={self.org}", token).status

    def cookie(self, user: str = "admin", password: str = PASSWORD) -> str:
        answer = self.server.ask("POST", "/api/v2/signin", headers=basic(user, password))
        assert answer.status == 204, answer.text
        return answer.headers["set-cookie"].partition(";")[0]


def set_up(server: Server, **members: Any) -> Answer:
    wanted: dict[str, Any] = {
        "username": "admin",
        "password": PASSWORD,
        "org": "example-org",
        "bucket": "metrics",
        "token": OP,
    }
    wanted |= members
    return server.ask("POST", "/api/v2/setup", body={name: one for name, one in wanted.items() if one is not ...})


def fixtures(server: Server) -> Fixtures:
    made = set_up(server).json
    org, user, bucket = made["org"]["id"], made["user"]["id"], made["bucket"]["id"]
    org2 = server.ask("POST", "/api/v2/orgs", OP, {"name": "org2"}).json["id"]
    user2 = server.ask("POST", "/api/v2/users", OP, {"name": "user2"}).json["id"]
    aa = server.token(OP, org, *all_access_set(org, user))["token"]
    rw = server.token(OP, org, bucket_permission("write", org, bucket))["token"]
    return Fixtures(server, org, user, bucket, org2, user2, aa, rw)


@pytest.fixture(scope="module")
def f(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fixtures]:
    server = Server(tmp_path_factory.mktemp("cases") / "data")
    server.start()
    try:
        yield fixtures(server)
    finally:
        server.kill()


# --- 7.1 Setup ----------------------------------------------------------------------------------------------------


def test_cases_1_to_8_setup(server: Server, tmp_path: Path) -> None:
    assert server.ask("GET", "/api/v2/setup").json == {"allowed": True}  # 1
    says(
        set_up(server, username=..., org=..., bucket=...),
        422,
        "onboarding failed: missing required fields [username,org,bucket]",
    )  # 6
    says(set_up(server, org=..., bucket=...), 422, "onboarding failed: missing required fields [org,bucket]")
    says(set_up(server, password="short"), 400, "passwords must be between 8 and 72 characters long", "invalid")  # 7
    assert server.ask("GET", "/api/v2/setup").json == {"allowed": True}
    answer = set_up(server, token=..., password=...)
    assert answer.status == 201
    auth = answer.json["auth"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{86}==", auth["token"])  # 2
    assert len(auth["permissions"]) == 44
    assert all(set(one["resource"]) == {"type"} for one in auth["permissions"])
    assert "instance" not in {one["resource"]["type"] for one in auth["permissions"]}
    assert auth["description"] == "admin's Token"  # 3
    assert auth["status"] == "active"
    assert auth["links"]["self"] == f"{TOKENS}/{auth['id']}"
    assert "hashedToken" not in auth  # W5
    assert server.ask("GET", "/api/v2/setup").json == {"allowed": False}  # 5
    says(set_up(server), 422, "onboarding has already been completed", "conflict")
    says(server.ask("POST", "/api/v2/signin", headers=basic("admin", "")), 401, "unauthorized access")  # 8
    chosen = Server(tmp_path / "chosen")
    try:
        chosen.start()
        assert set_up(chosen, token=SPEC_TOKEN).json["auth"]["token"] == SPEC_TOKEN  # 4
        assert chosen.ask("GET", "/api/v2/me", SPEC_TOKEN).status == 200
    finally:
        chosen.kill()


# --- 7.2 Create ---------------------------------------------------------------------------------------------------


def test_case_9_what_creation_answers(f: Fixtures) -> None:
    made = f.made(permissions=[bucket_permission("write", f.org, f.bucket)])
    assert len(made["token"]) == 88
    assert (made["org"], made["user"]) == ("example-org", "admin")
    assert made["permissions"][0]["resource"] == {
        "type": "buckets",
        "id": f.bucket,
        "orgID": f.org,
        "name": "metrics",
        "org": "example-org",
    }
    assert made["createdAt"] == made["updatedAt"]


def test_case_10_a_token_cannot_be_chosen(f: Fixtures) -> None:
    answer = f.ask(
        "POST", TOKENS, OP, {"orgID": f.org, "token": "mine", "permissions": [permission("read", "buckets")]}
    )
    assert answer.status == 201
    assert answer.json["token"] != "mine"


def test_case_11_what_is_missing(f: Fixtures) -> None:
    says(f.create(permissions=[]), 400, "authorization must include permissions")
    says(f.create(orgID=...), 400, "org id required: invalid ID")
    says(f.create(orgID=..., permissions=[]), 400, "authorization must include permissions")


def test_case_12_unknown_words(f: Fixtures) -> None:
    says(
        f.create(permissions=[permission("read", "bogus")]),
        400,
        "invalid resource type for permission: unknown resource type for permission",
    )
    says(
        f.create(permissions=[permission("delete", "buckets")]),
        400,
        "invalid action type for permission: unknown action for permission",
    )


def test_case_13_status(f: Fixtures) -> None:
    says(f.create(status="paused"), 400, "invalid status: must be active or inactive")
    made = f.made(status="inactive")
    says(f.ask("GET", "/api/v2/me", made["token"]), 401, "token is inactive")


def test_case_14_bodies_that_are_none(f: Fixtures) -> None:
    says(f.ask("POST", TOKENS, OP, ""), 400, "invalid json structure: EOF")
    says(f.create(orgID=""), 400, "invalid json structure: id must have a length of 16 bytes")


def test_cases_15_to_18_who_may_create(f: Fixtures) -> None:
    unauthorized(f.create(f.rw), f"write:orgs/{f.org}/authorizations")  # 15
    unauthorized(f.create(f.aa, userID=f.user2), f"write:users/{f.user2}")  # 16
    says(  # 17
        f.create(f.aa, permissions=[permission("read", "buckets")]),
        403,
        "permission read:buckets is not allowed: read:buckets is unauthorized",
        "forbidden",
    )
    f.made(f.aa)  # 18


def test_cases_19_to_20_organizations_and_users(f: Fixtures) -> None:
    says(  # 19
        f.create(permissions=[permission("read", "buckets", orgID=f.org2)]),
        400,
        f"permission read:orgs/{f.org2}/buckets is not for org id {f.org}",
    )
    nowhere = "00000000000000aa"
    says(f.create(orgID=nowhere, permissions=[permission("read", "buckets")]), 400, "unable to create token")  # 20
    says(f.create(userID=nowhere), 400, "unable to create token")


def test_case_21_the_instance_type(f: Fixtures) -> None:
    wanted = [permission("read", "instance")]
    says(f.create(permissions=wanted), 403, "permission read:instance is not allowed: read:instance is unauthorized")
    answer = f.ask("POST", TOKENS, None, {"orgID": f.org, "permissions": wanted}, Cookie=f.cookie())
    assert answer.status == 403  # W15
    assert "it is only used during setup" in answer.json["message"]


def test_case_22_operator_tokens(f: Fixtures) -> None:
    made = f.made(permissions=operator_set())
    assert f.ask("GET", "/api/v2/config", made["token"]).status == 200
    assert f.create(f.aa, permissions=operator_set()).status == 403


def test_case_23_for_another_user(f: Fixtures) -> None:
    made = f.made(userID=f.user2)
    assert (made["userID"], made["user"]) == (f.user2, "user2")


# --- 7.3 Read, list, visibility -------------------------------------------------------------------------------------


def test_cases_24_to_25_everything_without_secrets(f: Fixtures) -> None:
    f.made(orgID=f.org2, permissions=[permission("read", "buckets", orgID=f.org2)])
    found = f.listed()
    ids = [one["id"] for one in found]
    assert ids == sorted(ids)
    assert {one["orgID"] for one in found} == {f.org, f.org2}
    assert {one["token"] for one in found} == {""}
    assert not any("hashedToken" in one for one in found)
    one = f.ask("GET", f"{TOKENS}/{ids[0]}").json
    assert one["token"] == ""
    assert "hashedToken" not in one


def test_cases_27_to_30_filters(f: Fixtures) -> None:
    f.made(userID=f.user2)
    f.made(orgID=f.org2, permissions=[permission("read", "buckets", orgID=f.org2)])
    assert {one["userID"] for one in f.listed(f"?userID={f.user2}")} == {f.user2}  # 27
    assert f.listed("?user=user2") == f.listed(f"?userID={f.user2}")
    assert {one["orgID"] for one in f.listed(f"?orgID={f.org2}")} == {f.org2}
    assert f.listed("?org=org2") == f.listed(f"?orgID={f.org2}")
    both = f.listed(f"?userID={f.user}&orgID={f.org2}")
    assert {(one["userID"], one["orgID"]) for one in both} == {(f.user, f.org2)}
    says(f.ask("GET", TOKENS + "?user=nobody"), 404, "user not found")  # 28
    says(f.ask("GET", TOKENS + "?org=nobody"), 404, 'organization name "nobody" not found')
    says(f.ask("GET", TOKENS + "?userID=xyz"), 400, "id must have a length of 16 bytes")
    hidden = both[0]["id"]
    assert [one["id"] for one in f.listed(f"?id={hidden}")] == [hidden]  # 29
    says(f.ask("GET", TOKENS + "?id=00000000000000aa"), 404, "authorization not found")
    assert f.listed(f"?id={hidden}", f.aa) == []
    assert f.listed("?limit=1&token=x&offset=2&descending=true") == f.listed()  # 30


def test_case_26_without_hashing_the_list_shows_secrets(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", ["--use-hashed-tokens=false"])
    try:
        server.start()
        plain = fixtures(server)
        assert {OP, plain.aa, plain.rw} == {one["token"] for one in plain.listed()}
    finally:
        server.kill()


def test_cases_31_to_34_visibility(f: Fixtures) -> None:
    theirs = f.made(userID=f.user2)["id"]
    abroad = f.made(orgID=f.org2, permissions=[permission("read", "buckets", orgID=f.org2)])["id"]
    assert {(one["userID"], one["orgID"]) for one in f.listed(token=f.aa)} == {(f.user, f.org)}  # 31
    assert f.ask("GET", TOKENS, f.rw).json == {"links": {"self": TOKENS}, "authorizations": []}  # 32
    unauthorized(f.ask("GET", f"{TOKENS}/{theirs}", f.aa), f"read:users/{f.user2}")  # 33
    unauthorized(f.ask("GET", f"{TOKENS}/{abroad}", f.aa), f"read:orgs/{f.org2}/authorizations/{abroad}")
    says(f.ask("GET", f"{TOKENS}/0000000000000001"), 404, "authorization not found")  # 34
    says(f.ask("GET", f"{TOKENS}/zzz"), 400, "id must have a length of 16 bytes")
    says(f.ask("GET", f"{TOKENS}/zzzzzzzzzzzzzzzz"), 400, "invalid ID")


# --- 7.4 Update, delete, status ---------------------------------------------------------------------------------------


def test_case_35_description(f: Fixtures) -> None:
    made = f.made()
    answer = f.ask("PATCH", f"{TOKENS}/{made['id']}", OP, {"description": "new"})
    assert answer.status == 200
    assert (answer.json["description"], answer.json["token"]) == ("new", "")
    assert answer.json["updatedAt"] > made["updatedAt"]
    assert answer.json["permissions"] == made["permissions"]


def test_cases_36_and_37_inactive_and_active_again(f: Fixtures) -> None:
    made = f.made(permissions=[*all_access_set(f.org, f.user)])
    path = f"{TOKENS}/{made['id']}"
    assert f.ask("GET", "/api/v2/me", made["token"]).status == 200
    assert f.ask("PATCH", path, OP, {"status": "inactive"}).json["status"] == "inactive"
    for method, where, body in (
        ("GET", "/api/v2/me", None),
        ("GET", "/api/v2/buckets", None),
        ("POST", "/api/v2/write?org=example-org&bucket=metrics", "m v=1"),
    ):
        refused = f.ask(method, where, made["token"], body)
        says(refused, 401, "token is inactive")  # W11
        assert refused.headers["x-fluxkeep-reason"] == "inactive-token"  # W12
    says(f.ask("GET", "/query?db=metrics&q=SHOW+DATABASES", made["token"]), 401, "Unauthorized")
    assert f.ask("PATCH", path, OP, {"status": "active"}).status == 200
    assert f.ask("GET", "/api/v2/me", made["token"]).status == 200


def test_cases_38_and_39_what_patch_refuses_and_ignores(f: Fixtures) -> None:
    made = f.made()
    path = f"{TOKENS}/{made['id']}"
    says(f.ask("PATCH", path, OP, {"status": "x"}), 400, "encodeAuthorization: unknown authorization status")
    assert f.ask("PATCH", path, OP, {"permissions": []}).json["permissions"] == made["permissions"]
    assert f.ask("PATCH", path, OP, {}).status == 200
    says(f.ask("PATCH", f"{TOKENS}/00000000000000aa", OP, {}), 404, "authorization not found")
    assert f.ask("PATCH", path, f.rw, {}).status == 401


def test_cases_40_to_42_deletion(f: Fixtures) -> None:
    made = f.made()
    path = f"{TOKENS}/{made['id']}"
    assert f.ask("DELETE", path).status == 204  # 40
    says(f.ask("GET", "/api/v2/me", made["token"]), 401, "unauthorized access")
    assert f.ask("DELETE", path).status == 404
    mortal = f.made(permissions=all_access_set(f.org, f.user))
    assert f.ask("DELETE", f"{TOKENS}/{mortal['id']}", mortal["token"]).status == 204  # 41
    assert f.status_of(mortal["token"]) == 401
    writer = f.made(
        permissions=[permission("write", "authorizations", orgID=f.org), permission("write", "users", id=f.user)]
    )["token"]
    target = f"{TOKENS}/{f.made()['id']}"
    assert f.ask("GET", target, writer).status == 401  # 42
    assert f.ask("PATCH", target, writer, {}).status == 401
    assert f.ask("DELETE", target, writer).status == 204


# --- 7.5 Authentication -----------------------------------------------------------------------------------------------


def authorized(f: Fixtures, value: str | None, **more: str) -> Answer:
    headers = more if value is None else {"Authorization": value, **more}
    return f.server.ask("GET", f"/api/v2/buckets/{f.bucket}", headers=headers)


def test_cases_43_to_46_schemes_and_precedence(f: Fixtures) -> None:
    nothing = authorized(f, None)
    assert nothing.json == {"code": "unauthorized", "message": "unauthorized access"}  # 43
    assert nothing.headers["x-platform-error-code"] == "unauthorized"
    assert "www-authenticate" not in nothing.headers
    for scheme in ("Token", "token", "Bearer", "bearer"):  # 44
        assert authorized(f, f"{scheme} {OP}").status == 200
    assert authorized(f, basic("admin", OP)["Authorization"]).status == 401
    for value in ("Token", "Token wrong", "Digest x"):  # 45
        says(authorized(f, value), 401, "unauthorized access")
    cookie = f.cookie()
    assert authorized(f, "Token wrong", Cookie=cookie).status == 401  # 46
    assert authorized(f, "Basic garbage", Cookie=cookie).status == 200


def test_cases_47_and_48_paths(f: Fixtures) -> None:
    assert f.server.ask("GET", "/api/v2/nope").status == 401
    says(f.ask("GET", "/api/v2/nope"), 404, "path not found")
    for path in ("/health", "/ready", "/metrics", "/api/v2", "/api/v2/setup"):
        assert f.server.ask("GET", path).status == 200, path
    assert f.server.ask("GET", "/ping").status == 204


def test_cases_49_and_50_hashes_and_jwts_are_no_tokens(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    try:
        server.start()
        set_up(server, token=SPEC_TOKEN)
        assert server.ask("GET", "/api/v2/me", SPEC_TOKEN).status == 200
        assert server.ask("GET", "/api/v2/me", PHC).status == 401
        server.stop()
        server.flags = ["--use-hashed-tokens=false"]
        server.start()
        assert server.ask("GET", "/api/v2/me", PHC).status == 401
        assert server.ask("GET", "/api/v2/me", SPEC_TOKEN).status == 200
    finally:
        server.kill()
    forged = Server(tmp_path / "jwt")
    try:
        forged.start()
        assert set_up(forged, token=JWT).status == 201
        assert forged.ask("GET", "/api/v2/me", JWT).status == 401
    finally:
        forged.kill()


def test_case_51_inactive_and_deleted_users(f: Fixtures) -> None:
    user = f.ask("POST", "/api/v2/users", OP, {"name": "leaver"}).json["id"]
    f.ask("POST", f"/api/v2/users/{user}/password", OP, {"password": "leaver-password"})
    made = f.made(userID=user)
    cookie = f.cookie("leaver", "leaver-password")
    f.ask("PATCH", f"/api/v2/users/{user}", OP, {"status": "inactive"})
    says(f.ask("GET", "/api/v2/buckets", made["token"]), 403, "User is inactive", "forbidden")
    says(f.ask("GET", "/api/v2/me", None, Cookie=cookie), 403, "User is inactive", "forbidden")
    f.ask("PATCH", f"/api/v2/users/{user}", OP, {"status": "active"})
    assert f.status_of(made["token"]) == 200
    assert f.ask("GET", "/api/v2/me", None, Cookie=cookie).status == 200
    f.ask("DELETE", f"/api/v2/users/{user}")
    says(f.ask("GET", "/api/v2/buckets", made["token"]), 401, "unauthorized access")  # W13
    assert made["id"] not in {one["id"] for one in f.listed()}


def test_cases_52_to_54_what_tokens_reach(f: Fixtures) -> None:
    unauthorized(f.ask("GET", "/api/v2/me", f.rw), f"read:users/{f.user}")  # 52
    assert f.ask("GET", "/api/v2/me", f.aa).status == 200
    assert f.ask("GET", "/api/v2/me", OP).status == 200
    assert f.server.write(f.rw, "m v=1", "metrics", "example-org").status == 204  # 53
    f.ask("POST", "/api/v2/buckets", OP, {"orgID": f.org, "name": "second"})
    says(f.server.write(f.rw, "m v=1", "second", "example-org"), 403, "insufficient permissions for write", "forbidden")
    says(  # 54
        f.ask("GET", "/api/v2/config", f.aa), 401, "access to /api/v2/config requires operator permissions"
    )
    unauthorized(f.ask("GET", "/api/v2/backup/metadata", f.aa), "read:authorizations")


# --- 7.6 Sessions and passwords ---------------------------------------------------------------------------------------


def test_cases_55_to_57_sessions(f: Fixtures) -> None:
    answer = f.server.ask("POST", "/api/v2/signin", headers=basic("admin", PASSWORD))
    assert answer.status == 204  # 55
    cookie = answer.headers["set-cookie"]
    assert re.match(
        r"influxdb-oss-session=[A-Za-z0-9_-]{86}==; Path=/api/; Expires=[^;]+; HttpOnly; SameSite=Strict$", cookie
    )
    refused = [
        f.server.ask("POST", "/api/v2/signin", headers=headers)
        for headers in (basic("admin", "wrong-password"), basic("nobody", PASSWORD), {})
    ]
    assert {(one.status, one.body) for one in refused} == {(401, refused[0].body)}  # 56
    says(refused[0], 401, "unauthorized access")
    session = cookie.partition(";")[0]
    assert f.ask("GET", "/api/v2/me", None, Cookie=session).status == 200  # 57
    out = f.ask("POST", "/api/v2/signout", None, Cookie=session)
    assert out.status == 204
    assert "influxdb-oss-session=;" in out.headers["set-cookie"]  # W26
    assert f.ask("GET", "/api/v2/me", None, Cookie=session).status == 401
    assert f.ask("POST", "/api/v2/signout", None).status == 401


def test_case_58_a_restart_ends_sessions(server: Server) -> None:
    made = fixtures(server)
    cookie = made.cookie()
    assert made.ask("GET", "/api/v2/me", None, Cookie=cookie).status == 200
    server.stop()
    server.start()
    assert made.ask("GET", "/api/v2/me", None, Cookie=cookie).status == 401


def test_case_59_changing_a_password(f: Fixtures) -> None:
    user = f.ask("POST", "/api/v2/users", OP, {"name": "changer"}).json["id"]
    f.ask("POST", f"/api/v2/users/{user}/password", OP, {"password": "first-password"})
    cookie = f.cookie("changer", "first-password")

    def change(old: str, new: str) -> Answer:
        headers = {**basic("changer", old), "Cookie": cookie}
        return f.server.ask("PUT", "/api/v2/me/password", body={"password": new}, headers=headers)

    says(change("wrong-password", "second-password"), 403, "your username or password is incorrect")
    assert change("first-password", "short").status == 400
    assert change("first-password", "second-password").status == 204
    assert f.server.ask("POST", "/api/v2/signin", headers=basic("changer", "first-password")).status == 401
    assert f.ask("GET", "/api/v2/me", None, Cookie=cookie).status == 401  # W26
    f.cookie("changer", "second-password")


def test_cases_60_and_61_owners_and_members(f: Fixtures) -> None:
    sessions = {}
    for role in ("owners", "members"):
        user = f.ask("POST", "/api/v2/users", OP, {"name": f"one of the {role}"}).json["id"]
        f.ask("POST", f"/api/v2/users/{user}/password", OP, {"password": "role-password"})
        assert f.ask("POST", f"/api/v2/orgs/{f.org2}/{role}", OP, {"id": user}).status == 201
        sessions[role] = (user, f.cookie(f"one of the {role}", "role-password"))
    wanted = {"orgID": f.org2, "permissions": [permission("read", "buckets", orgID=f.org2)]}
    owner, cookie = sessions["owners"]
    made = f.ask("POST", TOKENS, None, wanted, Cookie=cookie)
    assert made.status == 201
    listed = f.ask("GET", TOKENS, None, Cookie=cookie).json["authorizations"]
    assert [one["userID"] for one in listed] == [owner]
    elsewhere = {"orgID": f.org, "permissions": [permission("read", "buckets", orgID=f.org)]}
    unauthorized(f.ask("POST", TOKENS, None, elsewhere, Cookie=cookie), f"write:orgs/{f.org}/authorizations")
    _, cookie = sessions["members"]
    unauthorized(f.ask("POST", TOKENS, None, wanted, Cookie=cookie), f"write:orgs/{f.org2}/authorizations")  # 61


# --- 7.7 v1 compatibility ---------------------------------------------------------------------------------------------


def v1(f: Fixtures, query: str = "", **headers: str) -> Answer:
    return f.server.ask("GET", f"/query?db=metrics&q=SHOW+DATABASES{query}", headers=headers)


def test_cases_62_and_63_tokens_on_v1(f: Fixtures) -> None:
    assert v1(f, f"&u=any&p={OP}").status == 200
    assert v1(f, **basic("any", OP)).status == 200
    for value in (f"Token {OP}", f"Token any:{OP}"):
        assert v1(f, Authorization=value).status == 200
    for value in (f"Bearer {OP}", f"token {OP}"):
        says(v1(f, Authorization=value), 401, "unauthorized access")
    for refused in (v1(f, "&u=any&p=wrong"), v1(f, **basic("any", "wrong")), v1(f, Authorization="Token wrong")):
        says(refused, 401, "Unauthorized")


def test_cases_64_to_67_v1_names(f: Fixtures) -> None:
    wanted = {"orgID": f.org, "token": "grafana", "permissions": [bucket_permission("read", f.org, f.bucket)]}
    made = f.ask("POST", LEGACY, OP, wanted)
    assert made.status == 201
    path = f"{LEGACY}/{made.json['id']}"
    good = basic("grafana", "grafana-password")
    says(v1(f, **good), 401, "Unauthorized")  # 65
    assert f.ask("POST", f"{path}/password", OP, {"password": "grafana-password"}).status == 204
    assert v1(f, **good).status == 200  # 64
    assert v1(f, "&u=grafana&p=grafana-password").status == 200
    says(v1(f, Authorization="Token grafana:grafana-password"), 401, "Unauthorized")
    says(v1(f, **basic("grafana", OP)), 401, "Unauthorized")
    f.ask("PATCH", path, OP, {"status": "inactive"})
    says(v1(f, **good), 401, "Unauthorized")
    f.ask("PATCH", path, OP, {"status": "active"})
    assert v1(f, **good).status == 200
    says(f.ask("POST", LEGACY, OP, wanted), 422, "token already exists")  # 66
    says(f.ask("POST", LEGACY, OP, {**wanted, "token": ""}), 400, "token required for v1 user authorization type")
    gone = {**wanted, "token": "x", "permissions": [bucket_permission("read", f.org, "00000000000000aa")]}
    says(f.ask("POST", LEGACY, OP, gone), 404, "bucket not found when creating auth")
    assert made.json["id"] not in {one["id"] for one in f.listed()}  # 67
    assert authorized(f, "Token grafana").status == 401
    assert f.ask("DELETE", path).status == 204
    says(v1(f, **good), 401, "Unauthorized")


# --- 7.8 Hashing at rest ----------------------------------------------------------------------------------------------


def found(server: Server, text: str) -> list[str]:
    raw = text.encode()
    return [str(one) for one in sorted(server.folder.rglob("*")) if one.is_file() and raw in one.read_bytes()]


def config(server: Server) -> object:
    return server.ask("GET", "/api/v2/config", OP).json["config"]["use-hashed-tokens"]


def test_case_68_a_fresh_store_holds_the_hash_and_not_the_token(server: Server) -> None:
    set_up(server, token=SPEC_TOKEN)
    assert server.stop() == 0
    assert PHC.encode() in (server.folder / "influxd.bolt").read_bytes()
    assert found(server, SPEC_TOKEN) == []


@pytest.mark.parametrize("way", ["flag", "env", "yaml", "toml", "json"])
def test_cases_69_and_77_every_way_to_turn_it_off(tmp_path: Path, way: str) -> None:
    server = Server(tmp_path / "data")
    server.folder.mkdir()
    texts = {
        "yaml": "use-hashed-tokens: false\n",
        "toml": "use-hashed-tokens = false\n",
        "json": '{"use-hashed-tokens": false}',
    }
    if way == "flag":
        server.flags = ["--use-hashed-tokens=false"]
    elif way == "env":
        server.environ = {"INFLUXD_USE_HASHED_TOKENS": "false"}
    else:
        # The server looks in its working directory, which is the data folder here.
        (server.folder / f"config.{way}").write_text(texts[way])
    try:
        server.start()
        plain = fixtures(server)
        assert OP in {one["token"] for one in plain.listed()}
        assert config(server) is False
    finally:
        server.kill()


def test_cases_70_to_73_on_off_and_on_again(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", ["--use-hashed-tokens=false"])
    try:
        server.start()
        f = fixtures(server)
        third = f.made()["token"]
        every = [OP, f.aa, f.rw, third]
        before = {one["id"]: one["updatedAt"] for one in f.listed()}
        assert all(found(server, token) for token in every)

        def restart(*flags: str) -> str:
            server.stop()
            seen = len(server.log)
            server.flags = list(flags)
            server.start()
            return server.log[seen:]

        said = restart()  # 70
        assert "Migrating raw tokens to hashed tokens" in said
        assert "count=4" in said
        assert {one["id"]: one["updatedAt"] for one in f.listed()} == before
        assert {one["token"] for one in f.listed()} == {""}
        assert [f.status_of(token) for token in every] == [200] * 4
        assert not any(found(server, token) for token in every)
        assert "Migrating" not in restart()  # 71
        assert f.status_of(third) == 200
        said = restart("--use-hashed-tokens=false")  # 72
        assert "Token hashing is disabled, but hashed tokens found" in said
        late = f.made()["token"]
        assert late in {one["token"] for one in f.listed()}
        assert [f.status_of(token) for token in (*every, late)] == [200] * 5
        said = restart()  # 73
        assert "count=1" in said
        assert [f.status_of(token) for token in (*every, late)] == [200] * 5
        assert not any(found(server, token) for token in (*every, late))
    finally:
        server.kill()


def test_case_74_a_killed_start_is_finished_by_the_next(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", ["--use-hashed-tokens=false"])
    try:
        server.start()
        f = fixtures(server)
        tokens = [f.made()["token"] for _ in range(250)]
        server.stop()
        server.flags = []
        for delay in (0.15, 0.25, 0.35):
            server.launch()
            assert server.process is not None
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.process.wait(delay)
            server.kill()
        server.start()
        for token in tokens:
            assert f.status_of(token) == 200
            assert not found(server, token)
    finally:
        server.kill()


def test_case_75_a_record_hashed_with_sha512_authenticates(server: Server) -> None:
    f = fixtures(server)
    made = f.made()
    server.stop()
    digest = base64.urlsafe_b64encode(hashlib.sha512(made["token"].encode()).digest()).decode()
    with contextlib.closing(sqlite3.connect(server.folder / "influxd.bolt")) as records, records:
        changed = records.execute(
            "UPDATE authorizations SET digest = ? WHERE id = ?", (f"$influxdb2-sha512${digest}", made["id"])
        )
        assert changed.rowcount == 1
    server.start()
    assert f.status_of(made["token"]) == 200
    new = f.made()
    assert f.status_of(new["token"]) == 200
    server.stop()
    with contextlib.closing(sqlite3.connect(server.folder / "influxd.bolt")) as records:
        stored = dict(records.execute("SELECT id, digest FROM authorizations"))
    assert stored[made["id"]].startswith("$influxdb2-sha512$")
    assert stored[new["id"]].startswith("$influxdb2-sha256$")


def test_case_76_flag_beats_environment_beats_file(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.folder.mkdir()
    (server.folder / "config.yaml").write_text("use-hashed-tokens: false\n")
    server.environ = {"INFLUXD_USE_HASHED_TOKENS": "true"}
    try:
        server.start()
        fixtures(server)
        assert config(server) is True
        server.stop(signal.SIGINT)
        server.flags = ["--use-hashed-tokens=false"]
        server.start()
        assert config(server) is False
    finally:
        server.kill()


# --- beyond the reference -----------------------------------------------------------------------------------------


def test_lifecycle_over_http(f: Fixtures) -> None:
    made = f.made(expiresAt="2100-01-01T00:00:00Z")
    assert made["expiresAt"] == "2100-01-01T00:00:00Z"
    path = f"{TOKENS}/{made['id']}"
    f.status_of(made["token"])
    shown = f.ask("GET", path + "?include=lifecycle").json
    assert "lastUsedAt" in shown
    assert "lastUsedAt" not in f.ask("GET", path).json
    new = f.ask("POST", path + "/rotate", OP, {"gracePeriodSeconds": 3600}).json
    assert [f.status_of(token) for token in (made["token"], new["token"], made["token"])] == [200] * 3
    assert f.ask("POST", path + "/rotate", OP, {"gracePeriodSeconds": 0}).status == 422
    newest = f.ask("POST", path + "/regenerate").json
    assert [f.status_of(one["token"]) for one in (made, new, newest)] == [401, 401, 200]
    assert "revokedAt" in f.ask("POST", path + "/revoke").json
    says(f.ask("GET", "/api/v2/me", newest["token"]), 401, "token is inactive")
    assert f.ask("PATCH", path, OP, {"status": "active"}).status == 422
    says(f.create(expiresAt="2000-01-01T00:00:00Z"), 400, "expiresAt must be in the future")


def test_paging_and_search(f: Fixtures) -> None:
    for number in range(5):
        f.made(description=f"page {number}")
    first = f.ask("GET", TOKENS + "?pageSize=2&q=PAGE").json
    assert [one["description"] for one in first["authorizations"]] == ["page 0", "page 1"]
    second = f.ask("GET", first["links"]["next"]).json
    assert [one["description"] for one in second["authorizations"]] == ["page 2", "page 3"]
    third = f.ask("GET", second["links"]["next"]).json
    assert [one["description"] for one in third["authorizations"]] == ["page 4"]
    assert "next" not in third["links"]
    assert f.ask("GET", TOKENS + "?pageSize=0").status == 400


def test_thirty_refusals_in_a_row_are_answered_as_such(f: Fixtures) -> None:
    assert {f.status_of(f"wrong {number}") for number in range(30)} == {401}
    assert f.status_of(OP) == 200


def test_acts_are_in_the_audit_log(f: Fixtures) -> None:
    made = f.made()
    f.create(f.rw)
    lines = [json.loads(one) for one in (f.server.folder / "audit.log").read_text().splitlines()]
    acts = [(one["action"], one["outcome"], one.get("target")) for one in lines[-2:]]
    assert acts == [(f"POST {TOKENS}", "granted", made["id"]), (f"POST {TOKENS}", "refused", None)]
    assert made["token"] not in (f.server.folder / "audit.log").read_text()


def test_hashing_is_not_turned_off_by_a_word_that_is_no_boolean(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    server.environ = {"INFLUXD_USE_HASHED_TOKENS": "yes"}
    with pytest.raises(AssertionError, match="did not start"):
        server.start()
    assert "use-hashed-tokens" in server.log.lower().replace("_", "-")
