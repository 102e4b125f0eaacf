"""`/api/v2/authorizations`: API tokens. Lists of any length are streamed.

Beside the reference's operations: `rotate`, `regenerate` and `revoke`, and for
lists `pageSize`, `pageAfter` and `q`, names that no client sends today.

Source: tokens.md §2.1 to §2.5; W15, W25.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from urllib.parse import urlencode

from starlette.responses import Response

from fluxkeep.api.bodies import BadBody, decode_json
from fluxkeep.api.endpoint import Call, Endpoint
from fluxkeep.api.responses import JSON, Stream, json_response, no_content, raw_json
from fluxkeep.api.wire.credentials import (
    TOKENS_PATH,
    AuthorizationChangeIn,
    AuthorizationIn,
    AuthorizationWriter,
    RotationIn,
    change_of,
    new_authorization,
)
from fluxkeep.credentials.authorizations import Authorizations, Shown
from fluxkeep.credentials.store import Filter
from fluxkeep.errors import InvalidInput, NotFound
from fluxkeep.ids import AuthorizationID, OrgID, UserID
from fluxkeep.tenancy.services import Tenancy

PAGE_SIZE_MAX = 10_000
# How many authorizations one piece of a streamed list holds.
_PIECE = 2_000


def endpoints(authorizations: Authorizations, tenancy: Tenancy) -> list[Endpoint]:
    """The family."""

    def one(call: Call, shown: Shown, status: int = 200) -> Response:
        return json_response(_writer(call, tenancy).token(shown), status)

    def create(call: Call) -> Response:
        try:
            body = decode_json(call.body, AuthorizationIn)
            wanted = new_authorization(body)
        except BadBody as error:
            raise InvalidInput(f"invalid json structure: {error.reason}") from None
        return one(call, authorizations.create(call.access, wanted), 201)

    def list_all(call: Call) -> Response:
        wanted = read_filter(call, tenancy)
        size = _page_size(call)
        found = authorizations.list_(call.access, wanted, None if size is None else size + 1)
        head = list(islice(found, _PIECE))
        writer = _writer(call, tenancy)
        if size is not None:
            return _page(call, writer, [*head, *found], size)
        if len(head) < _PIECE:
            return raw_json(b"".join(_list_pieces(writer, iter(head))))
        return Stream(_list_pieces(writer, chain(head, found)), headers={"content-type": JSON})

    def get(call: Call) -> Response:
        return one(call, authorizations.get(call.access, _id(call)))

    def update(call: Call) -> Response:
        authorization = _id(call)
        try:
            change = change_of(decode_json(call.body, AuthorizationChangeIn))
        except BadBody as error:
            raise InvalidInput(error.reason) from None
        return one(call, authorizations.update(call.access, authorization, change))

    def delete(call: Call) -> Response:
        authorizations.delete(call.access, _id(call))
        return no_content()

    def rotate(call: Call) -> Response:
        authorization = _id(call)
        body = decode_json(call.body, RotationIn) if call.body else RotationIn()
        return one(call, authorizations.rotate(call.access, authorization, body.gracePeriodSeconds))

    def regenerate(call: Call) -> Response:
        return one(call, authorizations.regenerate(call.access, _id(call)))

    def revoke(call: Call) -> Response:
        return one(call, authorizations.revoke(call.access, _id(call)))

    path = f"{TOKENS_PATH}/{{id}}"
    change_needs = "read and write:authorizations/<id>@org, read and write:users/<owner>"
    secret_needs = f"{change_needs}, every permission of the token"
    return [
        Endpoint(
            method="POST",
            path=TOKENS_PATH,
            handler=create,
            needs="write:authorizations@org, write:users/<owner>, every permission asked for",
        ),
        Endpoint(
            method="GET",
            path=TOKENS_PATH,
            handler=list_all,
            needs="read:authorizations/<id>@org and read:users/<owner>, item by item",
        ),
        Endpoint(method="GET", path=path, handler=get, needs="read:authorizations/<id>@org, read:users/<owner>"),
        Endpoint(method="PATCH", path=path, handler=update, needs=change_needs),
        Endpoint(
            method="DELETE", path=path, handler=delete, needs="write:authorizations/<id>@org, write:users/<owner>"
        ),
        Endpoint(method="POST", path=f"{path}/rotate", handler=rotate, needs=secret_needs),
        Endpoint(method="POST", path=f"{path}/regenerate", handler=regenerate, needs=secret_needs),
        Endpoint(method="POST", path=f"{path}/revoke", handler=revoke, needs=change_needs),
    ]


def read_filter(call: Call, tenancy: Tenancy, id_name: str = "id") -> Filter:
    """The filter of a list of authorizations; names are resolved for anybody.

    Quirk: a name is not looked at where the id of the same kind is given, and
    an unknown name is an error even where an id decides alone.

    Raises:
        InvalidInput: A malformed id.
        NotFound: An unknown name.

    Source: tokens.md §2.2.
    """
    one, user_id, org_id = call.first(id_name), call.first("userID"), call.first("orgID")
    wanted_id = None if one is None else AuthorizationID.parse(one)
    wanted_user = None if user_id is None else UserID.parse(user_id)
    wanted_org = None if org_id is None else OrgID.parse(org_id)
    user, org = call.first("user"), call.first("org")
    if wanted_user is None and user is not None:
        found = tenancy.users.find_by_name(user)
        if found is None:
            raise NotFound("user not found")
        wanted_user = found.id
    if wanted_org is None and org is not None:
        wanted_org = tenancy.organizations.get_by_name(org).id
    after = call.first("pageAfter")
    return Filter(
        id=wanted_id,
        user_id=wanted_user,
        org_id=wanted_org,
        after=None if after is None else AuthorizationID.parse(after),
        text=call.first("q"),
    )


def _id(call: Call) -> AuthorizationID:
    return AuthorizationID.parse(call.params["id"])


def _writer(call: Call, tenancy: Tenancy) -> AuthorizationWriter:
    return AuthorizationWriter(tenancy.directory.now, lifecycle=call.first("include") == "lifecycle")


def _page_size(call: Call) -> int | None:
    text = call.first("pageSize")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= PAGE_SIZE_MAX:
        raise InvalidInput(f"pageSize must be between 1 and {PAGE_SIZE_MAX}")
    return int(text)


def _page(call: Call, writer: AuthorizationWriter, found: list[Shown], size: int) -> Response:
    links = {"self": TOKENS_PATH}
    if len(found) > size:
        kept = {name: values[0] for name, values in call.query.items() if name != "pageAfter" and values}
        links["next"] = f"{TOKENS_PATH}?{urlencode({**kept, 'pageAfter': found[size - 1].record.id})}"
    return json_response({"links": links, "authorizations": [writer.token(one) for one in found[:size]]})


def _list_pieces(writer: AuthorizationWriter, found: Iterator[Shown]) -> Iterator[bytes]:
    opening = b'{"links":{"self":"' + TOKENS_PATH.encode() + b'"},"authorizations":['
    while piece := b",".join(map(writer.listed, islice(found, _PIECE))):
        yield opening + piece
        opening = b","
    yield b"]}" if opening == b"," else opening + b"]}"
