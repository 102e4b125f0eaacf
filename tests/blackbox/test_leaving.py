"""A query whose client has left stops, before its first byte too."""

from __future__ import annotations

import http.client
import os
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.blackbox.process import Server

pytestmark = pytest.mark.slow
_TICKS = os.sysconf("SC_CLK_TCK")
_ROWS = 60_000
# An accumulator that is carried from row to row is computed row by row: much work, one operator, one row of answer.
_FLUX = (
    'from(bucket:"house") |> range(start:0) |> group()'
    " |> reduce(identity: {n: 0.0}, fn: (r, accumulator) => ({n: accumulator.n + r._value}))"
)
_SCRIPT = "\n".join(f'{_FLUX} |> yield(name: "r{n}")' for n in range(40))
_INFLUXQL = ";".join(["SELECT percentile(v, 50) FROM m GROUP BY host"] * 1000)


def _cpu_seconds(server: Server) -> float:
    assert server.process is not None
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _idle_within(server: Server, seconds: float) -> bool:
    """Whether the process comes to rest: less than a tenth of a core over half a second."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        before = _cpu_seconds(server)
        time.sleep(0.5)
        if _cpu_seconds(server) - before < 0.05:
            return True
    return False


@pytest.mark.parametrize(
    ("path", "body", "content_type"),
    [
        ("/api/v2/query?org=house", _SCRIPT, "application/vnd.flux"),
        ("/query?db=house", "q=" + quote(_INFLUXQL), "application/x-www-form-urlencoded"),
    ],
    ids=["flux", "influxql"],
)
def test_a_computation_ends_with_its_client(server: Server, path: str, body: str, content_type: str) -> None:
    token = server.set_up()["auth"]["token"]
    lines = "\n".join(f"m,host=h{n % 50} v={n} {1_700_000_000_000_000_000 + n}" for n in range(_ROWS))
    assert server.write(token, lines).status == 204
    before = _cpu_seconds(server)
    with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        connection.request("POST", path, body, {"Authorization": f"Token {token}", "Content-Type": content_type})
        give_up = time.monotonic() + 20
        while _cpu_seconds(server) - before < 0.5:
            assert time.monotonic() < give_up, "it must be at work when the client leaves"
            time.sleep(0.05)
    assert _idle_within(server, 4.0)
    assert server.ask("GET", "/health").status == 200
    assert 'status="499"' in server.ask("GET", "/metrics", token).text
    assert "request.crashed" not in server.log
    assert server.stop() == 0
