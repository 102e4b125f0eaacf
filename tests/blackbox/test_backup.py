"""Backup and restore by the command, between real servers; acceptance cases 78 to 83 of tokens.md §7.9."""

from __future__ import annotations

import gzip
import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.blackbox.influx import Influx
from tests.blackbox.process import Server

pytestmark = pytest.mark.slow

FIRST = "first-operator-token-of-32-characters-or-more"
OTHER = "other-operator-token-of-32-characters-or-more"
COUNT = 'from(bucket: "climate") |> range(start: 0) |> group() |> count() |> keep(columns: ["_value"])'


@pytest.fixture
def source(server: Server, tmp_path: Path) -> Influx:
    """A server with points in two shard groups, one of them deleted in part, and more in memory."""
    influx = Influx(server, tmp_path / "home")
    influx.setup(FIRST)
    lines = "".join(f'm,host=h{i % 7} v={i},s="x{i}" {1_700_000_000 + i * 3600}\n' for i in range(400))
    influx.ok("write", "-b", "climate", "-p", "s", stdin=lines)
    influx.ok(
        "delete", "-b", "climate", "--start", "2023-11-14T00:00:00Z", "--stop", "2023-11-16T00:00:00Z", "-p", "host=h3"
    )
    influx.ok("write", "-b", "climate", "-p", "s", stdin="m,host=late v=1 1700000000\n")
    return influx


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Influx]:
    made = Server(tmp_path / "target")
    made.start()
    yield Influx(made, tmp_path / "target-home")
    made.kill()


def count(influx: Influx, query: str = COUNT) -> list[int]:
    raw = influx.ok("query", "--raw", query)
    return [int(value) for value in re.findall(r"^,,\d+,(\d+)\r?$", raw, re.MULTILINE)]


def test_a_backup_is_private_complete_and_holds_no_token(source: Influx, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    done = source("backup", str(folder))
    assert done.returncode == 0, done.stderr
    assert "INFO: Downloading metadata snapshot" in done.stderr
    files = {path.name: path for path in folder.iterdir()}
    manifest = json.loads(next(path for name, path in files.items() if name.endswith(".manifest")).read_text())
    assert manifest["manifestVersion"] == 2
    climate = next(entry for entry in manifest["buckets"] if entry["bucketName"] == "climate")
    shards = [shard for group in climate["retentionPolicies"][0]["shardGroups"] for shard in group["shards"]]
    assert len(shards) >= 2
    assert {manifest["kv"]["fileName"], manifest["sql"]["fileName"], *(s["fileName"] for s in shards)} < set(files)
    for path in files.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        content = path.read_bytes()
        if path.name.endswith(".gz"):
            content = gzip.decompress(content)
        assert FIRST.encode() not in content
        assert b"correct-horse" not in content
    assert not [path for path in source.server.folder.iterdir() if ".backup-" in path.name]


def test_one_bucket_comes_back_under_another_name_on_a_running_server(source: Influx, tmp_path: Path) -> None:
    folder = str(tmp_path / "backup")
    source.ok("backup", folder, "--compression", "none")
    tokens = source.ok("auth", "list", "--json")
    assert "already exists" in source.fails("restore", folder, "--bucket", "climate")
    source.ok("restore", folder, "--bucket", "climate", "--new-bucket", "again")
    assert count(source, COUNT.replace("climate", "again")) == count(source)
    assert source.ok("auth", "list", "--json") == tokens
    source.server.stop()
    source.server.start()
    assert count(source, COUNT.replace("climate", "again")) == count(source)


def test_a_full_restore_brings_everything_and_the_backups_tokens(
    source: Influx, target: Influx, tmp_path: Path
) -> None:
    folder = str(tmp_path / "backup")
    before = count(source)
    source.ok("backup", folder)
    target.setup(OTHER, "somebody")
    refused = target.fails("restore", "--full", folder)
    assert "401 Unauthorized" in refused
    # Unlike in the reference the refusal came before anything was replaced.
    assert "somebody" in target.ok("user", "list")
    target.ok("restore", "--full", folder, "--operator-token", FIRST)
    assert target.server.ask("GET", "/api/v2/me", OTHER).status == 401
    assert target.server.ask("GET", "/api/v2/me", FIRST).json["name"] == "admin"
    restored = Influx(target.server, source.home)
    assert count(restored) == before
    target.server.kill()
    target.server.start()
    assert count(restored) == before
    assert "admin" in restored.ok("user", "list")


def test_the_same_token_on_both_sides_needs_no_flag(source: Influx, target: Influx, tmp_path: Path) -> None:
    folder = str(tmp_path / "backup")
    source.ok("backup", folder)
    target.setup(FIRST, "somebody")
    target.ok("restore", "--full", folder)
    assert count(target) == count(source)


@pytest.mark.parametrize("body", [b"", b"not a database", b"SQLite format 3\x00" + bytes(4096)])
def test_a_foreign_body_replaces_nothing(source: Influx, body: bytes) -> None:
    answer = source.server.ask("POST", "/api/v2/restore/kv", FIRST, body)
    assert answer.status == 400
    assert "nothing was replaced" in answer.json["message"]
    assert source.server.ask("GET", "/api/v2/me", FIRST).status == 200


def test_a_cut_and_a_damaged_archive_add_nothing(source: Influx, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    source.ok("backup", str(folder), "--compression", "none")
    tar = max(folder.glob("*.tar"), key=lambda path: path.stat().st_size)
    content = tar.read_bytes()
    shard = tar.name.split(".")[1]
    before = count(source)
    for broken in (content[: len(content) // 2], content[:3000] + b"\xff" + content[3001:], b"no tar at all"):
        answer = source.server.ask("POST", f"/api/v2/restore/shards/{shard}", FIRST, broken)
        assert answer.status == 400, answer.text
    assert count(source) == before
    # The same points again are the same points.
    assert source.server.ask("POST", f"/api/v2/restore/shards/{shard}", FIRST, content).status == 200
    assert count(source) == before


def test_a_backup_of_plaintext_tokens_gives_its_operator_token_back(tmp_path: Path, target: Influx) -> None:
    plain = Server(tmp_path / "plain", flags=["--use-hashed-tokens=false"])
    plain.start()
    try:
        influx = Influx(plain, tmp_path / "plain-home")
        influx.setup(FIRST)
        influx.ok("backup", str(tmp_path / "backup"))
    finally:
        plain.kill()
    target.setup(OTHER, "somebody")
    target.ok("restore", "--full", str(tmp_path / "backup"), "--operator-token", "ignored-because-one-is-returned")
    assert target.server.ask("GET", "/api/v2/me", FIRST).status == 200
    # Hashing is on here, so the restored token was hashed on the way in.
    target.server.stop()
    found = [path for path in target.server.folder.rglob("*") if path.is_file() and FIRST.encode() in path.read_bytes()]
    assert found == []


def test_no_file_is_too_large_to_come_back(source: Influx, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    source.ok("backup", str(folder), "--compression", "none")
    bound = 4_000
    assert all(path.stat().st_size > bound for path in (*folder.glob("*.tar"), *folder.glob("*.bolt")))
    small = Server(tmp_path / "small", ["--http-body-bytes-max", str(bound)])
    small.start()
    try:
        influx = Influx(small, tmp_path / "small-home")
        influx.setup(FIRST, "somebody")
        influx.ok("restore", "--full", str(folder))
        assert count(influx) == count(source)
    finally:
        small.kill()
