"""`influx v1 auth` and `influx v1 dbrp`. Source: tokens.md §5.5, cli.md §2.12."""

from __future__ import annotations

from typing import Any

import click

from fluxkeep.cli.commands import refused
from fluxkeep.cli.commands.auth import bucket_flags, bucket_permissions, shown
from fluxkeep.cli.failures import CommandFailed, failing
from fluxkeep.cli.framework import CONTEXT, Group, Leaf, flag
from fluxkeep.cli.output import table, to_json
from fluxkeep.cli.prompts import ask_password
from fluxkeep.cli.session import Session, connected, in_org

_PATH = "/private/legacy/authorizations"
COLUMNS = ("ID", "Description", "Username", "v2 User Name", "v2 User ID", "Permissions")
CELLS: dict[str, Any] = {
    "ID": lambda a: a["id"],
    "Description": lambda a: a["description"],
    "Username": lambda a: a["token"],
    "v2 User Name": lambda a: a["userName"],
    "v2 User ID": lambda a: a["userID"],
    "Permissions": lambda a: "[" + " ".join(a["permissions"]) + "]",
}
DBRP_COLUMNS = ("ID", "Database", "Bucket ID", "Retention Policy", "Default", "Organization ID")
DBRP_CELLS: dict[str, Any] = {
    "ID": lambda d: d["id"],
    "Database": lambda d: d["database"],
    "Bucket ID": lambda d: d["bucketID"],
    "Retention Policy": lambda d: d["retention_policy"],
    "Default": lambda d: "true" if d["default"] else "false",
    "Organization ID": lambda d: d["orgID"],
}


@click.command(cls=Group, name="v1", help="What belongs to InfluxDB 1's API.", context_settings=CONTEXT)
def v1() -> None:
    """The group."""


v1.callback = None
v1.add_command(refused.shell)


@v1.group(
    cls=Group,
    name="auth",
    help="Manage user names and passwords for InfluxDB 1's API.",
    context_settings=CONTEXT,
    aliases={"find": "list", "ls": "list"},
)
def auth() -> None:
    """The group."""


auth.callback = None
v1.aliases["authorization"] = "auth"


def _find(session: Session, ident: str | None, username: str | None) -> dict[str, Any]:
    if not ident and not username:
        raise CommandFailed("id or username required")
    if ident and username:
        raise CommandFailed("specify id or username, not both")
    if ident:
        with failing(f'could not find v1 auth with ID "{ident}"'):
            return dict(session.client.get(f"{_PATH}/{ident}"))
    with failing(f'could not find v1 auth with token (username) "{username}"'):
        found = session.client.get(_PATH, {"token": username})["authorizations"]
        if not found:
            raise CommandFailed("authorization not found")
    return dict(found[0])


def _who(function: Any) -> Any:
    function = flag("--username", help="The user name.")(function)
    return flag("--id", "ident", help="The authorization's id.")(function)


@auth.command(cls=Leaf, name="create", help="Create a user name for InfluxDB 1's API.", context_settings=CONTEXT)
@connected()
@in_org
@flag("--description", "-d", help="What it is for.")
@flag("--username", needed=True, help="The user name.")
@flag("--password", help="The password; asked for when absent.")
@flag("--no-password", is_flag=True, help="Set no password; nobody can sign in until one is set.")
@bucket_flags
def create(
    session: Session,
    org: str | None,
    org_id: str | None,
    description: str | None,
    username: str,
    password: str | None,
    no_password: bool,
    read_bucket: tuple[str, ...],
    write_bucket: tuple[str, ...],
) -> None:
    """Create a v1 authorization; it is removed again when its password is refused."""
    if password and no_password:
        raise CommandFailed("only one of --password and --no-password may be specified")
    org_id = session.org_id(org_id, org)
    if not password and not no_password:
        password = ask_password("Please type your password")
    body = {
        "orgID": org_id,
        "description": description or "",
        "permissions": bucket_permissions(org_id, read_bucket, write_bucket),
        "token": username,
    }
    with failing("failed to create new authorization"):
        made = session.client.call("POST", _PATH, body=body)
    if password:
        try:
            with failing(f'failed to set password for "{username}"'):
                session.client.call("POST", f"{_PATH}/{made['id']}/password", body={"password": password})
        except CommandFailed:
            session.client.call("DELETE", f"{_PATH}/{made['id']}")
            raise
    session.show(COLUMNS, [shown(made)], CELLS, one=True)


@auth.command(cls=Leaf, name="list", help="List user names.", context_settings=CONTEXT)
@connected()
@in_org
@_who
@flag("--user", "-u", help="Only those of the user of this name.")
@flag("--user-id", help="Only those of the user of this id.")
def list_(
    session: Session,
    org: str | None,
    org_id: str | None,
    ident: str | None,
    username: str | None,
    user: str | None,
    user_id: str | None,
) -> None:
    """List user names; all filters are sent under names that the server reads (W20)."""
    query = {"token": username, "userID": user_id, "user": user, "orgID": org_id, "org": org, "id": ident}
    with failing("could not find v1 authorizations with given parameters"):
        listed = session.client.get(_PATH, query)["authorizations"]
    session.show(COLUMNS, [shown(a) for a in listed], CELLS, null=True)


@auth.command(cls=Leaf, name="delete", help="Delete a user name.", context_settings=CONTEXT)
@connected()
@_who
def delete(session: Session, ident: str | None, username: str | None) -> None:
    """Delete a user name."""
    found = _find(session, ident, username)
    with failing(f'could not remove v1 auth with ID "{found["id"]}"'):
        session.client.call("DELETE", f"{_PATH}/{found['id']}")
    session.show(COLUMNS, [shown(found)], CELLS, one=True, deleted=True)


def _set_status(session: Session, ident: str | None, username: str | None, status: str) -> None:
    found = _find(session, ident, username)
    with failing(f'could not update v1 auth with ID "{found["id"]}"'):
        changed = session.client.call("PATCH", f"{_PATH}/{found['id']}", body={"status": status})
    session.show(COLUMNS, [shown(changed)], CELLS, one=True)


@auth.command(cls=Leaf, name="set-active", help="Activate a user name.", context_settings=CONTEXT)
@connected()
@_who
def set_active(session: Session, ident: str | None, username: str | None) -> None:
    """Activate a user name."""
    _set_status(session, ident, username, "active")


@auth.command(cls=Leaf, name="set-inactive", help="Deactivate a user name.", context_settings=CONTEXT)
@connected()
@_who
def set_inactive(session: Session, ident: str | None, username: str | None) -> None:
    """Deactivate a user name."""
    _set_status(session, ident, username, "inactive")


@auth.command(cls=Leaf, name="set-password", help="Set a user name's password.", context_settings=CONTEXT)
@connected(tables=False)
@_who
@flag("--password", help="The new password; asked for when absent.")
def set_password(session: Session, ident: str | None, username: str | None, password: str | None) -> None:
    """Set a user name's password."""
    found = _find(session, ident, username)
    chosen = password or ask_password("Please type new password")
    with failing(f'failed to set password for "{found["token"]}"'):
        session.client.call("POST", f"{_PATH}/{found['id']}/password", body={"password": chosen})


@v1.group(
    cls=Group,
    name="dbrp",
    help="Manage mappings of databases and retention policies to buckets.",
    context_settings=CONTEXT,
    aliases={"find": "list", "ls": "list"},
)
def dbrp() -> None:
    """The group."""


dbrp.callback = None


@dbrp.command(cls=Leaf, name="list", help="List mappings, stored ones first.", context_settings=CONTEXT)
@connected()
@in_org
@flag("--id", "ident", help="Only the mapping of this id.")
@flag("--bucket-id", help="Only mappings to this bucket.")
@flag("--db", help="Only mappings of this database.")
@flag("--rp", help="Only mappings of this retention policy.")
@flag("--default", is_flag=True, default=None, help="Only default mappings.")
def list_dbrps(
    session: Session,
    org: str | None,
    org_id: str | None,
    ident: str | None,
    bucket_id: str | None,
    db: str | None,
    rp: str | None,
    default: bool | None,
) -> None:
    """List mappings."""
    query = {
        **session.org_query(org_id, org),
        "id": ident,
        "bucketID": bucket_id,
        "db": db,
        "rp": rp,
        "default": "true" if default else None,
    }
    with failing("failed to list dbrps"):
        listed = session.client.get("/api/v2/dbrps", query)["content"]
    if session.as_json:
        click.echo(to_json(listed), nl=False)
        return
    header = not session.hide_headers
    for virtual in (False, True):
        rows = [[DBRP_CELLS[c](d) for c in DBRP_COLUMNS] for d in listed if bool(d.get("virtual")) is virtual]
        if virtual:
            click.echo("\nVIRTUAL DBRP MAPPINGS (READ-ONLY)\n" + "-" * 34)
        click.echo(table(DBRP_COLUMNS, rows, header=header), nl=False)


@dbrp.command(cls=Leaf, name="create", help="Create a mapping.", context_settings=CONTEXT)
@connected()
@in_org
@flag("--bucket-id", needed=True, help="The bucket.")
@flag("--db", needed=True, help="The database.")
@flag("--rp", needed=True, help="The retention policy.")
@flag("--default", is_flag=True, help="Make it the database's default.")
def create_dbrp(
    session: Session, org: str | None, org_id: str | None, bucket_id: str, db: str, rp: str, default: bool
) -> None:
    """Create a mapping."""
    body: dict[str, Any] = {"bucketID": bucket_id, "database": db, "retention_policy": rp, "default": default}
    body |= session.org_query(org_id, org)
    with failing(f'failed to create dbrp for bucket "{bucket_id}"'):
        made = session.client.call("POST", "/api/v2/dbrps", body=body)
    session.show(DBRP_COLUMNS, [made], DBRP_CELLS, one=True)


@dbrp.command(cls=Leaf, name="update", help="Change a mapping.", context_settings=CONTEXT)
@connected()
@in_org
@flag("--id", "ident", needed=True, help="The mapping's id.")
@flag("--rp", help="New retention policy.")
@flag("--default", is_flag=True, default=None, help="Make it the database's default.")
def update_dbrp(
    session: Session,
    org: str | None,
    org_id: str | None,
    ident: str,
    rp: str | None,
    default: bool | None,
) -> None:
    """Change a mapping."""
    body: dict[str, Any] = {}
    if rp:
        body["retention_policy"] = rp
    if default is not None:
        body["default"] = default
    with failing(f'failed to update DBRP mapping "{ident}"'):
        changed = session.client.call("PATCH", f"/api/v2/dbrps/{ident}", session.org_query(org_id, org), body)[
            "content"
        ]
    session.show(DBRP_COLUMNS, [changed], DBRP_CELLS, one=True)


@dbrp.command(cls=Leaf, name="delete", help="Delete a mapping.", context_settings=CONTEXT)
@connected()
@in_org
@flag("--id", "ident", needed=True, help="The mapping's id.")
def delete_dbrp(session: Session, org: str | None, org_id: str | None, ident: str) -> None:
    """Delete a mapping."""
    query = session.org_query(org_id, org)
    with failing(f'failed to find DBRP mapping "{ident}"'):
        found = session.client.get(f"/api/v2/dbrps/{ident}", query)["content"]
    with failing(f'failed to delete DBRP mapping "{ident}"'):
        session.client.call("DELETE", f"/api/v2/dbrps/{ident}", query)
    session.show(DBRP_COLUMNS, [found], DBRP_CELLS, one=True)
