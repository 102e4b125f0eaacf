"""What the reference does wrong about tokens and is done better here, by the numbers of tokens.md §8.

`docs/concepts/safer-tokens.md` has the table; a test holds it and these together.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from tests.blackbox.process import Answer, Server, bucket_permission
from tests.blackbox.test_token_cases import (
    OP,
    PASSWORD,
    TOKENS,
    Fixtures,
    all_access_set,
    basic,
    fixtures,
    operator_set,
    permission,
    says,
    set_up,
)

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def f(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fixtures]:
    server = Server(tmp_path_factory.mktemp("weaknesses") / "data", ["--log-level", "debug"])
    server.start()
    try:
        yield fixtures(server)
    finally:
        server.kill()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fixtures]:
    """Hashing is off."""
    server = Server(tmp_path_factory.mktemp("plain") / "data", ["--use-hashed-tokens=false"])
    server.start()
    try:
        yield fixtures(server)
    finally:
        server.kill()


def person(f: Fixtures, name: str, role: str = "owners") -> tuple[str, str]:
    """A new user in the first organization and its session."""
    user = f.ask("POST", "/api/v2/users", OP, {"name": name}).json["id"]
    assert f.ask("POST", f"/api/v2/users/{user}/password", OP, {"password": "role-password"}).status == 204
    assert f.ask("POST", f"/api/v2/orgs/{f.org}/{role}", OP, {"id": user}).status == 201
    return user, f.cookie(name, "role-password")


def reason(answer: Answer) -> str | None:
    return answer.headers.get("x-fluxkeep-reason")


def test_w6_the_debug_log_has_neither_records_nor_parameters(f: Fixtures) -> None:
    made = f.made(description="described-in-no-log")
    f.ask("GET", "/query?db=metrics&q=SHOW+DATABASES&u=a&p=planted-parameter", None)
    assert f.server.log.count("lvl=debug") > 5
    for word in (made["token"], "planted-parameter", "described-in-no-log", "SHOW"):
        assert word not in f.server.log


def test_w8_permissions_can_be_narrowed(f: Fixtures) -> None:
    both = [bucket_permission(action, f.org, f.bucket) for action in ("read", "write")]
    made = f.made(permissions=both)
    path = f"{TOKENS}/{made['id']}"
    for same in ([], both, both[::-1]):
        assert len(f.ask("PATCH", path, OP, {"permissions": same}).json["permissions"]) == 2
    wider = [*both, permission("read", "tasks", orgID=f.org)]
    assert f.ask("PATCH", path, OP, {"permissions": wider}).status == 403
    assert f.server.write(made["token"], "m v=1", "metrics", "example-org").status == 204
    narrowed = f.ask("PATCH", path, OP, {"permissions": both[:1]})
    assert [one["action"] for one in narrowed.json["permissions"]] == ["read"]
    assert f.server.write(made["token"], "m v=1", "metrics", "example-org").status == 403
    assert f.ask("PATCH", path, OP, {"permissions": both}).status == 403


def test_w9_a_secret_is_shown_to_who_holds_as_much(plain: Fixtures) -> None:
    seen = {one["id"]: one["token"] for one in plain.listed(token=plain.aa)}
    operator = next(one["id"] for one in plain.listed() if one["token"] == OP)
    assert seen[operator] == ""
    assert plain.aa in seen.values()
    path = f"{TOKENS}/{operator}"
    assert plain.ask("GET", path, plain.aa).json["token"] == ""
    for method, where, body in (
        ("PATCH", path, {"status": "inactive"}),
        ("PATCH", path, {"description": "mine"}),
        ("DELETE", path, None),
        ("POST", f"{path}/rotate", {}),
        ("POST", f"{path}/regenerate", None),
        ("POST", f"{path}/revoke", None),
    ):
        refused = plain.ask(method, where, plain.aa, body)
        assert refused.status in (401, 403), (method, where, refused.text)
    assert plain.status_of(OP) == 200


def test_w10_inactive_tokens_add_nothing_to_a_session(f: Fixtures) -> None:
    user, cookie = person(f, "holder", "members")
    made = f.made(userID=user, permissions=operator_set())
    assert f.ask("GET", "/api/v2/config", None, Cookie=cookie).status == 200
    assert f.ask("PATCH", f"{TOKENS}/{made['id']}", OP, {"status": "inactive"}).status == 200
    assert f.ask("GET", "/api/v2/config", None, Cookie=cookie).status == 401


def test_w11_an_inactive_token_is_401_everywhere(f: Fixtures) -> None:
    token = f.made(permissions=all_access_set(f.org, f.user), status="inactive")["token"]
    for method, path in (
        ("GET", "/api/v2/me"), ("GET", TOKENS), ("GET", "/api/v2/buckets"), ("GET", "/api/v2/users"),
        ("GET", "/api/v2/orgs"), ("GET", "/api/v2/resources"), ("GET", "/api/v2/flags"), ("POST", TOKENS),
        ("POST", "/api/v2/write?org=example-org&bucket=metrics"), ("POST", "/api/v2/query?org=example-org"),
        ("POST", "/api/v2/delete?org=example-org&bucket=metrics"), ("GET", "/api/v2/nope"),
    ):  # fmt: skip
        says(f.ask(method, path, token), 401, "token is inactive")


def test_w12_a_header_says_what_a_401_means(f: Fixtures) -> None:
    inactive = f.made(status="inactive")["token"]
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    expiring = f.made(expiresAt=soon)["token"]
    assert reason(f.ask("GET", "/api/v2/me", None)) == "missing-credential"
    assert reason(f.ask("GET", "/query?db=metrics&q=x", None)) == "missing-credential"
    assert reason(f.ask("GET", "/api/v2/me", "nobody's")) == "unknown-token"
    assert reason(f.ask("GET", "/query?db=metrics&q=x", "nobody's")) == "unknown-token"
    assert reason(f.ask("GET", "/api/v2/me", None, Cookie="influxdb-oss-session=x")) == "unknown-token"
    assert reason(f.ask("GET", "/api/v2/me", inactive)) == "inactive-token"
    assert reason(f.ask("GET", "/query?db=metrics&q=x", inactive)) == "inactive-token"
    assert reason(f.ask("GET", "/api/v2/me", f.rw)) == "missing-permission"
    assert reason(f.ask("GET", "/api/v2/config", f.aa)) == "missing-permission"
    assert reason(f.ask("GET", "/api/v2/me", OP)) is None
    time.sleep(2.1)
    expired = f.ask("GET", "/api/v2/me", expiring)
    says(expired, 401, "token is expired")
    assert reason(expired) == "expired-token"


def test_w13_tokens_go_with_their_user_and_organization(f: Fixtures) -> None:
    user = f.ask("POST", "/api/v2/users", OP, {"name": "leaving"}).json["id"]
    org = f.ask("POST", "/api/v2/orgs", OP, {"name": "leaving"}).json["id"]
    of_user = f.made(userID=user)
    of_org = f.made(orgID=org, permissions=[permission("read", "buckets", orgID=org)])
    legacy = {"orgID": org, "token": "leaving", "permissions": [permission("read", "buckets", orgID=org)]}
    assert f.ask("POST", "/private/legacy/authorizations", OP, legacy).status == 201
    assert f.ask("DELETE", f"/api/v2/users/{user}").status == 204
    assert f.ask("DELETE", f"/api/v2/orgs/{org}").status == 204
    for gone in (of_user, of_org):
        says(f.ask("GET", "/api/v2/buckets", gone["token"]), 401, "unauthorized access")
        says(f.ask("GET", f"{TOKENS}/{gone['id']}"), 404, "authorization not found")
    with closing(sqlite3.connect(f"file:{f.server.folder / 'influxd.bolt'}?mode=ro", uri=True)) as records:
        left = records.execute("SELECT count(*) FROM authorizations WHERE user_id = ? OR org_id = ?", (user, org))
        assert left.fetchone() == (0,)
        assert records.execute("SELECT count(*) FROM v1_authorizations WHERE org_id = ?", (org,)).fetchone() == (0,)


def test_w5_and_w14_setup_leaves_nothing_where_it_fails_and_tells_no_hash_where_not(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    try:
        server.start()
        for members in ({"bucket": "_x"}, {"bucket": 'a"b'}, {"password": "short"}, {"bucket": ""}, {"org": ""}):
            assert set_up(server, **members).status in (400, 422)
            assert server.ask("GET", "/api/v2/setup").json == {"allowed": True}
        answer = set_up(server)
        assert answer.status == 201
        assert "hashedToken" not in answer.text
        assert "$influxdb2" not in answer.text
        assert [one["name"] for one in server.ask("GET", "/api/v2/users", OP).json["users"]] == ["admin"]
        assert len(server.ask("GET", "/api/v2/orgs", OP).json["orgs"]) == 1
    finally:
        server.kill()


@pytest.mark.parametrize("body", ["", "{", '{"status": 1}', "[]", "\x00"])
def test_w15_a_body_that_is_none_is_the_client_s_mistake(f: Fixtures, body: str) -> None:
    made = f.made()
    for method, path in (
        ("PATCH", f"{TOKENS}/{made['id']}"), ("POST", TOKENS), ("POST", "/api/v2/users"),
        ("PATCH", f"/api/v2/users/{f.user2}"), ("POST", f"/api/v2/users/{f.user2}/password"),
        ("POST", "/private/legacy/authorizations"), ("POST", "/api/v2/orgs"), ("POST", "/api/v2/labels"),
    ):  # fmt: skip
        answer = f.ask(method, path, OP, body)
        assert answer.status in (400, 422), (method, path, answer.status, answer.text)
    for path in ("/api/v2/users/zz/password", "/private/legacy/authorizations/zz/password"):
        assert f.ask("POST", path, OP, {"password": "long-enough-1"}).status == 400


def test_w18_a_restore_is_checked_first_and_leaves_no_secret(tmp_path: Path, plain: Fixtures) -> None:
    backup = plain.ask("GET", "/api/v2/backup/kv", OP)
    assert backup.status == 200
    assert OP.encode() in backup.body
    server = Server(tmp_path / "target")
    try:
        server.start()
        set_up(server, token="another-operator-token-of-the-target-0001")
        other = "another-operator-token-of-the-target-0001"
        assert server.ask("POST", "/api/v2/restore/kv", other, b"no records at all").status in (400, 422, 500)
        assert server.ask("GET", "/api/v2/me", other).status == 200
        assert server.ask("POST", "/api/v2/restore/kv", other, backup.body).status == 200
        # At once, not with the next start.
        assert [
            file.name for file in server.folder.rglob("*") if file.is_file() and OP.encode() in file.read_bytes()
        ] == []
        assert server.ask("GET", "/api/v2/me", OP).status == 200
        assert server.ask("GET", "/api/v2/me", other).status == 401
    finally:
        server.kill()


def test_w24_a_flood_of_refusals_is_throttled(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    try:
        server.start()
        f = fixtures(server)
        # More than thirty a second pass for a while; then they are told to wait, and nobody else is.
        answers = [server.ask("GET", "/api/v2/buckets", f"wrong {number}") for number in range(400)]
        statuses = [one.status for one in answers]
        assert statuses[:30] == [401] * 30
        assert set(statuses) == {401, 429}
        assert int(answers[statuses.index(429)].headers["retry-after"]) >= 1
        assert f.status_of(OP) == 200
        assert f.status_of(f.rw) == 200
        f.cookie()
        time.sleep(1.1)
        assert [f.status_of(f"wrong {number}") for number in range(25)] == [401] * 25
    finally:
        server.kill()


def test_w25_long_lists_have_pages_and_a_search(f: Fixtures) -> None:
    for number in range(3):
        f.made(description=f"Paged {number}")
    first = f.ask("GET", f"{TOKENS}?pageSize=2&q=pAGED").json
    rest = f.ask("GET", first["links"]["next"]).json
    assert [one["description"] for one in first["authorizations"] + rest["authorizations"]] == [
        "Paged 0", "Paged 1", "Paged 2",
    ]  # fmt: skip
    everything = f.listed()
    for ignored in ("limit=1", "offset=1", "descending=true", "token=x", "sortBy=id", "after=x"):
        assert f.listed(f"?{ignored}") == everything


def test_w26_the_cookie_is_renewed_cleared_and_ends_with_the_password(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", ["--session-length", "1"])
    try:
        server.start()
        f = fixtures(server)
        answer = server.ask("POST", "/api/v2/signin", headers=basic("admin", PASSWORD))
        before = _expires(answer)
        session = answer.headers["set-cookie"].partition(";")[0]
        renewed = f.ask("GET", "/api/v2/me", None, Cookie=session)
        assert renewed.headers["set-cookie"].startswith(session + "; Path=/api/; Expires=")
        assert 200 < _expires(renewed) - before <= 300
        # Not with each request: only where it lives longer by it.
        second = f.cookie()
        assert (
            f.ask("POST", "/api/v2/signout", None, Cookie=session)
            .headers["set-cookie"]
            .startswith("influxdb-oss-session=; Path=/api/; Expires=Thu, 01 Jan 1970")
        )
        assert f.ask("GET", "/api/v2/me", None, Cookie=session).status == 401
        where = f"/api/v2/users/{f.user}/password"
        assert f.ask("POST", where, OP, {"password": "another-password"}).status == 204
        assert f.ask("GET", "/api/v2/me", None, Cookie=second).status == 401
        assert f.status_of(OP) == 200
    finally:
        server.kill()


def _expires(answer: Answer) -> float:
    found = re.search(r"Expires=([^;]+)", answer.headers["set-cookie"])
    assert found is not None
    return parsedate_to_datetime(found[1]).timestamp()


def test_w27_an_empty_password_is_refused_by_its_length(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", ["--strong-passwords"])
    try:
        server.start()
        assert set_up(server, password="Strong-enough-1").status == 201
        user = server.ask("GET", "/api/v2/me", OP).json["id"]
        for body in ({"password": ""}, {}, {"password": None}):
            answer = server.ask("POST", f"/api/v2/users/{user}/password", OP, body)
            assert answer.status == 400
            assert answer.json["message"].startswith("passwords must be between 8 and 72 characters long")
        assert server.ask("POST", "/api/v2/signin", headers=basic("admin", "Strong-enough-1")).status == 204
    finally:
        server.kill()


def test_w29_a_new_user_has_an_id_of_the_server_s_and_a_known_status(f: Fixtures) -> None:
    wanted = "0123456789abcdef"
    made = f.ask("POST", "/api/v2/users", OP, {"name": "numbered", "id": wanted})
    assert made.status == 201
    assert made.json["id"] != wanted
    refused = f.ask("POST", "/api/v2/users", OP, {"name": "odd", "status": "odd"})
    says(refused, 400, "invalid status: must be active or inactive")
    assert "odd" not in {one["name"] for one in f.ask("GET", "/api/v2/users").json["users"]}


def test_w30_one_request_has_one_answer(f: Fixtures) -> None:
    cookie = f.cookie()
    answers: dict[int, list[Answer]] = {400: [], 404: []}
    answers[400].append(f.ask("PUT", "/api/v2/me/password", None, {"password": "long-enough-1"}, Cookie=cookie))
    answers[400].append(f.ask("PUT", f"/api/v2/users/{f.user}/password", None, {"password": "x"}, Cookie=cookie))
    answers[400].append(f.ask("POST", f"/api/v2/buckets/{f.bucket}/labels", OP, {"labelID": "zz"}))
    answers[400].append(f.ask("POST", f"/api/v2/buckets/{f.bucket}/labels", OP, {}))
    answers[404].append(f.ask("GET", "/api/v2/query/suggestions/nope"))
    for status, those in answers.items():
        for answer in those:
            assert answer.status == status, answer.text
            assert set(answer.json) == {"code", "message"}  # one document, or this would not be JSON
    for type_ in ({}, {"type": "flux"}):
        assert f.ask("POST", "/api/v2/query/analyze", OP, {"query": "1", **type_}).status == 200


def test_w31_a_bucket_by_id_is_as_guarded_as_one_by_name(f: Fixtures) -> None:
    secret = f.ask("POST", "/api/v2/buckets", OP, {"orgID": f.org2, "name": "secret"}).json["id"]
    assert f.server.write(OP, "m v=1", "secret", "org2").status == 204
    inside = f.made(permissions=[bucket_permission("read", f.org, f.bucket)])["token"]
    for token in (f.rw, f.aa, inside):
        for org in ("example-org", "org2"):
            got = f.server.flux(token, f'from(bucketID: "{secret}") |> range(start: 0)', org)
            assert got.status in (400, 401, 403, 404), got.text
            assert b",m," not in got.body
            joined = f'a = from(bucketID: "{secret}") |> range(start: 0)\nunion(tables: [a, a])'
            assert b",m," not in f.server.flux(token, joined, org).body
        unknown = f.server.flux(token, 'from(bucketID: "0123456789abcdef") |> range(start: 0)', "example-org")
        assert unknown.status == 404, unknown.text
        for query in (f'SELECT * FROM "{secret}"..m', "SELECT * FROM secret..m"):
            got = f.ask("GET", f"/query?db={secret}&q={query.replace(' ', '+')}", token)
            assert b'"series"' not in got.body
        body = {"start": "1970-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z"}
        for org in (f.org, f.org2):
            assert f.ask("POST", f"/api/v2/delete?orgID={org}&bucketID={secret}", token, body).status in (401, 403, 404)
            assert f.ask("POST", f"/api/v2/write?orgID={org}&bucket={secret}", token, "m v=1").status in (401, 403, 404)
        assert f.ask("GET", "/api/v2/backup/shards/1", token).status == 401
    assert f.server.flux(OP, f'from(bucketID: "{secret}") |> range(start: 0)', "org2").body.count(b",m") == 1


@pytest.mark.parametrize(
    ("way", "word"), [("flag", "yes"), ("environment", "yes"), ("yaml", "on-"), ("toml", "yes"), ("json", "nonsense")]
)
def test_w32_an_unreadable_security_option_stops_the_start(tmp_path: Path, way: str, word: str) -> None:
    server = Server(tmp_path / "data")
    server.folder.mkdir()
    texts = {
        "yaml": f"use-hashed-tokens: {word}\n",
        "toml": f'use-hashed-tokens = "{word}"\n',
        "json": f'{{"use-hashed-tokens": "{word}"}}',
    }
    if way == "flag":
        server.flags = [f"--use-hashed-tokens={word}"]
    elif way == "environment":
        server.environ = {"INFLUXD_USE_HASHED_TOKENS": word}
    else:
        (server.folder / f"config.{way}").write_text(texts[way])
    with pytest.raises(AssertionError, match="did not start"):
        server.start()
    assert "use-hashed-tokens" in server.log.lower().replace("_", "-")
    assert not (server.folder / "influxd.bolt").exists()


def test_the_table_names_every_weakness_and_a_test_that_is_there() -> None:
    table = (ROOT / "docs/concepts/safer-tokens.md").read_text()
    rows = dict(re.findall(r"^\| (W\d+) \|.*\| `([^`]+)`", table, re.M))
    assert set(rows) == {f"W{number}" for number in range(1, 33)} - {"W20", "W21", "W22", "W23"}
    for row in re.findall(r"^\| W\d+ \|.*", table, re.M):
        for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row):
            assert f"def {name}(" in (ROOT / path).read_text(), (path, name)
