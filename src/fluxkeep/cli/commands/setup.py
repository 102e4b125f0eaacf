"""`influx setup`: the first user, organization, bucket and token of a server.

Source: tokens.md §5.2.
"""

from __future__ import annotations

import click

from fluxkeep.cli.configs import DEFAULT_NAME, Config, Configs, check_name
from fluxkeep.cli.durations import parse_seconds
from fluxkeep.cli.failures import CommandFailed, failing
from fluxkeep.cli.framework import CONTEXT, Leaf, flag
from fluxkeep.cli.prompts import ask_password, prompt
from fluxkeep.cli.session import Session, connected
from fluxkeep.instants import HOUR, SECOND, format_go_duration
from fluxkeep.secret import Secret


@click.command(
    cls=Leaf,
    name="setup",
    help="Set up a new server with its first user, organization, bucket and operator token.",
    context_settings=CONTEXT,
)
@connected(token=False)
@flag("--username", "-u", help="Name of the first user.")
@flag("--password", "-p", help="The user's password.")
@flag("--token", "-t", envvar="INFLUX_TOKEN", help="Operator token; generated when absent.")
@flag("--org", "-o", help="Name of the first organization.")
@flag("--bucket", "-b", help="Name of the first bucket.")
@flag("--name", "-n", help="Name of the config that is written.")
@flag("--retention", "-r", help="How long the bucket keeps data; 0 or absent is for ever.")
@flag("--force", "-f", is_flag=True, help="Ask nothing.")
def setup(
    session: Session,
    username: str | None,
    password: str | None,
    token: str | None,
    org: str | None,
    bucket: str | None,
    name: str | None,
    retention: str | None,
    force: bool,
) -> None:
    """Set the server up and keep its token in the config file; it is printed nowhere."""
    with failing("failed to check if already set up"):
        allowed = session.client.get("/api/v2/setup")
    if not allowed["allowed"]:
        raise CommandFailed("instance has already been set up")
    configs = Configs(session.configs_path)
    if configs.by_name and not name:
        raise CommandFailed("config name is required if you already have existing configs")
    config_name = name or DEFAULT_NAME
    check_name(config_name)
    if config_name in configs.by_name:
        raise CommandFailed(f'config name "{config_name}" already exists')
    seconds = parse_seconds(retention) if retention else None
    if not force:
        username, password, org, bucket, seconds = _ask(username, password, org, bucket, seconds)
    with failing("failed to setup instance"):
        made = session.client.call(
            "POST",
            "/api/v2/setup",
            body={
                "username": username or "",
                "password": password or "",
                "org": org or "",
                "bucket": bucket or "",
                "retentionPeriodSeconds": seconds or 0,
                "token": token or "",
            },
        )
    try:
        configs.create(
            Config(
                name=config_name,
                url=session.host,
                token=Secret(made["auth"]["token"]),
                org=made["org"]["name"],
                active=True,
            )
        )
        configs.save()
    except CommandFailed as error:
        raise CommandFailed(f"setup succeeded, but failed to write new config to local path: {error}") from error
    row = {"user": made["user"]["name"], "organization": made["org"]["name"], "bucket": made["bucket"]["name"]}
    session.show(
        ("User", "Organization", "Bucket"),
        [row],
        {"User": lambda r: r["user"], "Organization": lambda r: r["organization"], "Bucket": lambda r: r["bucket"]},
        one=True,
    )


def _ask(
    username: str | None, password: str | None, org: str | None, bucket: str | None, seconds: int | None
) -> tuple[str, str, str, str, int]:
    click.echo("> Welcome to InfluxDB 2.0!", err=True)
    username = username or prompt("Please type your primary username")
    password = password or ask_password("Please type your password")
    org = org or prompt("Please type your primary organization name")
    bucket = bucket or prompt("Please type your primary bucket name")
    while seconds is None:
        text = prompt("Please type your retention period in hours, or 0 for infinite", default="0")
        try:
            hours = int(text)
        except ValueError:
            click.echo("Retention period must be a whole number of hours", err=True)
            continue
        if hours < 0:
            click.echo("Retention period cannot be negative", err=True)
            continue
        seconds = hours * HOUR // SECOND
    shown = format_go_duration(seconds * SECOND) if seconds else "infinite"
    click.echo(
        "Setup with these parameters?\n"
        f"  Username:          {username}\n  Organization:      {org}\n  Bucket:            {bucket}\n"
        f"  Retention Period:  {shown}",
        err=True,
    )
    if not prompt("(y/n)").lower().startswith("y"):
        raise CommandFailed("setup was canceled")
    return username, password, org, bucket, seconds
