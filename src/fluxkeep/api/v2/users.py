"""`/api/v2/users` and `/api/v2/me`. Passwords are the business of `passwords`.

Source: http-api.md §4, §27; tokens.md §1.9, §2.8, W15, W29.
"""

from __future__ import annotations

from starlette.responses import Response

from fluxkeep.access.permissions import Permission
from fluxkeep.api.bodies import decode_json
from fluxkeep.api.endpoint import Call, Endpoint, Runs
from fluxkeep.api.paging import parse_page
from fluxkeep.api.responses import json_response, no_content
from fluxkeep.api.wire.tenancy import UserIn, user_out
from fluxkeep.ids import UserID
from fluxkeep.tenancy.listing import Window
from fluxkeep.tenancy.memberships import Memberships
from fluxkeep.tenancy.users import Users, parse_status
from fluxkeep.tenancy.values import Status

_PATH = "/api/v2/users"


def endpoints(users: Users, memberships: Memberships) -> list[Endpoint]:
    """Both families without passwords."""

    def list_users(call: Call) -> Response:
        page = parse_page(call)
        user_id = call.first("id")
        found = users.list_(
            call.access,
            user_id=None if user_id is None else UserID.parse(user_id),
            name=call.first("name"),
            window=Window(limit=page.limit, offset=page.offset, after=page.after, descending=page.descending),
        )
        return json_response({"links": {"self": _PATH}, "users": [user_out(one) for one in found]})

    def create(call: Call) -> Response:
        body = decode_json(call.body, UserIn)
        made = users.create(
            call.access,
            name=body.name or "",
            status=parse_status(body.status) if body.status else Status.ACTIVE,
            oauth_id=body.oauthID or "",
        )
        return json_response(user_out(made), 201)

    def get(call: Call) -> Response:
        return json_response(user_out(users.get(call.access, UserID.parse(call.params["id"]))))

    def update(call: Call) -> Response:
        user_id = UserID.parse(call.params["id"])
        body = decode_json(call.body, UserIn)
        status = None if body.status is None else parse_status(body.status)
        return json_response(user_out(users.update(call.access, user_id, name=body.name, status=status)))

    def delete(call: Call) -> Response:
        users.delete(call.access, UserID.parse(call.params["id"]))
        return no_content()

    def permissions(call: Call) -> Response:
        held = memberships.get_permissions(call.access, UserID.parse(call.params["id"]))
        return json_response([_permission_out(one) for one in held])

    def me(call: Call) -> Response:
        return json_response(user_out(users.get(call.access, call.access.user_id)))

    one = f"{_PATH}/{{id}}"
    return [
        Endpoint(method="GET", path=_PATH, handler=list_users, runs=Runs.LOOP, needs="read:users/<id>, item by item"),
        Endpoint(method="POST", path=_PATH, handler=create, needs="write:users"),
        Endpoint(method="GET", path=one, handler=get, runs=Runs.LOOP, needs="read:users/<id>"),
        Endpoint(method="PATCH", path=one, handler=update, needs="write:users/<id>"),
        Endpoint(method="DELETE", path=one, handler=delete, needs="write:users/<id>"),
        Endpoint(method="GET", path=f"{one}/permissions", handler=permissions, runs=Runs.LOOP, needs="read:users/<id>"),
        Endpoint(method="GET", path="/api/v2/me", handler=me, runs=Runs.LOOP, needs="read:users/<own id>"),
    ]


def _permission_out(permission: Permission) -> dict[str, object]:
    resource: dict[str, str] = {"type": permission.type.value}
    if permission.id is not None:
        resource["id"] = permission.id
    if permission.org_id is not None:
        resource["orgID"] = permission.org_id
    return {"action": permission.action.value, "resource": resource}
