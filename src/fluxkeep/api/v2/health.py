"""`/health`, `/ready`, `/ping`, `/metrics` and the profiles that are never served.

Source: http-api.md §2.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable

from prometheus_client import exposition
from starlette.responses import Response

from fluxkeep.api.endpoint import Call, Endpoint, Gate, Runs, Style
from fluxkeep.api.responses import COMPATIBLE_VERSION, json_response, no_content, text
from fluxkeep.api.routing import ANY_METHOD
from fluxkeep.clock import Clock
from fluxkeep.errors import Forbidden
from fluxkeep.instants import format_go_duration, format_rfc3339
from fluxkeep.metrics import Metrics

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=values"
_PING_METHODS = "GET, HEAD, OPTIONS"


def endpoints(*, clock: Clock, metrics: Metrics, commit: str, metrics_disabled: bool = False) -> list[Endpoint]:
    """The endpoints that need no credential and no store.

    Args:
        clock: Read once now, for the moment the process became ready.
        metrics: What `/metrics` shows.
        commit: What `/health` names as the build.
        metrics_disabled: `/metrics` answers 403.
    """
    # Go's names of both; no build of ours has a date.
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    metrics.info.labels(
        machine, "unknown", commit, str(os.cpu_count() or 1), platform.system().lower(), COMPATIBLE_VERSION
    ).set(1)
    started_ns = clock.now_ns()
    started = clock.monotonic_ns()

    def health(_call: Call) -> Response:
        return json_response(
            {
                "name": "influxdb",
                "message": "ready for queries and writes",
                "status": "pass",
                "checks": [],
                "version": COMPATIBLE_VERSION,
                "commit": commit,
            }
        )

    def ready(_call: Call) -> Response:
        up = format_go_duration(clock.monotonic_ns() - started)
        return json_response({"status": "ready", "started": format_rfc3339(started_ns), "up": up})

    def show_metrics(_call: Call) -> Response:
        if metrics_disabled:
            raise Forbidden("metrics disabled")
        return Response(exposition.generate_latest(metrics.registry), 200, {"content-type": _METRICS_TYPE})

    return [
        _open("/health", health),
        _open("/ready", ready),
        _open("/ping", _ping, packs=True),
        _open("/metrics", show_metrics, runs=Runs.POOL),
        _open("/debug/pprof", _profiles),
        _open("/debug/pprof/{profile}", _profiles),
    ]


def _open(path: str, handler: Callable[[Call], Response], *, runs: Runs = Runs.LOOP, packs: bool = False) -> Endpoint:
    return Endpoint(
        method=ANY_METHOD,
        path=path,
        handler=handler,
        gate=Gate.OPEN,
        runs=runs,
        style=Style.C,
        needs="nothing",
        packs=packs,
    )


def _ping(call: Call) -> Response:
    match call.method:
        case "GET" | "HEAD":
            return no_content({"vary": "Accept-Encoding"})
        case "OPTIONS":
            return Response(None, 200, {"allow": _PING_METHODS})
        case _:
            return text("Method Not Allowed\n", 405, {"allow": _PING_METHODS})


def _profiles(_call: Call) -> Response:
    # Quirk refused: the reference shows its profiles to anybody (http-api.md §2).
    raise Forbidden("profiling disabled")
