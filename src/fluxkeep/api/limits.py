"""What the HTTP edge accepts at most; each limit has a name, a unit and a default."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one process.

    Attributes:
        body_bytes_max: A request's body, as sent and again after unpacking.
        threads_max: Handlers at work at once on the pool.
        waiting_max: Requests that wait for a thread; more are answered with 503.
        connections_max: Open connections.
        queries_max: Queries at work at once, until their answer is sent; 0 for any number.
        queries_waiting_max: Queries that wait for one of those to end; more are answered with 429.
        stop_seconds_max: How long a stopping server waits for what is in flight.
    """

    body_bytes_max: int = 512 * 1024 * 1024
    threads_max: int = 32
    waiting_max: int = 4096
    connections_max: int = 8192
    queries_max: int = 1024
    queries_waiting_max: int = 1024
    stop_seconds_max: float = 10.0
