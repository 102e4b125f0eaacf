"""`influx server-config`. Source: cli.md §2.11."""

from __future__ import annotations

import json as json_module
from typing import Any

import click

from fluxkeep.cli.failures import CommandFailed, failing
from fluxkeep.cli.framework import CONTEXT, Leaf, flag
from fluxkeep.cli.output import to_json
from fluxkeep.cli.session import Session, connected


@click.command(
    cls=Leaf,
    name="server-config",
    help="Print the server's options; needs an operator token.",
    context_settings=CONTEXT,
)
@connected(tables=False)
@flag("--json", is_flag=True, help="Print JSON (the default).")
@flag("--toml", is_flag=True, help="Print TOML.")
@flag("--yaml", is_flag=True, help="Print YAML.")
def server_config(session: Session, json: bool, toml: bool, yaml: bool) -> None:
    """Print the server's options, sorted."""
    if json + toml + yaml > 1:
        raise CommandFailed("only one of --json, --toml and --yaml may be given")
    with failing("failed to retrieve config"):
        options: dict[str, Any] = session.client.get("/api/v2/config")["config"]
    if not toml and not yaml:
        click.echo(to_json(options), nl=False)
        return
    for key in sorted(options):
        # TOML has no null: what has no value is left out.
        if toml and options[key] is None:
            continue
        # A JSON scalar is a TOML and a YAML scalar too; bare words are only for YAML.
        value = json_module.dumps(options[key], ensure_ascii=False)
        if yaml and isinstance(options[key], str) and options[key] and _plain(options[key]):
            value = options[key]
        click.echo(f"{key} = {value}" if toml else f"{key}: {value}")


def _plain(text: str) -> bool:
    return (
        text.lower() not in ("true", "false", "null", "yes", "no", "on", "off")
        and (text[0].isalpha() or text[0] == "/")
        and all(c.isalnum() or c in "/._-" for c in text)
    )
