"""`influx auth`: API tokens.

Source: tokens.md §5.4, with the better answers of W20.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fluxkeep.cli.failures import CommandFailed, failing
from fluxkeep.cli.framework import CONTEXT, Group, Leaf, flag
from fluxkeep.cli.session import Session, connected, in_org

COLUMNS = ("ID", "Description", "Token", "User Name", "User ID", "Permissions")
CELLS: dict[str, Any] = {
    "ID": lambda a: a["id"],
    "Description": lambda a: a["description"],
    "Token": lambda a: a["token"],
    "User Name": lambda a: a["userName"],
    "User ID": lambda a: a["userID"],
    "Permissions": lambda a: "[" + " ".join(a["permissions"]) + "]",
}

# Flag name to resource type; the documentation's spellings (W20) stand beside the reference's.
_TYPES = {
    "authorizations": "authorizations",
    "buckets": "buckets",
    "dashboards": "dashboards",
    "orgs": "orgs",
    "tasks": "tasks",
    "telegrafs": "telegrafs",
    "users": "users",
    "user": "users",
    "variables": "variables",
    "secrets": "secrets",
    "labels": "labels",
    "views": "views",
    "documents": "documents",
    "notificationRules": "notificationRules",
    "notificationEndpoints": "notificationEndpoints",
    "checks": "checks",
    "dbrp": "dbrp",
    "dbrps": "dbrp",
    "annotations": "annotations",
    "sources": "sources",
    "scrapers": "scrapers",
    "notebooks": "notebooks",
    "remotes": "remotes",
    "replications": "replications",
}
_HIDDEN = frozenset(("user", "dbrps"))
_UNSCOPED = frozenset(("orgs", "users"))


def permission_text(permission: Mapping[str, Any]) -> str:
    """A permission as the CLI prints it: a leading slash where there is no organization."""
    resource = permission["resource"]
    path = f"orgs/{resource['orgID']}/{resource['type']}" if resource.get("orgID") else f"/{resource['type']}"
    return f"{permission['action']}:{path}" + (f"/{resource['id']}" if resource.get("id") else "")


def shown(authorization: Mapping[str, Any]) -> dict[str, Any]:
    """The object that the CLI prints, made of the server's."""
    return {
        "id": authorization["id"],
        "description": authorization.get("description", ""),
        "token": authorization.get("token", ""),
        "status": authorization.get("status", ""),
        "userName": authorization.get("user", ""),
        "userID": authorization.get("userID", ""),
        "permissions": [permission_text(p) for p in authorization.get("permissions", [])],
    }


@click.command(
    cls=Group,
    name="auth",
    help="Manage API tokens.",
    context_settings=CONTEXT,
    lazy={},
    aliases={"find": "list", "ls": "list"},
)
def auth() -> None:
    """The group."""


auth.callback = None


def _type_flags(function: Any) -> Any:
    for name in sorted(_TYPES):
        for action in ("write", "read"):
            text = f"Grant {action} on {_TYPES[name]}."
            function = flag(f"--{action}-{name}", is_flag=True, hidden=name in _HIDDEN, help=text)(function)
    return function


def bucket_flags(function: Any) -> Any:
    """`--read-bucket` and `--write-bucket`, repeatable."""
    function = flag("--write-bucket", multiple=True, help="Grant write on the bucket of this id; repeatable.")(function)
    return flag("--read-bucket", multiple=True, help="Grant read on the bucket of this id; repeatable.")(function)


def bucket_permissions(org_id: str, reads: tuple[str, ...], writes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Permissions on single buckets.

    Raises:
        CommandFailed: Something that is no id.
    """
    permissions: list[dict[str, Any]] = []
    for action, ids in (("write", writes), ("read", reads)):
        for bucket_id in ids:
            reason = ""
            if len(bucket_id.encode()) != 16:
                reason = "id must have a length of 16 bytes"
            elif not all(c in "0123456789abcdefABCDEF" for c in bucket_id):
                reason = "invalid ID"
            if reason:
                raise CommandFailed(
                    f"invalid bucket ID '{bucket_id}': {reason} (did you pass a bucket name instead of an ID?)"
                )
            permissions.append(
                {"action": action, "resource": {"type": "buckets", "id": bucket_id.lower(), "orgID": org_id}}
            )
    return permissions


@auth.command(cls=Leaf, name="create", help="Create an API token; it is shown once, here.", context_settings=CONTEXT)
@connected()
@in_org
@flag("--user", "-u", help="Name of the user who will own the token; the caller when absent.")
@flag("--description", "-d", help="What the token is for.")
@bucket_flags
@flag("--operator", is_flag=True, help="Everything in every organization.")
@flag("--all-access", is_flag=True, help="Everything in one organization.")
@_type_flags
def create(
    session: Session,
    org: str | None,
    org_id: str | None,
    user: str | None,
    description: str | None,
    read_bucket: tuple[str, ...],
    write_bucket: tuple[str, ...],
    operator: bool,
    all_access: bool,
    **types: bool,
) -> None:
    """Create an API token."""
    chosen = [(flag_name, given) for flag_name, given in types.items() if given]
    others = bool(chosen or read_bucket or write_bucket)
    if operator and (others or all_access):
        raise CommandFailed("cannot compose other permissions with operator permissions")
    if all_access and others:
        raise CommandFailed("cannot compose other permissions with all access permissions")
    org_id = session.org_id(org_id, org)
    owner = _owner(session, user)
    permissions: list[dict[str, Any]] = []
    if operator:
        permissions = [
            {"action": action, "resource": {"type": kind}}
            for kind in _resource_types(session)
            for action in ("read", "write")
        ]
    elif all_access:
        permissions = _all_access(session, org_id, owner or _caller(session))
    else:
        permissions = bucket_permissions(org_id, read_bucket, write_bucket)
        spelled = {name.lower(): kind for name, kind in _TYPES.items()}
        for name, _ in chosen:
            action, _, kind_flag = name.partition("_")
            kind = spelled[kind_flag.lower()]
            resource: dict[str, Any] = {"type": kind}
            if kind not in _UNSCOPED:
                resource["orgID"] = org_id
            permissions.append({"action": action, "resource": resource})
    body: dict[str, Any] = {"orgID": org_id, "description": description or "", "permissions": permissions}
    if owner:
        body["userID"] = owner
    with failing("could not write auth with provided arguments"):
        made = session.client.call("POST", "/api/v2/authorizations", body=body)
    session.show(COLUMNS, [shown(made)], CELLS, one=True)


def _owner(session: Session, user: str | None) -> str | None:
    """The named user's id; None leaves the owner to the server, which takes the caller (W20)."""
    if not user:
        return None
    with failing(f'could not find user with name "{user}"'):
        found = session.client.get("/api/v2/users", {"name": user})["users"]
    return str(found[0]["id"])


def _caller(session: Session) -> str:
    with failing("could not find the token's user"):
        return str(session.client.get("/api/v2/me")["id"])


def _resource_types(session: Session) -> list[str]:
    with failing("could not list resource types"):
        return [kind for kind in session.client.get("/api/v2/resources") if kind != "instance"]


def _all_access(session: Session, org_id: str, user_id: str) -> list[dict[str, Any]]:
    permissions: list[dict[str, Any]] = []
    for kind in _resource_types(session):
        for action in ("read", "write"):
            resource: dict[str, Any] = {"type": kind}
            if kind == "orgs":
                if action == "write":
                    continue
                resource["id"] = org_id
            elif kind == "users":
                resource["id"] = user_id
            else:
                resource["orgID"] = org_id
            permissions.append({"action": action, "resource": resource})
    return permissions


@auth.command(
    cls=Leaf, name="list", help="List API tokens; secrets are not among what is shown.", context_settings=CONTEXT
)
@connected()
@in_org
@flag("--id", "-i", "ident", help="Only the token of this id.")
@flag("--user", "-u", help="Only tokens of the user of this name.")
@flag("--user-id", help="Only tokens of the user of this id.")
def list_(
    session: Session,
    org: str | None,
    org_id: str | None,
    ident: str | None,
    user: str | None,
    user_id: str | None,
) -> None:
    """List API tokens; the filters are sent (W20)."""
    if ident:
        with failing(f'could not find authorization with ID "{ident}"'):
            found = session.client.get(f"/api/v2/authorizations/{ident}")
        session.show(COLUMNS, [shown(found)], CELLS, one=True)
        return
    query = {"user": user, "userID": user_id, "org": org, "orgID": org_id}
    with failing("could not find authorization with given parameters"):
        listed = session.client.get("/api/v2/authorizations", query)["authorizations"]
    session.show(COLUMNS, [shown(a) for a in listed], CELLS, null=True)


@auth.command(cls=Leaf, name="delete", help="Delete an API token; it stops working at once.", context_settings=CONTEXT)
@connected()
@flag("--id", "-i", "ident", needed=True, help="The token's id.")
def delete(session: Session, ident: str) -> None:
    """Delete an API token."""
    with failing(f'could not find auth with ID "{ident}"'):
        found = session.client.get(f"/api/v2/authorizations/{ident}")
    with failing(f'could not remove auth with ID "{ident}"'):
        session.client.call("DELETE", f"/api/v2/authorizations/{ident}")
    session.show(COLUMNS, [shown(found)], CELLS, one=True, deleted=True)


def _set_status(session: Session, ident: str, status: str) -> None:
    with failing(f'could not find authorization with ID "{ident}"'):
        session.client.get(f"/api/v2/authorizations/{ident}")
    with failing(f'could not update status of authorization with ID "{ident}"'):
        changed = session.client.call("PATCH", f"/api/v2/authorizations/{ident}", body={"status": status})
    session.show(COLUMNS, [shown(changed)], CELLS, one=True)


@auth.command(cls=Leaf, name="active", help="Activate an API token.", context_settings=CONTEXT)
@connected()
@flag("--id", "-i", "ident", needed=True, help="The token's id.")
def active(session: Session, ident: str) -> None:
    """Activate an API token."""
    _set_status(session, ident, "active")


@auth.command(cls=Leaf, name="inactive", help="Deactivate an API token.", context_settings=CONTEXT)
@connected()
@flag("--id", "-i", "ident", needed=True, help="The token's id.")
def inactive(session: Session, ident: str) -> None:
    """Deactivate an API token."""
    _set_status(session, ident, "inactive")
