"""`influxd audit`: checking the audit log. An addition to the reference."""

from __future__ import annotations

from pathlib import Path

import click

from fluxkeep.audit.verify import verify as verify_log
from fluxkeep.cli.failures import CommandFailed
from fluxkeep.cli.offline.records import default_bolt_path
from fluxkeep.cli.offline.recovery import HintGroup


@click.group(cls=HintGroup, invoke_without_command=True)
def audit() -> None:
    """The log of administrative acts."""


@audit.command()
@click.option("--path", type=click.Path(path_type=Path), help="The log; default beside ~/.influxdbv2/influxd.bolt.")
def verify(path: Path | None) -> None:
    """Find any line that was removed, changed or moved; exits 1 if there is one."""
    path = path or default_bolt_path().with_name("audit.log")
    try:
        verdict = verify_log(path)
    except OSError as error:
        raise CommandFailed(f"cannot read {path}: {(error.strerror or '').lower()}") from error
    if verdict.fault is not None:
        raise CommandFailed(f"{path}: line {verdict.line}: {verdict.fault}; {verdict.lines} lines before it hold")
    click.echo(f"{verdict.lines} lines, all in order")
