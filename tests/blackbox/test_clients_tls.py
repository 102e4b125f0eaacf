"""Clients over HTTPS: what is negotiated, what they trust, and what browsers are told.

Collected only where the machine has `openssl` to make a certificate; see `conftest.py`.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from influxdb import InfluxDBClient as V1Client
from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from tests.blackbox.process import Server, make_certificate

pytestmark = [
    pytest.mark.slow,
    # The version 1 client was last released before these became warnings.
    pytest.mark.filterwarnings("ignore:.*utc.*:DeprecationWarning"),
]

INFLUX = Path(sys.executable).with_name("influx")


class House:
    """A server with a certificate of its own, set up."""

    def __init__(self, server: Server, certificate: Path) -> None:
        self.server = server
        self.certificate = certificate
        self.token: str = server.set_up()["auth"]["token"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("tls")
    certificate = make_certificate(folder)
    server = Server(folder / "data", certificate=certificate)
    server.start()
    try:
        yield House(server, certificate)
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("offered", "taken"), [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), (None, None)]
)
def test_clients_that_offer_http_2_are_told_to_fall_back(
    house: House, offered: list[str] | None, taken: str | None
) -> None:
    trusting = ssl.create_default_context(cafile=house.certificate)
    if offered:
        trusting.set_alpn_protocols(offered)
    with (
        socket.create_connection(("127.0.0.1", house.server.port), timeout=10) as plain,
        trusting.wrap_socket(plain, server_hostname="127.0.0.1") as wire,
    ):
        assert wire.selected_alpn_protocol() == taken
        assert wire.version() in ("TLSv1.2", "TLSv1.3")
        wire.sendall(b"GET /ping HTTP/1.1\r\nHost: house\r\n\r\n")
        assert wire.recv(4096).startswith(b"HTTP/1.1 204")


def test_an_older_version_is_refused(house: House) -> None:
    old = ssl.create_default_context(cafile=house.certificate)
    with pytest.warns(DeprecationWarning, match=r"TLSVersion\.TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match=r"TLSVersion\.TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", house.server.port), timeout=10) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain, server_hostname="127.0.0.1")


def test_plain_http_gets_nothing(house: House) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", house.server.port, timeout=10)
    connection.request("GET", "/api/v2/me", headers={"Authorization": f"Token {house.token}"})
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.getresponse()
    connection.close()


def test_python_clients(house: House) -> None:
    with InfluxDBClient(
        house.server.url, house.token, org="house", ssl_ca_cert=str(house.certificate), timeout=10_000
    ) as client:
        client.write_api(write_options=SYNCHRONOUS).write("house", record="tls v=1 1700000000000000000")
        found = client.query_api().query('from(bucket: "house") |> range(start: 0)')
        assert [row.get_value() for table in found for row in table] == [1.0]
    v1 = V1Client(
        "127.0.0.1", house.server.port, "anyone", house.token, "house", ssl=True, verify_ssl=str(house.certificate)
    )
    assert [point["v"] for point in v1.query("SELECT v FROM tls").get_points()] == [1.0]


def test_a_stranger_to_the_certificate_does_not_connect(house: House) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{house.server.url}/ping", timeout=10)


def test_the_command(house: House, tmp_path: Path) -> None:
    command = [str(INFLUX), "bucket", "list", "--host", house.server.url, "--token", house.token, "--org", "house"]
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    refused = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "certificate" in refused.stderr
    trusting = subprocess.run([*command, "--skip-verify"], env=environ, capture_output=True, text=True, check=False)
    assert trusting.returncode == 0, trusting.stderr
    assert "house" in trusting.stdout


def test_the_cookie_of_a_session_stays_on_https(house: House) -> None:
    connection = house.server.connect()
    connection.request("POST", "/api/v2/signin", headers={"Authorization": "Basic aG91c2U6aG91c2UtcGFzc3dvcmQ="})
    answer = connection.getresponse()
    assert answer.status == 204
    attributes = [part.strip() for part in (answer.getheader("set-cookie") or "").split(";")]
    assert "Secure" in attributes
    assert "HttpOnly" in attributes
    connection.close()
