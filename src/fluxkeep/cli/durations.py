"""Durations on the command line: `1w2d3h`, `0` for infinite.

Source: cli.md §1.4.
"""

from __future__ import annotations

import re

from fluxkeep.cli.failures import CommandFailed
from fluxkeep.instants import SECOND, Duration

_FORM = re.compile(r"(?:\d+(?:ns|us|µs|ms|s|m|h|d|w))+", re.ASCII)


def parse_seconds(text: str) -> int:
    """Whole seconds of a duration.

    Raises:
        CommandFailed: `invalid duration …`.
    """
    if text in ("0", ""):
        return 0
    if not _FORM.fullmatch(text):
        raise CommandFailed(f"invalid duration {text}")
    return Duration.parse(text).ns // SECOND
