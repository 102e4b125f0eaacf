"""Every command of `influx` that prints a table prints the same as JSON; cli.md §1.3 and §2, tokens.md §5.

The commands run in the order of a life: what is made by one is changed and deleted by others. A command that takes
`--json` and is not in it fails the last test.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.blackbox.influx import Influx
from tests.blackbox.process import Server

from fluxkeep.cli.influx import influx as root
from fluxkeep.cli.reference import shown_options, walk

pytestmark = pytest.mark.slow

BUCKET = ("ID", "Name", "Retention", "Shard group duration", "Organization ID", "Schema Type")
AUTH = ("ID", "Description", "Token", "User Name", "User ID", "Permissions")
AUTH_KEYS = {"id", "description", "token", "status", "userName", "userID", "permissions"}
V1 = ("ID", "Description", "Username", "v2 User Name", "v2 User ID", "Permissions")
DBRP = ("ID", "Database", "Bucket ID", "Retention Policy", "Default", "Organization ID")
TELEGRAF = ("ID", "OrgID", "Name", "Description")
CONFIG = ("Active", "Name", "URL", "Org")


@dataclass
class Life:
    """Runs commands in both forms and notes which."""

    influx: Influx
    seen: set[str] = field(default_factory=set)

    def table(self, command: str, *args: str) -> list[list[str]]:
        """The header's and the rows' cells; empty ones at the end are left out."""
        self.seen.add(f"influx {command}")
        lines = self.influx.ok(*command.split(), *args, stdin="[agent]\n").splitlines()
        return [[cell for cell in line.split("\t") if cell] for line in lines]

    def json(self, command: str, *args: str) -> Any:
        """What `--json` gives, which is indented with tabs and in order of keys."""
        text = self.influx.ok(*command.split(), *args, "--json", stdin="[agent]\n")
        value = json.loads(text)
        spelled = json.dumps(value, indent="\t", sort_keys=True, ensure_ascii=False)
        for character in "<>&":
            spelled = spelled.replace(character, f"\\u{ord(character):04x}")
        assert text == spelled + "\n"
        return value

    def listed(self, command: str, columns: tuple[str, ...], *args: str, within: str = "") -> list[dict[str, Any]]:
        """A list in both forms: as many rows as objects, each row with its object's id or key."""
        header, *rows = self.table(command, *args)
        assert tuple(header) == columns
        value = self.json(command, *args)
        objects: list[dict[str, Any]] = value[within] if within else value
        assert isinstance(objects, list)
        assert [row[0] for row in rows] == [one.get("id", one.get("key")) for one in objects]
        assert "".join(self.influx.ok(*command.split(), *args, "--hide-headers")).count("\n") == len(objects)
        return objects

    def changed(
        self,
        command: str,
        columns: tuple[str, ...],
        for_table: tuple[str, ...],
        for_json: tuple[str, ...],
        **shown: Any,
    ) -> tuple[str, dict[str, Any]]:
        """A command that prints one object, run once in each form; the id of the row, and the object."""
        header, row = self.table(command, *for_table)
        assert tuple(header) == columns
        if columns[-1] == "Deleted":
            assert row[-1] == "true"
        value = self.json(command, *for_json)
        assert isinstance(value, dict)
        assert {name: value[name] for name in shown} == shown
        return row[0], value


@pytest.fixture(scope="module")
def life(influx: Influx) -> Life:
    return Life(influx)


def test_buckets(life: Life) -> None:
    org = life.json("org list", "-n", "home")[0]["id"]
    first, second = life.changed(
        "bucket create",
        BUCKET,
        ("-n", "b1", "-r", "1w"),
        ("-n", "b2", "-d", "<d>"),
        name="b2",
        description="<d>",
        orgID=org,
    )
    assert second["retentionRules"][0]["everySeconds"] == 0
    assert {one["name"] for one in life.listed("bucket list", BUCKET)} == {
        "_monitoring",
        "_tasks",
        "b1",
        "b2",
        "climate",
    }
    rows = life.table("bucket list", "-n", "b1")
    assert rows[1] == [first, "b1", "168h0m0s", "24h0m0s", org, "implicit"]
    life.changed("bucket update", BUCKET, ("-i", first, "-n", "b3"), ("-i", second["id"], "-n", "b4"), name="b4")
    life.changed("bucket delete", (*BUCKET, "Deleted"), ("-i", first), ("-n", "b4"), id=second["id"], name="b4")


def test_organizations_and_members(life: Life) -> None:
    columns = ("ID", "Name")
    first, second = life.changed(
        "org create", columns, ("-n", "o1"), ("-n", "o2", "-d", "x"), name="o2", description="x"
    )
    assert {one["name"] for one in life.listed("org list", columns)} == {"home", "o1", "o2"}
    life.changed("org update", columns, ("-i", first, "-n", "o3"), ("-i", second["id"], "-n", "o4"), name="o4")
    members = life.listed("org members list", ("ID", "Name", "User Type", "Status"), "-n", "home")
    assert [(one["name"], one["role"], one["status"]) for one in members] == [("admin", "owner", "active")]
    life.changed("org delete", (*columns, "Deleted"), ("-i", first), ("-i", second["id"]), name="o4")


def test_users(life: Life) -> None:
    columns = ("ID", "Name")
    password = ("-p", "correct-horse")
    first, second = life.changed("user create", columns, ("-n", "u1", *password), ("-n", "u2", *password), name="u2")
    assert second["status"] == "active"
    assert {one["name"] for one in life.listed("user list", columns)} == {"admin", "u1", "u2"}
    life.changed("user update", columns, ("-i", first, "-n", "u3"), ("-i", second["id"], "-n", "u4"), name="u4")
    life.changed("user delete", (*columns, "Deleted"), ("-i", first), ("-i", second["id"]), name="u4")


def test_secrets(life: Life) -> None:
    columns = ("Key", "Organization ID")
    key, _ = life.changed("secret update", columns, ("-k", "k1", "-v", "x"), ("-k", "k2", "-v", "y"), key="k2")
    assert key == "k1"
    assert [one["key"] for one in life.listed("secret list", columns)] == ["k1", "k2"]
    life.changed("secret delete", (*columns, "Deleted"), ("-k", "k1"), ("-k", "k2"), key="k2")


def test_tokens(life: Life) -> None:
    first, second = life.changed("auth create", AUTH, ("--read-buckets", "-d", "t1"), ("--read-buckets", "-d", "t2"))
    assert second.keys() == AUTH_KEYS
    assert second["token"]
    assert second["permissions"][0].startswith("read:orgs/")
    listed = life.listed("auth list", tuple(c for c in AUTH if c))
    assert all(one.keys() == AUTH_KEYS and one["token"] == "" for one in listed)
    for command, status in (("inactive", "inactive"), ("active", "active")):
        _, one = life.changed(
            f"auth {command}", AUTH, ("-i", first), ("-i", second["id"]), status=status, description="t2"
        )
        assert one.keys() == AUTH_KEYS
    life.changed("auth delete", (*AUTH, "Deleted"), ("-i", first), ("-i", second["id"]), description="t2")


def test_v1_tokens_and_databases(life: Life) -> None:
    bucket = life.json("bucket list", "-n", "climate")[0]["id"]
    made = ("--password", "longenough", "--read-bucket", bucket)
    first, second = life.changed(
        "v1 auth create", V1, ("--username", "g1", *made), ("--username", "g2", *made), token="g2"
    )
    assert second.keys() == AUTH_KEYS
    assert {one["token"] for one in life.listed("v1 auth list", V1)} == {"g1", "g2"}
    for command, status in (("set-inactive", "inactive"), ("set-active", "active")):
        life.changed(f"v1 auth {command}", V1, ("--id", first), ("--username", "g2"), status=status, token="g2")
    life.changed("v1 auth delete", (*V1, "Deleted"), ("--username", "g1"), ("--id", second["id"]), token="g2")

    policy = ("--bucket-id", bucket, "--db", "d")
    first, second = life.changed("v1 dbrp create", DBRP, (*policy, "--rp", "r1"), (*policy, "--rp", "r2"), database="d")
    physical = [row for row in life.table("v1 dbrp list") if row]
    assert tuple(physical[0]) == DBRP
    assert ["VIRTUAL DBRP MAPPINGS (READ-ONLY)"] in physical
    both = life.json("v1 dbrp list")
    assert {one["retention_policy"] for one in both if one["database"] == "d"} == {"r1", "r2"}
    assert [one["database"] for one in both if one["virtual"]] == [
        row[1] for row in physical[-sum(o["virtual"] for o in both) :]
    ]
    life.changed(
        "v1 dbrp update",
        DBRP,
        ("--id", first, "--rp", "r3"),
        ("--id", second["id"], "--rp", "r4"),
        retention_policy="r4",
    )
    life.changed("v1 dbrp delete", DBRP, ("--id", first), ("--id", second["id"]), retention_policy="r4")


def test_telegrafs_and_dashboards(life: Life) -> None:
    first, second = life.changed(
        "telegrafs create", TELEGRAF, ("-n", "t1", "-d", "x"), ("-n", "t2", "-d", "y"), name="t2", config="[agent]\n"
    )
    assert [one["name"] for one in life.listed("telegrafs", TELEGRAF, within="configurations")] == ["t1", "t2"]
    changed = ("-n", "t3", "-d", "z")
    life.changed("telegrafs update", TELEGRAF, ("-i", first, *changed), ("-i", second["id"], *changed), name="t3")
    columns = ("ID", "OrgID", "Name", "Description", "Num Cells")
    assert life.listed("dashboards", columns, within="dashboards") == []


def test_configs(life: Life) -> None:
    url = life.influx.server.url
    active, _ = life.changed(
        "config create", CONFIG, ("-n", "c1", "-u", url), ("-n", "c2", "-u", url, "-o", "home"), url=url, org="home"
    )
    assert active == "c1"
    named = life.json("config ls")
    assert named.keys() == {"default", "c1", "c2"}
    assert named["default"]["active"] is True
    header, *rows = life.table("config ls")
    assert tuple(header) == CONFIG
    assert sorted(next(cell for cell in row if cell != "*") for row in rows) == sorted(named)
    life.changed("config set", CONFIG, ("-n", "c1", "-o", "home"), ("-n", "c2", "-o", "other"), org="other")
    life.seen.add("influx config rm")
    assert life.table("config rm", "c1")[0] == [*CONFIG, "Deleted"]
    assert life.json("config rm", "c2")["c2"]["url"] == url


def test_the_servers_config(life: Life) -> None:
    life.seen.add("influx server-config")
    options = life.json("server-config")
    assert options["use-hashed-tokens"] is True
    assert list(options) == sorted(options)


def test_setup(life: Life, tmp_path: Path) -> None:
    life.seen.add("influx setup")
    server = Server(tmp_path / "data")
    server.start()
    try:
        flags = ("-u", "admin", "-p", "correct-horse", "-o", "home", "-b", "climate", "--force")
        made = json.loads(Influx(server, tmp_path / "home").ok("setup", *flags, "--json"))
    finally:
        server.kill()
    assert made == {"bucket": "climate", "organization": "home", "user": "admin"}


def test_no_command_that_prints_both_forms_is_left_out(life: Life) -> None:
    both = {
        context.command_path
        for context in walk(root)
        if any("--json" in option.opts for option in shown_options(context.command, context))
    }
    assert both - life.seen == set()
