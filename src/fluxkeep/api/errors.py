"""Errors to answers: the one place where a code becomes a status and a body.

Handlers raise the exceptions of `fluxkeep.errors`; what else reaches this
module is our own failure, is logged with its trace and told to the client
without a detail.

Source: http-api.md §1.2, §1.3; tokens.md §2.9.
"""

from __future__ import annotations

from starlette.responses import Response

from fluxkeep.api.responses import encode_json, raw_json
from fluxkeep.errors import (
    FluxkeepError,
    Internal,
    MethodNotAllowed,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)

STATUS_OF_CODE = {
    "internal error": 500,
    "not implemented": 501,
    "invalid": 400,
    "unprocessable entity": 422,
    "empty value": 400,
    "conflict": 422,
    "not found": 404,
    "unavailable": 503,
    "forbidden": 403,
    "too many requests": 429,
    "unauthorized": 401,
    "method not allowed": 405,
    "request too large": 413,
}

HIDDEN = "An internal error has occurred - check server logs"


def error_response(error: FluxkeepError) -> Response:
    """The answer to an error of the tree.

    Body `{"code","message"}`; headers `X-Platform-Error-Code`, with a refusal
    `X-Fluxkeep-Reason` (which of the layers refused; it reveals no more than the
    texts do), with 405 `Allow`, with 429 and 503 `Retry-After`.
    """
    headers = {"x-platform-error-code": error.code}
    match error:
        case Unauthorized():
            headers["x-fluxkeep-reason"] = error.reason
        case MethodNotAllowed():
            headers["allow"] = error.allow
        case TooManyRequests() | Unavailable():
            headers["retry-after"] = str(error.retry_after_seconds)
        case _:
            pass
    message = error.message or f"<{error.code}>"
    body = encode_json({"code": error.code, "message": message})
    return raw_json(body, STATUS_OF_CODE.get(error.code, 500), headers)


def unforeseen_response() -> Response:
    """The answer to an exception outside the tree; the log has the rest."""
    return error_response(Internal(HIDDEN))
