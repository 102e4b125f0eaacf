"""No secret is in what a server says when something goes wrong: logs, answers, figures, dumps, core files.

The server is the installed one, started through a few lines that break some of its functions on purpose, each with the
secret at hand in its locals, as a fault of ours would.
"""

from __future__ import annotations

import base64
import re
import resource
import signal
import sys
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.blackbox.process import Answer, Server, bucket_permission

pytestmark = pytest.mark.slow

BREAK = """
import sys
from fluxkeep.cli.influxd import main
from fluxkeep.credentials import passwords, signin, store
from fluxkeep.credentials.authenticator import Authenticator

def break_(owner, name, when):
    whole = getattr(owner, name)
    def broken(*args, **kwargs):
        # What any of them was given, in clear, in a frame of the traceback.
        seen = [one.reveal() if hasattr(one, "reveal") else repr(one) for one in args]
        if any(when in one for one in seen):
            raise RuntimeError("broken on purpose")
        return whole(*args, **kwargs)
    setattr(owner, name, broken)

break_(store, "add_authorization", "break-this")
break_(store.Lookup, "find", "crash")
break_(signin, "verify_password", "crash")
break_(signin, "hash_password", "crash")
break_(Authenticator, "v1", "crash")
sys.exit(main(sys.argv[1:]))
"""


@dataclass
class Breaking(Server):
    """The server with faults, and with Python's handler that dumps all threads when it dies."""

    def command(self) -> list[str]:
        script = self.folder.with_name("break.py")
        script.write_text(BREAK)
        return [sys.executable, "-X", "faulthandler", str(script), *super().command()[1:]]


def forms(secret: str) -> list[bytes]:
    """As it is, and as it travels."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return [form.encode() for form in (secret, urllib.parse.quote(secret, safe=""), encoded, secret[4:-4])]


def found_in(text: bytes, secrets: dict[str, str]) -> list[str]:
    return [name for name, secret in secrets.items() if any(form in text for form in forms(secret))]


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("level", ["debug", "error"])
def test_a_fault_of_ours_tells_no_secret(tmp_path: Path, level: str) -> None:
    server = Breaking(tmp_path / "data", ["--log-level", level])
    secrets: dict[str, str] = {}
    answers: list[Answer] = []

    def secret(name: str) -> str:
        secrets[name] = f"crash-{name}-0123456789abcdef"
        return secrets[name]

    try:
        server.start()
        made = server.set_up()
        operator, org, bucket = made["auth"]["token"], made["org"]["id"], made["bucket"]["id"]
        user = made["user"]["id"]
        own = {"operator": operator, "password": "house-password"}
        cookie = server.ask("POST", "/api/v2/signin", headers=basic("house", own["password"])).headers["set-cookie"]
        own["session"] = cookie.partition("=")[2].partition(";")[0]
        session = {"Cookie": f"influxdb-oss-session={own['session']}"}

        def ask(method: str, path: str, **given: object) -> None:
            answers.append(server.ask(method, path, **given))  # type: ignore[arg-type]

        # Inside the gate, in each form in which a credential comes.
        ask("GET", "/api/v2/me", token=secret("token"))
        ask("GET", "/api/v2/me", headers={"Authorization": f"Bearer {secret('bearer')}"})
        ask("GET", f"/query?db=house&q=x&u=name&p={secret('parameter')}")
        ask("POST", f"/write?db=house&u=name&p={secret('write-parameter')}", body="m v=1")
        ask("GET", "/query?db=house&q=x", headers=basic("name", secret("basic")))
        ask("GET", "/query?db=house&q=x", headers={"Authorization": f"Token {secret('v1-token')}"})
        # Inside handlers: a token that has been minted, passwords in a header and in a body.
        body = {"orgID": org, "description": "break-this", "permissions": [bucket_permission("read", org, bucket)]}
        ask("POST", "/api/v2/authorizations", token=operator, body=body)
        ask("POST", "/api/v2/signin", headers=basic("house", secret("sign-in")))
        ask("POST", f"/api/v2/users/{user}/password", token=operator, body={"password": secret("set-password")})
        old = basic("house", own["password"]) | session
        ask("PUT", "/api/v2/me/password", headers=old, body={"password": secret("new-password")})
        ask(
            "PUT",
            "/api/v2/me/password",
            headers=basic("house", secret("old-password")) | session,
            body={"password": "x"},
        )
        assert [answer.status for answer in answers] == [500] * len(answers), [(a.status, a.text) for a in answers]
        secrets |= own
        assert server.log.count("RuntimeError: broken on purpose") == len(answers)
        # A fault is told with its place, or nobody could mend it.
        assert "Traceback" in server.log
        answers.append(server.ask("GET", "/metrics"))
        answers.append(server.ask("GET", "/api/v2/config", operator))
        answers += [server.ask("GET", f"/debug/pprof/{name}") for name in ("", "goroutine", "heap", "cmdline")]
        for answer in answers:
            told = answer.body + repr(answer.headers).encode()
            assert found_in(told, secrets) == [], told[:500]
        assert server.ask("GET", "/api/v2/me", operator).status == 200
        # It dies with all of them in its memory, and leaves no image of that.
        assert server.process is not None
        assert resource.prlimit(server.process.pid, resource.RLIMIT_CORE)[0] == 0
        server.process.send_signal(signal.SIGABRT)
        server.process.wait(30)
        assert "Fatal Python error: Aborted" in server.log
        assert re.search(r'File ".*server.py", line \d+ in run', server.log)
        for file in tmp_path.rglob("*"):
            if file.is_file() and file.name != "break.py":
                assert found_in(file.read_bytes(), secrets) == [], file.name
    finally:
        server.kill()


def test_every_kind_of_refusal_at_the_debug_level(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", ["--log-level", "debug"])
    secrets = {f"secret {number}": f"planted-{number}-0123456789abcdef" for number in range(30)}
    left = iter(secrets.values())
    answers: list[Answer] = []
    try:
        server.start()
        made = server.set_up()
        operator, org, user = made["auth"]["token"], made["org"]["id"], made["user"]["id"]
        for scheme in ("Token", "token", "Bearer", "Digest", "", "Basic"):
            for path in ("/api/v2/me", "/query?db=house&q=x"):
                answers.append(server.ask("GET", path, headers={"Authorization": f"{scheme} {next(left)}"}))
        for name in ("influxdb-oss-session", "other"):
            answers.append(server.ask("GET", "/api/v2/me", headers={"Cookie": f"{name}={next(left)}"}))
            answers.append(server.ask("POST", "/api/v2/signout", headers={"Cookie": f"{name}={next(left)}"}))
        answers.append(server.ask("GET", f"/query?db=house&q=x&u=a&p={next(left)}"))
        answers.append(server.ask("GET", f"/query?db=house&q=x&u={next(left)}&p="))
        answers.append(server.ask("POST", f"/write?u=a&p={next(left)}&db=house", body="m v=1"))
        answers.append(server.ask("POST", "/query", body=f"u=a&p={next(left)}&q=x&db=house"))
        answers.append(server.ask("GET", f"/api/v2/authorizations?token={next(left)}&id=zz", operator))
        answers.append(server.ask("POST", "/api/v2/setup", body={"username": "a", "token": next(left)}))
        answers.append(server.ask("POST", "/api/v2/setup", body=f'{{"password": "{next(left)}", "username": 1}}'))
        answers.append(server.ask("POST", "/api/v2/setup", body=f'{{"token": "{next(left)}'))
        answers.append(
            server.ask("POST", f"/api/v2/users/{user}/password", operator, f'{{"password": ["{next(left)}"]}}')
        )
        short = {"password": next(left)[:7]}
        answers.append(server.ask("POST", f"/api/v2/users/{user}/password", operator, short))
        patch = {"secret": next(left)}
        answers.append(server.ask("PATCH", f"/api/v2/orgs/{org}/secrets", "wrong", patch))
        assert {answer.status // 100 for answer in answers} == {4}, [(a.status, a.text) for a in answers]
        answers.append(server.ask("GET", "/metrics"))
        for answer in answers:
            told = answer.body + repr(answer.headers).encode()
            assert found_in(told, secrets) == [], told[:500]
        refusals = [line for line in server.log.splitlines() if "authentication.refused" in line]
        # Each with address and reason.
        assert len(refusals) >= 15
        assert all("client=127.0.0.1" in line and "reason=" in line for line in refusals)
        server.stop()
        for file in tmp_path.rglob("*"):
            if file.is_file():
                assert found_in(file.read_bytes(), secrets) == [], file.name
    finally:
        server.kill()
