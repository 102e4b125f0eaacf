"""A damaged or missing data file is named in the log, in /metrics and in every answer that lacks it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
from influxdb_client import InfluxDBClient
from tests.blackbox.process import Server

pytestmark = pytest.mark.slow
RANGE = 'from(bucket: "house") |> range(start: 1970-01-01T00:00:00Z)'


def _metric(server: Server) -> float:
    lines = server.ask("GET", "/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith("fluxkeep") and "corrupt" in line).split()[-1])


@pytest.mark.parametrize("missing", [False, True])
def test_answers_say_what_they_lack(tmp_path: Path, missing: bool) -> None:
    server = Server(tmp_path / "data")
    server.start()
    try:
        token = server.set_up()["auth"]["token"]
        assert server.write(token, "good v=1 1\nbad v=2 2").status == 204
        assert "x-fluxkeep-warning" not in server.flux(token, RANGE).headers
        assert server.stop() == 0
        paths = sorted(path for path in server.folder.rglob("*.parquet") if "series" not in path.name)
        (damaged,) = [path for path in paths if b'"bad"' in path.read_bytes()]
        if missing:
            damaged.unlink()
        else:
            raw = bytearray(damaged.read_bytes())
            raw[4 : len(raw) - 8] = bytes(len(raw) - 12)
            damaged.write_bytes(raw)
        server.start()
        # The answer under way when the damage is met is an error that names the file, not half an answer.
        first = server.flux(token, RANGE)
        assert damaged.name in first.text
        flux = server.flux(token, RANGE)
        assert flux.status == 200
        assert ",good" in flux.text
        assert ",bad" not in flux.text
        assert f"/{damaged.name}" in flux.headers["x-fluxkeep-warning"]
        path = "/query?db=house&q=" + quote("SELECT v FROM good, bad")
        influxql = server.ask("GET", path, token)
        assert influxql.status == 200
        assert [one["name"] for one in influxql.json["results"][0]["series"]] == ["good"]
        assert f"/{damaged.name}" in influxql.headers["x-fluxkeep-warning"]
        listed = server.ask("GET", "/query?db=house&q=" + quote("SHOW FIELD KEYS"), token)
        assert f"/{damaged.name}" in listed.headers["x-fluxkeep-warning"]
        with InfluxDBClient(server.url, token, org="house") as client:
            tables = client.query_api().query(RANGE)
        assert [record.get_measurement() for table in tables for record in table.records] == ["good"]
        assert _metric(server) == 1
        assert damaged.name in server.log
    finally:
        server.kill()


def test_a_folder_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    """What a read-only folder or somebody else's does, in a way that a superuser's tests see too."""
    server = Server(tmp_path / "data")
    (server.folder / "influxd.bolt.lock").mkdir(parents=True)
    done = subprocess.run(server.command(), capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 1
    assert done.stderr.strip() == f"Error: cannot start: {server.folder}/influxd.bolt.lock: Is a directory"
    (server.folder / "influxd.bolt.lock").rmdir()
    (server.folder / "engine" / "lock").mkdir(parents=True)
    done = subprocess.run(server.command(), capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 1
    assert done.stderr.strip() == "Error: device failure while locking the data folder: Is a directory"
