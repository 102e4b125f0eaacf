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
