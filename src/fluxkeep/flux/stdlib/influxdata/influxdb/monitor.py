"""`influxdata/influxdb/monitor`: checks, their statuses, notifications.

Composed of the library's own functions; row functions are Flux.

Source: flux.md §12; recorded answers.
"""

from __future__ import annotations

from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Builtin, Closure, Time, Value
from fluxkeep.flux.stdlib import experimental, universe
from fluxkeep.flux.stdlib.influxdata.influxdb import PACKAGE as INFLUXDB
from fluxkeep.flux.stdlib.influxdata.influxdb import schema
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("influxdata/influxdb/monitor")
_LEVELS = {"levelOK": "ok", "levelInfo": "info", "levelWarn": "warn", "levelCrit": "crit", "levelUnknown": "unknown"}
PACKAGE.values.update(_LEVELS)
_BUCKET = "_monitoring"


def _step(call: Call, function: str, tables: Value, **arguments: Value) -> Value:
    """A call of a universe function on a stream."""
    return call.invoke(universe.PACKAGE.functions[function], tables=tables, **arguments)


def _extended(call: Call, tables: Value, columns: list[str]) -> Value:
    group = experimental.PACKAGE.functions["group"]
    return call.invoke(group, tables=tables, mode="extend", columns=list(columns))


def _with_members(call: Call, tables: Value, record: Value) -> Value:
    """Constants of a record as columns of the key."""
    changed = call.invoke(experimental.PACKAGE.functions["set"], tables=tables, o=record)
    return _extended(call, changed, list(record) if isinstance(record, dict) else [])


def _stored(call: Call, option: str, tables: Value) -> Value:
    """What the option `write` or `log` makes of a stream."""
    function = call.evaluator.package(PACKAGE.path).members[option]
    pipe = (
        next((p.name for p in function.params if p.pipe), "tables") if isinstance(function, Builtin | Closure) else ""
    )
    return call.invoke(function, **{pipe: tables})


def _to_monitoring(call: Call) -> Value:
    wide = INFLUXDB.functions["wideTo"]
    return call.invoke(wide, tables=call.value("tables"), bucket=_BUCKET)


PACKAGE.function("<-tables", "write")(_to_monitoring)
PACKAGE.function("<-tables", "log")(_to_monitoring)


@PACKAGE.function("<-tables data messageFn ?crit ?warn ?info ?ok")
def check(call: Call) -> Value:
    """Each row's level and message, stored as a status."""
    data = call.record("data")
    never, always = call.evaluator.closure("(r) => false"), call.evaluator.closure("(r) => true")
    judged = call.evaluator.closure(
        """(r) => ({r with
            _measurement: "statuses",
            _source_measurement: r._measurement,
            _type: data._type,
            _check_id: data._check_id,
            _check_name: data._check_name,
            _level:
                if crit(r: r) then "crit"
                else if warn(r: r) then "warn"
                else if info(r: r) then "info"
                else if ok(r: r) then "ok"
                else "unknown",
            _source_timestamp: int(v: r._time),
            _time: now(),
        })""",
        data=data,
        crit=call.value("crit", never),
        warn=call.value("warn", never),
        info=call.value("info", never),
        ok=call.value("ok", always),
    )
    told = call.evaluator.closure("(r) => ({r with _message: tell(r: r)})", tell=call.value("messageFn"))
    tables = _with_members(call, call.value("tables"), data.get("tags", {}))
    tables = _step(call, "map", tables, fn=judged)
    tables = _step(call, "map", tables, fn=told)
    columns = ["_source_measurement", "_type", "_check_id", "_check_name", "_level"]
    return _stored(call, "write", _extended(call, tables, columns))


def _changes(call: Call, tables: Value, number: Closure, kept: Closure) -> Value:
    """Rows at which the number of a level steps as wanted; the level leaves the key meanwhile.

    The functions have blocks because the reference's do not run on columns either, which orders the labels.
    """
    tables = _step(call, "map", tables, fn=number)
    tables = _step(call, "duplicate", tables, column="_level", **{"as": "____temp_level____"})
    tables = _step(call, "drop", tables, columns=["_level"])
    tables = _step(call, "rename", tables, columns={"____temp_level____": "_level"})
    tables = _step(call, "sort", tables, columns=["_source_timestamp", "_time"])
    tables = _step(call, "difference", tables, columns=["level_value"])
    tables = _step(call, "filter", tables, fn=kept)
    tables = _step(call, "drop", tables, columns=["level_value"])
    return _extended(call, tables, ["_level"])


def _any_change(call: Call) -> Value:
    number = call.evaluator.closure(
        """(r) => {
            return {r with level_value:
                if r._level == "crit" then 4
                else if r._level == "warn" then 3
                else if r._level == "info" then 2
                else if r._level == "ok" then 1
                else 0
            }
        }"""
    )
    return _changes(call, call.value("tables"), number, call.evaluator.closure("(r) => r.level_value != 0"))


PACKAGE.function("<-tables", "stateChangesOnly")(_any_change)


@PACKAGE.function("<-tables ?fromLevel ?toLevel")
def stateChanges(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Rows at which the level became another, or one particular after one particular."""
    before, after = call.string("fromLevel", "any"), call.string("toLevel", "any")
    if before == after == "any":
        return _any_change(call)
    reached = f'r._level == "{after}"' if after != "any" else f'r._level != "{before}" and exists r._level'
    left = f'r._level == "{before}"' if before != "any" else f'r._level != "{after}" and exists r._level'
    number = call.evaluator.closure(
        f"(r) => {{ return {{r with level_value: if {reached} then 1 else if {left} then 0 else -10}} }}"
    )
    return _changes(call, call.value("tables"), number, call.evaluator.closure("(r) => r.level_value == 1"))


@PACKAGE.function("<-tables t")
def deadman(call: Call) -> Value:
    """Each table's newest row, and whether it is older than a time."""
    newest = _step(call, "max", call.value("tables"), column="_time")
    dead = call.evaluator.closure("(r) => ({r with dead: r._time < t})", t=Time(call.time("t")))
    return _step(call, "map", newest, fn=dead)


def _read(call: Call, measurement: str) -> Value:
    """Pivoted rows of the monitoring bucket."""
    tables = call.invoke(INFLUXDB.functions["from"], bucket=_BUCKET)
    bounds = {k: call.arguments[k] for k in ("start", "stop") if call.has(k)}
    tables = _step(call, "range", tables, **bounds)
    only = call.evaluator.closure(f'(r) => r._measurement == "{measurement}"')
    tables = _step(call, "filter", tables, fn=only)
    if call.has("fn"):
        tables = _step(call, "filter", tables, fn=call.value("fn"))
    return call.invoke(schema.PACKAGE.functions["fieldsAsCols"], tables=tables)


@PACKAGE.function("start ?stop ?fn")
def from_(call: Call) -> Value:
    """Statuses that checks stored."""
    return _read(call, "statuses")


@PACKAGE.function("start ?stop fn")
def logs(call: Call) -> Value:
    """Notifications that were sent."""
    return _read(call, "notifications")


@PACKAGE.function("<-tables endpoint data")
def notify(call: Call) -> Value:
    """Send each status to an endpoint and store what came of it."""
    tables = _with_members(call, call.value("tables"), call.record("data"))
    noted = call.evaluator.closure(
        """(r) => ({r with
            _measurement: "notifications",
            _status_timestamp: int(v: r._time),
            _time: now(),
        })"""
    )
    tables = _step(call, "map", tables, fn=noted)
    endpoint = call.function("endpoint")
    pipe = next((p.name for p in endpoint.params if p.pipe), "tables")
    sent = call.invoke(endpoint, **{pipe: tables})
    return _stored(call, "log", _extended(call, sent, ["_sent"]))
