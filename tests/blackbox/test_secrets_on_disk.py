"""No secret that was ever issued or sent is found in the data folder, its log included."""

from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path

import pytest
from tests.blackbox.process import Server, bucket_permission

pytestmark = pytest.mark.slow


def _forms(secret: str) -> set[bytes]:
    """What a secret may look like where it leaks."""
    raw = secret.encode()
    return {
        raw,
        json.dumps(secret).strip('"').encode(),
        urllib.parse.quote(secret, safe="").encode(),
        base64.b64encode(raw).rstrip(b"="),
        raw.hex().encode(),
        secret.encode("utf-16-le"),
    }


def _search(folder: Path, secrets: dict[str, str]) -> list[str]:
    found = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        found += [
            f"{name} in {path.relative_to(folder)}"
            for name, secret in secrets.items()
            if any(form in content for form in _forms(secret))
        ]
    return found


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log").write_bytes(b"...Token+abc/def...")
    assert _search(tmp_path, {"token": "Token+abc/def", "other": "xyz"}) == ["token in a/log"]


@pytest.mark.parametrize("level", ["debug", "info"])
def test_no_secret_is_left_behind(tmp_path: Path, level: str) -> None:
    server = Server(tmp_path / "data", ["--log-level", level])
    server.start()
    secrets: dict[str, str] = {}
    try:
        made = server.set_up()
        operator, org = made["auth"]["token"], made["org"]["id"]
        bucket = made["bucket"]["id"]
        secrets |= {"password": "house-password", "operator": operator}

        for number in range(5):
            created = server.token(operator, org, bucket_permission("read", org, bucket))
            secrets[f"token {number}"] = created["token"]
            path = f"/api/v2/authorizations/{created['id']}"
            assert server.ask("GET", "/api/v2/buckets", created["token"]).status == 200
            if number == 1:
                assert server.ask("PATCH", path, operator, {"status": "inactive"}).status == 200
            if number == 2:
                assert server.ask("DELETE", path, operator).status == 204

        basic = base64.b64encode(b"house:house-password").decode()
        signed_in = server.ask("POST", "/api/v2/signin", headers={"Authorization": f"Basic {basic}"})
        assert signed_in.status == 204
        secrets["session"] = signed_in.headers["set-cookie"].partition("=")[2].partition(";")[0]
        cookie = {"Cookie": f"influxdb-oss-session={secrets['session']}"}
        assert server.ask("GET", "/api/v2/me", headers=cookie).status == 200
        secrets["new password"] = "another-password-77"
        changed = server.ask(
            "PUT",
            "/api/v2/me/password",
            body={"password": secrets["new password"]},
            headers={"Authorization": f"Basic {basic}", **cookie},
        )
        assert changed.status == 204, changed.text

        v1 = {"orgID": org, "token": "telegraf", "permissions": [bucket_permission("write", org, bucket)]}
        legacy = server.ask("POST", "/private/legacy/authorizations", operator, v1).json
        secrets["v1 password"] = "telegraf-password-99"
        path = f"/private/legacy/authorizations/{legacy['id']}/password"
        assert server.ask("POST", path, operator, {"password": secrets["v1 password"]}).status == 204
        query = f"/query?db=house&q=SHOW+MEASUREMENTS&u=telegraf&p={secrets['v1 password']}"
        assert server.ask("GET", query).status == 200

        # Credentials that are refused are secrets too: a typing mistake apart from a good one.
        secrets["wrong token"] = "mistyped-token-0123456789"
        secrets["wrong password"] = "mistyped-password-0123"
        assert server.ask("GET", "/api/v2/buckets", secrets["wrong token"]).status == 401
        assert server.ask("GET", f"/query?db=house&q=x&u=telegraf&p={secrets['wrong password']}").status == 401
        wrong = base64.b64encode(f"house:{secrets['wrong password']}".encode()).decode()
        assert server.ask("POST", "/api/v2/signin", headers={"Authorization": f"Basic {wrong}"}).status == 401
        secrets["secret in a query"] = "literal-secret-in-a-query"
        assert server.flux(operator, f'x = "{secrets["secret in a query"]}" nonsense(').status == 400
        assert server.flux(operator, f'die(msg: "{secrets["secret in a query"]}")').status == 400
        secrets["secret in a line"] = "field-secret-in-a-bad-line"
        assert server.write(operator, f'm v="{secrets["secret in a line"]}').status == 400
        secrets["body of a request"] = "secret-member-of-a-body"
        server.ask("POST", "/api/v2/authorizations", operator, {"token": secrets["body of a request"], "orgID": 5})
        server.ask("POST", f"/api/v2/{secrets['body of a request']}", operator)

        assert len(secrets) > 12
        assert _search(server.folder, secrets) == []
        server.kill()
        assert _search(server.folder, secrets) == []
        server.start()
        assert server.ask("GET", "/api/v2/buckets", operator).status == 200
        assert server.ask("GET", "/api/v2/buckets", secrets["token 2"]).status == 401
        assert _search(server.folder, secrets) == []
        assert server.stop() == 0
        assert _search(server.folder, secrets) == []
    finally:
        server.kill()
