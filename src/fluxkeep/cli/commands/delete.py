"""`influx delete`. Source: cli.md §2.10."""

from __future__ import annotations

import click

from fluxkeep.cli.failures import CommandFailed, failing
from fluxkeep.cli.framework import CONTEXT, Leaf, flag
from fluxkeep.cli.session import Session, connected, in_bucket, in_org
from fluxkeep.instants import parse_rfc3339


@click.command(cls=Leaf, name="delete", help="Delete points of a time range.", context_settings=CONTEXT)
@connected(tables=False)
@in_org
@in_bucket()
@flag("--start", needed=True, help="First instant, RFC 3339.")
@flag("--stop", needed=True, help="Last instant, RFC 3339.")
@flag("--predicate", "-p", help='Which series, for example `tag1="v1" and tag2="v2"`.')
def delete(
    session: Session,
    org: str | None,
    org_id: str | None,
    bucket: str | None,
    bucket_id: str | None,
    start: str,
    stop: str,
    predicate: str | None,
) -> None:
    """Delete points."""
    for name, text in (("start", start), ("stop", stop)):
        try:
            parse_rfc3339(text)
        except ValueError as error:
            raise CommandFailed(
                f'{name} time "{text}" cannot be parsed as RFC3339Nano: parsing time "{text}"'
            ) from error
    if not bucket and not bucket_id:
        raise CommandFailed("must specify bucket ID or bucket name")
    query = {**session.org_query(org_id, org), "bucketID": bucket_id, "bucket": None if bucket_id else bucket}
    body = {"start": start, "stop": stop} | ({"predicate": predicate} if predicate else {})
    with failing("failed to delete data"):
        session.client.call("POST", "/api/v2/delete", query, body)
