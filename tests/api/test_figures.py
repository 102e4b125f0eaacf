"""What `/metrics` says of requests: the reference's names and labels, and nothing that a client chose."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import exposition

from fluxkeep.api.endpoint import Call, Endpoint
from fluxkeep.api.figures import CLIENTS, UNKNOWN, Figures, Passage, shown_path
from fluxkeep.api.responses import no_content
from fluxkeep.api.v2 import health
from fluxkeep.clock import ManualClock
from fluxkeep.metrics import Metrics


def endpoint(path: str, method: str = "GET") -> Endpoint:
    return Endpoint(method=method, path=path, handler=lambda _call: no_content(), needs="nothing")


BUCKET = endpoint("/api/v2/buckets/{id}")
WRITE = endpoint("/api/v2/write", "POST")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def labels(**changed: str) -> dict[str, str]:
    usual = {
        "handler": "platform",
        "method": "GET",
        "path": "/api/v2/buckets/:id",
        "status": "2XX",
        "user_agent": "curl",
        "response_code": "200",
    }
    return usual | changed


class TestRequests:
    def test_labels(self, metrics: Metrics) -> None:
        figures, value = Figures(metrics), metrics.registry.get_sample_value
        figures.count(BUCKET, "GET", 200, "curl/8.1", 0.25)
        figures.count(BUCKET, "GET", 200, "curl/8.2", 0.25)
        figures.count(BUCKET, "GET", 404, "mine/1", 1.0)
        assert value("http_api_requests_total", labels()) == 2
        assert value("http_api_request_duration_seconds_sum", labels()) == 0.5
        refused = labels(status="4XX", response_code="404", user_agent=UNKNOWN)
        assert value("http_api_requests_total", refused) == 1

    @settings(deadline=None, max_examples=50)
    @given(method=st.text(max_size=9), agent=st.text(max_size=20))
    def test_no_word_of_a_client_becomes_a_label(self, method: str, agent: str) -> None:
        metrics = Metrics()
        Figures(metrics).count(None, method, 404, agent, 0.0)
        [sample] = [
            sample
            for family in metrics.registry.collect()
            for sample in family.samples
            if sample.name == "http_api_requests_total"
        ]
        assert sample.labels.pop("user_agent") in CLIENTS | {UNKNOWN}
        assert sample.labels == {
            "handler": "platform",
            "method": "-",
            "path": "-",
            "status": "4XX",
            "response_code": "404",
        }

    def test_paths(self) -> None:
        assert shown_path("/api/v2/dashboards/{id}/cells/{cellID}") == "/api/v2/dashboards/:id/cells/:id"
        assert shown_path("/api/v2/backup/shards/{shardID}") == "/api/v2/backup/shards/:shard_id"


class TestTransfers:
    def test_writes_and_queries_are_measured(self, metrics: Metrics) -> None:
        figures, value = Figures(metrics), metrics.registry.get_sample_value
        passage = Passage(org_id="00000000000000aa", request_bytes=30)
        figures.transfer(WRITE, passage, 204, 0)
        figures.transfer(WRITE, passage, 204, 0)
        figures.transfer(endpoint("/query"), passage, 200, 70)
        figures.transfer(BUCKET, passage, 200, 70)
        written = {"endpoint": "/api/v2/write", "org_id": "00000000000000aa", "status": "204"}
        assert value("http_write_request_count", written) == 2
        assert value("http_write_request_bytes", written) == 60
        assert value("http_query_response_bytes", written | {"endpoint": "/query", "status": "200"}) == 70
        assert "buckets" not in exposition.generate_latest(metrics.registry).decode()


def test_what_runs_is_named(metrics: Metrics) -> None:
    found = health.endpoints(clock=ManualClock(), metrics=metrics, commit="c0ffee")
    [shown] = [one for one in found if one.path == "/metrics"]
    lines = bytes(shown.handler(Call("GET", "/metrics")).body).decode().splitlines()
    [info] = [line for line in lines if line.startswith("influxdb_info{")]
    assert 'commit="c0ffee"' in info
    assert 'version="v2.9.1"' in info
    assert info.endswith(" 1.0")
