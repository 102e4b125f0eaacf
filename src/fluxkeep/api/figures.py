"""Figures of requests, under the names and labels that dashboards for the reference ask for.

Labels hold words of ours alone: the path of an endpoint with `:id` for its parameters, a method that the endpoint
has, a known client or `unknown`. What a client chose would let it grow them without end.

Source: http-api.md §2.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from fluxkeep.api.endpoint import Endpoint
from fluxkeep.metrics import Metrics

UNKNOWN = "unknown"
# What stands before the slash of a User-Agent.
CLIENTS = frozenset(
    (
        "Apache-HttpClient",
        "Chronograf",
        "Go-http-client",
        "Grafana",
        "HomeAssistant",
        "InfluxDBClient",
        "Kapacitor",
        "Mozilla",
        "Prometheus",
        "Telegraf",
        "Wget",
        "curl",
        "influx",
        "influxdb-client-csharp",
        "influxdb-client-go",
        "influxdb-client-java",
        "influxdb-client-js",
        "influxdb-client-php",
        "influxdb-client-python",
        "influxdb-client-ruby",
        "node",
        "okhttp",
        "python-requests",
        "telegraf",
    )
)
_HANDLER = "platform"
# Which family of transfer figures an endpoint's body and answer are counted in.
_TRANSFERS = {"/api/v2/write": "write", "/write": "write", "/api/v2/query": "query", "/query": "query"}

_Children = tuple[Callable[[], None], Callable[[float], None]]
_Moved = tuple[Callable[[], None], Callable[[float], None], Callable[[float], None]]


@dataclass(slots=True)
class Passage:
    """What is known of a request once it has been answered.

    Attributes:
        org_id: Of the credential; empty where it has none.
        request_bytes: Of the body, as sent.
    """

    org_id: str = ""
    request_bytes: int = 0


class Figures:
    """Counts requests, with the labelled children kept: finding them costs more than counting."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._children: dict[tuple[str, str, int, str], _Children] = {}
        self._moved: dict[tuple[str, str, int], _Moved] = {}

    def count(self, endpoint: Endpoint | None, method: str, status: int, user_agent: str, seconds: float) -> None:
        """Count one answer.

        Args:
            endpoint: What answered; None where there was none, and the path and method are the client's words.
            method: Of the request.
            status: Of the answer.
            user_agent: The header.
            seconds: From the request to the answer, or to a stream's beginning.
        """
        client = user_agent.partition("/")[0]
        if client not in CLIENTS:
            client = UNKNOWN
        key = (method, endpoint.path, status, client) if endpoint else ("-", "-", status, client)
        children = self._children.get(key)
        if children is None:
            labels = (_HANDLER, key[0], shown_path(key[1]), f"{status // 100}XX", client, str(status))
            children = (
                self._metrics.http_requests.labels(*labels).inc,
                self._metrics.http_seconds.labels(*labels).observe,
            )
            self._children[key] = children
        children[0]()
        children[1](seconds)

    def transfer(self, endpoint: Endpoint, passage: Passage, status: int, response_bytes: int) -> None:
        """Count what a write or a query moved; nothing for other endpoints."""
        kind = _TRANSFERS.get(endpoint.path)
        if kind is None:
            return
        key = (endpoint.path, passage.org_id, status)
        moved = self._moved.get(key)
        if moved is None:
            figures, labels = self._metrics.transfers[kind], (endpoint.path, passage.org_id, str(status))
            moved = (
                figures.requests.labels(*labels).inc,
                figures.request_bytes.labels(*labels).inc,
                figures.response_bytes.labels(*labels).inc,
            )
            self._moved[key] = moved
        moved[0]()
        moved[1](passage.request_bytes)
        moved[2](response_bytes)


def shown_path(path: str) -> str:
    """An endpoint's path as the reference's figures have it."""
    return re.sub(r"\{\w+\}", ":shard_id" if "/shards/" in path else ":id", path)
