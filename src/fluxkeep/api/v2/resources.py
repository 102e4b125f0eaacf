"""`/api/v2/resources`: the resource types that permissions can name.

Source: tokens.md §1.6, http-api.md §2.
"""

from __future__ import annotations

from starlette.responses import Response

from fluxkeep.access.permissions import ResourceType
from fluxkeep.api.endpoint import Call, Endpoint, Runs, Style
from fluxkeep.api.responses import json_response
from fluxkeep.api.routing import ANY_METHOD


def endpoints() -> list[Endpoint]:
    """The one endpoint."""

    def show(_call: Call) -> Response:
        # Quirk: the one JSON answer without a charset, and any method gets it.
        return json_response([kind.value for kind in ResourceType], headers={"content-type": "application/json"})

    return [
        Endpoint(
            method=ANY_METHOD,
            path="/api/v2/resources",
            handler=show,
            runs=Runs.LOOP,
            style=Style.C,
            needs="any credential",
        )
    ]
