"""`/api/v2/dashboards` with cells and views.

Source: http-api.md §16.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action
from fluxkeep.api.bodies import BadBody, decode_json
from fluxkeep.api.endpoint import Call, Endpoint
from fluxkeep.api.paging import page_links, parse_page
from fluxkeep.api.responses import json_response, no_content
from fluxkeep.api.v2.subresources import document_finder, label_endpoints, member_endpoints
from fluxkeep.api.wire.tenancy import LabelOut, body_id, label_out
from fluxkeep.errors import InvalidInput
from fluxkeep.ids import OrgID, ResourceID, UserID
from fluxkeep.instants import format_rfc3339
from fluxkeep.resources.dashboards import Cell, Dashboard, Dashboards, Place
from fluxkeep.resources.labels import Labels
from fluxkeep.resources.views import Properties, parse_properties
from fluxkeep.tenancy.listing import Window, cut
from fluxkeep.tenancy.memberships import Memberships
from fluxkeep.tenancy.organizations import Organizations

T = TypeVar("T")

_PATH = "/api/v2/dashboards"

_ORDERS: dict[str, Callable[[Dashboard], Any]] = {
    "CreatedAt": lambda one: one.created_at,
    "UpdatedAt": lambda one: one.updated_at,
    "Name": lambda one: one.name,
}


class _CellIn(Struct, frozen=True):
    id: str | None = None
    x: int | None = None
    y: int | None = None
    w: int | None = None
    h: int | None = None
    name: str | None = None
    usingView: str | None = None  # noqa: N815  # as on the wire

    def place(self) -> Place:
        return Place(id=body_id(self.id, ResourceID), x=self.x, y=self.y, w=self.w, h=self.h, name=self.name or "")


class _DashboardIn(Struct, frozen=True):
    orgID: str | None = None  # noqa: N815  # as on the wire
    name: str | None = None
    description: str | None = None
    cells: list[_CellIn] | None = None


class _ViewIn(Struct, frozen=True):
    name: str | None = None
    properties: Any = None


class _CellOut(Struct, frozen=True):
    id: str
    x: int
    y: int
    w: int
    h: int
    properties: Properties | UnsetType
    name: str | UnsetType
    links: dict[str, str]


class _DashboardOut(Struct, frozen=True):
    id: str
    orgID: str  # noqa: N815  # as on the wire
    name: str
    description: str
    meta: dict[str, str]
    cells: list[_CellOut]
    labels: list[LabelOut]
    links: dict[str, str]


def endpoints(
    dashboards: Dashboards, organizations: Organizations, memberships: Memberships, labels: Labels
) -> list[Endpoint]:
    """The family with members, owners and labels."""

    def shown(access: Access, dashboard: Dashboard, *, properties: bool = False) -> _DashboardOut:
        path = f"{_PATH}/{dashboard.id}"
        parts = ("cells", "labels", "members", "owners")
        return _DashboardOut(
            id=dashboard.id,
            orgID=dashboard.org_id,
            name=dashboard.name,
            description=dashboard.description,
            meta={
                "createdAt": format_rfc3339(dashboard.created_at),
                "updatedAt": format_rfc3339(dashboard.updated_at),
            },
            cells=[_cell_out(dashboard.id, cell, properties=properties) for cell in dashboard.cells],
            labels=[label_out(label) for label in labels.of(access, dashboard.id)],
            links={part: f"{path}/{part}" for part in parts}
            | {"org": f"/api/v2/orgs/{dashboard.org_id}", "self": path},
        )

    def list_dashboards(call: Call) -> Response:
        page = parse_page(call)
        filters: dict[str, str] = {}
        org_id: OrgID | None = None
        wanted: set[str] | None = None
        owner_id: UserID | None = None
        if given := [text for text in call.query.get("id", ()) if text]:
            wanted = {ResourceID.parse(text) for text in given}
        elif (text := call.first("ownerID")) is not None:
            owner_id = UserID.parse(text)
            filters["owner"] = owner_id
        elif (text := call.first("orgID")) is not None:
            org_id = OrgID.parse(text)
            filters["orgID"] = org_id
        elif (text := call.first("org")) is not None:
            org_id = organizations.get_by_name(text).id
            filters["org"] = text
        found = [
            one
            for one in dashboards.all(org_id)
            if (wanted is None or one.id in wanted) and (owner_id is None or one.owner_id == owner_id)
        ]
        if (order := _ORDERS.get(page.sort_by or "")) is not None:
            found.sort(key=order)
        window = Window(limit=page.limit, offset=page.offset, after=page.after, descending=page.descending)
        paged = call.access.filter(cut(found, window), lambda one: one.permission(Action.READ))
        return json_response(
            {
                "links": page_links(_PATH, page, len(paged), filters),
                "dashboards": [shown(call.access, one) for one in paged],
            }
        )

    def create(call: Call) -> Response:
        body = decode_json(call.body, _DashboardIn)
        org_id = body_id(body.orgID, OrgID)
        if org_id is None:
            raise InvalidInput("invalid org id for permission: invalid ID")
        made = dashboards.create(
            call.access,
            org_id=org_id,
            name=body.name or "",
            description=body.description or "",
            places=[cell.place() for cell in body.cells or ()],
        )
        return json_response(shown(call.access, made), 201)

    def get(call: Call) -> Response:
        found = dashboards.get(call.access, _dashboard_id(call))
        return json_response(shown(call.access, found, properties=call.first("include") == "properties"))

    def update(call: Call) -> Response:
        dashboard_id = _dashboard_id(call)
        body = _decode(call, _DashboardIn)
        changed = dashboards.update(call.access, dashboard_id, name=body.name, description=body.description)
        return json_response(shown(call.access, changed))

    def delete(call: Call) -> Response:
        dashboards.delete(call.access, _dashboard_id(call))
        return no_content()

    def add_cell(call: Call) -> Response:
        dashboard_id = _dashboard_id(call)
        try:
            body = decode_json(call.body, _CellIn)
        except BadBody as error:
            raise InvalidInput(f"bad request json body: {error.reason}") from None
        if body == _CellIn():
            raise InvalidInput("req body is empty")
        made = dashboards.add_cell(
            call.access, dashboard_id, body.place(), using_view=body_id(body.usingView, ResourceID)
        )
        return json_response(_cell_out(dashboard_id, made), 201)

    def replace_cells(call: Call) -> Response:
        dashboard_id = _dashboard_id(call)
        places = [one.place() for one in _decode(call, list[_CellIn])]
        changed = dashboards.replace_cells(call.access, dashboard_id, places)
        return json_response(
            {
                "cells": [_cell_out(dashboard_id, cell) for cell in changed.cells],
                "links": {"self": f"{_PATH}/{dashboard_id}/cells"},
            },
            201,
        )

    def move_cell(call: Call) -> Response:
        dashboard_id = _dashboard_id(call)
        moved = dashboards.move_cell(call.access, dashboard_id, _cell_id(call), _decode(call, _CellIn).place())
        return json_response(_cell_out(dashboard_id, moved))

    def delete_cell(call: Call) -> Response:
        dashboards.delete_cell(call.access, _dashboard_id(call), _cell_id(call))
        return no_content()

    def get_view(call: Call) -> Response:
        dashboard_id = _dashboard_id(call)
        return json_response(_view_out(dashboard_id, dashboards.get_view(call.access, dashboard_id, _cell_id(call))))

    def update_view(call: Call) -> Response:
        dashboard_id = _dashboard_id(call)
        body = _decode(call, _ViewIn)
        changed = dashboards.update_view(
            call.access,
            dashboard_id,
            _cell_id(call),
            name=body.name,
            properties=None if body.properties is None else parse_properties(body.properties),
        )
        return json_response(_view_out(dashboard_id, changed))

    find = document_finder(dashboards.find)
    one, cells = f"{_PATH}/{{id}}", f"{_PATH}/{{id}}/cells"
    cell = f"{cells}/{{cellID}}"
    read, write = "read:dashboards/<id>", "write:dashboards/<id>"
    return [
        Endpoint(method="GET", path=_PATH, handler=list_dashboards, needs=f"{read}, item by item"),
        Endpoint(method="POST", path=_PATH, handler=create, needs="write:dashboards@org"),
        Endpoint(method="GET", path=one, handler=get, needs=read),
        Endpoint(method="PATCH", path=one, handler=update, needs=write),
        Endpoint(method="DELETE", path=one, handler=delete, needs=write),
        Endpoint(method="POST", path=cells, handler=add_cell, needs=write),
        Endpoint(method="PUT", path=cells, handler=replace_cells, needs=write),
        Endpoint(method="PATCH", path=cell, handler=move_cell, needs=write),
        Endpoint(method="DELETE", path=cell, handler=delete_cell, needs=write),
        Endpoint(method="GET", path=f"{cell}/view", handler=get_view, needs=read),
        Endpoint(method="PATCH", path=f"{cell}/view", handler=update_view, needs=write),
        *member_endpoints(_PATH, find, memberships, reads_store=True),
        *label_endpoints(_PATH, find, labels, reads_store=True),
    ]


def _dashboard_id(call: Call) -> ResourceID:
    return ResourceID.parse(call.params["id"])


def _cell_id(call: Call) -> ResourceID:
    return ResourceID.parse(call.params["cellID"])


def _decode(call: Call, kind: type[T]) -> T:
    try:
        return decode_json(call.body, kind)
    except BadBody as error:
        raise InvalidInput(error.reason) from None


def _cell_out(dashboard_id: ResourceID, cell: Cell, *, properties: bool = False) -> _CellOut:
    path = f"{_PATH}/{dashboard_id}/cells/{cell.id}"
    return _CellOut(
        id=cell.id,
        x=cell.x,
        y=cell.y,
        w=cell.w,
        h=cell.h,
        properties=cell.properties if properties else UNSET,
        name=cell.name if properties else UNSET,
        links={"self": path, "view": f"{path}/view"},
    )


def _view_out(dashboard_id: ResourceID, cell: Cell) -> dict[str, object]:
    # Quirk: the self link is the cell's (http-api.md §16).
    return {
        "id": cell.id,
        "name": cell.name,
        "links": {"self": f"{_PATH}/{dashboard_id}/cells/{cell.id}"},
        "properties": cell.properties,
    }
