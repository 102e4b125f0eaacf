"""`influx ping`."""

from __future__ import annotations

import click

from fluxkeep.cli.failures import CommandFailed
from fluxkeep.cli.framework import CONTEXT, Leaf
from fluxkeep.cli.session import Session, connected


@click.command(cls=Leaf, name="ping", help="Check that the server is healthy.", context_settings=CONTEXT)
@connected(token=False, tables=False)
def ping(session: Session) -> None:
    """Print OK when `GET /health` says pass."""
    health = session.client.get("/health")
    if not isinstance(health, dict) or health.get("status") != "pass":
        raise CommandFailed(str(health.get("message", "not healthy")) if isinstance(health, dict) else "not healthy")
    click.echo("OK")
