"""`GET /api/v2`, the contract, the flags: what a client asks to find its way.

Source: http-api.md §2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.responses import Response

from fluxkeep.api.endpoint import Call, Endpoint, Gate, Runs, Style
from fluxkeep.api.responses import COMPATIBLE_VERSION, encode_json, json_response, raw_json
from fluxkeep.api.routing import ANY_METHOD

_FAMILIES = (
    "authorizations",
    "backup",
    "buckets",
    "dashboards",
    "flags",
    "labels",
    "variables",
    "me",
    "notificationRules",
    "notificationEndpoints",
    "orgs",
    "restore",
    "setup",
    "signin",
    "signout",
    "sources",
    "scrapers",
    "tasks",
    "checks",
    "telegrafs",
    "users",
    "write",
    "delete",
)

# Quirk: the links name every family of the reference, built here or not; clients look things up in them.
_INDEX: dict[str, object] = {
    **{name: f"/api/v2/{name}" for name in _FAMILIES},
    "external": {"statusFeed": "https://www.influxdata.com/feed/json"},
    "query": {
        "self": "/api/v2/query",
        "ast": "/api/v2/query/ast",
        "analyze": "/api/v2/query/analyze",
        "suggestions": "/api/v2/query/suggestions",
    },
    "swagger": "/api/v2/swagger.json",
    "system": {"metrics": "/metrics", "debug": "/debug/pprof", "health": "/health"},
    "plugins": "/api/v2/telegraf/plugins",
}


def endpoints(*, hashed_tokens: bool) -> list[Endpoint]:
    """The index and the flags.

    Args:
        hashed_tokens: Whether digests of tokens are kept, never the tokens; the page words by it what it says
            of a new token.

    The flags name what is here beyond the reference, so that a client offers it where it is and hides it elsewhere.

    Source: ui.md §2.5.
    """
    flags = {"hashedTokens": hashed_tokens, "tokenExpiry": True, "tokenLastUsed": True, "tokenRotation": True}
    index = encode_json(dict(sorted(_INDEX.items())))
    return [
        Endpoint(
            method="GET",
            path="/api/v2",
            handler=lambda _call: raw_json(index),
            gate=Gate.OPEN,
            runs=Runs.LOOP,
            style=Style.C,
            needs="nothing",
        ),
        Endpoint(
            method=ANY_METHOD,
            path="/api/v2/flags",
            handler=lambda _call: json_response(flags),
            runs=Runs.LOOP,
            style=Style.C,
            needs="any credential",
        ),
    ]


def contract_endpoint(declared: Iterable[Endpoint]) -> Endpoint:
    """`GET /api/v2/swagger.json`, made of the endpoints that exist.

    Args:
        declared: All others; the contract lists itself too.
    """
    paths: dict[str, dict[str, object]] = {}
    for endpoint in declared:
        methods = ("get", "post") if endpoint.method == ANY_METHOD else (endpoint.method.lower(),)
        for method in methods:
            paths.setdefault(endpoint.path, {})[method] = _operation(endpoint)

    def show(_call: Call) -> Response:
        return raw_json(body, headers={"cache-control": "public, max-age=3600"})

    own = Endpoint(
        method="GET",
        path="/api/v2/swagger.json",
        handler=show,
        gate=Gate.OPEN,
        runs=Runs.LOOP,
        style=Style.C,
        needs="nothing",
    )
    paths[own.path] = {"get": _operation(own)}
    body = encode_json(
        {
            "openapi": "3.0.0",
            "info": {"title": "fluxkeep API", "version": COMPATIBLE_VERSION.removeprefix("v")},
            "components": {
                "securitySchemes": {"TokenAuthentication": {"type": "apiKey", "name": "Authorization", "in": "header"}}
            },
            "paths": dict(sorted(paths.items())),
        }
    )
    return own


def _operation(endpoint: Endpoint) -> dict[str, object]:
    return {
        "summary": f"needs {endpoint.needs}",
        "security": [] if endpoint.gate is Gate.OPEN else [{"TokenAuthentication": []}],
        "parameters": [
            {"in": "path", "name": name, "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"\{(\w+)\}", endpoint.path)
        ],
        "responses": {"default": {"description": "the answer, or code and message of an error"}},
    }
