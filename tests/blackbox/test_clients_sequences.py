"""What programs that write and draw send, request by request: Telegraf, Grafana, Home Assistant.

They are no packages that a test could install, so their requests are written down as their documentation and
source have them; where they use a client library, that library is used.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from influxdb import InfluxDBClient as V1Client
from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import ASYNCHRONOUS
from tests.blackbox.process import Answer, Server

pytestmark = [
    pytest.mark.slow,
    # The version 1 client was last released before these became warnings.
    pytest.mark.filterwarnings("ignore:.*utc.*:DeprecationWarning"),
    # What Home Assistant writes with.
    pytest.mark.filterwarnings("ignore:.*WriteType.asynchronous.*:DeprecationWarning"),
]

START = 1_700_000_000
MINUTE_MS = 60_000


class House:
    """A server that is set up, with an hour of two rooms in its bucket, a point a minute."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.token: str = server.set_up()["auth"]["token"]
        lines = "\n".join(
            f"cpu,host={host} v={at},ok=t {START + 60 * at}" for at in range(60) for host in ("alpha", "beta")
        )
        assert server.ask("POST", "/api/v2/write?org=house&bucket=house&precision=s", self.token, lines).status == 204

    def streamed(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """A body without a length, in chunks, as programs that pack while they send have it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            pieces = (body[at : at + 1000] for at in range(0, len(body), 1000))
            connection.request("POST", path, pieces, headers, encode_chunked=True)
            got = connection.getresponse()
            return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        finally:
            connection.close()

    def influxql(self, text: str, **parameters: str) -> Any:
        answer = self.server.ask("GET", "/query?" + urlencode({"q": text, **parameters}), self.token)
        assert answer.status == 200, answer.text
        return answer.json["results"]

    def count(self, measurement: str) -> int:
        [result] = self.influxql(f'SELECT count(v) FROM "{measurement}"', db="house")
        return int(result["series"][0]["values"][0][1])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    server = Server(tmp_path_factory.mktemp("sequences") / "data")
    server.start()
    try:
        yield House(server)
    finally:
        server.kill()


class TestTelegraf:
    """`outputs.influxdb_v2` and `outputs.influxdb`, which pack each batch while they send it."""

    def headers(self, authorization: str) -> dict[str, str]:
        return {
            "User-Agent": "Telegraf/1.30.0 Go/1.22.0",
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Encoding": "gzip",
            "Accept-Encoding": "gzip",
            "Authorization": authorization,
        }

    def batch(self, name: str) -> bytes:
        lines = [f"{name},host=ü\\ box v={at / 7},n={at}i {START + at}000000000" for at in range(1000)]
        return gzip.compress("\n".join([*lines, ""]).encode())

    def test_version_2(self, house: House) -> None:
        headers = self.headers(f"Token {house.token}")
        written = house.streamed("/api/v2/write?bucket=house&org=house", self.batch("tg2"), headers)
        assert (written.status, written.body) == (204, b"")
        assert house.count("tg2") == 1000

    def test_what_version_2_reads_of_a_refusal(self, house: House) -> None:
        """It drops a batch by its status and shows `code` and `message`; only 429 and 5xx make it try again."""
        headers = self.headers(f"Token {house.token}")
        for path, body, status, code in (
            ("bucket=nowhere&org=house", b"m v=1", 404, "not found"),
            ("bucket=house&org=house", b"m v=", 400, "invalid"),
            ("bucket=house&org=house", b'cpu,host=alpha v="text" 1700000000000000000', 422, "unprocessable entity"),
        ):
            refused = house.streamed(f"/api/v2/write?{path}", gzip.compress(body), headers)
            assert (refused.status, refused.json["code"]) == (status, code)
            assert refused.headers["x-platform-error-code"] == code
            assert "retry-after" not in refused.headers
        stranger = house.streamed(
            "/api/v2/write?bucket=house&org=house", self.batch("tg2"), self.headers("Token nobody-has-this-one")
        )
        assert (stranger.status, stranger.json["code"]) == (401, "unauthorized")

    def test_version_1(self, house: House) -> None:
        """It first makes its database, and goes on with a warning where that is refused."""
        basic = "Basic " + base64.b64encode(f"telegraf:{house.token}".encode()).decode()
        made = house.server.ask(
            "POST",
            "/query",
            body=urlencode({"q": 'CREATE DATABASE "house"'}),
            headers={"Content-Type": "application/x-www-form-urlencoded", "Authorization": basic},
        )
        assert (made.status, made.json) == (
            200,
            {"results": [{"statement_id": 0, "error": "not implemented: CREATE DATABASE"}]},
        )
        written = house.streamed("/write?consistency=any&db=house", self.batch("tg1"), self.headers(basic))
        assert (written.status, written.body) == (204, b"")
        assert house.count("tg1") == 1000
        assert written.headers["x-influxdb-version"] == "v2.9.1"


class TestGrafana:
    """The data source of Grafana in both languages; its requests come from Grafana's server."""

    def flux(self, house: House, text: str) -> Answer:
        return house.server.ask(
            "POST",
            "/api/v2/query?org=house",
            house.token,
            json.dumps(
                {
                    "dialect": {"annotations": ["datatype", "group", "default"], "delimiter": ",", "header": True},
                    "query": text,
                    "type": "flux",
                }
            ),
            {"Content-Type": "application/json", "Accept": "text/csv", "Accept-Encoding": "gzip"},
        )

    def test_health_by_flux(self, house: House) -> None:
        answer = self.flux(house, "buckets()")
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        body = gzip.decompress(answer.body) if answer.headers.get("content-encoding") == "gzip" else answer.body
        assert b",house," in body

    def test_a_panel_by_flux(self, house: House) -> None:
        """`v.timeRangeStart` and its kin arrive as times, `v.windowPeriod` as a duration."""
        answer = self.flux(
            house,
            'from(bucket: "house")\n  |> range(start: 2023-11-14T22:13:20Z, stop: 2023-11-14T23:13:20Z)\n'
            '  |> filter(fn: (r) => r["_measurement"] == "cpu" and r["_field"] == "v" and (r["host"] == "alpha"))\n'
            '  |> aggregateWindow(every: 10m, fn: mean, createEmpty: false)\n  |> yield(name: "mean")',
        )
        body = gzip.decompress(answer.body) if answer.headers.get("content-encoding") == "gzip" else answer.body
        rows = [line for line in body.decode().split("\r\n") if line.startswith(",,0,")]
        assert [row.split(",")[5:8] for row in rows[:2]] == [
            ["2023-11-14T22:20:00Z", "3", "v"],
            ["2023-11-14T22:30:00Z", "11.5", "v"],
        ]

    @pytest.mark.parametrize(
        ("text", "values"),
        [
            ("SHOW DATABASES", [["_monitoring"], ["_tasks"], ["house"]]),
            ('SHOW RETENTION POLICIES on "house"', [["autogen", "0s", "168h0m0s", 1, True]]),
            ("SHOW MEASUREMENTS WITH MEASUREMENT =~ /(?i)CP/ LIMIT 100", [["cpu"]]),
            ('SHOW FIELD KEYS FROM "cpu"', [["ok", "boolean"], ["v", "float"]]),
            ('SHOW TAG KEYS FROM "cpu"', [["host"]]),
            ('SHOW TAG VALUES FROM "cpu" WITH KEY = "host"', [["host", "alpha"], ["host", "beta"]]),
            (
                'SHOW TAG VALUES FROM "cpu" WITH KEY = "host" WHERE "host" =~ /(?i)^al.*/ LIMIT 10',
                [["host", "alpha"]],
            ),
        ],
    )
    def test_its_editor(self, house: House, text: str, values: list[list[Any]]) -> None:
        [result] = house.influxql(text, db="house", epoch="ms")
        assert result["series"][0]["values"] == values

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("group", ['"host"::tag', '"host"'])
    def test_a_panel_by_influxql(self, house: House, method: str, group: str) -> None:
        start = START * 1000
        text = (
            f'SELECT mean("v") FROM "cpu" WHERE ("host"::tag =~ /^(alpha|beta)$/) '
            f"AND time >= {start}ms and time <= {start + 60 * MINUTE_MS}ms "
            f"GROUP BY time(20m), {group} fill(null) ORDER BY time ASC"
        )
        parameters = {"db": "house", "epoch": "ms"}
        if method == "GET":
            [result] = house.influxql(text, **parameters)
        else:
            answer = house.server.ask(
                "POST",
                "/query?" + urlencode(parameters),
                house.token,
                urlencode({"q": text}),
                {"Content-Type": "application/x-www-form-urlencoded"},
            )
            [result] = answer.json["results"]
        assert [series["tags"] for series in result["series"]] == [{"host": "alpha"}, {"host": "beta"}]
        first = (start - start % (20 * MINUTE_MS), 20 * MINUTE_MS)
        assert [row[0] for row in result["series"][0]["values"]] == [first[0] + first[1] * at for at in range(4)]
        assert [row[1] for row in result["series"][1]["values"]] == [3.0, 16.5, 36.5, 53.0]

    def test_several_queries_of_a_panel_are_one_request(self, house: House) -> None:
        results = house.influxql('SELECT count("v") FROM "cpu";SELECT max("v") FROM "cpu"', db="house", epoch="ms")
        assert [result["statement_id"] for result in results] == [0, 1]


class TestHomeAssistant:
    """Its integration with both versions: a test of the connection, then one point a state."""

    STATE = (
        "°C",
        {"domain": "sensor", "entity_id": "living_room"},
        {"value": 21.5, "friendly_name_str": 'Living "room"', "battery": 87.0},
    )

    def test_version_2(self, house: House) -> None:
        measurement, tags, fields = self.STATE
        point = {"measurement": measurement, "tags": tags, "time": "2023-11-14T22:13:20.5+00:00", "fields": fields}
        with InfluxDBClient(house.server.url, house.token, org="house", timeout=10_000) as client:
            write = client.write_api(write_options=ASYNCHRONOUS)
            assert write.write(bucket="house", record=[]) == []
            names = [row.values["name"] for table in client.query_api().query("buckets()") for row in table]
            assert "house" in names
            write.write(bucket="house", record=[point]).get()
            found = client.query_api().query(
                'from(bucket: "house") |> range(start: 0) |> filter(fn: (r) => r.entity_id == "living_room")'
                ' |> filter(fn: (r) => r._field == "value") |> limit(n: 1)'
            )
        assert [(row.get_measurement(), row.get_value()) for table in found for row in table] == [("°C", 21.5)]

    def test_version_1(self, house: House) -> None:
        measurement, tags, fields = self.STATE
        client = V1Client("127.0.0.1", house.server.port, "anyone", house.token, "house", timeout=10)
        assert client.write_points([])
        assert {"name": "house"} in list(client.query("SHOW DATABASES;").get_points())
        at = "2023-11-14T22:13:21+00:00"
        assert client.write_points(
            [{"measurement": measurement, "tags": tags | {"entity_id": "cellar"}, "time": at, "fields": fields}]
        )
        found = client.query('select mean("value") as value from "house"."autogen"."°C" where "entity_id" = \'cellar\'')
        assert [point["value"] for point in found.get_points()] == [21.5]
