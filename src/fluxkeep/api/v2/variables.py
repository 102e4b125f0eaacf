"""`/api/v2/variables`.

Source: http-api.md §15, §27.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from starlette.responses import Response

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action
from fluxkeep.api.bodies import BadBody, decode_json
from fluxkeep.api.endpoint import Call, Endpoint, Style
from fluxkeep.api.paging import page_links, parse_page
from fluxkeep.api.responses import json_response, no_content
from fluxkeep.api.v2.subresources import document_finder, label_endpoints
from fluxkeep.api.wire.tenancy import LabelOut, body_id, label_out
from fluxkeep.errors import InvalidInput, NotFound
from fluxkeep.ids import OrgID, ResourceID
from fluxkeep.instants import format_rfc3339
from fluxkeep.resources.labels import Labels
from fluxkeep.resources.variables import Variable, Variables, parse_arguments
from fluxkeep.tenancy.listing import Window, cut
from fluxkeep.tenancy.organizations import Organizations

_PATH = "/api/v2/variables"


class _VariableIn(Struct, frozen=True):
    orgID: str | None = None  # noqa: N815  # as on the wire
    name: str | None = None
    description: str | None = None
    selected: list[str] | None = None
    arguments: Any = None


class _VariableOut(Struct, frozen=True):
    id: str
    orgID: str  # noqa: N815  # as on the wire
    name: str
    description: str
    selected: list[str] | None
    arguments: dict[str, Any]
    createdAt: str  # noqa: N815
    updatedAt: str  # noqa: N815
    labels: list[LabelOut]
    links: dict[str, str]


def endpoints(variables: Variables, organizations: Organizations, labels: Labels) -> list[Endpoint]:
    """The family with labels."""

    def shown(access: Access, variable: Variable) -> _VariableOut:
        path = f"{_PATH}/{variable.id}"
        return _VariableOut(
            id=variable.id,
            orgID=variable.org_id,
            name=variable.name,
            description=variable.description,
            selected=None if variable.selected is None else list(variable.selected),
            arguments={"type": variable.arguments.type, "values": variable.arguments.values},
            createdAt=format_rfc3339(variable.created_at),
            updatedAt=format_rfc3339(variable.updated_at),
            labels=[label_out(label) for label in labels.of(access, variable.id)],
            links={"labels": f"{path}/labels", "org": f"/api/v2/orgs/{variable.org_id}", "self": path},
        )

    def list_variables(call: Call) -> Response:
        page = parse_page(call)
        filters: dict[str, str] = {}
        org_id: OrgID | None = None
        if (text := call.first("orgID")) is not None:
            org_id = OrgID.parse(text)
            filters["orgID"] = org_id
        elif (name := call.first("org")) is not None:
            found = organizations.find_by_name(name)
            if found is None:
                # The reference says the same with a 500 (http-api.md §15 recommends this).
                raise NotFound(f'could not read variables: organization name "{name}" not found')
            org_id = found.id
            filters["org"] = name
        window = Window(limit=page.limit, offset=page.offset, after=page.after, descending=page.descending)
        paged = call.access.filter(cut(variables.all(org_id), window), lambda one: one.permission(Action.READ))
        return json_response(
            {
                "variables": [shown(call.access, one) for one in paged],
                "links": page_links(_PATH, page, len(paged), filters),
            }
        )

    def create(call: Call) -> Response:
        body = _decode(call)
        arguments = parse_arguments(body.arguments)
        made = variables.create(
            call.access,
            org_id=_plain_id(body.orgID),
            name=body.name or "",
            description=body.description or "",
            selected=body.selected,
            arguments=arguments,
        )
        return json_response(shown(call.access, made), 201)

    def get(call: Call) -> Response:
        found = variables.get(call.access, ResourceID.parse(call.params["id"]))
        return json_response(shown(call.access, found))

    def update(call: Call) -> Response:
        variable_id = ResourceID.parse(call.params["id"])
        body = _decode(call)
        changed = variables.update(
            call.access,
            variable_id,
            name=body.name or "",
            description=body.description or "",
            selected=body.selected,
            arguments=parse_arguments(body.arguments),
        )
        return json_response(shown(call.access, changed))

    def replace(call: Call) -> Response:
        variable_id = ResourceID.parse(call.params["id"])
        body = _decode(call)
        arguments = parse_arguments(body.arguments)
        if _plain_id(body.orgID) is None:
            raise InvalidInput("bad organization id: invalid ID")
        changed = variables.replace(
            call.access,
            variable_id,
            name=body.name or "",
            description=body.description or "",
            selected=body.selected,
            arguments=arguments,
        )
        return json_response(shown(call.access, changed))

    def delete(call: Call) -> Response:
        variables.delete(call.access, ResourceID.parse(call.params["id"]))
        return no_content()

    find = document_finder(variables.find)
    one = f"{_PATH}/{{id}}"
    c = Style.C
    return [
        Endpoint(method="GET", path=_PATH, handler=list_variables, style=c, needs="read:variables/<id>, item by item"),
        Endpoint(method="POST", path=_PATH, handler=create, style=c, needs="write:variables@org"),
        Endpoint(method="GET", path=one, handler=get, style=c, needs="read:variables/<id>"),
        Endpoint(method="PATCH", path=one, handler=update, style=c, needs="write:variables/<id>"),
        Endpoint(method="PUT", path=one, handler=replace, style=c, needs="write:variables/<id>"),
        Endpoint(method="DELETE", path=one, handler=delete, style=c, needs="write:variables/<id>"),
        *label_endpoints(_PATH, find, labels, style=c, reads_store=True),
    ]


def _decode(call: Call) -> _VariableIn:
    try:
        return decode_json(call.body, _VariableIn)
    except BadBody as error:
        raise InvalidInput(error.reason) from None


def _plain_id(text: str | None) -> OrgID | None:
    try:
        return body_id(text, OrgID)
    except BadBody as error:
        raise InvalidInput(error.reason) from None
