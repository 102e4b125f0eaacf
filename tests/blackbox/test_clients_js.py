"""The official JavaScript client and the one of version 1, unmodified: two Node programs, and what they saw.

The packages are installed from the registry by the lock beside the program,
once for each lock.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.blackbox.process import Server

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).with_name("clients") / "js"
HOOK = Path(__file__).parents[2] / "hatch_build.py"


def _node_tools() -> tuple[list[str], list[str]]:
    """Node and npm as the build finds them."""
    spec = importlib.util.spec_from_file_location("hatch_build", HOOK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tools: tuple[list[str], list[str]] = module.node_tools()
    return tools


def _run(*command: str, node: str) -> str:
    path = f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        command,
        cwd=FOLDER,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def node() -> str:
    """Node, with the packages of the lock in place."""
    [node, *_], npm = _node_tools()
    stamp = FOLDER / "node_modules" / ".lock-digest"
    digest = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != digest:
        _run(*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", node=node)
        stamp.write_text(digest)
    return node


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, node: str) -> Any:
    """What the program of the official client reports of a fresh server."""
    server = Server(tmp_path_factory.mktemp("js") / "data")
    server.start()
    try:
        return json.loads(_run(node, "scenario.mjs", server.url, node=node))
    finally:
        server.kill()


@pytest.fixture(scope="module")
def seen_by_v1(tmp_path_factory: pytest.TempPathFactory, node: str) -> Any:
    """What the program of the client of version 1 reports of a server with an empty bucket."""
    server = Server(tmp_path_factory.mktemp("js-v1") / "data")
    server.start()
    try:
        token = server.set_up()["auth"]["token"]
        return json.loads(_run(node, "version1.mjs", str(server.port), token, node=node))
    finally:
        server.kill()


def _refused(status: int, code: str, message: str) -> dict[str, Any]:
    return {"status": status, "code": code, "message": message}


UNAUTHORIZED = _refused(401, "unauthorized", "unauthorized access")


class TestBeginning:
    def test_onboarding_happens_once(self, seen: Any) -> None:
        assert seen["setupAllowed"] is True
        assert seen["setup"] == {
            "user": "house",
            "org": "house",
            "bucket": "house",
            "token": "js-operator-token-of-32-characters",
        }
        assert seen["setupAgain"] == _refused(422, "conflict", "onboarding has already been completed")

    def test_ping_health_ready(self, seen: Any) -> None:
        assert (seen["ping"], seen["health"], seen["ready"]) == (True, "pass", "ready")

    def test_sessions(self, seen: Any) -> None:
        assert seen["me"] == "house"
        assert seen["signedOut"] == UNAUTHORIZED
        assert seen["wrongPassword"] == UNAUTHORIZED


class TestWriting:
    def test_batches_packed_and_not(self, seen: Any) -> None:
        # Batches are sent side by side, so the order in which they are answered is open.
        assert sorted(seen["batches"]) == [50, 100, 100]

    def test_every_type_comes_back(self, seen: Any) -> None:
        assert seen["rows"]["length"] == 250
        assert seen["rows"]["last"] == {
            "result": "_result",
            "table": 0,
            "_start": "2020-09-13T12:26:40Z",
            "_stop": "2020-09-13T12:28:20Z",
            "_time": "2020-09-13T12:26:40.000000249Z",
            "_measurement": "climate",
            "room": "r 0",
            "site": "home",
            "celsius": 124.5,
            "count": 249,
            "on": False,
            # Quirk: the reference's encoder of annotated CSV ends a line within a cell as it ends a row.
            "text": 'a "quoted", 249\r\n',
            "u": 249,
        }

    def test_every_precision(self, seen: Any) -> None:
        assert [line for line in seen["lines"] if line.startswith(",,0")] == [
            f",,0,2020-09-13T12:26:4{at}Z,{name}" for at, name in enumerate(("s", "ms", "us", "ns"), start=1)
        ]

    def test_errors_reach_the_caller(self, seen: Any) -> None:
        assert seen["badLine"] == _refused(
            400, "invalid", "unable to parse 'this is not = a line': invalid field format"
        )
        assert seen["badBucket"] == _refused(404, "not found", 'bucket "nowhere" not found')

    def test_deleted_points_are_gone(self, seen: Any) -> None:
        assert seen["afterDelete"] == []


class TestQuerying:
    def test_iteration_knows_tables_and_types(self, seen: Any) -> None:
        sums = [sum(range(room, 250, 3)) for room in range(3)]
        assert [(row["table"], row["room"], row["_value"]) for row in seen["iterated"]] == [
            (room, f"r {room}", total) for room, total in enumerate(sums)
        ]

    def test_raw_text_and_observed_rows(self, seen: Any) -> None:
        assert seen["raw"] == (
            "#datatype,string,long,long,string\r\n#group,false,false,false,false\r\n#default,_result,,,\r\n"
            ",result,table,a,b\r\n,,0,1,x\r\n\r\n"
        )
        assert seen["consumed"] == 250 * 5
        assert seen["cancelled"] is True
        assert seen["duration"][0]["v"] == "1h30m"

    def test_errors_reach_the_caller(self, seen: Any) -> None:
        assert seen["badFlux"] == _refused(400, "invalid", "error @1:26-1:33: undefined identifier nothing")
        assert seen["badToken"] == UNAUTHORIZED

    def test_helpers_of_editors(self, seen: Any) -> None:
        assert seen["analyze"] > 0
        assert seen["ast"] == "Package"
        assert seen["suggestions"] is True


class TestResources:
    def test_buckets(self, seen: Any) -> None:
        assert seen["bucket"] == {
            "name": "js",
            "type": "user",
            "rules": [{"type": "expire", "everySeconds": 86400, "shardGroupDurationSeconds": 3600}],
        }
        assert seen["patched"] == "from js"
        assert seen["again"] == _refused(422, "conflict", "bucket with name js already exists")
        assert seen["names"] == ["_monitoring", "_tasks", "house"]

    def test_authorizations(self, seen: Any) -> None:
        assert seen["tokenWorks"] == []
        assert seen["weakWrite"] == _refused(403, "forbidden", "insufficient permissions for write")
        assert seen["inactive"] == "inactive"
        assert seen["gone"] == _refused(404, "not found", "authorization not found")

    def test_labels(self, seen: Any) -> None:
        assert seen["label"] == {"color": "ffb3b3"}
        assert seen["labels"] == ["js"]

    def test_mappings(self, seen: Any) -> None:
        assert seen["mappings"] == ["daily"]
        assert seen["mappingGone"] == _refused(404, "not found", "unable to find DBRP")

    def test_what_an_organization_keeps(self, seen: Any) -> None:
        assert seen["variables"] == [["rooms", ["a", "b"]]]
        assert seen["telegraf"] == [["house"], True]
        assert seen["dashboard"] == [["note", 4, "hello"]]
        assert seen["secrets"] == ["two"]


class TestVersion1:
    """The package `influx`, which Node-RED's nodes for versions 1 use."""

    ROWS: ClassVar[list[dict[str, Any]]] = [
        {"time": "2020-09-13T12:26:40.000Z", "b": True, "i": 3, "room": "a b", "s": 'x "y"', "v": 1.5},
        {"time": "2020-09-13T12:26:41.000Z", "b": None, "i": None, "room": "c", "s": None, "v": 2},
    ]

    def test_beginning(self, seen_by_v1: Any) -> None:
        assert seen_by_v1["ping"] == [[True, "v2.9.1"]]
        assert seen_by_v1["databases"] == ["_monitoring", "_tasks", "house"]
        # Quirk of the reference: databases are buckets, and are made as such.
        assert seen_by_v1["create"] == {"error": "Error from InfluxDB: not implemented: CREATE DATABASE"}

    def test_points_come_back(self, seen_by_v1: Any) -> None:
        assert seen_by_v1["rows"] == self.ROWS
        assert seen_by_v1["bound"] == [{"time": "2020-09-13T12:26:40.000Z", "v": 1.5}]
        assert seen_by_v1["precise"] == [{key: row[key] for key in ("time", "v")} for row in self.ROWS]
        assert seen_by_v1["two"] == [2, 1]

    def test_lists(self, seen_by_v1: Any) -> None:
        assert seen_by_v1["measurements"] == ["flows"]
        assert seen_by_v1["series"] == ["flows,room=a\\ b", "flows,room=c"]
        assert [policy["name"] for policy in seen_by_v1["policies"]] == ["autogen"]

    def test_errors_reach_the_caller(self, seen_by_v1: Any) -> None:
        assert "failed to parse query: " in seen_by_v1["badQuery"]["error"]
        assert seen_by_v1["badWrite"] == {
            "error": 'A 404 Not Found error occurred: {"code":"not found","message":"no dbrp mapping found"}'
        }
        assert seen_by_v1["badToken"] == {
            "error": 'A 401 Unauthorized error occurred: {"code":"unauthorized","message":"Unauthorized"}'
        }
