"""`/api/v2/setup`: whether the instance is new, and setting it up.

Source: tokens.md §2.6; W1, W5, W14, W15.
"""

from __future__ import annotations

from starlette.responses import Response

from fluxkeep.api.bodies import BadBody, decode_json
from fluxkeep.api.endpoint import Call, Endpoint, Gate, Runs
from fluxkeep.api.responses import json_response
from fluxkeep.api.wire.credentials import SetupIn, SetupOut, setup_authorization_out
from fluxkeep.api.wire.tenancy import bucket_out, organization_out, user_out
from fluxkeep.credentials.onboarding import Onboarding, SetupRequest
from fluxkeep.errors import InvalidInput
from fluxkeep.secret import Secret

_PATH = "/api/v2/setup"


def endpoints(onboarding: Onboarding) -> list[Endpoint]:
    """The family; it needs no credential."""

    def show(_call: Call) -> Response:
        return json_response({"allowed": onboarding.is_allowed})

    def set_up(call: Call) -> Response:
        try:
            body = decode_json(call.body, SetupIn)
        except BadBody as error:
            raise InvalidInput(error.reason) from None
        made = onboarding.set_up(
            SetupRequest(
                username=body.username or "",
                password=Secret(body.password or ""),
                org=body.org or "",
                bucket=body.bucket or "",
                token=Secret(body.token or ""),
                retention_seconds=body.retentionPeriodSeconds or 0,
                retention_ns=body.retentionPeriodHrs or 0,
            )
        )
        out = SetupOut(
            user=user_out(made.user),
            bucket=bucket_out(made.bucket),
            org=organization_out(made.organization),
            auth=setup_authorization_out(made.authorization),
        )
        return json_response(out, 201, {"x-fluxkeep-warning": made.warning} if made.warning else None)

    return [
        Endpoint(method="GET", path=_PATH, handler=show, gate=Gate.OPEN, runs=Runs.LOOP, needs="nothing"),
        Endpoint(method="POST", path=_PATH, handler=set_up, gate=Gate.OPEN, needs="nothing, once"),
    ]
