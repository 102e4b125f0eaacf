"""`influx bucket`. Source: cli.md §2.3."""

from __future__ import annotations

from typing import Any

import click

from fluxkeep.cli.durations import parse_seconds
from fluxkeep.cli.failures import CommandFailed, failing
from fluxkeep.cli.framework import CONTEXT, Group, Leaf, OneOf, flag
from fluxkeep.cli.output import go_duration
from fluxkeep.cli.session import Session, connected, in_org

COLUMNS = ("ID", "Name", "Retention", "Shard group duration", "Organization ID", "Schema Type")


def _retention(bucket: dict[str, Any]) -> str:
    rules = bucket.get("retentionRules") or []
    seconds = rules[0].get("everySeconds", 0) if rules else 0
    return go_duration(seconds) if seconds else "infinite"


def _shard_group(bucket: dict[str, Any]) -> str:
    rules = bucket.get("retentionRules") or []
    return go_duration(rules[0].get("shardGroupDurationSeconds", 0)) if rules else "n/a"


CELLS: dict[str, Any] = {
    "ID": lambda b: b["id"],
    "Name": lambda b: b["name"],
    "Retention": _retention,
    "Shard group duration": _shard_group,
    "Organization ID": lambda b: b.get("orgID", ""),
    "Schema Type": lambda _: "implicit",
}


@click.command(
    cls=Group,
    name="bucket",
    help="Manage buckets.",
    context_settings=CONTEXT,
    aliases={"find": "list", "ls": "list", "set": "update"},
)
def bucket() -> None:
    """The group."""


bucket.callback = None


def _rule(retention: str | None, shard_group_duration: str | None) -> dict[str, Any] | None:
    rule: dict[str, Any] = {"type": "expire"}
    if retention is not None:
        rule["everySeconds"] = parse_seconds(retention)
    if shard_group_duration is not None:
        rule["shardGroupDurationSeconds"] = parse_seconds(shard_group_duration)
    return rule if len(rule) > 1 else None


@bucket.command(cls=Leaf, name="create", help="Create a bucket.", context_settings=CONTEXT)
@connected()
@in_org
@flag("--name", "-n", needed=True, envvar="INFLUX_BUCKET_NAME", help="The bucket's name.")
@flag("--description", "-d", help="What it is for.")
@flag("--retention", "-r", help="How long data is kept, for example 30d; 0 is for ever.")
@flag("--shard-group-duration", help="Time range of a shard group; the server chooses when absent.")
@flag(
    "--schema-type",
    type=OneOf("schema type", ["implicit", "explicit"]),
    default="implicit",
    help="Accepted and ignored.",
)
def create(
    session: Session,
    org: str | None,
    org_id: str | None,
    name: str,
    description: str | None,
    retention: str | None,
    shard_group_duration: str | None,
    schema_type: str,  # noqa: ARG001 - InfluxDB OSS ignores it too
) -> None:
    """Create a bucket."""
    body: dict[str, Any] = {"name": name, "orgID": session.org_id(org_id, org)}
    if description:
        body["description"] = description
    rule = _rule(retention, shard_group_duration)
    body["retentionRules"] = [rule] if rule else []
    with failing("failed to create bucket"):
        made = session.client.call("POST", "/api/v2/buckets", body=body)
    session.show(COLUMNS, [made], CELLS, one=True)


@bucket.command(cls=Leaf, name="list", help="List buckets.", context_settings=CONTEXT)
@connected()
@in_org
@flag("--id", "-i", "ident", help="Only the bucket of this id.")
@flag("--name", "-n", help="Only the bucket of this name.")
@flag("--limit", type=int, default=0, help="At most so many; 0 for all.")
@flag("--offset", type=int, default=0, help="Skip so many.")
@flag("--page-size", type=int, default=20, help="So many a request.")
def list_(
    session: Session,
    org: str | None,
    org_id: str | None,
    ident: str | None,
    name: str | None,
    limit: int,
    offset: int,
    page_size: int,
) -> None:
    """List buckets, page by page."""
    if ident:
        with failing("failed to find bucket by ID"):
            found = session.client.get("/api/v2/buckets", {"id": ident})["buckets"]
        session.show(COLUMNS, found, CELLS)
        return
    org_query = session.org_query(org_id, org)
    if name:
        with failing("failed to find bucket by name"):
            found = session.client.get("/api/v2/buckets", {"name": name, **org_query})["buckets"]
        session.show(COLUMNS, found, CELLS)
        return
    listed: list[dict[str, Any]] = []
    with failing("failed to list buckets"):
        while True:
            size = min(page_size, limit - len(listed)) if limit else page_size
            query = {"limit": str(size), "offset": str(offset + len(listed)), **org_query}
            page = session.client.get("/api/v2/buckets", query)["buckets"]
            listed += page
            if len(page) < size or (limit and len(listed) >= limit):
                break
    session.show(COLUMNS, listed, CELLS)


@bucket.command(cls=Leaf, name="update", help="Change a bucket; what is not given stays.", context_settings=CONTEXT)
@connected()
@flag("--id", "-i", "ident", needed=True, help="The bucket's id.")
@flag("--name", "-n", envvar="INFLUX_BUCKET_NAME", help="New name.")
@flag("--description", "-d", help="New description.")
@flag("--retention", "-r", help="How long data is kept; 0 is for ever.")
@flag("--shard-group-duration", help="Time range of a shard group.")
def update(
    session: Session,
    ident: str,
    name: str | None,
    description: str | None,
    retention: str | None,
    shard_group_duration: str | None,
) -> None:
    """Change a bucket."""
    body: dict[str, Any] = {k: v for k, v in (("name", name), ("description", description)) if v}
    rule = _rule(retention, shard_group_duration)
    if rule:
        body["retentionRules"] = [rule]
    with failing(f'failed to update bucket "{ident}"'):
        changed = session.client.call("PATCH", f"/api/v2/buckets/{ident}", body=body)
    session.show(COLUMNS, [changed], CELLS, one=True)


@bucket.command(cls=Leaf, name="delete", help="Delete a bucket and its data.", context_settings=CONTEXT)
@connected()
@in_org
@flag("--id", "-i", "ident", help="The bucket's id.")
@flag("--name", "-n", help="The bucket's name.")
def delete(session: Session, org: str | None, org_id: str | None, ident: str | None, name: str | None) -> None:
    """Delete a bucket."""
    if not ident and not name:
        raise CommandFailed("must specify bucket ID or bucket name")
    query: dict[str, str | None] = {"id": ident} if ident else {"name": name, **session.org_query(org_id, org)}
    with failing(f'failed to find bucket "{ident or name}"'):
        found = session.client.get("/api/v2/buckets", query)["buckets"]
        if not found:
            raise CommandFailed(f'bucket "{ident or name}" not found')
    with failing(f'failed to delete bucket "{ident or name}"'):
        session.client.call("DELETE", f"/api/v2/buckets/{found[0]['id']}")
    session.show(COLUMNS, [found[0]], CELLS, one=True, deleted=True)
