"""`influxdata/influxdb/secrets`: the organization's secrets.

Source: flux.md §12.
"""

from __future__ import annotations

from fluxkeep.errors import Unsupported
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.sources import SecretSources
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("influxdata/influxdb/secrets")


@PACKAGE.function("key")
def get(call: Call) -> Value:
    """The text of a secret."""
    sources = call.evaluator.sources
    if not isinstance(sources, SecretSources):
        raise Unsupported("reading secrets from a script is not built here")
    return sources.secret(call.string("key"))
