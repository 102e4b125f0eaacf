"""What editors ask about Flux: `/api/v2/query/analyze`, `/ast` and `/suggestions`.

Source: http-api.md §10.5; tokens.md W30.
"""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from fluxkeep.api.bodies import BadBody, decode_json
from fluxkeep.api.endpoint import Call, Endpoint, Handler, Style
from fluxkeep.api.responses import json_response
from fluxkeep.errors import InvalidInput


class _Question(msgspec.Struct, frozen=True):
    query: str = ""
    type: str = "flux"


def endpoints() -> list[Endpoint]:
    """The helpers; any caller may ask."""
    return [
        _endpoint("POST", "/api/v2/query/analyze", _analyze),
        _endpoint("POST", "/api/v2/query/ast", _tree),
        _endpoint("GET", "/api/v2/query/suggestions", _suggestions),
        _endpoint("GET", "/api/v2/query/suggestions/{name}", _suggestion),
    ]


def _endpoint(method: str, path: str, handler: Handler) -> Endpoint:
    return Endpoint(method=method, path=path, handler=handler, style=Style.C, needs="any credential")


def _read(call: Call) -> _Question:
    try:
        return decode_json(call.body, _Question)
    except BadBody as error:
        raise InvalidInput(f"invalid json: {error.reason}") from None


def _analyze(call: Call) -> Response:
    from fluxkeep.flux import helpers  # Flux is imported when it is first needed

    question = _read(call)
    # Without a type the reference fails; Flux is what everybody means (W30).
    if question.type not in ("", "flux"):
        raise InvalidInput(f"unknown query type: {question.type[:64]}")
    found = helpers.analyze(question.query)
    return json_response(
        {
            "errors": [
                {
                    "line": problem.location.start.line,
                    "column": problem.location.start.column,
                    "character": 0,
                    "message": problem.message,
                }
                for problem in found
            ]
        }
    )


def _tree(call: Call) -> Response:
    from fluxkeep.flux import helpers  # Flux is imported when it is first needed

    return json_response({"ast": helpers.tree(_read(call).query)})


def _suggestions(_: Call) -> Response:
    from fluxkeep.flux import helpers  # Flux is imported when it is first needed

    return json_response({"funcs": [{"name": name, "params": params} for name, params in helpers.suggestions()]})


def _suggestion(call: Call) -> Response:
    from fluxkeep.flux import helpers  # Flux is imported when it is first needed

    name = call.params["name"]
    return json_response({"name": name, "params": helpers.suggestion(name)})
