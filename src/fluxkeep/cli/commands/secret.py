"""`influx secret`. Source: cli.md §2.6."""

from __future__ import annotations

import sys
from typing import Any

import click

from fluxkeep.cli.failures import failing
from fluxkeep.cli.framework import CONTEXT, Group, Leaf, flag
from fluxkeep.cli.session import Session, connected, in_org

COLUMNS = ("Key", "Organization ID")
CELLS: dict[str, Any] = {"Key": lambda s: s["key"], "Organization ID": lambda s: s["organizationID"]}


@click.command(
    cls=Group, name="secret", help="Manage secrets.", context_settings=CONTEXT, aliases={"find": "list", "ls": "list"}
)
def secret() -> None:
    """The group."""


secret.callback = None


@secret.command(cls=Leaf, name="update", help="Set a secret.", context_settings=CONTEXT)
@connected()
@in_org
@flag("--key", "-k", needed=True, help="The secret's key.")
@flag("--value", "-v", help="The secret; asked for when absent.")
def update(session: Session, org: str | None, org_id: str | None, key: str, value: str | None) -> None:
    """Set a secret."""
    org_id = session.org_id(org_id, org)
    if value is None:
        if sys.stdin.isatty():
            value = str(click.prompt("Please type your secret", hide_input=True, err=True))
        else:
            value = sys.stdin.readline().rstrip("\n")
    with failing(f'failed to update secret with key "{key}"'):
        session.client.call("PATCH", f"/api/v2/orgs/{org_id}/secrets", body={key: value})
    session.show(COLUMNS, [{"key": key, "organizationID": org_id}], CELLS, one=True)


@secret.command(cls=Leaf, name="list", help="List the keys of secrets.", context_settings=CONTEXT)
@connected()
@in_org
def list_(session: Session, org: str | None, org_id: str | None) -> None:
    """List keys; values are never shown."""
    org_id = session.org_id(org_id, org)
    with failing("failed to retrieve secret keys"):
        keys = session.client.get(f"/api/v2/orgs/{org_id}/secrets")["secrets"]
    session.show(COLUMNS, [{"key": key, "organizationID": org_id} for key in keys], CELLS)


@secret.command(cls=Leaf, name="delete", help="Delete a secret.", context_settings=CONTEXT)
@connected()
@in_org
@flag("--key", "-k", needed=True, help="The secret's key.")
def delete(session: Session, org: str | None, org_id: str | None, key: str) -> None:
    """Delete a secret."""
    org_id = session.org_id(org_id, org)
    with failing(f'failed to delete secret with key "{key}"'):
        session.client.call("POST", f"/api/v2/orgs/{org_id}/secrets/delete", body={"secrets": [key]})
    session.show(COLUMNS, [{"key": key, "organizationID": org_id}], CELLS, one=True, deleted=True)
