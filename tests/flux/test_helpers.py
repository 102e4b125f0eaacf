"""The endpoints of editors, against their recorded answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fluxkeep.api.endpoint import Call
from fluxkeep.api.v2.query_helpers import endpoints
from fluxkeep.errors import FluxkeepError

GOLDEN = Path(__file__).parents[1] / "golden" / "http" / "query-helpers.jsonl"
_STATUS = {"invalid": 400, "not found": 404}


def _cases() -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
    return [
        line
        for line in lines
        if line.get("request", {}).get("path", "").startswith("/api/v2/query/")
        # The gate and the router answer these, before any handler.
        and line["response"]["status"] not in (401, 405)
    ]


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case["name"])
def test_recorded(case: dict[str, Any]) -> None:
    request, wanted = case["request"], case.get("instead") or case["response"]
    body = json.dumps(request["json"]) if "json" in request else request.get("text", "")
    by_path = {(item.method, item.path): item.handler for item in endpoints()}
    handler, params = by_path.get((request["method"], request["path"])), {}
    if handler is None:
        base, _, name = request["path"].rpartition("/")
        handler, params = by_path[request["method"], base + "/{name}"], {"name": name}
    try:
        response = handler(Call(method=request["method"], path=request["path"], params=params, body=body.encode()))
        status, answer = response.status_code, json.loads(bytes(response.body))
    except FluxkeepError as error:
        status, answer = _STATUS[error.code], {"code": error.code, "message": error.message}
    assert status == wanted["status"]
    expected = wanted.get("json")
    if expected is None:
        return
    if "ast" in answer:
        answer["ast"]["files"][0]["metadata"] = "<string>"
    if expected.get("message", "").startswith("<re:"):
        assert answer["message"].startswith("invalid json: ")
    elif expected == {"funcs": "<any>"}:
        assert len(answer["funcs"]) > 100
    else:
        assert answer == expected
