"""Commands of the reference that this server has nothing for: each says so in one line and exits 1.

Source: cli.md §3.1, §3.3, §3.4, §4.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from fluxkeep.cli.failures import CommandFailed
from fluxkeep.cli.framework import CONTEXT

_CLOUD_ONLY = "InfluxDB Cloud-only command used with InfluxDB OSS host"
_VERBS = {
    "list": "list scripts", "retrieve": "retrieve script", "create": "create script", "update": "update script",
    "delete": "delete script", "invoke": "invoke script",
}  # fmt: skip


class _Refused(click.Command):
    """Takes any flags and words and refuses."""

    def __init__(self, name: str, what: str, reason: str = "") -> None:
        super().__init__(
            name,
            context_settings={**CONTEXT, "ignore_unknown_options": True, "allow_extra_args": True},
            help=f"Not available here: {what}.",
            short_help=f"Not available here: {what}.",
        )
        self._reason = reason or f"influx {name} is not available: {what}"

    def invoke(self, ctx: click.Context) -> None:
        """Refuse.

        Raises:
            CommandFailed: Always.
        """
        raise CommandFailed(self.reason(ctx.args))

    def reason(self, words: Sequence[str]) -> str:  # noqa: ARG002 - one command looks at them
        """What is printed after `Error: `."""
        return self._reason


class _Scripts(_Refused):
    """Answers as the reference's server does, which has no such path."""

    def reason(self, words: Sequence[str]) -> str:
        """What is printed after `Error: `."""
        verb = _VERBS.get(next((word for word in words if not word.startswith("-")), "list"), "list scripts")
        return f"failed to {verb}: 404 Not Found: path not found"


_NO_TASKS = "this server does not run tasks"
_NO_REPLICATION = "this server does not replicate to others"
_NO_TEMPLATES = "this server does not apply templates"

task = _Refused("task", _NO_TASKS)
remote = _Refused("remote", _NO_REPLICATION)
replication = _Refused("replication", _NO_REPLICATION)
template = _Refused("template", _NO_TEMPLATES)
apply = _Refused("apply", _NO_TEMPLATES)
export = _Refused("export", _NO_TEMPLATES)
stacks = _Refused("stacks", _NO_TEMPLATES)
shell = _Refused(
    "shell", "there is no interactive InfluxQL", "influx v1 shell is not available: send InfluxQL to /query instead"
)
bucket_schema = _Refused("bucket-schema", "schemas of buckets belong to InfluxDB Cloud", _CLOUD_ONLY)
scripts = _Scripts("scripts", "invokable scripts belong to InfluxDB Cloud")
