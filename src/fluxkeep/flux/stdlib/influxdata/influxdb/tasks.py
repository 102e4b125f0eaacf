"""`influxdata/influxdb/tasks`: when the task last succeeded.

Source: flux.md §12.
"""

from __future__ import annotations

from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Time, Value
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("influxdata/influxdb/tasks")
_ZERO = Time(0)
PACKAGE.values["lastSuccessTime"] = _ZERO


@PACKAGE.function("orTime")
def lastSuccess(call: Call) -> Value:  # noqa: N802 - Flux's name
    """The last success that the scheduler set, else another time."""
    known = call.evaluator.package(PACKAGE.path).members["lastSuccessTime"]
    return known if isinstance(known, Time) and known != _ZERO else Time(call.time("orTime"))
