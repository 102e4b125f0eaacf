"""`GET /api/v2/config`: the server's options, for operators.

Source: http-api.md §2, tokens.md §2.9.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from fluxkeep.api.endpoint import Call, Endpoint, Runs, Style
from fluxkeep.api.responses import json_response


def endpoints(shown: Mapping[str, object]) -> list[Endpoint]:
    """The one endpoint.

    Args:
        shown: Option values by name, without secrets.
    """

    def show(call: Call) -> Response:
        call.access.require_operator("access to /api/v2/config requires operator permissions")
        return json_response({"config": shown})

    return [
        Endpoint(
            method="GET",
            path="/api/v2/config",
            handler=show,
            runs=Runs.LOOP,
            style=Style.T,
            needs="operator permissions",
        )
    ]
