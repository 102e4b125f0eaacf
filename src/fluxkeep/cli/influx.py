"""`influx`: the client command. Nothing heavy is imported; commands load when they are used.

Source: cli.md §1, §2.
"""

from __future__ import annotations

import sys

import click

from fluxkeep.cli.failures import CommandFailed
from fluxkeep.cli.framework import CONTEXT, Group, Leaf
from fluxkeep.cli.version import CLI_LINE

_COMMANDS = "fluxkeep.cli.commands"


@click.command(
    cls=Group,
    name="influx",
    context_settings=CONTEXT,
    help="Influx Client: work with a fluxkeep or InfluxDB 2 server.",
    lazy={
        "apply": f"{_COMMANDS}.refused:apply",
        "auth": f"{_COMMANDS}.auth:auth",
        "backup": f"{_COMMANDS}.backup:backup",
        "bucket": f"{_COMMANDS}.bucket:bucket",
        "bucket-schema": f"{_COMMANDS}.refused:bucket_schema",
        "completion": f"{_COMMANDS}.completion:completion",
        "config": f"{_COMMANDS}.config:config",
        "dashboards": f"{_COMMANDS}.dashboards:dashboards",
        "delete": f"{_COMMANDS}.delete:delete",
        "export": f"{_COMMANDS}.refused:export",
        "org": f"{_COMMANDS}.org:org",
        "ping": f"{_COMMANDS}.ping:ping",
        "query": f"{_COMMANDS}.query:query",
        "remote": f"{_COMMANDS}.refused:remote",
        "replication": f"{_COMMANDS}.refused:replication",
        "restore": f"{_COMMANDS}.restore:restore",
        "scripts": f"{_COMMANDS}.refused:scripts",
        "secret": f"{_COMMANDS}.secret:secret",
        "server-config": f"{_COMMANDS}.server_config:server_config",
        "setup": f"{_COMMANDS}.setup:setup",
        "stacks": f"{_COMMANDS}.refused:stacks",
        "task": f"{_COMMANDS}.refused:task",
        "telegrafs": f"{_COMMANDS}.telegrafs:telegrafs",
        "template": f"{_COMMANDS}.refused:template",
        "user": f"{_COMMANDS}.user:user",
        "v1": f"{_COMMANDS}.v1:v1",
        "write": f"{_COMMANDS}.write:write",
    },
    aliases={"authorization": "auth", "organization": "org"},
)
def influx() -> None:
    """The root of all commands."""


influx.callback = None


@influx.command(cls=Leaf, name="version", help="Print the version.", context_settings=CONTEXT)
def version() -> None:
    """Print the version."""
    click.echo(CLI_LINE)


def main() -> None:
    """Run the command line and exit: 0 for success, 1 for anything else."""
    try:
        influx.main(args=sys.argv[1:], prog_name="influx", standalone_mode=False)
    except CommandFailed as error:
        sys.stdout.flush()
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - the command's output
        sys.exit(1)
    except click.Abort:
        sys.exit(1)
    except click.ClickException as error:
        print(f"Error: {error.format_message()}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output is gone; that is its right.
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
