"""`influxd completion`. Source: cli.md §5.1."""

from __future__ import annotations

import click

from fluxkeep.cli.failures import CommandFailed
from fluxkeep.cli.shells import script

_SHELLS = ("bash", "zsh", "fish", "powershell")


@click.command()
@click.argument("shell", nargs=-1)
def completion(shell: tuple[str, ...]) -> None:
    """Print a completion script for bash, zsh, fish or powershell."""
    from fluxkeep.cli.influxd import influxd

    if len(shell) != 1 or shell[0] not in _SHELLS:
        raise CommandFailed(f"usage: influxd completion [{'|'.join(_SHELLS)}]")
    click.echo(script(influxd, shell[0]), nl=False)
