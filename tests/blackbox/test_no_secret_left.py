"""No secret that was ever shown is anywhere under the data folder, logs at debug level included, also after kill -9."""

from __future__ import annotations

import base64
import http.client
from pathlib import Path

import pytest
from tests.blackbox.process import Server, bucket_permission

pytestmark = pytest.mark.slow

PASSWORDS = ("planted-password-one", "planted-password-two", "planted-v1-password")


def traces(server: Server, secrets: list[str]) -> list[tuple[str, str]]:
    """Which secrets are in which files: as they are, and in the forms in which they travel."""
    found = []
    for file in sorted(server.folder.rglob("*")):
        raw = file.read_bytes() if file.is_file() else b""
        for secret in secrets:
            forms = (secret, secret.replace("=", "%3D"), base64.b64encode(secret.encode()).decode().rstrip("="))
            found += [(file.name, secret[:6]) for form in forms if form.encode() in raw]
    return found


def lead_a_life(server: Server) -> list[str]:
    """Everything that shows or takes a secret; gives them all."""
    body = {"username": "u", "password": PASSWORDS[0], "org": "o", "bucket": "b"}
    made = server.ask("POST", "/api/v2/setup", body=body).json
    operator, org, bucket = made["auth"]["token"], made["org"]["id"], made["bucket"]["id"]
    permission = bucket_permission("write", org, bucket)
    token = server.token(operator, org, permission)
    path = f"/api/v2/authorizations/{token['id']}"
    rotated = server.ask("POST", f"{path}/rotate", operator, {"gracePeriodSeconds": 60}).json["token"]
    assert server.write(rotated, "m v=1", "b", "o").status == 204
    regenerated = server.ask("POST", f"{path}/regenerate", operator).json["token"]
    basic = base64.b64encode(f"u:{PASSWORDS[0]}".encode()).decode()
    signed_in = server.ask("POST", "/api/v2/signin", headers={"Authorization": f"Basic {basic}"})
    cookie = signed_in.headers["set-cookie"].partition(";")[0]
    assert server.ask("GET", "/api/v2/me", headers={"Cookie": cookie}).status == 200
    user = made["user"]["id"]
    assert server.ask("POST", f"/api/v2/users/{user}/password", operator, {"password": PASSWORDS[1]}).status == 204
    legacy = {"orgID": org, "token": "name", "permissions": [permission]}
    name = server.ask("POST", "/private/legacy/authorizations", operator, legacy).json["id"]
    where = f"/private/legacy/authorizations/{name}/password"
    assert server.ask("POST", where, operator, {"password": PASSWORDS[2]}).status == 204
    assert server.ask("POST", f"/write?db=b&u=name&p={PASSWORDS[2]}", body="m v=1").status == 204
    secrets = [operator, token["token"], rotated, regenerated, cookie.partition("=")[2], *PASSWORDS]
    # Refusals and failures quote what they were sent more readily than successes.
    for secret in secrets:
        server.ask("GET", f"/query?db=b&q=x&u=u&p={secret}")
        server.ask("GET", f"/api/v2/authorizations?token={secret}&id=zz", operator)
        server.ask("POST", "/api/v2/setup", body=f'{{"token": "{secret}", "username": 1')
        server.ask("POST", "/api/v2/authorizations", operator, f'{{"token": "{secret}", "orgID": 7}}')
        server.ask("PATCH", path, operator, f'{{"status": "{secret}"}}')
        server.ask("GET", f"/api/v2/nope/{secret}", secret)
    assert server.ask("DELETE", path, operator).status == 204
    return secrets


def raw(server: Server, request: bytes) -> None:
    """Something that is no HTTP request, with a secret in it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    connection.connect()
    assert connection.sock is not None
    connection.sock.sendall(request)
    connection.close()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_nothing_is_left(tmp_path: Path, end: str) -> None:
    server = Server(tmp_path / "data", ["--log-level", "debug"])
    try:
        server.start()
        secrets = lead_a_life(server)
        raw(server, f"GARBAGE Token {secrets[0]}\r\n\r\n".encode())
        assert traces(server, secrets) == []
        if end == "stop":
            assert server.stop() == 0
        else:
            server.kill()
        assert traces(server, secrets) == []
        server.start()
        assert server.ask("GET", "/api/v2/me", secrets[0]).status == 200
        assert traces(server, secrets) == []
    finally:
        server.kill()
