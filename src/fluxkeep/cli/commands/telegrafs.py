"""`influx telegrafs`: Telegraf's configurations that the server keeps. Source: cli.md §3.2."""

from __future__ import annotations

import sys
from typing import Any

import click

from fluxkeep.cli.failures import CommandFailed, failing
from fluxkeep.cli.framework import CONTEXT, CommandGroup, Leaf, flag
from fluxkeep.cli.output import to_json
from fluxkeep.cli.session import Session, connected, in_org

_PATH = "/api/v2/telegrafs"
COLUMNS = ("ID", "OrgID", "Name", "Description")
CELLS: dict[str, Any] = {
    "ID": lambda t: t["id"],
    "OrgID": lambda t: t["orgID"],
    "Name": lambda t: t["name"],
    "Description": lambda t: t.get("description", ""),
}
# What makes the server answer with an object instead of the configuration's text.
_AS_JSON = {"Accept": "application/json"}


@click.command(
    cls=CommandGroup,
    own="list",
    name="telegrafs",
    help="List and manage Telegraf configurations.",
    context_settings=CONTEXT,
    aliases={"remove": "rm"},
)
def telegrafs() -> None:
    """The group."""


telegrafs.callback = None


@telegrafs.command(cls=Leaf, name="list", help="List Telegraf configurations.", hidden=True, context_settings=CONTEXT)
@connected()
@in_org
@flag("--id", "-i", "ident", help="Only the configuration of this id.")
def list_(session: Session, org: str | None, org_id: str | None, ident: str | None) -> None:
    """List configurations."""
    if ident:
        with failing(f'failed to get telegraf config with ID "{ident}"'):
            found = [_get(session, ident)]
    else:
        # By id: the server passes over a name here.
        query = {"orgID": session.org_id(org_id, org)}
        with failing("failed to get telegraf configs"):
            found = session.client.get(_PATH, query)["configurations"]
    if session.as_json:
        click.echo(to_json({"configurations": found}), nl=False)
        return
    session.show(COLUMNS, found, CELLS)


@telegrafs.command(cls=Leaf, name="create", help="Keep a Telegraf configuration.", context_settings=CONTEXT)
@connected()
@in_org
@flag("--name", "-n", help="Its name.")
@flag("--description", "-d", help="What it is for.")
@flag("--file", "-f", "path", help="File that holds it; standard input when absent.")
def create(
    session: Session,
    org: str | None,
    org_id: str | None,
    name: str | None,
    description: str | None,
    path: str | None,
) -> None:
    """Keep a configuration."""
    config = _read(path)
    body = {
        "orgID": session.org_id(org_id, org), "name": name or "", "description": description or "", "config": config
    }  # fmt: skip
    with failing("failed to create telegraf config"):
        made = session.client.call("POST", _PATH, body=body)
    session.show(COLUMNS, [made], CELLS, one=True)


@telegrafs.command(
    cls=Leaf,
    name="update",
    help="Replace a Telegraf configuration: name, description and text.",
    context_settings=CONTEXT,
)
@connected()
@flag("--id", "-i", "ident", help="Its id.")
@flag("--name", "-n", help="New name.")
@flag("--description", "-d", help="New description; empty when absent.")
@flag("--file", "-f", "path", help="File that holds the new text; standard input when absent.")
def update(session: Session, ident: str | None, name: str | None, description: str | None, path: str | None) -> None:
    """Replace a configuration; what is not given becomes empty."""
    if not ident:
        # What the reference's server answers to a path that ends early.
        raise CommandFailed('failed to update telegraf config with ID "": 404 Not Found: path not found')
    body = {"name": name or "", "description": description or "", "config": _read(path)}
    with failing(f'failed to update telegraf config with ID "{ident}"'):
        changed = session.client.call("PUT", f"{_PATH}/{ident}", body=body)
    session.show(COLUMNS, [changed], CELLS, one=True)


@telegrafs.command(cls=Leaf, name="rm", help="Delete Telegraf configurations.", context_settings=CONTEXT)
@connected(tables=False)
@flag("--id", "-i", "ids", multiple=True, help="The id of one; repeatable.")
def remove(session: Session, ids: tuple[str, ...]) -> None:
    """Delete configurations."""
    for ident in ids:
        with failing(f'failed to delete telegraf config with ID "{ident}"'):
            session.client.call("DELETE", f"{_PATH}/{ident}")


def _get(session: Session, ident: str) -> dict[str, Any]:
    import json

    with session.client.open("GET", f"{_PATH}/{ident}", headers=_AS_JSON) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def _read(path: str | None) -> str:
    if path is None:
        return sys.stdin.read()
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - a name as typed
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CommandFailed(f'failed to read telegraf config from "{path}": open {path}: {reason.lower()}') from error
