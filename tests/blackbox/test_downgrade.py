"""`influxd downgrade` on a stopped server: acceptance cases 89 and 90 of tokens.md §7.10."""

from __future__ import annotations

import os
import pty
import sqlite3
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from tests.blackbox.influx import Influx
from tests.blackbox.process import INFLUXD, Server
from tests.blackbox.test_recovery import influxd

pytestmark = pytest.mark.slow

OPERATOR = "operator-token-with-more-than-32-characters"
DIGEST = b"$influxdb2-sha256$"


def copies(server: Server) -> list[Path]:
    return sorted(server.folder.glob("*-downgrade.backup"))


@pytest.fixture
def hashed(server: Server, tmp_path: Path) -> Server:
    """Stopped, with hashed tokens."""
    Influx(server, tmp_path / "home").setup(OPERATOR)
    server.stop()
    return server


@pytest.fixture
def plain(tmp_path: Path) -> Server:
    """Stopped, and hashing never ran."""
    server = Server(tmp_path / "plain", flags=["--use-hashed-tokens=false"])
    server.start()
    Influx(server, tmp_path / "home").setup(OPERATOR)
    server.stop()
    return server


def test_case_89_the_digests_go_and_a_private_copy_stays(hashed: Server) -> None:
    done = influxd(hashed, "downgrade", "2.4")
    assert done.returncode == 0, done.stderr
    assert "erases the stored form of 1 of 1 tokens" in done.stdout
    assert "admin's Token" in done.stdout
    assert "Metadata successfully downgraded" in done.stdout
    kept = copies(hashed)
    assert [path.name for path in kept] == [
        "influxd.bolt.v2.9.1-pre-2.4-downgrade.backup", "influxd.sqlite.v2.9.1-pre-2.4-downgrade.backup"
    ]  # fmt: skip
    for path in kept:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert DIGEST in kept[0].read_bytes()
    bolt = hashed.folder / "influxd.bolt"
    assert DIGEST not in bolt.read_bytes()
    with closing(sqlite3.connect(bolt)) as connection:
        assert "digest" not in str(connection.execute("SELECT sql FROM sqlite_master").fetchall())
    for name in hashed.folder.iterdir():
        assert not name.is_file() or OPERATOR.encode() not in name.read_bytes()
    again = influxd(hashed, "downgrade", "2.4")
    assert again.returncode == 0
    assert "already on a schema older than target, nothing to do" in again.stdout


def test_case_90_hashed_tokens_are_dead_after_coming_back_and_are_made_anew(hashed: Server) -> None:
    assert influxd(hashed, "downgrade", "2.7").returncode == 0
    hashed.start()
    assert hashed.ask("GET", "/api/v2/me", OPERATOR).status == 401
    hashed.stop()
    assert "N/A" in influxd(hashed, "recovery", "auth", "list").stdout
    made = influxd(hashed, "recovery", "auth", "create-operator", "--username", "admin", "--org", "home")
    token = next(line for line in made.stdout.splitlines() if "Recovery" in line).split("\t")
    hashed.start()
    assert hashed.ask("GET", "/api/v2/config", next(cell for cell in token if len(cell) == 88)).status == 200


def test_the_copy_brings_the_tokens_back(hashed: Server) -> None:
    assert influxd(hashed, "downgrade", "2.4").returncode == 0
    copies(hashed)[0].replace(hashed.folder / "influxd.bolt")
    hashed.start()
    assert hashed.ask("GET", "/api/v2/me", OPERATOR).status == 200


def test_case_90_tokens_in_clear_survive(plain: Server) -> None:
    done = influxd(plain, "downgrade", "2.4")
    assert done.returncode == 0, done.stderr
    assert "every token keeps working" in done.stdout
    # W4: the copy holds them hashed.
    assert OPERATOR.encode() not in copies(plain)[0].read_bytes()
    assert DIGEST in copies(plain)[0].read_bytes()
    plain.start()
    assert plain.ask("GET", "/api/v2/me", OPERATOR).status == 200
    plain.stop()
    plain.flags = []
    plain.start()
    assert plain.ask("GET", "/api/v2/me", OPERATOR).status == 200
    plain.stop()


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("1.8",), 'invalid argument "1.8" for "influxd downgrade"'),
        (("2.2",), 'invalid argument "2.2" for "influxd downgrade"'),
        ((), "accepts 1 arg(s), received 0"),
        (("2.4", "2.4"), "accepts 1 arg(s), received 2"),
    ],
)
def test_refused_targets(hashed: Server, args: tuple[str, ...], error: str) -> None:
    done = influxd(hashed, "downgrade", *args)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"Error: {error}"
    assert copies(hashed) == []


def test_2_8_and_a_running_server_and_a_missing_file_change_nothing(hashed: Server, tmp_path: Path) -> None:
    done = influxd(hashed, "downgrade", "2.8")
    assert (done.returncode, copies(hashed)) == (0, [])
    assert "nothing to do" in done.stdout
    hashed.start()
    running = influxd(hashed, "downgrade", "2.4")
    assert running.returncode == 1
    assert "timeout" in running.stderr
    assert hashed.ask("GET", "/api/v2/me", OPERATOR).status == 200
    nowhere = Server(tmp_path / "nowhere")
    nowhere.folder.mkdir()
    assert f'invalid bolt path "{nowhere.folder}/influxd.bolt"' in influxd(nowhere, "downgrade", "2.4").stderr


@pytest.mark.parametrize(("answer", "status"), [(b"n\n", 1), (b"y\n", 0)])
def test_on_a_terminal_it_asks(hashed: Server, answer: bytes, status: int) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [INFLUXD, "downgrade", "2.4", "--bolt-path", str(hashed.folder / "influxd.bolt")],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "HOME": str(hashed.folder)},
    )  # fmt: skip
    os.write(ours, answer)
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == status, out
    assert b"Go on?" in out
    assert bool(copies(hashed)) is (status == 0)


def test_a_copy_that_is_there_already_is_not_overwritten(hashed: Server) -> None:
    taken = hashed.folder / "influxd.bolt.v2.9.1-pre-2.4-downgrade.backup"
    taken.write_text("kept")
    done = influxd(hashed, "downgrade", "--force", "2.4")
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert taken.read_text() == "kept"
    hashed.start()
    assert hashed.ask("GET", "/api/v2/me", OPERATOR).status == 200
