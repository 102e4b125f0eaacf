"""Clients that misbehave, and networks that do: what is answered, and what is stored."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

import pytest
from tests.blackbox.process import Server

pytestmark = pytest.mark.slow

WRITE = "/api/v2/write?org=house&bucket=house"


class Wire:
    """A server that is set up, spoken to in bytes."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.token: str = server.set_up()["auth"]["token"]

    def head(self, method: str, path: str, *headers: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", "Host: house", f"Authorization: Token {self.token}", *headers]
        return "\r\n".join([*lines, "", ""]).encode()

    def connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.server.port))
        made.settimeout(10)
        return made

    def say(self, *parts: bytes, answers: int = 1, pause: float = 0.0, half_close: bool = False) -> bytes:
        """Send parts, and give what comes back: so many heads, or all to the end of the connection."""
        with self.connect() as connection:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            got = b""
            while got.count(b"HTTP/1.1 ") < answers or b"\r\n\r\n" not in got[got.rfind(b"HTTP/1.1 ") :]:
                piece = connection.recv(65536)
                if not piece:
                    break
                got += piece
            return got

    def measurements(self) -> set[str]:
        answer = self.server.flux(
            self.token,
            'import "influxdata/influxdb/schema" schema.measurements(bucket: "house", start: 1970-01-01T00:00:00Z)',
        )
        assert answer.status == 200, answer.text
        return {row.rpartition(",")[2] for row in answer.text.split("\r\n")[1:] if row}


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    server = Server(tmp_path_factory.mktemp("odd") / "data")
    server.start()
    try:
        yield Wire(server)
    finally:
        server.kill()


class TestUploads:
    CHUNKED = ("Transfer-Encoding: chunked",)

    def test_chunks_are_one_body(self, wire: Wire) -> None:
        got = wire.say(
            wire.head("POST", WRITE, *self.CHUNKED), b"9\r\nwhole v=1\r\n9\r\n2\nparts v\r\n3\r\n=1i\r\n0\r\n\r\n"
        )
        assert got.startswith(b"HTTP/1.1 204")
        assert wire.say(wire.head("POST", WRITE, *self.CHUNKED), b"0\r\n\r\n").startswith(b"HTTP/1.1 204")
        assert {"whole", "parts"} <= wire.measurements()

    @pytest.mark.parametrize(
        "body",
        [
            b"9\r\ncut_a v=1\r\n",
            b"20\r\ncut_b v=1",
            b"9\r\ncut_c v=1\r\nnot hexadecimal\r\n",
            b"9\r\ncut_d v=1__",
        ],
    )
    def test_an_upload_that_breaks_off_stores_nothing(self, wire: Wire, body: bytes) -> None:
        got = wire.say(wire.head("POST", WRITE, *self.CHUNKED), body, half_close=True)
        assert b"HTTP/1.1 204" not in got
        sized = wire.say(wire.head("POST", WRITE, "Content-Length: 500"), body, half_close=True)
        assert b"HTTP/1.1 204" not in sized
        assert not [name for name in wire.measurements() if "cut" in name]
        assert "request.crashed" not in wire.server.log

    def test_trailers_are_refused_rather_than_taken_for_a_whole_body(self, wire: Wire) -> None:
        body = b"b\r\ntrailed v=1\r\n0\r\nX-Sum: 1\r\n\r\n"
        assert wire.say(wire.head("POST", WRITE, *self.CHUNKED), body).startswith(b"HTTP/1.1 400")

    def test_continue_is_said_before_the_body_is_sent(self, wire: Wire) -> None:
        head = wire.head("POST", WRITE, "Expect: 100-continue", "Content-Length: 10")
        got = wire.say(head, b"expect v=1", answers=2, pause=0.3)
        assert [line[:12] for line in got.split(b"\r\n") if line.startswith(b"HTTP/")] == [
            b"HTTP/1.1 100",
            b"HTTP/1.1 204",
        ]

    def test_a_slow_writer_is_waited_for(self, wire: Wire) -> None:
        body = [bytes([byte]) for byte in b"slow v=1"]
        head = wire.head("POST", WRITE, f"Content-Length: {len(body)}")
        assert wire.say(head, *body, pause=0.02).startswith(b"HTTP/1.1 204")

    def test_http_2_is_not_taken_for_something_else(self, wire: Wire) -> None:
        got = wire.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", half_close=True)
        assert not got.startswith(b"HTTP/1.1 2")


class TestConnections:
    def test_pipelined_requests_are_answered_in_order(self, wire: Wire) -> None:
        body = b"piped v=1"
        requests = [wire.head("POST", WRITE, f"Content-Length: {len(body)}") + body, wire.head("GET", "/api/v2/nope")]
        got = wire.say(b"".join(requests * 3), answers=6)
        statuses = [line.split()[1] for line in got.split(b"\r\n") if b"HTTP/1.1 " in line and b"404" not in line]
        assert len(statuses) == 3
        assert got.count(b"HTTP/1.1 404") == 3
        assert got.startswith(b"HTTP/1.1 204")

    def test_a_thousand_connections(self, wire: Wire) -> None:
        connections = [wire.connect() for _ in range(1000)]
        try:
            for number, connection in enumerate(connections):
                body = f"many,n={number} v=1i".encode()
                connection.sendall(wire.head("POST", WRITE, f"Content-Length: {len(body)}") + body)
            assert {connection.recv(4096)[:12] for connection in connections} == {b"HTTP/1.1 204"}
        finally:
            for connection in connections:
                connection.close()
        answer = wire.server.ask("GET", "/query?db=house&q=SELECT%20count(v)%20FROM%20many", wire.token)
        assert answer.json["results"][0]["series"][0]["values"][0][1] == 1000

    def test_a_reader_that_goes_away_does_not_hurt(self, wire: Wire) -> None:
        lines = "\n".join(f"wide,h=h{at % 50} v={at} {1_600_000_000 + at}000000000" for at in range(100_000))
        assert wire.server.write(wire.token, lines).status == 204
        text = b'from(bucket:"house") |> range(start:0) |> filter(fn: (r) => r._measurement == "wide")'
        head = wire.head(
            "POST",
            "/api/v2/query?org=house",
            "Content-Type: application/vnd.flux",
            f"Content-Length: {len(text)}",
        )
        for _ in range(5):
            connection = wire.connect()
            connection.sendall(head + text)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        assert wire.server.ask("GET", "/health").status == 200
        assert wire.server.flux(wire.token, "buckets()").status == 200
        assert "crashed" not in wire.server.log


class TestOddRequests:
    def test_head_has_no_body(self, wire: Wire) -> None:
        for path in ("/ping", "/health", "/"):
            got = wire.say(wire.head("HEAD", path, "Connection: close"), answers=2)
            assert got.split(b" ", 2)[1] in (b"200", b"204")
            assert got.endswith(b"\r\n\r\n")

    def test_long_urls(self, wire: Wire) -> None:
        query = "SELECT v FROM m WHERE " + " OR ".join(f"h = 'h{at:0400}'" for at in range(100))
        encoded = query.replace(" ", "%20").replace("'", "%27")
        assert len(encoded) > 40_000
        assert wire.server.ask("GET", f"/query?db=house&q={encoded}", wire.token).status == 200
        assert wire.say(wire.head("GET", "/query?q=" + "a" * 300_000)).startswith(b"HTTP/1.1 414")

    def test_what_is_no_text(self, wire: Wire) -> None:
        server, token = wire.server, wire.token
        assert server.ask("POST", WRITE, token, b"bytes,t=\xff\xfe v=1").status == 204
        flux = {"Content-Type": "application/vnd.flux"}
        assert server.ask("POST", "/api/v2/query?org=house", token, b"\xff\xfe", flux).status == 400
        assert server.ask("GET", "/api/v2/buckets/%ff%fe", token).status == 400
        assert wire.say(wire.head("GET", "/api/v2/\xff")).split(b" ", 2)[1] in (b"400", b"404")
        assert server.ask("GET", "/api/v2/buckets", headers={"Authorization": "Token \xff\xfe"}).status == 401

    @pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 100_000, '{"name":' + "[" * 100_000])
    def test_deep_bodies_are_the_callers_fault(self, wire: Wire, body: str) -> None:
        answer = wire.server.ask("POST", "/api/v2/buckets", wire.token, body)
        assert (answer.status, answer.json["code"]) == (400, "invalid")

    def test_contradictory_lengths_are_refused(self, wire: Wire) -> None:
        got = wire.say(wire.head("POST", WRITE, "Content-Length: 5", "Content-Length: 6") + b"m v=1")
        assert got.startswith(b"HTTP/1.1 400")
