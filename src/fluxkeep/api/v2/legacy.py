"""`/private/legacy/authorizations`: v1 user names and their passwords.

Source: tokens.md §2.10; W15, W20.
"""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import Response

from fluxkeep.api.bodies import BadBody, decode_json
from fluxkeep.api.endpoint import Call, Endpoint
from fluxkeep.api.responses import json_response, no_content
from fluxkeep.api.v2.authorizations import read_filter
from fluxkeep.api.wire.credentials import (
    LEGACY_PATH,
    AuthorizationChangeIn,
    AuthorizationIn,
    AuthorizationWriter,
    PasswordIn,
    new_legacy_authorization,
)
from fluxkeep.credentials.legacy import LegacyAuthorizations
from fluxkeep.credentials.store import LegacyAuthorization
from fluxkeep.errors import InvalidInput
from fluxkeep.ids import AuthorizationID
from fluxkeep.secret import Secret
from fluxkeep.tenancy.services import Tenancy


def endpoints(legacy: LegacyAuthorizations, tenancy: Tenancy) -> list[Endpoint]:
    """The family."""

    def one(record: LegacyAuthorization, status: int = 200) -> Response:
        return json_response(AuthorizationWriter(tenancy.directory.now).legacy(record), status)

    def create(call: Call) -> Response:
        try:
            wanted = new_legacy_authorization(decode_json(call.body, AuthorizationIn))
        except BadBody as error:
            raise InvalidInput(f"invalid json structure: {error.reason}") from None
        return one(legacy.create(call.access, wanted), 201)

    def list_all(call: Call) -> Response:
        # The contract names the filter `authID`, the reference reads `id`; both are honoured (W20).
        wanted = read_filter(call, tenancy)
        if wanted.id is None:
            wanted = replace(wanted, id=read_filter(call, tenancy, "authID").id)
        found = legacy.list_(call.access, wanted, call.first("token"))
        writer = AuthorizationWriter(tenancy.directory.now)
        return json_response({"links": {"self": LEGACY_PATH}, "authorizations": [writer.legacy(r) for r in found]})

    def get(call: Call) -> Response:
        return one(legacy.get(call.access, AuthorizationID.parse(call.params["id"])))

    def update(call: Call) -> Response:
        authorization = AuthorizationID.parse(call.params["id"])
        try:
            body = decode_json(call.body, AuthorizationChangeIn)
        except BadBody as error:
            raise InvalidInput(error.reason) from None
        return one(legacy.update(call.access, authorization, status=body.status, description=body.description))

    def delete(call: Call) -> Response:
        legacy.delete(call.access, AuthorizationID.parse(call.params["id"]))
        return no_content()

    def set_password(call: Call) -> Response:
        try:
            authorization = AuthorizationID.parse(call.params["id"])
        except InvalidInput:
            raise InvalidInput("invalid authorization ID provided in route") from None
        try:
            body = decode_json(call.body, PasswordIn)
        except BadBody as error:
            raise InvalidInput(error.reason) from None
        legacy.set_password(call.access, authorization, Secret(body.password or ""))
        return no_content()

    path = f"{LEGACY_PATH}/{{id}}"
    change_needs = "read and write:authorizations/<id>@org, read and write:users/<owner>"
    return [
        Endpoint(
            method="POST",
            path=LEGACY_PATH,
            handler=create,
            needs="write:authorizations@org, write:users/<owner>, every permission asked for",
        ),
        Endpoint(
            method="GET",
            path=LEGACY_PATH,
            handler=list_all,
            needs="read:authorizations/<id>@org and read:users/<owner>, item by item",
        ),
        Endpoint(method="GET", path=path, handler=get, needs="read:authorizations/<id>@org, read:users/<owner>"),
        Endpoint(method="PATCH", path=path, handler=update, needs=change_needs),
        Endpoint(
            method="DELETE", path=path, handler=delete, needs="write:authorizations/<id>@org, write:users/<owner>"
        ),
        Endpoint(method="POST", path=f"{path}/password", handler=set_password, needs="write:users/<owner>"),
    ]
