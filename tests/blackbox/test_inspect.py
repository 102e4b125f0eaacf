"""`influxd inspect` on the folder of a stopped server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.blackbox.influx import Influx
from tests.blackbox.process import INFLUXD, Server

pytestmark = pytest.mark.slow

TOKEN = "operator-token-with-more-than-32-characters"
LINES = (
    'm,host=a\\ b,z=1 f=1.5,i=3i,s="say \\"hi\\"",b=true 1700000000000000000\n'
    "m,host=c f=2,u=7u 1700000001000000000\nn v=1 1700000000000000000\n"
)


def inspect(*args: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run(
        [INFLUXD, "inspect", *map(str, args)], capture_output=True, text=True, env=environment, check=False
    )


@pytest.fixture
def written(server: Server, tmp_path: Path) -> tuple[Server, str]:
    influx = Influx(server, tmp_path / "home")
    influx.setup(TOKEN)
    influx.ok("write", "-b", "climate", stdin=LINES)
    bucket = influx.ok("bucket", "list", "--name", "climate", "--hide-headers").split("\t")[0]
    return server, bucket


def test_points_come_out_as_they_went_in(written: tuple[Server, str]) -> None:
    server, bucket = written
    engine = server.folder / "engine"
    refused = inspect("export-lp", "--bucket-id", bucket, "--engine-path", engine, "--output-path", "-")
    assert refused.returncode == 1
    assert "stop the server first" in refused.stderr
    server.kill()
    done = inspect("export-lp", "--bucket-id", bucket, "--engine-path", engine, "--output-path", "-")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == sorted(
        [
            "m,host=a\\ b,z=1 b=true 1700000000000000000",
            "m,host=a\\ b,z=1 f=1.5 1700000000000000000",
            "m,host=a\\ b,z=1 i=3i 1700000000000000000",
            'm,host=a\\ b,z=1 s="say \\"hi\\"" 1700000000000000000',
            "m,host=c f=2.0 1700000001000000000",
            "m,host=c u=7u 1700000001000000000",
            "n v=1.0 1700000000000000000",
        ]
    )
    one = inspect(
        "export-lp", "--bucket-id", bucket, "--engine-path", engine, "--output-path", "-", "--measurement", "n",
        "--start", "2023-11-14T22:13:20Z", "--end", "2023-11-14T22:13:20Z",
    )  # fmt: skip
    assert one.stdout == "n v=1.0 1700000000000000000\n"
    server.start()
    assert server.ask("GET", "/api/v2/me", TOKEN).status == 200


def test_one_series_is_dumped_as_line_protocol(written: tuple[Server, str], tmp_path: Path) -> None:
    server, bucket = written
    engine = server.folder / "engine"
    assert server.write(TOKEN, "m,host=a\\ b,z=1,more=x f=9 1700000000000000000", "climate", "home").status == 204
    at = ("--bucket-id", bucket, "--engine-path", engine)
    refused = inspect("dump-series", *at, "--series", "n")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "stop the server first" in refused.stderr
    server.kill()
    done = inspect("dump-series", *at, "--series", "m,z=1,host=a\\ b")
    assert done.returncode == 0, done.stderr
    # Neither the series with a tag more nor any other.
    assert sorted(done.stdout.splitlines()) == [
        "m,host=a\\ b,z=1 b=true 1700000000000000000",
        "m,host=a\\ b,z=1 f=1.5 1700000000000000000",
        "m,host=a\\ b,z=1 i=3i 1700000000000000000",
        'm,host=a\\ b,z=1 s="say \\"hi\\"" 1700000000000000000',
    ]
    path = tmp_path / "out.lp"
    assert inspect("dump-series", *at, "--series", "m,host=c", "--field", "u", "--output-path", path).returncode == 0
    assert path.read_text() == "m,host=c u=7u 1700000001000000000\n"
    for series, end, error in (
        ("m,host=c", "2023-11-14T22:13:20Z", "no points of m,host=c in that range"),
        ("m,host=nobody", "", "no points of m,host=nobody in that range"),
        ("m,", "", "'m,' is no series; write it as measurement,tag=value"),
    ):
        missed = inspect("dump-series", *at, "--series", series, *(("--end", end) if end else ()))
        assert (missed.returncode, missed.stdout) == (1, "")
        assert missed.stderr.startswith(f"Error: {error}\n")


def test_shard_groups_are_listed(written: tuple[Server, str]) -> None:
    server, bucket = written
    server.stop()
    done = inspect("shards", "--engine-path", server.folder / "engine", "--bucket-id", bucket)
    assert done.returncode == 0, done.stderr
    header, row = done.stdout.splitlines()
    assert [cell for cell in header.split("\t") if cell] == [
        "ID", "Bucket ID", "Start", "Stop", "Files", "Rows", "Bytes"
    ]  # fmt: skip
    cells = [cell for cell in row.split("\t") if cell]
    assert cells[1:6] == [bucket, "2023-11-13T00:00:00Z", "2023-11-20T00:00:00Z", "2", "3"]
    none = inspect("shards", "--engine-path", server.folder / "engine", "--bucket-id", "0123456789abcdef")
    assert none.stdout.count("\n") == 1


def test_damage_is_found_and_exits_1(written: tuple[Server, str]) -> None:
    server, _ = written
    server.stop()
    engine = server.folder / "engine"
    sound = inspect("verify", "--engine-path", engine)
    assert sound.returncode == 0, sound.stderr
    assert "Everything is as it was written." in sound.stdout
    assert "Corrupt files found: None" in inspect("verify-wal", "--wal-path", engine / "wal").stdout
    assert inspect("verify-tombstone", "--engine-path", engine).stdout == "No tombstone files found\n"
    assert "Files: " in inspect("report-tsm", "--data-path", engine / "data").stdout
    data = next(engine.glob("data/*/*/*.parquet"))
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 0xFF
    data.write_bytes(content)
    broken = inspect("verify", "--engine-path", engine)
    assert broken.returncode == 1
    assert data.name in broken.stderr
    assert inspect("verify-tsm", "--engine-path", engine).returncode == 1


def test_what_belongs_to_other_formats_says_so() -> None:
    done = inspect("dump-tsm", "--file-path", "x")
    assert done.returncode == 1
    assert "not applicable to this storage format" in done.stderr


def test_the_files_of_1x_are_not_read_and_the_answer_says_what_to_do(tmp_path: Path) -> None:
    def upgrade(*args: str) -> str:
        done = subprocess.run([INFLUXD, "upgrade", *args], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        return done.stderr

    assert "Error: 1.x DB dir '/nope' does not exist\n" in upgrade("--v1-dir", "/nope")
    assert "only one of --v1-dir or --config-file may be specified" in upgrade("--v1-dir", "/", "--config-file", "/x")
    said = upgrade("--v1-dir", str(tmp_path), "-u", "u", "-p", "p", "-o", "o", "-b", "b", "-r", "1w", "-t", "t", "-f")
    assert "nothing was changed" in said
    assert "influx_inspect export -lponly" in said
    assert list(tmp_path.iterdir()) == []
