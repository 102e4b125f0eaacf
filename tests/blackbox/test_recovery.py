"""`influxd recovery` on a stopped server: acceptance cases 84 to 88 of tokens.md §7.10."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.blackbox.influx import Influx
from tests.blackbox.process import INFLUXD, Server

pytestmark = pytest.mark.slow

OPERATOR = "operator-token-with-more-than-32-characters"


def influxd(server: Server, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(server.folder)}
    bolt = ["--bolt-path", str(server.folder / "influxd.bolt")]
    return subprocess.run([INFLUXD, *args, *bolt], capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def stopped(server: Server, tmp_path: Path) -> Server:
    Influx(server, tmp_path / "home").setup(OPERATOR)
    server.stop()
    return server


def test_a_running_server_is_not_touched(server: Server, tmp_path: Path) -> None:
    Influx(server, tmp_path / "home").setup(OPERATOR)
    done = influxd(server, "recovery", "auth", "list")
    assert done.returncode == 1
    assert "timeout" in done.stderr
    assert "See 'influxd -h' for help" in done.stderr


def test_a_missing_file_is_refused_and_not_made(tmp_path: Path) -> None:
    nowhere = Server(tmp_path / "nowhere")
    nowhere.folder.mkdir()
    done = influxd(nowhere, "recovery", "user", "list")
    assert done.returncode == 1
    assert "does not exist" in done.stderr
    assert list(nowhere.folder.iterdir()) == []


def test_a_lost_operator_token_is_replaced(stopped: Server) -> None:
    listed = influxd(stopped, "recovery", "auth", "list").stdout
    assert re.split(r"\t+", listed.splitlines()[0]) == [
        "ID", "User Name", "User ID", "Description", "Token", "Permissions",
    ]  # fmt: skip
    assert "REDACTED" in listed
    assert OPERATOR not in listed
    made = influxd(stopped, "recovery", "auth", "create-operator", "--username", "admin", "--org", "home")
    assert made.returncode == 0, made.stderr
    row = next(line for line in made.stdout.splitlines() if "admin's Recovery Token" in line)
    token = re.split(r"\t+", row)[4]
    assert len(token) == 88
    assert influxd(stopped, "recovery", "auth", "list").stdout.count("REDACTED") == 2
    assert not [f for f in stopped.folder.rglob("*") if f.is_file() and token.encode() in f.read_bytes()]
    stopped.start()
    assert stopped.ask("GET", "/api/v2/config", token).status == 200
    assert stopped.ask("GET", "/api/v2/config", OPERATOR).status == 200


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((), "must provide --username"),
        (("--username", "admin"), "must provide --org"),
        (("--username", "nobody", "--org", "home"), 'could not find user "nobody": user not found'),
        (
            ("--username", "admin", "--org", "nowhere"),
            'could not find org "nowhere": organization name "nowhere" not found',
        ),
    ],
)
def test_refusals_of_create_operator(stopped: Server, args: tuple[str, ...], error: str) -> None:
    done = influxd(stopped, "recovery", "auth", "create-operator", *args)
    assert done.returncode == 1
    assert f"Error: {error}\n" in done.stderr


def test_users_and_organizations(stopped: Server) -> None:
    made = influxd(stopped, "recovery", "user", "create", "--username", "second", "--password", "long-enough")
    assert made.returncode == 0, made.stderr
    assert [re.split(r"\t+", line)[1] for line in made.stdout.splitlines()] == ["Name", "admin", "second"]
    again = influxd(stopped, "recovery", "user", "create", "--username", "second", "--password", "long-enough")
    assert "user with name second already exists" in again.stderr
    weak = influxd(stopped, "recovery", "user", "create", "--username", "third", "--password", "short")
    assert "passwords must be between 8 and 72 characters long" in weak.stderr
    assert "third" not in influxd(stopped, "recovery", "user", "list").stdout
    assert "expected 1 user, found 2" in influxd(stopped, "recovery", "user", "update", "--password", "x" * 9).stderr
    assert (
        'invalid id "zz"' in influxd(stopped, "recovery", "user", "update", "--id", "zz", "--password", "x" * 9).stderr
    )
    changed = influxd(stopped, "recovery", "user", "update", "--username", "admin", "--password", "changed-password")
    assert changed.stdout.count("\n") == 2
    made = influxd(stopped, "recovery", "org", "create", "--org", "second")
    assert made.returncode == 0, made.stderr
    assert (
        "organization with name second already exists"
        in influxd(stopped, "recovery", "org", "create", "--org", "second").stderr
    )
    # The reference does not start any more after this (W28).
    stopped.start()
    basic = {"Authorization": "Basic YWRtaW46Y2hhbmdlZC1wYXNzd29yZA=="}
    assert stopped.ask("POST", "/api/v2/signin", headers=basic).status == 204
    names = [bucket["name"] for bucket in stopped.ask("GET", "/api/v2/buckets?org=second", OPERATOR).json["buckets"]]
    assert names == ["_monitoring", "_tasks"]


def test_bare_groups_say_where_help_is(stopped: Server) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(stopped.folder)}
    for args in (("recovery",), ("recovery", "auth"), ("recovery", "user"), ("recovery", "org")):
        done = subprocess.run([INFLUXD, *args], capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0
        assert f"See 'influxd {' '.join(args)} -h' for help" in done.stderr


def test_tokens_in_clear_are_reported_before_they_are_hashed(tmp_path: Path) -> None:
    plain = Server(tmp_path / "plain", flags=["--use-hashed-tokens=false"])
    plain.start()
    Influx(plain, tmp_path / "home").setup(OPERATOR)
    plain.stop()
    done = influxd(plain, "token-hashing", "report")
    assert done.returncode == 0, done.stderr
    assert "admin's Token" in done.stdout
    assert OPERATOR not in done.stdout + done.stderr
    plain.flags = []
    plain.start()
    plain.stop()
    assert "0 tokens are stored in clear" in influxd(plain, "token-hashing", "report").stderr
