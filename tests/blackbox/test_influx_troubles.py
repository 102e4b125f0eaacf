"""`influx` where something goes wrong in the middle, and how it shows that long work goes on."""

from __future__ import annotations

import http.server
import os
import pty
import re
import select
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.blackbox.influx import INFLUX, Influx
from tests.blackbox.process import Server, free_port

pytestmark = pytest.mark.slow

# A table, then what the server says when the query fails after its first byte was sent (http-api.md §10.4).
TABLE = (
    "#group,false,false,true,false\r\n#datatype,string,long,string,long\r\n#default,_result,,,\r\n"
    ",result,table,_field,_value\r\n,,0,v,1\r\n"
)
FAILURE = "\r\n#group,true,true\r\n#datatype,string,string\r\n#default,,\r\n,error,reference\r\n,{text},\r\n"


class _Failing(http.server.BaseHTTPRequestHandler):
    """Answers queries with half of what was asked for."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/csv; charset=utf-8")
        if self.path.endswith("org=broken"):
            # More is announced than comes: the connection breaks.
            self.send_header("Content-Length", "10000")
            self.end_headers()
            self.wfile.write(TABLE.encode())
        else:
            text = '"said ""no"", twice"' if self.path.endswith("org=quoted") else "runtime error: the disk is gone"
            body = (TABLE + FAILURE.format(text=text)).encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_request(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[Influx]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Failing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Influx(Server(tmp_path, port=server.server_address[1]), tmp_path / "home")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("org", "text"),
    [("o", "runtime error: the disk is gone"), ("quoted", 'said "no", twice'), ("broken", "unexpected EOF")],
)
@pytest.mark.parametrize("raw", [(), ("--raw",)])
def test_a_query_that_fails_after_its_first_table_exits_1_and_says_why(
    failing: Influx, org: str, text: str, raw: tuple[str, ...]
) -> None:
    done = failing("query", "-t", "x", "-o", org, *raw, "buckets()")
    assert done.stderr == f"Error: failed to execute query: {text}\n"
    assert done.returncode == 1
    # What came before is shown, tables as far as they are whole.
    assert ("Result: _result" if org == "broken" and not raw else "_field") in done.stdout


def test_nobody_there_and_nothing_but_noise(tmp_path: Path) -> None:
    port = free_port()
    influx = Influx(Server(tmp_path, port=port), tmp_path / "home")
    done = influx("bucket", "list", "-o", "o", "-t", "x")
    at = f"127.0.0.1:{port}"
    assert done.stderr == (
        f'Error: failed to list buckets: Get "http://{at}/api/v2/buckets?limit=20&offset=0&org=o": '
        f"dial tcp {at}: connect: connection refused\n"
    )
    assert done.returncode == 1
    unknown = influx("ping", "--host", "http://nowhere.invalid:8086")
    assert unknown.returncode == 1
    assert re.fullmatch(r'Error: Get "http://nowhere\.invalid:8086/health": dial tcp: lookup .*\n', unknown.stderr)


def test_a_refused_token_is_one_line(influx: Influx) -> None:
    done = influx("bucket", "list", "-t", "wrong")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: failed to list buckets: 401 Unauthorized: unauthorized access\n"


def on_a_terminal(influx: Influx, *args: str) -> tuple[int, str]:
    """Exit status and what a terminal shows of standard error."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": str(influx.home), "INFLUX_HOST": influx.server.url}
    process = subprocess.Popen(
        [INFLUX, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs, env=environment
    )
    os.close(theirs)
    seen = b""
    while True:
        ready, _, _ = select.select([ours], [], [], 60)
        assert ready, "the command hangs"
        try:
            piece = os.read(ours, 65536)
        except OSError:
            # The terminal is closed on the other side.
            break
        if not piece:
            break
        seen += piece
    os.close(ours)
    return process.wait(), seen.decode()


def test_long_work_shows_how_far_it_is_on_a_terminal_only(influx: Influx, tmp_path: Path) -> None:
    path = tmp_path / "many.lp"
    path.write_text("".join(f"m,host=h{i % 9} v={i} {1_700_000_000_000_000_000 + i}\n" for i in range(40_000)))
    folder = str(tmp_path / "backup")
    works = {
        ("write", "-b", "climate", "-f", str(path)): r"Written: \d+\.\d MB, \d+ lines",
        ("backup", folder): r"\.tar\.gz: \d+\.\d MB",
        ("restore", folder, "--bucket", "climate", "--new-bucket", "again"): r"\d+\.\d MB of \d+\.\d MB \(\d+ %\)",
    }
    for args, shown in works.items():
        status, seen = on_a_terminal(influx, *args)
        assert status == 0, seen
        assert re.search(r"\r\x1b\[K[^\r]*" + shown, seen), seen
        # Nothing is left of it at the end.
        assert seen.endswith(("\r\x1b[K", "\n"))
    quiet = influx("backup", str(tmp_path / "quiet"))
    assert quiet.returncode == 0
    assert "\r" not in quiet.stderr
    assert "\x1b" not in quiet.stderr
    assert not re.search(r"\d MB", quiet.stderr)
