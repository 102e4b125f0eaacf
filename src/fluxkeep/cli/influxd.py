"""`influxd`: starts the server, and finds the commands for a stopped one.

Flags are the options of `fluxkeep.config`; this module only finds them in the
arguments as the reference does (`--flag=value`, `--flag value`, `--boolean`)
and fails in its way.

Source: cli.md §5.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from fluxkeep.cli.failures import CommandFailed
from fluxkeep.cli.version import SERVER_LINE
from fluxkeep.config.options import OPTIONS, Option
from fluxkeep.config.settings import load
from fluxkeep.config.values import Kind
from fluxkeep.errors import FluxkeepError, InvalidInput
from fluxkeep.instants import format_go_duration

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_HINT = "See 'influxd -h' for help"


class _ServerCommand(click.Command):
    """A command that takes every server option; its arguments arrive as texts by option name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the flags the reference's way.

        Raises:
            click.UsageError: An unknown flag, a flag without its value, or a stray word.
        """
        flags: dict[str, str] = {}
        if ctx.resilient_parsing:
            # A shell asks how the words so far may go on.
            return []
        queue = list(args)
        while queue:
            arg = queue.pop(0)
            if arg in ("-h", "--help"):
                click.echo(self.get_help(ctx))
                ctx.exit()
            name, equals, value = arg.removeprefix("--").partition("=")
            if not arg.startswith("-"):
                raise click.UsageError(f'unknown command "{arg}" for "influxd"')
            if self.name == "print-config" and arg.startswith("--key-name"):
                flags["key-name"] = value if equals else queue.pop(0) if queue else ""
                continue
            if not arg.startswith("--") or name not in OPTIONS:
                raise click.UsageError(_unknown_flag(arg.partition("=")[0]))
            if not equals:
                if OPTIONS[name].kind is Kind.BOOLEAN:
                    value = "true"
                elif queue:
                    value = queue.pop(0)
                else:
                    raise click.UsageError(f"flag needs an argument: {arg}")
            flags[name] = value
        ctx.params = {"flags": flags}
        return []

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's
        """Every option with its environment variable and default."""
        rows = [
            (f"--{option.name} {option.kind.value}", _describe(option))
            for option in OPTIONS.values()
            if not option.hidden
        ]
        with formatter.section("Flags"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002  # click's
        """The options that begin so."""
        return _complete_options(incomplete)


def _complete_options(incomplete: str) -> list[CompletionItem]:
    """The server's options that begin so, as a shell is told of them."""
    from click.shell_completion import CompletionItem

    names = (f"--{option.name}" for option in OPTIONS.values() if not option.hidden)
    return [CompletionItem(name) for name in names if incomplete.startswith("-") and name.startswith(incomplete)]


# The other commands, imported when they are used; most work on a stopped server's files.
_OFFLINE = {
    "audit": "fluxkeep.cli.offline.audit:audit",
    "completion": "fluxkeep.cli.offline.completion:completion",
    "downgrade": "fluxkeep.cli.offline.downgrade:downgrade",
    "inspect": "fluxkeep.cli.offline.inspect:inspect",
    "recovery": "fluxkeep.cli.offline.recovery:recovery",
    "token-hashing": "fluxkeep.cli.offline.token_hashing:token_hashing",
    "upgrade": "fluxkeep.cli.offline.upgrade:upgrade",
}


class _Group(click.Group):
    """`influxd` without a subcommand is `influxd run`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, imported yet or not."""
        return sorted({*super().list_commands(ctx), *_OFFLINE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command when it is asked for."""
        if cmd_name in _OFFLINE and cmd_name not in self.commands:
            module, _, attribute = _OFFLINE[cmd_name].partition(":")
            self.add_command(getattr(importlib.import_module(module), attribute))
        return super().get_command(ctx, cmd_name)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `run` in front where no subcommand is named."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        if not args or (args[0] not in self.list_commands(ctx) and args[0] not in ("-h", "--help")):
            if args and not args[0].startswith("-"):
                raise click.UsageError(f'unknown command "{args[0]}" for "influxd"')
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands, and the options of `run`, which may stand without it."""
        return [*super().shell_complete(ctx, incomplete), *_complete_options(incomplete)]


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def influxd() -> None:
    """The server. Without a command it runs."""


@influxd.command(cls=_ServerCommand)
def run(flags: dict[str, str]) -> None:
    """Start the server; every flag may be given as INFLUXD_… or in a config file."""
    settings = load(flags, os.environ, Path.cwd())
    from fluxkeep import server  # what the other commands and a wrong flag need not wait for

    server.run(settings)


@influxd.command(name="print-config", cls=_ServerCommand, hidden=True)
def print_config(flags: dict[str, str]) -> None:
    """Print the effective options as YAML, or one of them."""
    import yaml

    click.echo('Command "print-config" is deprecated, use the influx-cli command server-config instead', err=True)
    key = flags.pop("key-name", "")
    shown = load(flags, os.environ, Path.cwd()).shown()
    for name, option in OPTIONS.items():
        # The API tells these in nanoseconds, this command as text.
        if option.kind is Kind.DURATION:
            shown[name] = format_go_duration(cast("int", shown[name]))
    if key and key not in shown:
        raise CommandFailed(f'failed to print config: key "{key}" not found in config')
    if key:
        value = shown[key]
        click.echo(str(value).lower() if isinstance(value, bool) else value)
        return
    click.echo(yaml.safe_dump({**shown, "key-name": ""}, sort_keys=True, allow_unicode=True), nl=False)


@influxd.command()
def version() -> None:
    """Print the server's version."""
    click.echo(SERVER_LINE)


def main(args: Sequence[str] | None = None) -> Any:
    """Run the command and exit: 0, or 1 with one line on standard error."""
    try:
        influxd.main(args=list(args) if args is not None else None, prog_name="influxd", standalone_mode=False)
    except click.ClickException as error:
        _fail(_in_its_words(error, sys.argv[1:] if args is None else args), hint=True)
    except (CommandFailed, InvalidInput) as error:
        _fail(str(error), hint=True)
    except FluxkeepError as error:
        _fail(error.message, hint=False)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)


def _unknown_flag(spelled: str) -> str:
    return (
        f"unknown flag: {spelled}"
        if spelled.startswith("--")
        else f"unknown shorthand flag: '{spelled[1:2]}' in {spelled}"
    )


def _in_its_words(error: click.ClickException, args: Sequence[str]) -> str:
    """What is wrong with the usage, as the reference says it."""
    path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "influxd"
    match error:
        case click.NoSuchCommand():
            return f'unknown command "{error.command_name}" for "{path}"'
        case click.NoSuchOption():
            return _unknown_flag(error.option_name)
        case click.BadOptionUsage():
            return f"flag needs an argument: {error.option_name}"
        case click.MissingParameter() if error.ctx:
            words = [arg.partition("=")[0] for arg in args]
            needed = [p for p in error.ctx.command.params if p.required and not set(p.opts) & set(words)]
            names = ", ".join('"' + max(p.opts, key=len).lstrip("-") + '"' for p in needed)
            return f"required flag(s) {names} not set"
        case _:
            message = error.format_message()
            # The library keeps the words themselves to its sentence.
            stray = re.match(r"Got unexpected extra arguments? \((\S+?)[ )]", message)
            return f'unknown command "{stray[1]}" for "{path}"' if stray else message


def _fail(message: str, *, hint: bool) -> None:
    click.echo(f"Error: {message}", err=True)
    if hint:
        click.echo(_HINT, err=True)
    sys.exit(1)


def _describe(option: Option) -> str:
    default = "" if option.default in ("", None, {}) else f" (default {option.default})"
    return f"{option.meaning}{default}; {option.variable}"
