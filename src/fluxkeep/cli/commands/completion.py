"""`influx completion`. Source: cli.md §3.5."""

from __future__ import annotations

import click

from fluxkeep.cli.failures import CommandFailed
from fluxkeep.cli.framework import CONTEXT, Leaf
from fluxkeep.cli.shells import script

# The reference makes none for fish.
_SHELLS = ("bash", "zsh", "powershell", "fish")


@click.command(
    cls=Leaf,
    name="completion",
    help="Print a completion script for bash, zsh, fish or powershell.",
    context_settings=CONTEXT,
)
@click.argument("shell", nargs=-1)
def completion(shell: tuple[str, ...]) -> None:
    """Print a completion script."""
    from fluxkeep.cli.influx import influx

    if len(shell) != 1 or shell[0] not in _SHELLS:
        raise CommandFailed("usage: influx completion [bash|zsh|powershell]")
    click.echo(script(influx, shell[0]), nl=False)
