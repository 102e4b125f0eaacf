"""The reference pages of the two commands, a page per command, made from the commands themselves.

`python -m fluxkeep.cli.reference docs/reference` writes them; a test holds the
checked-in pages to what would be written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from fluxkeep.cli.framework import CommandGroup, Flag
from fluxkeep.cli.influx import influx
from fluxkeep.cli.influxd import influxd

_MADE = "Made by `python -m fluxkeep.cli.reference`; do not edit.\n"
_INTRODUCTIONS = {
    "influx": "The client. It talks to a server over HTTP; flags go before the environment, the environment goes "
    "before the active config. How to take a backup and more: [the guides](../../README.md).",
    "influxd": "The server, and the tools that work on a stopped server's files. Without a command it runs: "
    "`influxd` is `influxd run`.",
}
# What a command's help leaves to another page.
_MORE = {
    "influxd run": "The flags of `influxd run` are the options of [options.md](../options.md).",
}


def pages() -> dict[str, str]:
    """File name, with its folder, to text: an index of each of the two, and a page per command below it."""
    found: dict[str, str] = {}
    for root in (influx, influxd):
        context = click.Context(root, info_name=root.name)
        commands = [(name, root.get_command(context, name)) for name in sorted(root.list_commands(context))]
        shown = [(name, command) for name, command in commands if command is not None and not command.hidden]
        found[f"{root.name}/README.md"] = _index(context, shown)
        for name, command in shown:
            found[f"{root.name}/{name}.md"] = _page(context, command)
    return found


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


def _index(context: click.Context, commands: Sequence[tuple[str, click.Command]]) -> str:
    name = str(context.info_name)
    lines = [f"# {name}\n\n{_MADE}", f"{_INTRODUCTIONS[name]}\n", "| Command | What it does |", "|---|---|"]
    lines += [f"| [{name} {one}]({one}.md) | {_cell(_gist(command))} |" for one, command in commands]
    aliases = sorted(getattr(context.command, "aliases", {}).items())
    if aliases:
        lines += ["", *(f"- `{name} {alias}` is another name of `{name} {one}`" for alias, one in aliases)]
    return "\n".join(lines) + "\n"


def _page(parent: click.Context, command: click.Command) -> str:
    sections = [_section(context, "#" * min(depth, 3)) for depth, context in _below(command, parent)]
    title, _, rest = sections[0].partition("\n")
    return "\n".join([f"{title}\n\n{_MADE.strip()}\n{rest}", *sections[1:]])


def _below(command: click.Command, parent: click.Context) -> Iterator[tuple[int, click.Context]]:
    """A context of a command and of all below it, each with how deep it stands on the page, from 1."""
    for context in walk(command, parent):
        depth, at = 1, context
        while at.parent is not None and at.parent is not parent:
            depth, at = depth + 1, at.parent
        yield depth, context


def _section(context: click.Context, mark: str) -> str:
    command = context.command
    lines = [f"{mark} {context.command_path}", "", (command.help or "").strip(), ""]
    usage = " ".join(command.collect_usage_pieces(context))
    lines += ["```", f"{context.command_path} {usage}", "```", ""]
    if isinstance(command, click.Group):
        for alias, name in sorted(getattr(command, "aliases", {}).items()):
            lines.append(f"- `{alias}` is another name of `{name}`")
        if lines[-1]:
            lines.append("")
    if more := _MORE.get(context.command_path):
        lines += [more, ""]
    options = [o for o in shown_options(command, context) if "--help" not in o.opts]
    if options:
        lines += ["| Flag | Environment | Meaning |", "|---|---|---|"]
        lines += [f"| {_flags(o)} | {_environment(o)} | {_cell(o.help or '')} |" for o in options]
        lines.append("")
    return "\n".join(lines)


def _gist(command: click.Command) -> str:
    """The first sentence of a command's help."""
    first, stop, _ = " ".join((command.help or "").split()).partition(". ")
    return first + stop.strip()


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
    """Write the pages into the folder that is named, and remove those of commands that are gone."""
    folder = Path(sys.argv[1])
    made = pages()
    for below in {Path(name).parent for name in made}:
        (folder / below).mkdir(exist_ok=True)
        for page in (folder / below).glob("*.md"):
            page.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
