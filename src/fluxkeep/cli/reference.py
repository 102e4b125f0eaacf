"""The reference pages of the two commands, made from the commands themselves.

`python -m fluxkeep.cli.reference docs/reference` writes them; a test holds the
checked-in pages to what would be written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from fluxkeep.cli.framework import CommandGroup, Flag
from fluxkeep.cli.influx import influx
from fluxkeep.cli.influxd import influxd

_INTRODUCTIONS = {
    "influx": "The client. It talks to a server over HTTP; flags go before the environment, the environment goes "
    "before the active config.",
    "influxd": "The server, and the tools that work on a stopped server's files.\n\n"
    "The flags of `influxd run` are the options of [options.md](options.md).",
}


def pages() -> dict[str, str]:
    """File name to text, of every page."""
    return {f"{root.name}.md": _page(root) for root in (influx, influxd)}


def walk(command: click.Command, parent: click.Context | None = None) -> Iterator[click.Context]:
    """A context of a command and of all below it that are shown, in order."""
    # An empty environment: defaults must not depend on who makes the pages.
    context = click.Context(command, info_name=command.name, parent=parent)
    yield context
    if isinstance(command, click.Group):
        for name in sorted(command.list_commands(context)):
            sub = command.get_command(context, name)
            assert sub is not None
            if not sub.hidden:
                yield from walk(sub, context)


def shown_options(command: click.Command, context: click.Context) -> list[click.Option]:
    """The flags that a command's help lists, those of a group's own command included."""
    if isinstance(command, CommandGroup):
        own = command.get_command(context, command.own)
        assert own is not None
        command = own
    return [p for p in command.get_params(context) if isinstance(p, click.Option) and not p.hidden]


def _page(root: click.Command) -> str:
    sections = [f"# {root.name}\n\nMade by `python -m fluxkeep.cli.reference`; do not edit.\n"]
    sections.append(_INTRODUCTIONS[str(root.name)] + "\n")
    sections += [_section(context) for context in walk(root)]
    return "\n".join(sections)


def _section(context: click.Context) -> str:
    command = context.command
    lines = [f"## {context.command_path}", "", (command.help or "").strip(), ""]
    usage = " ".join(command.collect_usage_pieces(context))
    lines += ["```", f"{context.command_path} {usage}", "```", ""]
    if isinstance(command, click.Group):
        for alias, name in sorted(getattr(command, "aliases", {}).items()):
            lines.append(f"- `{alias}` is another name of `{name}`")
        if lines[-1]:
            lines.append("")
    options = [o for o in shown_options(command, context) if "--help" not in o.opts]
    if options:
        lines += ["| Flag | Environment | Meaning |", "|---|---|---|"]
        lines += [f"| {_flags(o)} | {_environment(o)} | {_cell(o.help or '')} |" for o in options]
        lines.append("")
    return "\n".join(lines)


def _flags(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    if option.required or (isinstance(option, Flag) and option.needed):
        names += " (required)"
    return names


def _environment(option: click.Option) -> str:
    return f"`{option.envvar}`" if option.envvar else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Write the pages into the folder that is named."""
    folder = Path(sys.argv[1])
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
