"""Dashboards: cells on a grid, each with a view.

Source: http-api.md §16.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.errors import Conflict, InvalidInput, NotFound
from fluxkeep.ids import IdGenerator, OrgID, ResourceID, UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.events import DocumentDeleted
from fluxkeep.resources import store as rows
from fluxkeep.resources.views import EMPTY, Properties

KIND = "dashboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A place on the grid and what it shows; its view has the same id."""

    id: ResourceID
    x: int = 0
    y: int = 0
    w: int = 0
    h: int = 0
    name: str = ""
    properties: Properties = field(default_factory=lambda: dict(EMPTY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """A dashboard; names need not be unique or there.

    Attributes:
        owner_id: Who made it.
    """

    id: ResourceID
    org_id: OrgID
    owner_id: UserID
    name: str
    description: str
    cells: tuple[Cell, ...] = ()
    created_at: int
    updated_at: int

    def permission(self, action: Action) -> Permission:
        """What `action` on it needs."""
        return Permission(action, ResourceType.DASHBOARDS, self.org_id, self.id)

    def cell(self, cell_id: ResourceID) -> Cell | None:
        """Its cell of that id."""
        return next((one for one in self.cells if one.id == cell_id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a cell is to be; None is not given."""

    id: ResourceID | None = None
    x: int | None = None
    y: int | None = None
    w: int | None = None
    h: int | None = None
    name: str = ""

    @property
    def is_empty(self) -> bool:
        """Nothing of it is given."""
        return self.x is None and self.y is None and self.w is None and self.h is None


class Dashboards:
    """The dashboards of the instance; every call reads the store."""

    def __init__(self, store: MetaStore, ids: IdGenerator) -> None:
        self._store = store
        self._ids = ids

    def count(self) -> int:
        """How many dashboards there are in all organizations."""
        with self._store.read() as connection:
            return rows.count_documents(connection, KIND)

    def find(self, dashboard_id: ResourceID) -> Dashboard | None:
        """The dashboard of that id, whoever asks."""
        with self._store.read() as connection:
            document = rows.load_document(connection, KIND, dashboard_id)
        return None if document is None else _dashboard(document)

    def all(self, org_id: OrgID | None = None) -> list[Dashboard]:
        """Every dashboard of an organization or of all, by id, whoever asks; to be paged, then filtered."""
        with self._store.read() as connection:
            return [_dashboard(document) for document in rows.load_documents(connection, KIND, org_id)]

    def get(self, access: Access, dashboard_id: ResourceID) -> Dashboard:
        """One dashboard.

        Raises:
            NotFound: `dashboard not found`.
            Unauthorized: Without permission to read it.
        """
        found = self.find(dashboard_id)
        if found is None:
            raise NotFound("dashboard not found")
        access.require(found.permission(Action.READ))
        return found

    def get_view(self, access: Access, dashboard_id: ResourceID, cell_id: ResourceID) -> Cell:
        """The cell whose view is asked for.

        Raises:
            NotFound: No such dashboard, or `view not found`.
            Unauthorized: Without permission to read the dashboard.
        """
        cell = self.get(access, dashboard_id).cell(cell_id)
        if cell is None:
            raise NotFound("view not found")
        return cell

    def create(
        self, access: Access, *, org_id: OrgID, name: str, description: str = "", places: Sequence[Place] = ()
    ) -> Dashboard:
        """Make a dashboard, with cells whose views are empty.

        Raises:
            Unauthorized: Without permission to write dashboards in the organization.
            NotFound: `organization not found`.
        """
        access.require(Permission(Action.WRITE, ResourceType.DASHBOARDS, org_id))
        with self._store.begin() as work:
            if not rows.organization_exists(work.connection, org_id):
                raise NotFound("organization not found")
            made = Dashboard(
                id=self._ids.next(ResourceID),
                org_id=org_id,
                owner_id=access.user_id,
                name=name,
                description=description,
                cells=tuple(self._new_cell(place) for place in places),
                created_at=work.now_ns,
                updated_at=work.now_ns,
            )
            rows.add_document(work.connection, _document(made))
        return made

    def update(
        self,
        access: Access,
        dashboard_id: ResourceID,
        *,
        name: str | None = None,
        description: str | None = None,
    ) -> Dashboard:
        """Change name or description.

        Raises:
            InvalidInput: `must update at least one attribute`.
            NotFound: `dashboard not found`.
            Unauthorized: Without permission to write it.
        """
        if name is None and description is None:
            raise InvalidInput("must update at least one attribute")

        def change(found: Dashboard) -> Dashboard:
            return replace(
                found,
                name=found.name if name is None else name,
                description=found.description if description is None else description,
            )

        return self._change(access, dashboard_id, change)

    def delete(self, access: Access, dashboard_id: ResourceID) -> None:
        """Delete a dashboard with cells, views, members and labels.

        Raises:
            NotFound: `dashboard not found`.
            Unauthorized: Without permission to write it.
        """
        with self._store.begin() as work:
            document = rows.load_document(work.connection, KIND, dashboard_id)
            if document is None:
                raise NotFound("dashboard not found")
            access.require(_dashboard(document).permission(Action.WRITE))
            rows.delete_document(work.connection, dashboard_id)
            work.emit(DocumentDeleted(dashboard_id))

    def add_cell(
        self, access: Access, dashboard_id: ResourceID, place: Place, *, using_view: ResourceID | None = None
    ) -> Cell:
        """Add a cell, with a copy of another cell's view where one is named.

        Raises:
            NotFound: `dashboard not found`, `view not found`.
            Unauthorized: Without permission to write the dashboard.
        """
        made = self._new_cell(place)

        def change(found: Dashboard) -> Dashboard:
            nonlocal made
            if using_view is not None:
                source = found.cell(using_view)
                if source is None:
                    raise NotFound("view not found")
                made = replace(made, name=place.name or source.name, properties=source.properties)
            return replace(found, cells=(*found.cells, made))

        self._change(access, dashboard_id, change)
        return made

    def replace_cells(self, access: Access, dashboard_id: ResourceID, places: Sequence[Place]) -> Dashboard:
        """Put cells that are there already anew; those not named go.

        Raises:
            InvalidInput: One has no id.
            Conflict: One is not of this dashboard.
            NotFound: `dashboard not found`.
            Unauthorized: Without permission to write it.
        """

        def change(found: Dashboard) -> Dashboard:
            cells: list[Cell] = []
            for place in places:
                if place.id is None:
                    raise InvalidInput("cannot provide empty cell id")
                old = found.cell(place.id)
                if old is None:
                    raise Conflict("cannot replace cells that were not already present")
                cells.append(replace(old, x=place.x or 0, y=place.y or 0, w=place.w or 0, h=place.h or 0))
            return replace(found, cells=tuple(cells))

        return self._change(access, dashboard_id, change)

    def move_cell(self, access: Access, dashboard_id: ResourceID, cell_id: ResourceID, place: Place) -> Cell:
        """Change where a cell is.

        Raises:
            InvalidInput: `must update at least one attribute`.
            NotFound: `dashboard not found`, `cell not found`.
            Unauthorized: Without permission to write the dashboard.
        """
        if place.is_empty:
            raise InvalidInput("must update at least one attribute")

        def move(old: Cell) -> Cell:
            return replace(
                old,
                x=old.x if place.x is None else place.x,
                y=old.y if place.y is None else place.y,
                w=old.w if place.w is None else place.w,
                h=old.h if place.h is None else place.h,
            )

        return self._change_cell(access, dashboard_id, cell_id, move, "cell not found")

    def delete_cell(self, access: Access, dashboard_id: ResourceID, cell_id: ResourceID) -> None:
        """Delete a cell and its view.

        Raises:
            NotFound: `dashboard not found`, `cell not found`.
            Unauthorized: Without permission to write the dashboard.
        """

        def change(found: Dashboard) -> Dashboard:
            if found.cell(cell_id) is None:
                raise NotFound("cell not found")
            return replace(found, cells=tuple(one for one in found.cells if one.id != cell_id))

        self._change(access, dashboard_id, change)

    def update_view(
        self,
        access: Access,
        dashboard_id: ResourceID,
        cell_id: ResourceID,
        *,
        name: str | None = None,
        properties: Properties | None = None,
    ) -> Cell:
        """Change a view's name or properties; those not given stay (http-api.md §16 recommends this).

        Raises:
            InvalidInput: `expected at least one attribute to be updated`.
            NotFound: `dashboard not found`, `view not found`.
            Unauthorized: Without permission to write the dashboard.
        """
        if name is None and properties is None:
            raise InvalidInput("expected at least one attribute to be updated")

        def change(old: Cell) -> Cell:
            return replace(
                old,
                name=old.name if name is None else name,
                properties=old.properties if properties is None else properties,
            )

        return self._change_cell(access, dashboard_id, cell_id, change, "view not found")

    def _new_cell(self, place: Place) -> Cell:
        return Cell(
            id=self._ids.next(ResourceID),
            x=place.x or 0,
            y=place.y or 0,
            w=place.w or 0,
            h=place.h or 0,
            name=place.name,
        )

    def _change_cell(
        self,
        access: Access,
        dashboard_id: ResourceID,
        cell_id: ResourceID,
        change: Callable[[Cell], Cell],
        missing: str,
    ) -> Cell:
        def change_it(found: Dashboard) -> Dashboard:
            if found.cell(cell_id) is None:
                raise NotFound(missing)
            return replace(found, cells=tuple(change(one) if one.id == cell_id else one for one in found.cells))

        changed = self._change(access, dashboard_id, change_it).cell(cell_id)
        assert changed is not None
        return changed

    def _change(self, access: Access, dashboard_id: ResourceID, change: Callable[[Dashboard], Dashboard]) -> Dashboard:
        with self._store.begin() as work:
            document = rows.load_document(work.connection, KIND, dashboard_id)
            if document is None:
                raise NotFound("dashboard not found")
            found = _dashboard(document)
            access.require(found.permission(Action.WRITE))
            changed = replace(change(found), updated_at=work.now_ns)
            rows.replace_document(work.connection, _document(changed))
        return changed


def _dashboard(document: rows.Document) -> Dashboard:
    body: dict[str, Any] = json.loads(document.body)
    cells = tuple(Cell(**{**cell, "id": ResourceID(cell["id"])}) for cell in body["cells"])
    return Dashboard(
        id=document.id,
        org_id=document.org_id,
        owner_id=UserID(body["owner_id"]),
        name=body["name"],
        description=body["description"],
        cells=cells,
        created_at=document.created_at,
        updated_at=document.updated_at,
    )


def _document(dashboard: Dashboard) -> rows.Document:
    cells = [
        {
            "id": cell.id,
            "x": cell.x,
            "y": cell.y,
            "w": cell.w,
            "h": cell.h,
            "name": cell.name,
            "properties": cell.properties,
        }
        for cell in dashboard.cells
    ]
    body = {
        "owner_id": dashboard.owner_id,
        "name": dashboard.name,
        "description": dashboard.description,
        "cells": cells,
    }
    return rows.Document(
        id=dashboard.id,
        kind=KIND,
        org_id=dashboard.org_id,
        name_key=None,
        body=json.dumps(body),
        created_at=dashboard.created_at,
        updated_at=dashboard.updated_at,
    )
