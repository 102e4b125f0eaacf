"""`influxd audit`: checking the audit log. An addition to the reference."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fluxkeep.audit.verify import lines_about
from fluxkeep.audit.verify import verify as verify_log
from fluxkeep.cli.failures import CommandFailed
from fluxkeep.cli.offline.records import chain_keys, default_bolt_path, key_file
from fluxkeep.cli.offline.recovery import HintGroup
from fluxkeep.secret import Secret


@click.group(cls=HintGroup, invoke_without_command=True)
def audit() -> None:
    """The log of administrative acts."""


def _log(function: Callable[..., Any]) -> Callable[..., Any]:
    text = "The log; default beside ~/.influxdbv2/influxd.bolt."
    return click.option("--path", type=click.Path(path_type=Path), help=text)(function)


@audit.command()
@_log
@key_file
def verify(path: Path | None) -> None:
    """Find any line that was removed, changed or moved; exits 1 if there is one.

    A log that is kept under a key can be verified only with the key file. With one, a log that
    does not end under the newest key is a fault.
    """
    path = path or default_bolt_path().with_name("audit.log")
    try:
        verdict = verify_log(path, keys=chain_keys())
    except OSError as error:
        raise CommandFailed(f"cannot read {path}: {(error.strerror or '').lower()}") from error
    if verdict.fault is not None:
        raise CommandFailed(f"{path}: line {verdict.line}: {verdict.fault}; {verdict.lines} lines before it hold")
    click.echo(f"{verdict.lines} lines, all in order")
    for span in verdict.spans:
        made = f"under the key {span.kid}" if span.kid else "without a key"
        click.echo(f"from line {span.first}, {span.since}: {span.lines} lines {made}")


@audit.command()
@_log
@key_file
def find(path: Path | None) -> None:
    """List the lines of the acts that made a secret; it is read from standard input, one line.

    For a secret that turned up where it should not be. Needs the key file: without a key the
    log says nothing about secrets.
    """
    path = path or default_bolt_path().with_name("audit.log")
    keys = chain_keys()
    if keys is None:
        raise CommandFailed("must provide --token-hash-key-file")
    secret = Secret(sys.stdin.readline().rstrip("\n"))
    try:
        with path.open() as file:
            for line in lines_about(file, secret, keys):
                click.echo(line)
    except OSError as error:
        raise CommandFailed(f"cannot read {path}: {(error.strerror or '').lower()}") from error
