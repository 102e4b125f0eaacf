"""Backup and restore when things go wrong: under load, killed in the middle, on a full disk."""

from __future__ import annotations

import gzip
import json
import random
import re
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.blackbox.influx import INFLUX, Influx
from tests.blackbox.process import Server

pytestmark = pytest.mark.slow

FIRST = "first-operator-token-of-32-characters-or-more"
OTHER = "other-operator-token-of-32-characters-or-more"
LINES = 60_000
SECONDS_A_LINE = 60


def count(influx: Influx, bucket: str = "climate") -> int:
    raw = influx.ok(
        "query", "--raw",
        f'from(bucket: "{bucket}") |> range(start: 0) |> filter(fn: (r) => r._field == "v") |> group() |> count()'
        ' |> keep(columns: ["_value"])',
    )  # fmt: skip
    found = re.findall(r"^,,\d+,(\d+)\r?$", raw, re.MULTILINE)
    return int(found[0]) if found else 0


@pytest.fixture(scope="module")
def source(influx_folder: Path) -> Iterator[Influx]:
    """A server with points in seven shard groups."""
    server = Server(influx_folder / "source")
    server.start()
    try:
        influx = Influx(server, influx_folder / "source-home")
        influx.setup(FIRST)
        dice = random.Random(7)
        influx.ok(
            "write", "-b", "climate", "-p", "s",
            stdin="".join(
                f"m,host=h{i % 50} v={dice.random()},w={dice.random()} {1_700_000_000 + i * SECONDS_A_LINE}\n"
                for i in range(LINES)
            ),
        )  # fmt: skip
        yield influx
    finally:
        server.kill()


@pytest.fixture(scope="module")
def influx_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def backup(source: Influx, influx_folder: Path) -> Path:
    """A good backup of the source."""
    folder = influx_folder / "good"
    source.ok("backup", str(folder))
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Influx]:
    server = Server(tmp_path / "target")
    server.start()
    influx = Influx(server, tmp_path / "target-home")
    influx.setup(OTHER, "somebody")
    try:
        yield influx
    finally:
        server.kill()


def test_a_backup_under_load_is_one_moment_between_its_start_and_its_end(source: Influx, tmp_path: Path) -> None:
    source.ok("bucket", "create", "-n", "load")
    acknowledged = [0]
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            lines = "".join(f"m,n=a v={i},w={i} {1_700_000_000 + i}\n" for i in range(number, number + 50))
            answer = source.server.ask("POST", "/api/v2/write?org=home&bucket=load&precision=s", FIRST, lines.encode())
            assert answer.status == 204, answer.text
            number += 50
            acknowledged[0] = number

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while acknowledged[0] < 500:
            time.sleep(0.01)
        before = acknowledged[0]
        source.ok("backup", str(tmp_path / "backup"), "--bucket", "load")
        after = acknowledged[0]
    finally:
        stop.set()
        writer.join()
    assert after > before
    source.ok("restore", str(tmp_path / "backup"), "--bucket", "load", "--new-bucket", "restored")
    raw = source.ok(
        "query", "--raw",
        'from(bucket: "restored") |> range(start: 0) |> group(columns: ["_field"]) |> count()'
        ' |> keep(columns: ["_value"])',
    )  # fmt: skip
    counts = [int(found) for found in re.findall(r"^,,\d+,(\d+)\r?$", raw, re.MULTILINE)]
    # Whole requests only, all that were acknowledged before and nothing that was not sent yet.
    assert len(set(counts)) == 1
    assert len(counts) == 2
    assert before <= counts[0] <= after + 50
    assert counts[0] % 50 == 0


def test_a_killed_backup_has_no_manifest_and_the_next_one_works(source: Influx, target: Influx, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    environment = {"HOME": str(source.home), "INFLUX_HOST": source.server.url}
    for delay in (0.12, 0.2, 0.3, 0.45):
        process = subprocess.Popen(
            [INFLUX, "backup", str(folder)], env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
    for manifest in folder.glob("*.manifest"):
        # One that was finished before its kill is a whole one.
        named = re.findall(r'"fileName": "([^"]+)"', manifest.read_text())
        assert {name for name in named if not (folder / name).is_file()} == set()
    time.sleep(1.1)
    source.ok("backup", str(folder))
    target.ok("restore", str(folder), "--bucket", "climate", "--new-bucket", "again", "--org", "home")
    assert count(target, "again") == LINES


def test_a_server_killed_in_the_middle_of_a_backup_leaves_nothing_behind(target: Influx, tmp_path: Path) -> None:
    target.ok("write", "-b", "climate", "m v=1 1700000000000000000")
    environment = {"HOME": str(target.home), "INFLUX_HOST": target.server.url}
    for delay in (0.1, 0.15, 0.2):
        process = subprocess.Popen(
            [INFLUX, "backup", str(tmp_path / "backup")], env=environment, stderr=subprocess.PIPE, text=True
        )
        time.sleep(delay)
        target.server.kill()
        _, err = process.communicate(timeout=60)
        assert "Traceback" not in err
        assert process.returncode == 0 or err.splitlines()[-1].startswith("Error: failed to ")
        target.server.start()
        assert [path.name for path in target.server.folder.iterdir() if path.name.startswith(".")] == []
    assert count(target) == 1


def test_a_server_killed_in_the_middle_of_a_full_restore_is_whole_and_the_second_try_works(
    target: Influx, source: Influx, backup: Path
) -> None:
    target.ok("write", "-b", "climate", "m v=1 1700000000000000000")
    environment = {"HOME": str(target.home), "INFLUX_HOST": target.server.url}
    replaced = False
    for delay in (0.15, 0.25, 0.35, 0.6, 0.9):
        token = FIRST if replaced else OTHER
        process = subprocess.Popen(
            [INFLUX, "restore", "--full", str(backup), "--operator-token", FIRST, "--token", token],
            env=environment, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        time.sleep(delay)
        target.server.kill()
        _, err = process.communicate(timeout=60)
        assert "Traceback" not in err
        target.server.start()
        works = {token: target.server.ask("GET", "/api/v2/me", token).status == 200 for token in (FIRST, OTHER)}
        # Either the records of before or those of the backup, never both or neither.
        assert sorted(works.values()) == [False, True]
        replaced = works[FIRST]
    last = FIRST if replaced else OTHER
    target.ok("restore", "--full", str(backup), "--operator-token", FIRST, "--token", last)
    restored = Influx(target.server, source.home)
    assert count(restored) == LINES
    target.server.kill()
    target.server.start()
    assert count(restored) == LINES


def test_a_full_disk_under_the_backup_is_one_line_and_leaves_no_half_file(source: Influx, tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    folder = tmp_path / "backup"
    done = subprocess.run(
        [INFLUX, "backup", str(folder)], env={"HOME": str(source.home), "INFLUX_HOST": source.server.url},
        preexec_fn=small_files, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert re.match(r"Error: .*failed to write .*: File too large", done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr
    names = [path.name for path in folder.iterdir()]
    assert [name for name in names if name.startswith(".") or name.endswith(".manifest")] == []
    assert "no backup manifests found" in source.fails("restore", str(folder))
    source.ok("backup", str(folder))


def test_a_full_disk_under_the_server_refuses_a_restore_and_keeps_what_was_there(
    target: Influx, source: Influx, backup: Path
) -> None:
    target.ok("write", "-b", "climate", "m v=1 1700000000000000000")
    assert target.server.process is not None
    pid = target.server.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (30_000, hard))
    refused = target.fails("restore", "--full", str(backup), "--operator-token", FIRST)
    assert refused.startswith("Error: failed to restore KV snapshot: 5")
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
    assert target.server.ask("GET", "/api/v2/me", OTHER).status == 200
    assert count(target) == 1
    assert [path.name for path in target.server.folder.iterdir() if path.name.startswith(".")] == []
    target.ok("restore", "--full", str(backup), "--operator-token", FIRST)
    assert count(Influx(target.server, source.home)) == LINES


def test_a_bucket_of_an_organization_that_is_gone_comes_back(source: Influx, tmp_path: Path) -> None:
    org = json.loads(source.ok("org", "create", "-n", "short-lived", "--json"))["id"]
    source.ok("bucket", "create", "-n", "b", "--org-id", org, "-r", "0")
    source.ok("write", "--org-id", org, "-b", "b", "m v=1 1700000000000000000")
    folder = str(tmp_path / "backup")
    source.ok("backup", folder, "--org", "short-lived")
    source.ok("org", "delete", "-i", org)
    source.ok("restore", folder, "--org", "short-lived")
    again = source.ok(
        "query", "-o", "short-lived", "--raw", 'from(bucket: "b") |> range(start: 0) |> keep(columns: ["_value"])'
    )
    assert re.search(r"^,,0,1\r?$", again, re.MULTILINE)
    warned = source("restore", folder, "--org", "never-there")
    assert warned.returncode == 0
    assert "WARN: No bucket of the backup was selected" in warned.stderr


def killed_at(influx: Influx, line: str, *args: str) -> None:
    """Run the command and kill it as soon as it says something."""
    environment = {"HOME": str(influx.home), "INFLUX_HOST": influx.server.url}
    process = subprocess.Popen([INFLUX, *args], env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for said in process.stderr:
        if line in said:
            break
    else:
        raise AssertionError(f"it never said {line!r}")
    process.kill()
    process.communicate()


@pytest.mark.parametrize("line", ["Restoring KV snapshot", "Restoring TSM snapshot for shard"])
def test_a_client_killed_in_the_middle_of_a_full_restore_has_replaced_nothing(
    target: Influx, source: Influx, backup: Path, line: str
) -> None:
    target.ok("write", "-b", "climate", "m v=1 1700000000000000000")
    killed_at(target, line, "restore", "--full", str(backup), "--operator-token", FIRST)
    assert count(target) == 1
    assert "somebody" in target.ok("user", "list")
    target.ok("restore", "--full", str(backup), "--operator-token", FIRST)
    assert count(Influx(target.server, source.home)) == LINES


def test_a_client_killed_in_the_middle_of_a_bucket_is_no_hindrance(target: Influx, backup: Path) -> None:
    again = ("restore", str(backup), "--bucket", "climate", "--new-bucket", "again")
    killed_at(target, "Restoring TSM snapshot for shard", *again)
    # What there is of it does not pass for the bucket.
    assert target.fails("query", 'from(bucket: "again") |> range(start: 0)').endswith('could not find bucket "again"')
    target.ok(*again)
    assert count(target, "again") == LINES
    assert ".restoring" not in target.ok("bucket", "list")


@pytest.mark.parametrize("how", ["cut", "damaged", "missing"])
def test_a_harmed_archive_is_one_line_and_replaces_nothing(
    target: Influx, source: Influx, backup: Path, tmp_path: Path, how: str
) -> None:
    target.ok("write", "-b", "climate", "m v=1 1700000000000000000")
    harmed = tmp_path / "harmed"
    shutil.copytree(backup, harmed)
    # The last of its bucket: all others have come in by then.
    manifest = json.loads(next(harmed.glob("*.manifest")).read_text("utf-8"))
    groups = next(entry for entry in manifest["buckets"] if entry["bucketName"] == "climate")["retentionPolicies"][0]
    path = harmed / groups["shardGroups"][-1]["shards"][0]["fileName"]
    content = path.read_bytes()
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "damaged":
        path.write_bytes(content[: len(content) // 2] + bytes(64) + content[len(content) // 2 + 64 :])
    else:
        path.unlink()
    done = target("restore", "--full", str(harmed), "--operator-token", FIRST)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: failed to restore shard ")
    assert "WARN: The restore did not come to its end, nothing was replaced" in done.stderr
    assert "somebody" in target.ok("user", "list")
    assert count(target) == 1
    bucket = target("restore", str(harmed), "--bucket", "climate", "--new-bucket", "again")
    assert bucket.returncode == 1
    assert '"again": failed to restore shard ' in bucket.stderr.splitlines()[-1]
    assert "again" not in target.ok("bucket", "list")
    target.ok("restore", "--full", str(backup), "--operator-token", FIRST)
    assert count(Influx(target.server, source.home)) == LINES


SECRET = (
    'import "array"\nimport "influxdata/influxdb/secrets"\n'
    'array.from(rows: [{_value: secrets.get(key: "mail")}])'
)  # fmt: skip


def test_secrets_open_on_another_server_with_the_token_of_the_backup(
    source: Influx, target: Influx, tmp_path: Path
) -> None:
    source.ok("secret", "update", "-k", "mail", "-v", "the-value-of-the-secret")
    folder = tmp_path / "backup"
    source.ok("backup", str(folder))
    key = (source.server.folder / "influxd.bolt.secrets-key").read_bytes()
    assert key != (target.server.folder / "influxd.bolt.secrets-key").read_bytes()
    for path in folder.iterdir():
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for hidden in (key, key.hex().encode(), b"the-value-of-the-secret", FIRST.encode()):
            assert hidden not in content
    done = target("restore", "--full", str(folder), "--operator-token", FIRST)
    assert done.returncode == 0, done.stderr
    assert "was sealed by another server" not in done.stderr
    assert "the-value-of-the-secret" in Influx(target.server, source.home).ok("query", SECRET)
