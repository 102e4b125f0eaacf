"""`slack`: what needs no network; sending is not built.

Source: flux.md §13.
"""

from __future__ import annotations

import re

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.strings import text_of

PACKAGE = Package("slack")
PACKAGE.values["defaultURL"] = "https://slack.com/api/chat.postMessage"
_COLOUR = re.compile(r"good|warning|danger|#[0-9a-fA-F]{6}")


@PACKAGE.function("color")
def validateColorString(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A colour that Slack takes."""
    colour = text_of(call, "color")
    if not _COLOUR.fullmatch(colour):
        raise InvalidInput(f'invalid color string "{colour}"; must be one of "good", "warning", "danger" or a hex code')
    return colour
