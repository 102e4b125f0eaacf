"""`system`: the real clock.

Source: flux.md §13.
"""

from __future__ import annotations

import time as clock

from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Time, Value
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("system")


@PACKAGE.function("")
def time(call: Call) -> Value:  # noqa: ARG001 - the registry's shape
    """The machine's time at evaluation, whatever `now` says."""
    return Time(clock.time_ns())
