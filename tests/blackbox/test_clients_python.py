"""Python clients, unmodified: the asynchronous one of version 2, and the one of version 1 with pandas."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from influxdb import DataFrameClient
from influxdb import InfluxDBClient as V1Client
from influxdb.exceptions import InfluxDBClientError
from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from tests.blackbox.process import Server

pytestmark = [
    pytest.mark.slow,
    # The version 1 client was last released before these became warnings.
    pytest.mark.filterwarnings("ignore:.*utc.*:DeprecationWarning"),
]

START = 1_600_000_000
PIVOT = ' |> pivot(rowKey:["_time"], columnKey:["_field"], valueColumn:"_value")'


class House:
    """A server that is set up, with a database of version 1 mapped to its bucket."""

    def __init__(self, server: Server) -> None:
        self.server = server
        made = server.set_up()
        self.token: str = made["auth"]["token"]
        self.org_id: str = made["org"]["id"]
        self.bucket_id: str = made["bucket"]["id"]

    def v1(self, kind: type[V1Client] = V1Client, **options: Any) -> Any:
        """A client that sends the token as a password, as the guides of the reference say."""
        return kind("127.0.0.1", self.server.port, "anyone", self.token, "house", timeout=30, **options)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    server = Server(tmp_path_factory.mktemp("python") / "data")
    server.start()
    try:
        yield House(server)
    finally:
        server.kill()


class TestAsynchronous:
    def test_write_query_delete(self, house: House) -> None:
        async def scenario() -> tuple[list[Any], list[Any], int, Any, int]:
            async with InfluxDBClientAsync(
                house.server.url, house.token, org="house", enable_gzip=True, timeout=30_000
            ) as client:
                assert await client.ping()
                assert await client.version() == "v2.9.1"
                write = client.write_api()
                points = [
                    Point("async").tag("n", f"t{at % 2}").field("v", at).time(START + at, WritePrecision.S)
                    for at in range(100)
                ]
                assert await write.write("house", record=points, write_precision=WritePrecision.S)
                query = client.query_api()
                text = 'from(bucket:"house") |> range(start:0) |> filter(fn: (r) => r._measurement == "async")'
                tables = await query.query(text + " |> sum()")
                stream = await query.query_stream(text)
                streamed = [record.get_value() async for record in stream]
                frame = await query.query_data_frame(text + PIVOT)
                raw = await query.query_raw(text + " |> group() |> count()")
                await client.delete_api().delete(
                    datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC), '_measurement="async"', "house"
                )
                left = await query.query(text)
                with pytest.raises(ApiException) as refused:
                    await query.query("from(")
                assert refused.value.status == 400
                return tables, streamed, len(frame), raw, len(left)

        tables, streamed, rows, raw, left = asyncio.run(scenario())
        assert [table.records[0].get_value() for table in tables] == [2450, 2500]
        assert (len(streamed), sum(streamed), rows, left) == (100, 4950, 100, 0)
        assert ",100" in str(raw)

    def test_requests_side_by_side(self, house: House) -> None:
        async def scenario() -> list[int]:
            async with InfluxDBClientAsync(house.server.url, house.token, org="house", timeout=60_000) as client:
                write, query = client.write_api(), client.query_api()
                await asyncio.gather(
                    *(write.write("house", record=f"side,n={at} v={at}i {START + at}000000000") for at in range(60))
                )
                text = 'from(bucket:"house") |> range(start:0) |> filter(fn: (r) => r._measurement == "side")'
                answers = await asyncio.gather(*(query.query(text + " |> group() |> sum()") for _ in range(20)))
                return [answer[0].records[0].get_value() for answer in answers]

        assert asyncio.run(scenario()) == [sum(range(60))] * 20


class TestBatches:
    def test_points_written_while_the_server_was_away_arrive(self, tmp_path: Path) -> None:
        """The client keeps batches that met nobody, and sends them again."""
        server = Server(tmp_path / "data")
        server.start()
        try:
            token = server.set_up()["auth"]["token"]
            options = WriteOptions(
                batch_size=50,
                flush_interval=200,
                retry_interval=200,
                max_retries=100,
                max_retry_delay=500,
                max_retry_time=60_000,
            )
            failed: list[str] = []
            with InfluxDBClient(server.url, token, org="house", timeout=5_000, enable_gzip=True) as client:
                write = client.write_api(options, error_callback=lambda _key, data, _error: failed.append(data))
                for at in range(500):
                    if at == 200:
                        server.stop()
                    if at == 400:
                        server.start()
                    write.write("house", record=f"batched v={at}i {START + at}", write_precision=WritePrecision.S)
                write.close()
                text = 'from(bucket:"house") |> range(start:0) |> filter(fn: (r) => r._measurement == "batched")'
                [table] = client.query_api().query(text + " |> sum()")
            assert (table.records[0].get_value(), failed) == (sum(range(500)), [])
        finally:
            server.kill()


class TestFrames:
    def test_a_frame_of_every_type_round_trips(self, house: House) -> None:
        index = pd.date_range("2020-09-13", periods=50, freq="1min", tz="UTC", name="_time")
        frame = pd.DataFrame(
            {
                "room": ["a", "b"] * 25,
                "f": [at / 3 for at in range(50)],
                "i": range(50),
                "ok": [at % 3 == 0 for at in range(50)],
                "s": [f"text {at}" for at in range(50)],
            },
            index=index,
        )
        frame.loc[index[7], "f"] = float("nan")
        with InfluxDBClient(house.server.url, house.token, org="house", timeout=30_000) as client:
            client.write_api(write_options=SYNCHRONOUS).write(
                "house", record=frame, data_frame_measurement_name="frame", data_frame_tag_columns=["room"]
            )
            found = client.query_api().query_data_frame(
                'from(bucket:"house") |> range(start:2020-01-01T00:00:00Z) |> filter(fn:(r) => r._measurement=="frame")'
                ' |> pivot(rowKey:["_time"], columnKey:["_field"], valueColumn:"_value") |> group()'
                ' |> sort(columns:["_time"])',
                data_frame_index=["_time"],
            )
        assert found["i"].tolist() == list(range(50))
        assert found["ok"].tolist() == frame["ok"].tolist()
        assert found["s"].tolist() == frame["s"].tolist()
        assert found["room"].tolist() == frame["room"].tolist()
        assert found["f"].isna().tolist() == frame["f"].isna().tolist()
        assert found["f"].dropna().tolist() == frame["f"].dropna().tolist()
        assert found.index.tolist() == index.tolist()


class TestVersion1:
    @pytest.mark.parametrize("gzip", [False, True])
    def test_points_in_every_precision(self, house: House, gzip: bool) -> None:
        client = house.v1(gzip=gzip)
        assert client.ping() == "v2.9.1"
        name = f"v1_{gzip}".lower()
        for precision, scale in (("s", 1), ("ms", 10**3), ("u", 10**6), ("n", 10**9)):
            assert client.write_points(
                [
                    {
                        "measurement": name,
                        "tags": {"p": precision},
                        "time": START * scale,
                        "fields": {"v": 1.5, "i": 3, "b": True, "s": 'a "b"'},
                    }
                ],
                time_precision=precision,
                tags={"site": "home"},
            )
        points = list(client.query(f'SELECT * FROM "{name}" ORDER BY time', epoch="s").get_points())
        assert [(p["time"], p["v"], p["i"], p["b"], p["s"], p["site"]) for p in points] == [
            (START, 1.5, 3, True, 'a "b"', "home")
        ] * 4
        assert {p["p"] for p in points} == {"s", "ms", "u", "n"}

    def test_epochs(self, house: House) -> None:
        client = house.v1()
        client.write([f"epochs v=1 {START}123456789"], {"db": "house"}, 204, "line")
        found = {
            epoch: next(client.query("SELECT v FROM epochs", epoch=epoch).get_points())["time"]
            for epoch in ("h", "m", "s", "ms", "u", "ns")
        }
        assert found == {
            "h": START // 3600,
            "m": START // 60,
            "s": START,
            "ms": START * 1000 + 123,
            "u": START * 10**6 + 123456,
            "ns": START * 10**9 + 123456789,
        }
        # The client asks for MessagePack and rounds to what Python's datetime holds.
        assert next(client.query("SELECT v FROM epochs").get_points())["time"] == "2020-09-13T12:26:40.123457Z"

    def test_chunks_binding_and_several_statements(self, house: House) -> None:
        client = house.v1()
        client.write(
            [f"chunks,n=a v={at}i {START + at}" for at in range(2500)], {"db": "house", "precision": "s"}, 204, "line"
        )
        chunked = client.query("SELECT v FROM chunks", chunked=True, chunk_size=1000)
        values = [
            point["v"]
            for result in ([chunked] if not isinstance(chunked, list) else chunked)
            for point in result.get_points()
        ]
        assert values == list(range(2500))
        bound = client.query("SELECT v FROM chunks WHERE v = $v", bind_params={"v": 7})
        assert [point["v"] for point in bound.get_points()] == [7]
        two = client.query("SELECT count(v) FROM chunks; SELECT max(v) FROM chunks")
        assert [next(result.get_points()) for result in two] == [
            {"time": "1970-01-01T00:00:00Z", "count": 2500},
            {"time": "2020-09-13T13:08:19Z", "max": 2499},
        ]
        posted = client.query("SELECT sum(v) FROM chunks", method="POST")
        assert next(posted.get_points())["sum"] == sum(range(2500))

    def test_lists(self, house: House) -> None:
        client = house.v1()
        client.write(
            ["listed,host=a v=1 1600000000", "listed,host=b v=1 1600000000"],
            {"db": "house", "precision": "s"},
            204,
            "line",
        )
        assert {"name": "house"} in client.get_list_database()
        assert {"name": "listed"} in client.get_list_measurements()
        assert client.get_list_series("house", "listed") == ["listed,host=a", "listed,host=b"]
        assert [policy["name"] for policy in client.get_list_retention_policies("house")] == ["autogen"]

    def test_errors(self, house: House) -> None:
        client = house.v1()
        with pytest.raises(InfluxDBClientError) as refused:
            client.query("SELECT nothing at all")
        assert refused.value.code == 400
        with pytest.raises(InfluxDBClientError, match="unable to parse 'not a line'"):
            client.write(["not a line"], {"db": "house"}, 204, "line")
        with pytest.raises(InfluxDBClientError) as refused:
            client.write(["m v=1"], {"db": "nowhere"}, 204, "line")
        assert refused.value.code == 404
        with pytest.raises(InfluxDBClientError, match=r"^not implemented: CREATE DATABASE$"):
            client.create_database("made")
        stranger = V1Client("127.0.0.1", house.server.port, "anyone", "wrong", "house")
        with pytest.raises(InfluxDBClientError) as refused:
            stranger.query("SHOW DATABASES")
        assert refused.value.code == 401

    def test_frames(self, house: House) -> None:
        client = house.v1(DataFrameClient)
        # The client takes the index for nanoseconds, whatever its unit.
        index = pd.date_range("2020-09-13", periods=1200, freq="1s", tz="UTC", unit="ns")
        frame = pd.DataFrame({"f": [at / 7 for at in range(1200)], "i": range(1200)}, index=index)
        with warnings.catch_warnings():
            # Its frames are made with calls that pandas has given up since.
            warnings.simplefilter("ignore")
            assert client.write_points(frame, "frame1", tags={"site": "home"}, batch_size=500, protocol="line")
            found = client.query("SELECT f, i FROM frame1")["frame1"]
        assert found["i"].tolist() == list(range(1200))
        assert found["f"].tolist() == frame["f"].tolist()
        assert found.index.tolist() == index.tolist()
