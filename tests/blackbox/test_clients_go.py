"""The official Go client, unmodified: one Go program, and what it saw by HTTP and by HTTPS.

Over HTTPS the client offers HTTP/2 first, which the server does not speak. Collected only
where the machine has Go; see `conftest.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.blackbox.process import Server, make_certificate

# The first build compiles the client and what it needs; later ones take it from Go's own cache.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FOLDER = Path(__file__).with_name("clients") / "go"
TRANSPORTS = ["http", *(["https"] if shutil.which("openssl") else [])]


def _run(*command: str, **environ: str) -> str:
    done = subprocess.run(
        command, cwd=FOLDER, env=os.environ | environ, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program, built."""
    built = str(tmp_path_factory.mktemp("go") / "scenario")
    _run("go", "build", "-buildvcs=false", "-o", built, ".")
    return built


@pytest.fixture(scope="module", params=TRANSPORTS)
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, program: str) -> Any:
    """What the program reports of a fresh server."""
    folder = tmp_path_factory.mktemp("go")
    server = Server(folder / "data", certificate=make_certificate(folder) if request.param == "https" else None)
    server.start()
    try:
        # The one authority that the client is to trust; nothing by HTTP.
        return json.loads(_run(program, server.url, SSL_CERT_FILE=str(server.certificate or "")))
    finally:
        server.kill()


def _refused(status: int, code: str, message: str) -> dict[str, Any]:
    return {"status": status, "code": code, "message": message}


def test_beginning(seen: Any) -> None:
    assert seen["setup"] == ["house", "house", "house", "go-operator-token-of-32-characters"]
    assert seen["setupAgain"] is True
    assert (seen["ping"], seen["health"], seen["ready"]) == (True, "pass", "ready")
    assert seen["me"] == "house"


def test_written_points_come_back_with_their_types(seen: Any) -> None:
    assert seen["rows"] == 250
    assert seen["last"] == {
        "result": "_result",
        "table": 0,
        "_start": "2020-09-13T00:00:00Z",
        "_stop": "2020-09-14T00:00:00Z",
        "_time": "2020-09-13T12:26:40.249Z",
        "_measurement": "climate",
        "room": "r a",
        "site": "home",
        "celsius": 124.5,
        "count": 249,
        "on": False,
        "text": 'a "q", ü',
        "u": 249,
    }
    assert seen["afterDelete"] is False


def test_queries(seen: Any) -> None:
    assert seen["raw"] == (
        "#datatype,string,long,long\r\n#group,false,false,false\r\n#default,_result,,\r\n"
        ",result,table,a\r\n,,0,1\r\n\r\n"
    )
    # Parameters beside the text are a feature of the cloud service; the open server does not know them either.
    assert seen["withParams"] == _refused(400, "invalid", "error @1:14-1:20: undefined identifier params")


def test_errors_reach_the_caller(seen: Any) -> None:
    assert seen["badLine"] == _refused(400, "invalid", "unable to parse 'this is not = a line': invalid field format")
    assert seen["badBucket"] == _refused(404, "not found", 'bucket "nowhere" not found')
    assert seen["badFlux"] == _refused(400, "invalid", "error @1:26-1:33: undefined identifier nothing")
    assert seen["badToken"] == _refused(401, "unauthorized", "unauthorized access")
    assert seen["weakWrite"] == _refused(403, "forbidden", "insufficient permissions for write")


def test_resources(seen: Any) -> None:
    assert seen["bucket"] == ["go", 86400]
    assert seen["bucketAgain"] == {"other": "conflict: bucket with name go already exists"}
    assert seen["inactive"] == "inactive"
    assert sorted(seen["names"]) == ["_monitoring", "_tasks", "house"]
