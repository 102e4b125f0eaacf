"""`/api/v2/orgs`.

Source: http-api.md §3, §27.
"""

from __future__ import annotations

from typing import TypeVar

from starlette.responses import Response

from fluxkeep.access.permissions import Action, ResourceType
from fluxkeep.api.bodies import decode_json
from fluxkeep.api.endpoint import Call, Endpoint, Runs
from fluxkeep.api.paging import parse_page
from fluxkeep.api.responses import json_response, no_content
from fluxkeep.api.v2.subresources import Finder, Parent, member_endpoints
from fluxkeep.api.wire.tenancy import OrganizationIn, organization_out
from fluxkeep.errors import InvalidInput
from fluxkeep.ids import ID, OrgID, UserID
from fluxkeep.tenancy.listing import Window
from fluxkeep.tenancy.memberships import Memberships
from fluxkeep.tenancy.organizations import Organizations

K = TypeVar("K", bound=ID)

_PATH = "/api/v2/orgs"


def endpoints(organizations: Organizations, memberships: Memberships) -> list[Endpoint]:
    """The family without its secrets."""

    def list_organizations(call: Call) -> Response:
        page = parse_page(call)
        found = organizations.list_(
            call.access,
            org_id=_lenient(call.first("orgID"), OrgID),
            name=call.first("org"),
            user_id=_lenient(call.first("userID"), UserID),
            # Quirk: `after` and `descending` are read, checked and not used (http-api.md §3).
            window=Window(limit=page.limit, offset=page.offset),
        )
        return json_response({"links": {"self": _PATH}, "orgs": [organization_out(one) for one in found]})

    def create(call: Call) -> Response:
        body = decode_json(call.body, OrganizationIn)
        made = organizations.create(call.access, name=body.name or "", description=body.description or "")
        return json_response(organization_out(made), 201)

    def get(call: Call) -> Response:
        return json_response(organization_out(organizations.get(call.access, OrgID.parse(call.params["id"]))))

    def update(call: Call) -> Response:
        org_id = OrgID.parse(call.params["id"])
        body = decode_json(call.body, OrganizationIn)
        changed = organizations.update(call.access, org_id, name=body.name, description=body.description)
        return json_response(organization_out(changed))

    def delete(call: Call) -> Response:
        organizations.delete(call.access, OrgID.parse(call.params["id"]))
        return no_content()

    one = f"{_PATH}/{{id}}"
    return [
        Endpoint(
            method="GET", path=_PATH, handler=list_organizations, runs=Runs.LOOP, needs="read:orgs/<id>, item by item"
        ),
        Endpoint(method="POST", path=_PATH, handler=create, needs="write:orgs"),
        Endpoint(method="GET", path=one, handler=get, runs=Runs.LOOP, needs="read:orgs/<id>"),
        Endpoint(method="PATCH", path=one, handler=update, needs="write:orgs/<id>"),
        Endpoint(method="DELETE", path=one, handler=delete, needs="write:orgs/<id>"),
        *member_endpoints(_PATH, find_organization(organizations), memberships),
    ]


def find_organization(organizations: Organizations) -> Finder:
    """How its sub-resources find an organization."""

    def find(org_id: ID) -> Parent | None:
        found = organizations.find(OrgID(org_id))
        if found is None:
            return None
        return Parent(
            kind=ResourceType.ORGS,
            id=found.id,
            org_id=found.id,
            to_read=found.permission(Action.READ),
            to_write=found.permission(Action.WRITE),
        )

    return find


def _lenient(text: str | None, kind: type[K]) -> K | None:
    # Quirk: a malformed id is no filter at all (http-api.md §3).
    if text is None:
        return None
    try:
        return kind.parse(text)
    except InvalidInput:
        return None
