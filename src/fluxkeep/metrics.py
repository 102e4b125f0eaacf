"""Counters and histograms that the process exposes at `/metrics`.

A registry of its own rather than the library's global one, so that tests and
two servers in one process do not share figures.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """What the rooms count; each figure's name is its interface."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.http_requests = Counter(
            "http_api_requests", "Requests answered", ["method", "path", "status"], registry=self.registry
        )
        self.http_seconds = Histogram(
            "http_api_request_duration_seconds", "Time to answer", ["path"], registry=self.registry
        )
        self.points_written = Counter("storage_writer_ok_points", "Points made durable", registry=self.registry)
        self.points_refused = Counter("storage_writer_dropped_points", "Points refused", registry=self.registry)
        self.authentication_failures = Counter(
            "fluxkeep_authentication_failures", "Credentials refused", ["reason"], registry=self.registry
        )
        self.corrupt_files = Gauge("fluxkeep_corrupt_files", "Files set aside as corrupt", registry=self.registry)

    def watch(self, name: str, what: str, count: Callable[[], float]) -> None:
        """Expose what `count` gives at the moment somebody looks.

        It runs on a thread of the pool and may ask the store.
        """
        Gauge(name, what, registry=self.registry).set_function(count)
