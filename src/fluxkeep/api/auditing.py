"""Which requests are administrative acts, and recording them around their handlers.

Every request that changes records, opens or ends a session, deletes data or
takes a backup is one; writing points and querying are not. What the gate
refuses never was an act; it is in the server's log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
from starlette.responses import Response

from fluxkeep.api.endpoint import Call, Endpoint, Handler
from fluxkeep.api.routing import ANY_METHOD
from fluxkeep.audit.records import Act, Outcome
from fluxkeep.audit.writer import AuditLog
from fluxkeep.errors import FluxkeepError, Forbidden, InvalidInput, Unauthorized
from fluxkeep.ids import ID
from fluxkeep.secret import Secret

_CHANGING = frozenset(("POST", "PUT", "PATCH", "DELETE"))
# Beside all that change something: reading every record at once.
_READING = ("/api/v2/backup",)
# They change nothing that is administered.
_DATA = ("/api/v2/write", "/api/v2/query", "/write", "/query")


# The answers that show a new secret; a v1 authorization's `token` is a user name.
_NEW_SECRET = ("/rotate", "/regenerate")
_SECRET = ("/api/v2/authorizations", "/api/v2/setup")


class _Made(msgspec.Struct):
    """The id and the secret in an answer that says what was made; at setup they are the token's."""

    id: str | None = None
    token: str | None = None
    auth: _Made | None = None


def is_act(endpoint: Endpoint) -> bool:
    """Whether a request to the endpoint is recorded."""
    if endpoint.method == ANY_METHOD or endpoint.path.startswith(_DATA):
        return False
    return endpoint.method in _CHANGING or endpoint.path.startswith(_READING)


def audited(endpoints: Sequence[Endpoint], log: AuditLog) -> list[Endpoint]:
    """The same endpoints, those that are acts recording each request and how it went.

    Where the log must not miss an act, the act is announced before the handler
    runs, and refused if that fails.
    """
    return [replace(one, handler=_recorded(one, log)) if is_act(one) else one for one in endpoints]


def _recorded(endpoint: Endpoint, log: AuditLog) -> Handler:
    action = f"{endpoint.method} {endpoint.path}"
    handler = endpoint.handler

    def run(call: Call) -> Response:
        act = _act(action, call)
        log.begin(act)
        try:
            response = handler(call)
        except FluxkeepError as error:
            refused = isinstance(error, Unauthorized | Forbidden)
            log.record(
                replace(act, outcome=Outcome.REFUSED if refused else Outcome.FAILED, detail={"code": error.code})
            )
            raise
        except BaseException:
            log.record(replace(act, outcome=Outcome.FAILED, detail={"code": "internal error"}))
            raise
        made = _made(response) if response.status_code == 201 or endpoint.path.endswith(_NEW_SECRET) else _Made()
        name = log.pseudonym(Secret(made.token)) if made.token and endpoint.path.startswith(_SECRET) else None
        log.record(
            replace(
                act,
                outcome=Outcome.GRANTED if response.status_code < 400 else Outcome.FAILED,
                target=act.target or _id(made.id),
                detail={} if name is None else {"secret": name},
            )
        )
        return response

    return run


def _act(action: str, call: Call) -> Act:
    principal = call.maybe_access.principal if call.maybe_access is not None else None
    return Act(
        action=action,
        outcome=Outcome.BEGUN,
        user_id=principal.user_id if principal is not None else None,
        authorization_id=principal.authorization_id if principal is not None else None,
        address=call.client or "-",
        target=_id(call.params.get("id")),
    )


def _made(response: Response) -> _Made:
    try:
        made = msgspec.json.decode(bytes(response.body), type=_Made)
    except msgspec.MsgspecError:
        return _Made()
    return made.auth or made


def _id(text: str | None) -> ID | None:
    try:
        return None if text is None else ID.parse(text)
    except InvalidInput:
        return None
