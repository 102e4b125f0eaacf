"""The commands' behaviour on top of click: the reference's flags, texts and exit codes.

The reference accepts one or two dashes before a long flag, `--flag=false` for
a boolean, flags anywhere among the arguments, and a value that begins with a
dash; it names unknown flags, missing ones and stray words in its own way.

Source: cli.md §1.1.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from fluxkeep.cli.failures import CommandFailed

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Function = Callable[..., Any]

_TRUE = frozenset(("true", "1", "t"))
_FALSE = frozenset(("false", "0", "f"))


class Flag(click.Option):
    """An option that may be required in the reference's way: all missing ones are named at once."""

    def __init__(self, declarations: Sequence[str], needed: bool = False, **attributes: Any) -> None:
        super().__init__(declarations, **attributes)
        self.needed = needed

    @property
    def long_name(self) -> str:
        """The name that messages use, without dashes."""
        return max(self.opts, key=len).lstrip("-")


def flag(
    *declarations: str, needed: bool = False, **attributes: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a `Flag` on a command."""
    return click.option(*declarations, cls=Flag, needed=needed, **attributes)


class OneOf(click.ParamType[str]):
    """A value out of a few.

    Args:
        what: How the refusal calls it, for example `precision`.
        values: The values.
    """

    def __init__(self, what: str, values: Sequence[str]) -> None:
        self.name = "|".join(values)
        self.what = what
        self.values = tuple(values)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's
        """The values as they are typed, for the help."""
        return f"[{self.name}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Let one of the values through.

        Raises:
            WrongValue: Anything else.
        """
        if value not in self.values:
            raise WrongValue(str(value), f'unsupported {self.what}: "{value}"', param, ctx)
        return str(value)


class WrongValue(click.BadParameter):
    """A flag's value that is none of its kind."""

    def __init__(self, value: str, message: str, param: click.Parameter | None, ctx: click.Context | None) -> None:
        super().__init__(message, ctx, param)
        self.value = value


_TYPED = "fluxkeep.cli.typed"


class Leaf(click.Command):
    """A command without subcommands."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """How it is called; a command that stands for its group goes by the group's name."""
        path = ctx.command_path if ctx.parent is None or not self.hidden else ctx.parent.command_path
        formatter.write_usage(path, " ".join(self.collect_usage_pieces(ctx)))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Bring the reference's spellings into click's, then parse; wrong usage shows the help."""
        if ctx.resilient_parsing:
            # A shell asks how the words so far may go on; whatever they lack may still come.
            return super().parse_args(ctx, args)
        try:
            rest = super().parse_args(ctx, self._normalised(ctx, args))
        except click.NoSuchOption as error:
            raise wrong_usage(ctx, f"flag provided but not defined: -{error.option_name.lstrip('-')}") from error
        except click.BadOptionUsage as error:
            raise wrong_usage(ctx, f"flag needs an argument: -{error.option_name.lstrip('-')}") from error
        except click.BadParameter as error:
            value = getattr(error, "value", "")
            name = error.param.long_name if isinstance(error.param, Flag) else ""
            name = ctx.meta.get(_TYPED, {}).get(name, name)
            raise wrong_usage(ctx, f'invalid value "{value}" for flag -{name}: {error.message}') from error
        except click.UsageError as error:
            words = [*ctx.args, *getattr(error, "words", ())]
            raise CommandFailed(error.message if not words else stray(ctx, words[0])) from error
        missing = [
            p.long_name
            for p in self.params
            if isinstance(p, Flag) and p.needed and ctx.params.get(p.name or "") in (None, "", ())
        ]
        if missing:
            click.echo(self.get_help(ctx))
            if len(missing) == 1:
                raise CommandFailed(f'Required flag "{missing[0]}" not set')
            raise CommandFailed(f'Required flags "{", ".join(missing)}" not set')
        return rest

    def _normalised(self, ctx: click.Context, args: Sequence[str]) -> list[str]:
        by_name: dict[str, click.Option] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option):
                by_name.update({name.lstrip("-"): parameter for name in (*parameter.opts, *parameter.secondary_opts)})
        out: list[str] = []
        words: list[str] = []
        queue = list(args)
        while queue:
            arg = queue.pop(0)
            if arg == "--":
                words += queue
                break
            name, equals, value = arg.lstrip("-").partition("=")
            option = by_name.get(name) if arg.startswith("-") and arg != "-" else None
            if option is None:
                if arg.startswith("-") and arg != "-":
                    raise wrong_usage(ctx, f"flag provided but not defined: -{name}")
                words.append(arg)
                continue
            spelled = ("--" if len(name) > 1 else "-") + name
            if isinstance(option, Flag):
                ctx.meta.setdefault(_TYPED, {})[option.long_name] = name
            if option.is_flag:
                if equals and value.lower() in _FALSE:
                    continue
                if equals and value.lower() not in _TRUE:
                    raise wrong_usage(ctx, f'invalid boolean value "{value}" for -{name}: parse error')
                out.append(spelled)
                continue
            if not equals:
                if not queue:
                    raise wrong_usage(ctx, f"flag needs an argument: -{name}")
                value = queue.pop(0)
                if name in ("t", "token") and value.startswith("-"):
                    # The value is a secret: the reference repeats it here, we do not.
                    click.echo(
                        f"warning: {arg} -*** interpreted as {arg}=-***, "
                        f"consider using {arg}=-*** syntax when tokens start with a hyphen",
                        err=True,
                    )
            # One word, so that a value with a leading dash or an empty one survives.
            out += (
                [f"{spelled}={value}"]
                if len(name) > 1
                else [f"--{option.long_name}={value}"]
                if isinstance(option, Flag)
                else [spelled, value]
            )
        accepts = [p for p in self.params if isinstance(p, click.Argument)]
        if words and not accepts:
            raise CommandFailed(stray(ctx, words[0]))
        return [*out, "--", *words] if words else out


class Group(click.Group):
    """A group whose commands are imported when they are used.

    `lazy` maps a name to `module:attribute`; `aliases` maps other names to it.
    """

    def __init__(
        self, *args: Any, lazy: Mapping[str, str] | None = None, aliases: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        kwargs.setdefault("invoke_without_command", True)
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy or {})
        self.aliases = dict(aliases or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names without aliases."""
        return sorted({*super().list_commands(ctx), *self.lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command when it is asked for."""
        name = self.aliases.get(cmd_name, cmd_name)
        if name in self.lazy and name not in self.commands:
            module, _, attribute = self.lazy[name].partition(":")
            self.commands[name] = getattr(importlib.import_module(module), attribute)
        return super().get_command(ctx, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command.

        Raises:
            CommandFailed: There is none of that name.
        """
        command = self.get_command(ctx, args[0])
        if command is None and ctx.resilient_parsing:
            return None, None, args
        if command is None:
            raise CommandFailed(f'unknown command "{args[0]}" for "{ctx.command_path}"')
        return args[0], command, args[1:]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`help` asks for help, and a flag before the subcommand is unknown."""
        if args and args[0] in ("help", "h") and self.get_command(ctx, args[0]) is None:
            args = ["--help"]
        elif args and args[0].startswith("-") and args[0] not in ("--help", "-h", "-help") and not self.params:
            raise wrong_usage(ctx, f"flag provided but not defined: -{args[0].lstrip('-').partition('=')[0]}")
        elif args and args[0] == "-help":
            args = ["--help"]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Without a subcommand the help is shown, unless the group is a command itself."""
        if not ctx._protected_args and not ctx.args and self.callback is None:  # noqa: SLF001 - click's own way to ask
            click.echo(self.get_help(ctx))
            return None
        return super().invoke(ctx)


class CommandGroup(Group):
    """A command that is a group too: where the first word names no subcommand, the group's own command runs.

    `own` is that command's name; it is hidden, and its flags are shown as the group's.
    """

    def __init__(self, *args: Any, own: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.own = own
        self.callback = None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the own command in front of arguments that name none."""
        if ctx.resilient_parsing and not args:
            return super().parse_args(ctx, args)
        asks = bool(args) and args[0] in ("--help", "-h", "-help", "help")
        if not asks and (not args or args[0].startswith("-") or self.get_command(ctx, args[0]) is None):
            args = [self.own, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; the own one goes by the group's name in messages."""
        name, command, rest = super().resolve_command(ctx, args)
        return (self.name if name == self.own else name), command, rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Subcommands, and the own command's flags."""
        own = self.get_command(ctx, self.own)
        assert own is not None
        subcommands = [item for item in super().shell_complete(ctx, incomplete) if item.value != self.own]
        return [*subcommands, *own.shell_complete(ctx, incomplete)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The own command's flags, then the subcommands."""
        own = self.get_command(ctx, self.own)
        assert own is not None
        click.Command.format_options(own, ctx, formatter)
        self.format_commands(ctx, formatter)


def stray(ctx: click.Context, word: str) -> str:
    """What a word that has no place is called."""
    return f'unknown command "{word}" for "{ctx.info_name}"'


def wrong_usage(ctx: click.Context, text: str) -> CommandFailed:
    """Print why the usage is wrong and the help; the returned error ends the command."""
    # The reference ends the words with a full stop where a command is a group too.
    within = ctx.command if ctx.parent is None or ctx.info_name != ctx.parent.info_name else ctx.parent.command
    mark = "." if isinstance(within, CommandGroup) else ":"
    click.echo(f"Incorrect Usage{mark} {text}\n\n{ctx.get_help()}")
    return CommandFailed(text)


CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 120}
