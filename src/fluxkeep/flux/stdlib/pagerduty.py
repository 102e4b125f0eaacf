"""`pagerduty`: levels as PagerDuty names them; sending is not built.

Source: flux.md §13.
"""

from __future__ import annotations

from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.strings import text_of

PACKAGE = Package("pagerduty")
PACKAGE.values["defaultURL"] = "https://events.pagerduty.com/v2/enqueue"
_SEVERITIES = {"warn": "warning", "crit": "critical", "info": "info", "ok": "info"}


@PACKAGE.function("level")
def severityFromLevel(call: Call) -> Value:  # noqa: N802 - Flux's name
    """The severity of a level; of an unknown one `error`."""
    return _SEVERITIES.get(text_of(call, "level"), "error")


@PACKAGE.function("severity")
def actionFromSeverity(call: Call) -> Value:  # noqa: N802 - Flux's name
    """What to do for a severity."""
    return "resolve" if text_of(call, "severity") == "ok" else "trigger"


@PACKAGE.function("level")
def actionFromLevel(call: Call) -> Value:  # noqa: N802 - Flux's name
    """What to do for a level."""
    return "resolve" if text_of(call, "level") == "ok" else "trigger"
