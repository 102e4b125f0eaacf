"""Questions of the commands: on standard error, answered on the terminal or, where there is none, by a line of input.

Source: tokens.md §5.2, cli.md §2.5.
"""

from __future__ import annotations

import sys

import click

from fluxkeep.cli.failures import CommandFailed
from fluxkeep.secret import Secret


def prompt(text: str, default: str = "") -> str:
    """One line from the terminal, or from standard input when it is none.

    Raises:
        CommandFailed: The input ended before.
    """
    while True:
        click.echo(f"? {text} ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            raise CommandFailed("EOF")
        answer = line.strip() or default
        if answer:
            return answer


def ask_password(text: str, *, twice: bool = True) -> str:
    """A password: read once from anything but a terminal, there typed twice where a new one is chosen."""
    if not sys.stdin.isatty():
        return prompt(text)
    while True:
        first = str(click.prompt(f"? {text}", hide_input=True, err=True))
        if not twice or Secret(first) == Secret(str(click.prompt(f"? {text} again", hide_input=True, err=True))):
            return first
        click.echo("Passwords do not match", err=True)
