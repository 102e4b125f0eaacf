"""`http`: helpers that need no network; requests are not built.

Source: flux.md §13.
"""

from __future__ import annotations

import base64
import urllib.parse

from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.strings import text_of

PACKAGE = Package("http")


@PACKAGE.function("inputString")
def pathEscape(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A text that is safe as one step of a path."""
    return urllib.parse.quote(text_of(call, "inputString"), safe="$&+:=@~-._")


@PACKAGE.function("u p")
def basicAuth(call: Call) -> Value:  # noqa: N802 - Flux's name
    """The header of a user and a password."""
    pair = f"{text_of(call, 'u')}:{text_of(call, 'p')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
