"""`influxd token-hashing`: what hashing will do, and changing its keys. An addition to the reference.

Source: tokens.md W1, W17.
"""

from __future__ import annotations

from pathlib import Path

import click

from fluxkeep.cli.failures import CommandFailed
from fluxkeep.cli.offline.records import bolt_path, given_keys, key_file, open_records
from fluxkeep.cli.offline.recovery import HintGroup
from fluxkeep.cli.output import table
from fluxkeep.credentials.migration import keys_in_use, rekey
from fluxkeep.credentials.migration import report as plain_tokens


@click.group(name="token-hashing", cls=HintGroup, invoke_without_command=True)
def token_hashing() -> None:
    """Look at and change how API tokens are stored; the server must be stopped."""


@token_hashing.command()
@bolt_path
@key_file
def report(bolt_path: Path | None) -> None:
    """List tokens still stored in clear: those whose secret nobody can read any more once hashing is on."""
    with open_records(bolt_path) as records:
        listed = plain_tokens(records.store)
        keys = keys_in_use(records.store)
    click.echo(table(("ID", "Description"), listed), nl=False)
    click.echo(f"{len(listed)} tokens are stored in clear.", err=True)
    if listed:
        click.echo("Keep or replace them before the server starts with hashing on (the default).", err=True)
    if keys:
        click.echo(f"Keys in use: {', '.join(keys)}", err=True)


@token_hashing.command(name="rekey")
@bolt_path
@key_file
def rekey_(bolt_path: Path | None) -> None:
    """Put every digest under the newest key of the key file."""
    keys = given_keys()
    if keys is None:
        raise CommandFailed("must provide --token-hash-key-file")
    with open_records(bolt_path) as records:
        done = rekey(records.store, keys)
    click.echo(f"{done.keyed} digests are now under key {keys.newest}.")
