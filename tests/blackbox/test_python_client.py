"""The official Python client and real data: a year of hourly temperatures in Seattle."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from influxdb_client import InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS, WriteOptions
from influxdb_client.rest import ApiException
from tests.blackbox.process import Server, bucket_permission
from vega_datasets import local_data

pytestmark = pytest.mark.slow

MONTHLY = """
from(bucket: "house")
    |> range(start: 2010-01-01T00:00:00Z, stop: 2011-01-01T00:00:00Z)
    |> filter(fn: (r) => r._measurement == "weather" and r._field == "temp")
    |> aggregateWindow(every: 1mo, fn: mean, timeSrc: "_start")
"""


def _temperatures() -> Any:
    frame = local_data.seattle_temps().rename(columns={"date": "time"})
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    # The set has an hour twice where daylight saving ended; the last value is the one that a store keeps.
    return frame.drop_duplicates("time", keep="last").set_index("time")


class House:
    """A server that is set up, its ids, and tokens for one bucket."""

    def __init__(self, server: Server) -> None:
        self.server = server
        made = server.set_up()
        self.operator: str = made["auth"]["token"]
        self.org_id: str = made["org"]["id"]
        self.bucket_id: str = made["bucket"]["id"]
        self.writer = server.token(self.operator, self.org_id, bucket_permission("write", self.org_id, self.bucket_id))
        self.reader = server.token(self.operator, self.org_id, bucket_permission("read", self.org_id, self.bucket_id))

    def client(self, token: str, **options: Any) -> InfluxDBClient:
        return InfluxDBClient(self.server.url, token, org="house", timeout=30_000, **options)


@pytest.fixture
def house(server: Server) -> House:
    return House(server)


class TestSeattle:
    @pytest.mark.parametrize("gzip", [False, True])
    def test_monthly_means_are_those_of_pandas(self, house: House, gzip: bool) -> None:
        temperatures = _temperatures()
        assert len(temperatures) > 8_700
        with house.client(house.writer["token"], enable_gzip=gzip) as client:
            api = client.write_api(write_options=SYNCHRONOUS)
            api.write("house", record=temperatures, data_frame_measurement_name="weather")
        with house.client(house.reader["token"], enable_gzip=gzip) as client:
            answer = client.query_api().query_data_frame(
                MONTHLY + '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
            )
            tables = client.query_api().query('from(bucket:"house") |> range(start:2010-01-01T00:00:00Z) |> count()')
        wanted = temperatures["temp"].groupby(temperatures.index.month).mean()
        assert answer["temp"].tolist() == pytest.approx(wanted.tolist(), rel=1e-12)
        assert answer["_time"].dt.month.tolist() == list(range(1, 13))
        assert [record.get_value() for table in tables for record in table.records] == [len(temperatures)]

    def test_points_and_batches(self, house: House) -> None:
        with house.client(house.writer["token"]) as client:
            options = WriteOptions(batch_size=50, flush_interval=50, max_retries=0)
            with client.write_api(write_options=options) as api:
                for number in range(500):
                    point = Point("m").tag("kind", f"k{number % 3}").field("v", number).time(number * 1_000_000_000)
                    api.write("house", record=point)
        with house.client(house.reader["token"]) as client:
            tables = client.query_api().query('from(bucket:"house") |> range(start:0) |> group() |> sum()')
            stream = client.query_api().query_stream('from(bucket:"house") |> range(start:0) |> limit(n:1)')
            assert [record["kind"] for record in stream] == ["k0", "k1", "k2"]
            raw = client.query_api().query_raw('from(bucket:"house") |> range(start:0) |> group() |> count()').data
        assert tables[0].records[0].get_value() == sum(range(500))
        assert b",500" in raw

    def test_parameters_reach_the_script(self, house: House) -> None:
        house.server.write(house.writer["token"], "m v=1i 5000000000")
        with house.client(house.reader["token"]) as client:
            tables = client.query_api().query(
                "from(bucket: name) |> range(start: since, stop: 10)", params={"name": "house", "since": 0}
            )
        assert tables[0].records[0].get_value() == 1


class TestTokens:
    def test_a_token_does_what_it_says_and_nothing_else(self, house: House) -> None:
        server = house.server
        other = server.ask("POST", "/api/v2/buckets", house.operator, {"orgID": house.org_id, "name": "other"}).json
        assert server.write(house.operator, "m v=1", "other").status == 204
        with house.client(house.reader["token"]) as reader, house.client(house.writer["token"]) as writer:
            with pytest.raises(ApiException) as refused:
                reader.write_api(write_options=SYNCHRONOUS).write("house", record="m v=1")
            assert refused.value.status == 403
            with pytest.raises(ApiException) as refused:
                writer.query_api().query('from(bucket:"house") |> range(start:-1h)')
            assert refused.value.status == 404
            for client in (reader, writer):
                for source in ('bucket:"other"', f'bucketID:"{other["id"]}"'):
                    with pytest.raises(ApiException) as refused:
                        client.query_api().query(f"from({source}) |> range(start:-1h)")
                    assert refused.value.status == 404
                with pytest.raises(ApiException) as refused:
                    client.write_api(write_options=SYNCHRONOUS).write("other", record="m v=1")
                assert refused.value.status == 403
                assert client.authorizations_api().find_authorizations() == []
            assert [found.name for found in reader.buckets_api().find_buckets().buckets] == ["house"]
            assert writer.buckets_api().find_buckets().buckets == []

    def test_a_deleted_token_is_refused_from_the_next_request_on(self, house: House) -> None:
        server, token = house.server, house.reader["token"]
        question = 'from(bucket:"house") |> range(start:-1h)'
        for _ in range(3):
            assert server.flux(token, question).status == 200
        assert server.ask("DELETE", f"/api/v2/authorizations/{house.reader['id']}", house.operator).status == 204
        assert server.flux(token, question).status == 401

    def test_a_token_that_is_switched_off_is_refused_until_it_is_switched_on(self, house: House) -> None:
        server, token = house.server, house.writer["token"]
        path = f"/api/v2/authorizations/{house.writer['id']}"
        assert server.write(token, "m v=1").status == 204
        assert server.ask("PATCH", path, house.operator, {"status": "inactive"}).status == 200
        assert server.write(token, "m v=1").status in (401, 403)
        assert server.ask("PATCH", path, house.operator, {"status": "active"}).status == 200
        assert server.write(token, "m v=1").status == 204

    def test_the_client_makes_and_finds_tokens(self, house: House) -> None:
        with house.client(house.operator) as client:
            api = client.authorizations_api()
            found = {one.id for one in api.find_authorizations()}
            assert {house.reader["id"], house.writer["id"]} < found
            assert client.ping()
            assert client.version() == "v2.9.1"
            assert client.organizations_api().find_organizations()[0].name == "house"
