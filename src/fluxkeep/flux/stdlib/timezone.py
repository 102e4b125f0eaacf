"""`timezone`: locations for the functions of time.

Source: flux.md §10, §13.
"""

from __future__ import annotations

from fluxkeep.compute.windows import zone_clock
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.instants import Duration

PACKAGE = Package("timezone")
PACKAGE.values["utc"] = {"zone": "UTC", "offset": Duration()}


@PACKAGE.function("name")
def location(call: Call) -> Value:
    """An IANA zone."""
    name = call.string("name")
    zone_clock(name)
    return {"zone": name, "offset": Duration()}


@PACKAGE.function("offset")
def fixed(call: Call) -> Value:
    """A fixed distance from UTC."""
    return {"zone": "UTC", "offset": call.duration("offset")}
