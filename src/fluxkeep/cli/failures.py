"""How the CLI fails: one line on standard error, exit status 1.

Source: cli.md §1.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class CommandFailed(Exception):
    """Ends a command; the message is printed after `Error: `."""


class ServerRefused(CommandFailed):
    """The server answered with an error.

    The message is `<status> <reason phrase>: <server's message>`.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}" if message else f"{status} {reason}")
        self.status = status


@contextmanager
def failing(what: str) -> Iterator[None]:
    """Put `what: ` before the message of whatever fails inside."""
    try:
        yield
    except CommandFailed as error:
        raise CommandFailed(f"{what}: {error}") from error
