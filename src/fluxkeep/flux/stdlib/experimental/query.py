"""`experimental/query`: short forms of the commonest reads.

Source: flux.md §14.
"""

from __future__ import annotations

from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.stdlib import universe
from fluxkeep.flux.stdlib.influxdata.influxdb import PACKAGE as INFLUXDB
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("experimental/query")


def _ranged(call: Call) -> Value:
    tables = call.invoke(INFLUXDB.functions["from"], bucket=call.value("bucket"))
    bounds = {k: call.arguments[k] for k in ("start", "stop") if call.has(k)}
    return call.invoke(universe.PACKAGE.functions["range"], tables=tables, **bounds)


def _filtered(call: Call, tables: Value, text: str, **names: Value) -> Value:
    function = call.evaluator.closure(text, **names)
    return call.invoke(universe.PACKAGE.functions["filter"], tables=tables, fn=function)


def _measured(call: Call, tables: Value) -> Value:
    # Written into the text as a literal, so that storage can take the comparison over.
    name = call.string("measurement").replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return _filtered(call, tables, f'(r) => r._measurement == "{name}"')


def _fielded(call: Call, tables: Value) -> Value:
    fields = call.strings("fields", [])
    if not fields:
        return tables
    return _filtered(call, tables, "(r) => contains(value: r._field, set: fields)", fields=list(fields))


@PACKAGE.function("bucket start ?stop")
def fromRange(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A bounded read."""
    return _ranged(call)


@PACKAGE.function("<-table measurement")
def filterMeasurement(call: Call) -> Value:  # noqa: N802 - Flux's name
    """One measurement."""
    return _measured(call, call.value("table"))


@PACKAGE.function("<-table ?fields")
def filterFields(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Some fields; all for none."""
    return _fielded(call, call.value("table"))


@PACKAGE.function("bucket start measurement ?stop ?fields ?predicate")
def inBucket(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Rows of one measurement, some fields, and a predicate."""
    tables = _measured(call, _ranged(call))
    if call.has("predicate"):
        tables = call.invoke(universe.PACKAGE.functions["filter"], tables=tables, fn=call.value("predicate"))
    return _fielded(call, tables) if call.has("fields") else tables
