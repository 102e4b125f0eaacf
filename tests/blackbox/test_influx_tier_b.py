"""`influx telegrafs, dashboards` against a running server, and the commands that have no server side; cli.md §3, §4."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.blackbox.influx import ID, Influx

pytestmark = pytest.mark.slow

COLUMNS = f"ID\t\t\tOrgID\t\t\tName\tDescription\n{ID}\t{ID}\t"


def test_telegrafs(influx: Influx, tmp_path: Path) -> None:
    path = tmp_path / "telegraf.conf"
    path.write_text("[[outputs.influxdb_v2]]\n")
    assert influx.table("telegrafs", "create", "-n", "t1", "-d", "text", "-f", str(path)) == COLUMNS + "t1\ttext\n"
    assert influx.table("telegrafs") == COLUMNS + "t1\ttext\n"
    listed = json.loads(influx.ok("telegrafs", "--json"))["configurations"]
    ident = listed[0]["id"]
    assert listed[0]["config"] == "[[outputs.influxdb_v2]]\n"
    assert influx.table("telegrafs", "-i", ident, "--hide-headers") == f"{ID}\t{ID}\tt1\ttext\n"
    # What is not given becomes empty; without a file the text comes from standard input.
    changed = json.loads(influx.ok("telegrafs", "update", "-i", ident, "-n", "t2", "--json", stdin="[agent]\n"))
    assert (changed["name"], changed.get("description", ""), changed["config"]) == ("t2", "", "[agent]\n")
    assert influx.ok("telegrafs", "rm", "-i", ident) == ""
    assert influx.ok("telegrafs", "--hide-headers") == ""


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("-i", "zz"), 'failed to get telegraf config with ID "zz": '),
        (("create", "-f", "nofile"), 'failed to read telegraf config from "nofile": open nofile: no such file'),
        (("update", "-n", "x"), 'failed to update telegraf config with ID "": 404 Not Found: path not found'),
        (("remove", "-i", "0123456789abcdef"), 'failed to delete telegraf config with ID "0123456789abcdef": 404 '),
        (("nope",), 'unknown command "nope" for "telegrafs"'),
    ],
)
def test_refusals_of_telegrafs(influx: Influx, args: tuple[str, ...], error: str) -> None:
    assert influx.fails("telegrafs", *args).startswith(f"Error: {error}")


def test_dashboards(influx: Influx) -> None:
    columns = "ID\tOrgID\tName\tDescription\tNum Cells\n"
    assert influx.ok("dashboards", "-i", "0123456789abcdef") == columns
    org = influx.object("org", "list", "-n", "home")[0]["id"]
    body = {"orgID": org, "name": "d1", "description": "text"}
    operator = "operator-token-of-more-than-32-characters"
    made = influx.server.ask("POST", "/api/v2/dashboards", operator, body).json
    row = f"{ID}\t{ID}\td1\ttext\t\t0\n"
    assert influx.table("dashboards") == f"ID\t\t\tOrgID\t\t\tName\tDescription\tNum Cells\n{row}"
    assert influx.table("dashboards", "-i", made["id"], "--hide-headers") == f"{ID}\t{ID}\td1\ttext\t0\n"
    assert json.loads(influx.ok("dashboards", "--json"))["dashboards"][0]["id"] == made["id"]
    assert influx.fails("dashboards", "-t", "wrong").startswith("Error: failed to find dashboards: 401 Unauthorized")


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("task", "list", "--json"), "influx task is not available: this server does not run tasks"),
        (("remote", "create", "-n", "x"), "influx remote is not available: this server does not replicate to others"),
        (("replication",), "influx replication is not available: this server does not replicate to others"),
        (("template", "-f", "x.yml"), "influx template is not available: this server does not apply templates"),
        (("apply", "-f", "x.yml"), "influx apply is not available: this server does not apply templates"),
        (("export", "all"), "influx export is not available: this server does not apply templates"),
        (("stacks",), "influx stacks is not available: this server does not apply templates"),
        (("v1", "shell"), "influx v1 shell is not available: send InfluxQL to /query instead"),
        (("bucket-schema", "list"), "InfluxDB Cloud-only command used with InfluxDB OSS host"),
        (("scripts", "list"), "failed to list scripts: 404 Not Found: path not found"),
    ],
)
def test_what_has_no_server_side_says_so(influx: Influx, args: tuple[str, ...], error: str) -> None:
    done = influx(*args)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Error: {error}\n")
