"""`POST /api/v2/query` and its helpers.

Source: http-api.md §10.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from starlette.responses import Response

from fluxkeep.api.endpoint import Call, Endpoint, Style
from fluxkeep.api.resolving import resolve_org
from fluxkeep.api.responses import no_content, whole_or_streamed
from fluxkeep.api.v2.query_request import read_request
from fluxkeep.errors import FluxkeepError, InvalidInput
from fluxkeep.logs import get_logger
from fluxkeep.query.service import Queries
from fluxkeep.tenancy.snapshot import Directory

_CSV = {"content-type": "text/csv; charset=utf-8"}


def endpoints(queries: Queries, directory: Directory) -> list[Endpoint]:
    """The query endpoint."""

    def query(call: Call) -> Response:
        try:
            request = read_request(call.body, call.headers.get("content-type", ""))
            org = resolve_org(directory.now, call.query)
        except FluxkeepError as error:
            raise InvalidInput(f"failed to decode request body: {error.message}") from None
        match call.headers.get("prefer", ""):
            case "return-no-content":
                _detach(queries.flux_errors(call.access, org.id, request))
                return no_content()
            case "return-no-content-with-error":
                return Response(b"".join(queries.flux_errors(call.access, org.id, request, call.gone)), 200, _CSV)
            case _:
                warnings: list[str] = []
                pieces = queries.flux(call.access, org.id, request, call.gone, warnings.append)
                return whole_or_streamed(pieces, _CSV, warnings)

    return [
        Endpoint(
            method="POST",
            path="/api/v2/query",
            handler=query,
            style=Style.C,
            needs="read:buckets@org/bucket of each bucket read",
            packs=True,
            watches=True,
        )
    ]


def _detach(pieces: Iterator[bytes]) -> None:
    """Run a query to its end after the answer; its error goes to the log without the query's text."""

    def run() -> None:
        try:
            failed = b"".join(pieces)
        except Exception as error:  # noqa: BLE001  # a supervisor: nobody else is left to hear of it
            get_logger("query").error("query.crashed", exc_info=error)
        else:
            if failed:
                get_logger("query").info("query.failed")

    threading.Thread(target=run, name="query-without-answer", daemon=True).start()
