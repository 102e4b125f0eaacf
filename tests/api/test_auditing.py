"""Which requests leave a line in the audit log, and what it says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import no_permissions
from fluxkeep.api.auditing import audited, is_act
from fluxkeep.api.endpoint import Call, Endpoint
from fluxkeep.api.responses import json_response, no_content
from fluxkeep.audit.writer import AuditLog, AuditUnavailable
from fluxkeep.clock import ManualClock
from fluxkeep.errors import FluxkeepError, Forbidden, InvalidInput, Unauthorized
from fluxkeep.ids import AuthorizationID, UserID

USER, TOKEN = UserID("0f1e2d3c4b5a6000"), AuthorizationID("0c00000000000001")
ACCESS = Access(Principal(user_id=USER, authorization_id=TOKEN, permissions=no_permissions()))


def endpoint(method: str, path: str, answer: Response | BaseException) -> Endpoint:
    def handle(_: Call) -> Response:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return Endpoint(method=method, path=path, handler=handle, needs="nothing")


@pytest.mark.parametrize(
    ("method", "path", "recorded"),
    [
        ("POST", "/api/v2/authorizations", True),
        ("PATCH", "/api/v2/users/{id}", True),
        ("DELETE", "/api/v2/buckets/{id}", True),
        ("POST", "/api/v2/delete", True),
        ("POST", "/api/v2/signin", True),
        ("GET", "/api/v2/backup/kv", True),
        ("GET", "/api/v2/authorizations", False),
        ("POST", "/api/v2/write", False),
        ("POST", "/api/v2/query", False),
        ("POST", "/api/v2/query/ast", False),
        ("POST", "/write", False),
        ("*", "/api/v2/resources", False),
    ],
)
def test_which_requests_are_acts(method: str, path: str, recorded: bool) -> None:
    assert is_act(endpoint(method, path, no_content())) is recorded


def ask(log: AuditLog, one: Endpoint, params: dict[str, str] | None = None, access: Access | None = ACCESS) -> Response:
    (wrapped,) = audited([one], log)
    return wrapped.handler(
        Call(method=one.method, path=one.path, params=params or {}, maybe_access=access, client="10.0.0.1")
    )


def lines(log: AuditLog) -> list[dict[str, Any]]:
    kept = ("action", "outcome", "user", "authorization", "address", "target", "detail")
    return [{k: v for k, v in json.loads(one).items() if k in kept} for one in log.path.read_text().splitlines()]


def test_what_a_line_says(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log", ManualClock())
    ask(log, endpoint("DELETE", "/api/v2/authorizations/{id}", no_content()), {"id": TOKEN.upper()})
    ask(log, endpoint("POST", "/api/v2/authorizations", json_response({"id": TOKEN, "token": "hush"}, 201)))
    ask(
        log,
        endpoint("POST", "/api/v2/setup", json_response({"auth": {"id": TOKEN, "token": "hush"}}, 201)),
        access=None,
    )
    ask(log, endpoint("POST", "/api/v2/x", Response(b"made", 201)), {"id": "zzz"})
    actor = {"user": USER, "authorization": TOKEN, "address": "10.0.0.1", "outcome": "granted"}
    assert lines(log) == [
        {"action": "DELETE /api/v2/authorizations/{id}", "target": TOKEN, **actor},
        {"action": "POST /api/v2/authorizations", "target": TOKEN, **actor},
        {"action": "POST /api/v2/setup", "target": TOKEN, "address": "10.0.0.1", "outcome": "granted"},
        {"action": "POST /api/v2/x", **actor},
    ]
    assert "hush" not in log.path.read_text()
    log.close()


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (Unauthorized("no"), "refused", "unauthorized"),
        (Forbidden("no"), "refused", "forbidden"),
        (InvalidInput("no"), "failed", "invalid"),
        (RuntimeError("no"), "failed", "internal error"),
    ],
)
def test_refusals_and_failures_are_recorded_and_raised(
    tmp_path: Path, error: Exception, outcome: str, code: str
) -> None:
    log = AuditLog(tmp_path / "audit.log", ManualClock())
    with pytest.raises(type(error), match="no"):
        ask(log, endpoint("POST", "/api/v2/orgs", error))
    (line,) = lines(log)
    assert (line["outcome"], line["detail"]) == (outcome, {"code": code})
    log.close()


def test_an_act_that_cannot_be_recorded_does_not_happen(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log", ManualClock(), fail_closed=True)
    happened: list[Call] = []

    def handle(call: Call) -> Response:
        happened.append(call)
        return no_content()

    one = Endpoint(method="POST", path="/api/v2/orgs", handler=handle, needs="nothing")
    ask(log, one)
    assert [line["outcome"] for line in lines(log)] == ["begun", "granted"]
    reader = os.open(log.path, os.O_RDONLY)
    os.dup2(reader, log._file)
    os.close(reader)
    with pytest.raises(AuditUnavailable) as refused:
        ask(log, one)
    assert isinstance(refused.value, FluxkeepError)
    assert len(happened) == 1
    log.close()
