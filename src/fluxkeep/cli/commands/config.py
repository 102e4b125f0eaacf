"""`influx config`: the file of named servers.

Source: tokens.md §5.3, cli.md §2.2.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from fluxkeep.cli.configs import Config, Configs, default_path
from fluxkeep.cli.failures import CommandFailed, failing
from fluxkeep.cli.framework import CONTEXT, Group, Leaf, flag
from fluxkeep.cli.output import show, to_json
from fluxkeep.secret import Secret

COLUMNS = ("Active", "Name", "URL", "Org")
_CELLS = {
    "Active": lambda c: "*" if c.active else "",
    "Name": lambda c: c.name,
    "URL": lambda c: c.url,
    "Org": lambda c: c.org,
}


def _common(function: Any) -> Any:
    for option in (
        flag("--hide-headers", is_flag=True, envvar="INFLUX_HIDE_HEADERS", help="No header row."),
        flag("--json", is_flag=True, envvar="INFLUX_OUTPUT_JSON", help="Print JSON."),
        flag("--configs-path", envvar="INFLUX_CONFIGS_PATH", help="Path to the file of configs."),
    ):
        function = option(function)
    return function


def _open(configs_path: str | None) -> Configs:
    return Configs(Path(configs_path or default_path()))


def _as_object(config: Config) -> dict[str, Any]:
    shown: dict[str, Any] = {"url": config.url, "token": config.token.reveal(), "org": config.org}
    if config.cookie:
        shown["cookie"] = config.cookie.reveal()
    return shown | {"active": config.active}


def _print(
    configs: Sequence[Config], json: bool, hide_headers: bool, *, deleted: bool = False, one: bool = False
) -> None:
    if json:
        value: Any = _as_object(configs[0]) if one and configs else {c.name: _as_object(c) for c in configs}
        click.echo(to_json(value), nl=False)
        return
    show(COLUMNS, configs, _CELLS, as_json=False, header=not hide_headers, deleted=deleted)  # type: ignore[arg-type]


class _ConfigGroup(Group):
    """`config NAME` switches: a word that is no subcommand is a config's name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [a for a in args if not a.startswith("-") or a == "-"]
        if args not in (["--help"], ["-h"], ["help"]) and (not words or self.get_command(ctx, words[0]) is None):
            args = ["switch", *args]
        return super().parse_args(ctx, args)


@click.command(
    cls=_ConfigGroup,
    name="config",
    help="Show the active config, switch to another (`config NAME`, `config -`), and manage them.",
    context_settings=CONTEXT,
    aliases={"update": "set", "delete": "rm", "remove": "rm", "list": "ls"},
)
def config() -> None:
    """The group."""


config.callback = None


@config.command(cls=Leaf, name="switch", hidden=True, context_settings=CONTEXT)
@_common
@click.argument("name", required=False)
def switch(name: str | None, configs_path: str | None, json: bool, hide_headers: bool) -> None:
    """Make another config the active one, and print it."""
    configs = _open(configs_path)
    if name is None:
        _print([configs.active], json, hide_headers, one=True)
        return
    chosen = configs.switch(name)
    configs.save()
    _print([chosen], json, hide_headers, one=True)


@config.command(cls=Leaf, name="create", help="Create a config.", context_settings=CONTEXT)
@_common
@flag("--config-name", "-n", needed=True, help="Name of the config.")
@flag("--host-url", "-u", needed=True, help="The server's address, with http or https.")
@flag("--token", "-t", help="API token.")
@flag("--username-password", "-p", help="`user` or `user:password`, instead of a token.")
@flag("--org", "-o", help="Default organization.")
@flag("--active", "-a", is_flag=True, help="Make it the active config.")
def create(
    config_name: str,
    host_url: str,
    token: str | None,
    username_password: str | None,
    org: str | None,
    active: bool,
    configs_path: str | None,
    json: bool,
    hide_headers: bool,
) -> None:
    """Create a config."""
    _one_credential(token, username_password)
    configs = _open(configs_path)
    fresh = Config(
        name=config_name,
        url=host_url,
        token=Secret(token or ""),
        cookie=_cookie(username_password),
        org=org or "",
        active=active,
    )
    with failing(f'failed to create config "{config_name}"'):
        made = configs.create(fresh)
    configs.save()
    _print([made], json, hide_headers, one=True)


@config.command(cls=Leaf, name="set", help="Change a config; what is not given stays.", context_settings=CONTEXT)
@_common
@flag("--config-name", "-n", needed=True, help="Name of the config.")
@flag("--host-url", "-u", help="The server's address, with http or https.")
@flag("--token", "-t", help="API token.")
@flag("--username-password", "-p", help="`user` or `user:password`, instead of a token.")
@flag("--org", "-o", help="Default organization.")
@flag("--active", "-a", is_flag=True, help="Make it the active config.")
def set_(
    config_name: str,
    host_url: str | None,
    token: str | None,
    username_password: str | None,
    org: str | None,
    active: bool,
    configs_path: str | None,
    json: bool,
    hide_headers: bool,
) -> None:
    """Change a config."""
    _one_credential(token, username_password)
    configs = _open(configs_path)
    with failing(f'failed to update config "{config_name}"'):
        changed = configs.get(config_name)
        changed = replace(changed, url=host_url or changed.url, org=org or changed.org, active=active or changed.active)
        if token:
            changed = replace(changed, token=Secret(token), cookie=Secret(""))
        if username_password:
            changed = replace(changed, cookie=_cookie(username_password), token=Secret(""))
        changed = configs.update(changed)
    configs.save()
    _print([changed], json, hide_headers, one=True)


@config.command(cls=Leaf, name="rm", help="Remove configs.", context_settings=CONTEXT)
@_common
@click.argument("names", nargs=-1)
def remove(names: tuple[str, ...], configs_path: str | None, json: bool, hide_headers: bool) -> None:
    """Remove configs; unknown names are passed over."""
    configs = _open(configs_path)
    gone = [removed for name in names if (removed := configs.remove(name)) is not None]
    if gone:
        configs.save()
    _print(gone, json, hide_headers, deleted=True)


@config.command(cls=Leaf, name="ls", help="List the configs.", context_settings=CONTEXT)
@_common
def list_(configs_path: str | None, json: bool, hide_headers: bool) -> None:
    """List the configs; the table never shows a token."""
    configs = _open(configs_path)
    _print([configs.by_name[name] for name in sorted(configs.by_name)], json, hide_headers)


def _one_credential(token: str | None, username_password: str | None) -> None:
    if token and username_password:
        raise CommandFailed("cannot specify `--token` and `--username-password` together, please choose one")


def _cookie(username_password: str | None) -> Secret:
    return Secret(base64.b64encode(username_password.encode()).decode() if username_password else "")
