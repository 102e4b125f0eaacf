"""`influx user`. Source: cli.md §2.5."""

from __future__ import annotations

from typing import Any

import click

from fluxkeep.cli.failures import CommandFailed, failing
from fluxkeep.cli.framework import CONTEXT, Group, Leaf, flag
from fluxkeep.cli.prompts import ask_password
from fluxkeep.cli.session import Session, connected, in_org

COLUMNS = ("ID", "Name")
CELLS: dict[str, Any] = {"ID": lambda u: u["id"], "Name": lambda u: u["name"]}


@click.command(
    cls=Group, name="user", help="Manage users.", context_settings=CONTEXT, aliases={"find": "list", "ls": "list"}
)
def user() -> None:
    """The group."""


user.callback = None


@user.command(
    cls=Leaf, name="create", help="Create a user and make it a member of the organization.", context_settings=CONTEXT
)
@connected()
@in_org
@flag("--name", "-n", needed=True, envvar="INFLUX_NAME", help="The user's name.")
@flag("--password", "-p", help="The user's password.")
def create(session: Session, org: str | None, org_id: str | None, name: str, password: str | None) -> None:
    """Create a user."""
    org_id = session.org_id(org_id, org)
    with failing(f'failed to create user "{name}"'):
        made = session.client.call("POST", "/api/v2/users", body={"name": name})
    with failing(f'failed to add user "{name}" to org "{org_id}"'):
        session.client.call("POST", f"/api/v2/orgs/{org_id}/members", body={"id": made["id"]})
    session.show(COLUMNS, [made], CELLS, one=True)
    if not password:
        click.echo("WARN: initial password not set for user, use `influx user password` to set it", err=True)
        return
    with failing(f'failed setting password for user "{name}", use `influx user password` to retry'):
        session.client.call("POST", f"/api/v2/users/{made['id']}/password", body={"password": password})


@user.command(cls=Leaf, name="list", help="List users.", context_settings=CONTEXT)
@connected()
@flag("--id", "-i", "ident", help="Only the user of this id.")
@flag("--name", "-n", help="Only the user of this name.")
def list_(session: Session, ident: str | None, name: str | None) -> None:
    """List users."""
    listed: list[dict[str, Any]] = []
    with failing("failed to list users"):
        while True:
            query = {"id": ident, "name": name, "limit": "100", "offset": str(len(listed))}
            page = session.client.get("/api/v2/users", query)["users"]
            listed += page
            if ident or name or len(page) < 100:
                break
    session.show(COLUMNS, listed, CELLS)


@user.command(cls=Leaf, name="update", help="Rename a user.", context_settings=CONTEXT)
@connected()
@flag("--id", "-i", "ident", needed=True, help="The user's id.")
@flag("--name", "-n", help="New name.")
def update(session: Session, ident: str, name: str | None) -> None:
    """Rename a user."""
    with failing(f'failed to update user "{ident}"'):
        changed = session.client.call("PATCH", f"/api/v2/users/{ident}", body={"name": name or ""})
    session.show(COLUMNS, [changed], CELLS, one=True)


@user.command(cls=Leaf, name="delete", help="Delete a user and the user's tokens.", context_settings=CONTEXT)
@connected()
@flag("--id", "-i", "ident", needed=True, help="The user's id.")
def delete(session: Session, ident: str) -> None:
    """Delete a user."""
    with failing(f'user "{ident}" not found'):
        found = session.client.get(f"/api/v2/users/{ident}")
    with failing(f'failed to delete user "{ident}"'):
        session.client.call("DELETE", f"/api/v2/users/{ident}")
    session.show(COLUMNS, [found], CELLS, one=True, deleted=True)


@user.command(cls=Leaf, name="password", help="Set a user's password.", context_settings=CONTEXT)
@connected(tables=False)
@flag("--id", "-i", "ident", help="The user's id.")
@flag("--name", "-n", help="The user's name.")
@flag("--password", "-p", help="The new password; asked for when absent.")
def password(session: Session, ident: str | None, name: str | None, password: str | None) -> None:
    """Set a user's password."""
    if not ident and not name:
        raise CommandFailed("must specify user ID or user name")
    with failing(f'failed to find user "{name or ident}"'):
        found = session.client.get("/api/v2/users", {"id": ident, "name": name})["users"]
    chosen = password or ask_password("Please type new password")
    # The reference names nobody here.
    with failing('failed to set password for user ""'):
        session.client.call("POST", f"/api/v2/users/{found[0]['id']}/password", body={"password": chosen})
    click.echo(f'Successfully updated password for user "{found[0]["name"]}"')
