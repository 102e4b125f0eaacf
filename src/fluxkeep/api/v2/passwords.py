"""Passwords of users: one's own by showing the old one, anybody's by permission.

Source: tokens.md §2.8; W15, W26, W27, W30.
"""

from __future__ import annotations

from starlette.responses import Response

from fluxkeep.access.permissions import Action
from fluxkeep.api.bodies import BadBody, decode_json
from fluxkeep.api.endpoint import Call, Endpoint
from fluxkeep.api.responses import no_content
from fluxkeep.api.v2.sessions import basic_of
from fluxkeep.api.wire.credentials import PasswordIn
from fluxkeep.credentials.signin import Passwords
from fluxkeep.errors import InvalidInput, Unauthorized
from fluxkeep.ids import UserID
from fluxkeep.secret import Secret
from fluxkeep.tenancy.values import user_permission


def endpoints(passwords: Passwords) -> list[Endpoint]:
    """The operations on passwords."""

    def change_own(call: Call) -> Response:
        old, new = _old_and_new(call)
        passwords.change_own(call.access.user_id, old, new, call.client)
        return no_content()

    def change_by_old(call: Call) -> Response:
        user_id = _user(call)
        old, new = _old_and_new(call)
        call.access.require(user_permission(Action.WRITE, user_id))
        passwords.change_own(user_id, old, new, call.client)
        return no_content()

    def change(call: Call) -> Response:
        user_id = _user(call)
        try:
            new = _new(call)
        except BadBody as error:
            raise InvalidInput(error.reason) from None
        passwords.change(call.access, user_id, new)
        return no_content()

    def nobody(call: Call) -> Response:
        # Quirk: `/api/v2/users/password` is a path of the reference's that leads to no user (tokens.md §2.8); below
        # the same segment every other word is an id, which has no PUT.
        if call.params["id"] != "password":
            return Response(None, 405)
        raise InvalidInput("invalid user ID provided in route")

    path = "/api/v2/users/{id}/password"
    return [
        Endpoint(
            method="PUT",
            path="/api/v2/me/password",
            handler=change_own,
            own_credentials=True,
            needs="a session and the old password",
        ),
        Endpoint(
            method="PUT",
            path=path,
            handler=change_by_old,
            own_credentials=True,
            needs="a session, write:users/<id> and the old password",
        ),
        Endpoint(
            method="PUT",
            path="/api/v2/users/{id}",
            handler=nobody,
            needs="a session, write:users/<id> and the old password",
        ),
        Endpoint(method="POST", path=path, handler=change, needs="write:users/<id>"),
    ]


def _user(call: Call) -> UserID:
    try:
        return UserID.parse(call.params["id"])
    except InvalidInput:
        raise InvalidInput("invalid user ID provided in route") from None


def _old_and_new(call: Call) -> tuple[Secret, Secret]:
    prefix = "error decoding password reset request: "
    try:
        # The name beside the old password is ignored: the session says who it is.
        _, old = basic_of(call)
    except Unauthorized:
        raise InvalidInput(prefix + "invalid basic auth") from None
    try:
        return old, _new(call)
    except BadBody as error:
        raise InvalidInput(prefix + error.reason) from None


def _new(call: Call) -> Secret:
    return Secret(decode_json(call.body, PasswordIn).password or "")
