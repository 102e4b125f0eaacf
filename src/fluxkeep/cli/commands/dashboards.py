"""`influx dashboards`: a list; they are made in the user interface and by templates. Source: cli.md §3.2."""

from __future__ import annotations

from typing import Any

import click

from fluxkeep.cli.failures import failing
from fluxkeep.cli.framework import CONTEXT, Leaf, flag
from fluxkeep.cli.output import to_json
from fluxkeep.cli.session import Session, connected, in_org

_PAGE = 100
COLUMNS = ("ID", "OrgID", "Name", "Description", "Num Cells")
CELLS: dict[str, Any] = {
    "ID": lambda d: d["id"],
    "OrgID": lambda d: d["orgID"],
    "Name": lambda d: d["name"],
    "Description": lambda d: d.get("description", ""),
    "Num Cells": lambda d: str(len(d.get("cells", []))),
}


@click.command(cls=Leaf, name="dashboards", help="List dashboards.", context_settings=CONTEXT)
@connected()
@in_org
@flag("--id", "-i", "ids", multiple=True, help="Only the one of this id; repeatable.")
def dashboards(session: Session, org: str | None, org_id: str | None, ids: tuple[str, ...]) -> None:
    """List dashboards."""
    found: list[dict[str, Any]] = []
    with failing("failed to find dashboards"):
        # Where ids are named the organization does not matter.
        query = {} if ids and not (org or org_id) else session.org_query(org_id, org)
        for ident in ids:
            found += session.client.get("/api/v2/dashboards", {**query, "id": ident})["dashboards"]
        while not ids:
            page = session.client.get("/api/v2/dashboards", {**query, "limit": str(_PAGE), "offset": str(len(found))})[
                "dashboards"
            ]
            found += page
            if len(page) < _PAGE:
                break
    if session.as_json:
        click.echo(to_json({"dashboards": found}), nl=False)
        return
    session.show(COLUMNS, found, CELLS)
