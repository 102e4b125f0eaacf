"""`influx completion`. Source: cli.md §3.5."""

from __future__ import annotations

import click

from fluxkeep.cli.failures import CommandFailed
from fluxkeep.cli.framework import CONTEXT, Leaf

_POWERSHELL = """Register-ArgumentCompleter -Native -CommandName influx -ScriptBlock {
    param($word, $ast, $position)
    $env:_INFLUX_COMPLETE = "bash_complete"
    $env:COMP_WORDS = "$ast"
    $env:COMP_CWORD = ($ast.CommandElements.Count - 1)
    influx | ForEach-Object { ($_ -split ',')[1] } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
    Remove-Item Env:_INFLUX_COMPLETE, Env:COMP_WORDS, Env:COMP_CWORD
}
"""


@click.command(
    cls=Leaf, name="completion", help="Print a completion script for bash, zsh or powershell.", context_settings=CONTEXT
)
@click.argument("shell", nargs=-1)
def completion(shell: tuple[str, ...]) -> None:
    """Print a completion script."""
    from click.shell_completion import get_completion_class

    from fluxkeep.cli.influx import influx

    if len(shell) != 1 or shell[0] not in ("bash", "zsh", "powershell"):
        raise CommandFailed("usage: influx completion [bash|zsh|powershell]")
    if shell[0] == "powershell":
        click.echo(_POWERSHELL, nl=False)
        return
    maker = get_completion_class(shell[0])
    assert maker is not None
    click.echo(maker(influx, {}, "influx", "_INFLUX_COMPLETE").source())
