"""Counters and histograms that the process exposes at `/metrics`.

A registry of its own rather than the library's global one, so that tests and
two servers in one process do not share figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_REQUEST = ("handler", "method", "path", "status", "user_agent", "response_code")
_TRANSFER = ("endpoint", "org_id", "status")
_POINTS = (1, 10, 100, 1_000, 10_000, 100_000)


@dataclass(frozen=True, slots=True)
class Transfers:
    """What requests of one kind moved, by endpoint, organization and status.

    The reference's counters lack the suffix that ours would get, so these are gauges that only grow.
    """

    requests: Gauge
    request_bytes: Gauge
    response_bytes: Gauge


class Metrics:
    """What the rooms count; each figure's name is its interface."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.http_requests = Counter("http_api_requests", "Requests answered", _REQUEST, registry=self.registry)
        self.http_seconds = Histogram(
            "http_api_request_duration_seconds", "Time to answer", _REQUEST, registry=self.registry
        )
        self.transfers = {kind: self._transfers(kind) for kind in ("write", "query")}
        self.points_written = Histogram(
            "storage_writer_ok_points", "Points of a write made durable", buckets=_POINTS, registry=self.registry
        )
        self.points_refused = Histogram(
            "storage_writer_dropped_points", "Points of a write refused", buckets=_POINTS, registry=self.registry
        )
        self.info = Gauge(
            "influxdb_info",
            "What runs",
            ["arch", "build_date", "commit", "cpus", "os", "version"],
            registry=self.registry,
        )
        self.authentication_failures = Counter(
            "fluxkeep_authentication_failures", "Credentials refused", ["reason"], registry=self.registry
        )
        self.corrupt_files = Gauge("fluxkeep_corrupt_files", "Files set aside as corrupt", registry=self.registry)

    def watch(self, name: str, what: str, count: Callable[[], float]) -> None:
        """Expose what `count` gives at the moment somebody looks.

        It runs on a thread of the pool and may ask the store.
        """
        Gauge(name, what, registry=self.registry).set_function(count)

    def _transfers(self, kind: str) -> Transfers:
        def gauge(name: str, what: str) -> Gauge:
            return Gauge(f"http_{kind}_{name}", what, _TRANSFER, registry=self.registry)

        return Transfers(
            gauge("request_count", "Requests"),
            gauge("request_bytes", "Bytes of bodies as sent"),
            gauge("response_bytes", "Bytes of answers as sent"),
        )
