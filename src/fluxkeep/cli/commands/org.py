"""`influx org` and `influx org members`. Source: cli.md §2.4."""

from __future__ import annotations

from typing import Any

import click

from fluxkeep.cli.failures import failing
from fluxkeep.cli.framework import CONTEXT, Group, Leaf, flag
from fluxkeep.cli.session import Session, connected

COLUMNS = ("ID", "Name")
CELLS: dict[str, Any] = {"ID": lambda o: o["id"], "Name": lambda o: o["name"]}
MEMBER_COLUMNS = ("ID", "Name", "User Type", "Status")
MEMBER_CELLS: dict[str, Any] = {
    "ID": lambda m: m["id"],
    "Name": lambda m: m["name"],
    "User Type": lambda m: m["role"],
    "Status": lambda m: m["status"],
}


@click.command(
    cls=Group,
    name="org",
    help="Manage organizations.",
    context_settings=CONTEXT,
    aliases={"find": "list", "ls": "list"},
)
def org() -> None:
    """The group."""


org.callback = None


@org.command(cls=Leaf, name="create", help="Create an organization.", context_settings=CONTEXT)
@connected()
@flag("--name", "-n", needed=True, envvar="INFLUX_ORG", help="Its name.")
@flag("--description", "-d", help="What it is for.")
def create(session: Session, name: str, description: str | None) -> None:
    """Create an organization."""
    with failing(f'failed to create org "{name}"'):
        made = session.client.call("POST", "/api/v2/orgs", body={"name": name, "description": description or ""})
    session.show(COLUMNS, [made], CELLS, one=True)


@org.command(cls=Leaf, name="list", help="List organizations.", context_settings=CONTEXT)
@connected()
@flag("--name", "-n", envvar="INFLUX_ORG", help="Only the one of this name.")
@flag("--id", "-i", "ident", envvar="INFLUX_ORG_ID", help="Only the one of this id.")
def list_(session: Session, name: str | None, ident: str | None) -> None:
    """List organizations."""
    listed: list[dict[str, Any]] = []
    with failing("failed to list orgs"):
        while True:
            query = {"org": name, "orgID": ident, "limit": "100", "offset": str(len(listed))}
            page = session.client.get("/api/v2/orgs", query)["orgs"]
            listed += page
            if name or ident or len(page) < 100:
                break
    session.show(COLUMNS, listed, CELLS)


@org.command(cls=Leaf, name="update", help="Change an organization.", context_settings=CONTEXT)
@connected()
@flag("--id", "-i", "ident", needed=True, envvar="INFLUX_ORG_ID", help="Its id.")
@flag("--name", "-n", envvar="INFLUX_ORG", help="New name.")
@flag("--description", "-d", envvar="INFLUX_ORG_DESCRIPTION", help="New description.")
def update(session: Session, ident: str, name: str | None, description: str | None) -> None:
    """Change an organization."""
    body = {k: v for k, v in (("name", name), ("description", description)) if v}
    with failing(f'failed to update org "{ident}"'):
        changed = session.client.call("PATCH", f"/api/v2/orgs/{ident}", body=body)
    session.show(COLUMNS, [changed], CELLS, one=True)


@org.command(cls=Leaf, name="delete", help="Delete an organization and all that it owns.", context_settings=CONTEXT)
@connected()
@flag("--id", "-i", "ident", needed=True, envvar="INFLUX_ORG_ID", help="Its id.")
def delete(session: Session, ident: str) -> None:
    """Delete an organization."""
    with failing(f'org "{ident}" not found'):
        found = session.client.get(f"/api/v2/orgs/{ident}")
    with failing(f'failed to delete org "{ident}"'):
        session.client.call("DELETE", f"/api/v2/orgs/{ident}")
    session.show(COLUMNS, [found], CELLS, one=True, deleted=True)


@org.group(
    cls=Group,
    name="members",
    help="Manage an organization's members.",
    context_settings=CONTEXT,
    aliases={"find": "list", "ls": "list"},
)
def members() -> None:
    """The group."""


members.callback = None


def _of_org(function: Any) -> Any:
    function = flag("--id", "-i", "ident", envvar="INFLUX_ORG_ID", help="The organization's id.")(function)
    return flag("--name", "-n", envvar="INFLUX_ORG", help="The organization's name.")(function)


@members.command(cls=Leaf, name="list", help="List owners, then members.", context_settings=CONTEXT)
@connected()
@_of_org
def list_members(session: Session, name: str | None, ident: str | None) -> None:
    """List owners, then members."""
    org_id = session.org_id(ident, name)
    listed: list[dict[str, Any]] = []
    for kind in ("owners", "members"):
        with failing(f'failed to find {kind} of org "{org_id}"'):
            listed += session.client.get(f"/api/v2/orgs/{org_id}/{kind}")["users"]
    session.show(MEMBER_COLUMNS, listed, MEMBER_CELLS)


@members.command(cls=Leaf, name="add", help="Add a member or an owner.", context_settings=CONTEXT)
@connected(tables=False)
@_of_org
@flag("--member", "-m", needed=True, help="The user's id.")
@flag("--owner", is_flag=True, help="As an owner.")
def add(session: Session, name: str | None, ident: str | None, member: str, owner: bool) -> None:
    """Add a member."""
    org_id = session.org_id(ident, name)
    kind, article = ("owner", "an") if owner else ("member", "a")
    with failing(f'failed to add user "{member}" as {kind} of org "{org_id}"'):
        session.client.call("POST", f"/api/v2/orgs/{org_id}/{kind}s", body={"id": member})
    click.echo(f'user "{member}" has been added as {article} {kind} of org "{org_id}"')


@members.command(cls=Leaf, name="remove", help="Remove a member.", context_settings=CONTEXT)
@connected(tables=False)
@_of_org
@flag("--member", "-m", needed=True, help="The user's id.")
def remove(session: Session, name: str | None, ident: str | None, member: str) -> None:
    """Remove a member."""
    org_id = session.org_id(ident, name)
    with failing(f'failed to remove user "{member}" from org "{org_id}"'):
        session.client.call("DELETE", f"/api/v2/orgs/{org_id}/members/{member}")
    click.echo(f'user "{member}" has been removed from org "{org_id}"')
