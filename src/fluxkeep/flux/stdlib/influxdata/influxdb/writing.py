"""`to` and `wideTo`: rows of tables as points of a bucket.

Source: flux.md §12.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.point_rows import FieldValue, Point
from fluxkeep.datamodel.tables import Block, ColumnType
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute import shape
from fluxkeep.flux.execute.rows import RowFunction, rows_of
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Closure, Null, UInt, Value
from fluxkeep.flux.plan.operations import From, WriteTo
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.syntax import ast

PART = Package("influxdata/influxdb")
_OWN = ("_measurement", "_field", "_value")
Fields = Callable[[dict[str, Value]], dict[str, Value]]


def target_of(call: Call) -> From:
    """The bucket that the arguments name; it is looked for in the caller's organization, whatever `org` says."""
    if call.has("host"):
        raise InvalidInput("writes to a remote host are not supported here")
    if call.has("bucket") and call.has("bucketID"):
        raise InvalidInput("cannot provide both `bucket` and `bucketID` parameters to the `to` function")
    bucket = call.string("bucket") if call.has("bucket") else None
    return From(bucket, None if bucket is not None else call.string("bucketID"))


@PART.function(
    "<-tables ?bucket ?bucketID ?org ?orgID ?host ?token ?timeColumn ?measurementColumn ?tagColumns ?fieldFn"
)
def to(call: Call) -> Value:
    """Write rows, one field each unless a function says otherwise."""
    time, measurement = call.string("timeColumn", "_time"), call.string("measurementColumn", "_measurement")
    tags = call.strings("tagColumns") if call.has("tagColumns") else None
    function = RowFunction(call.function("fieldFn"), call.evaluator) if call.has("fieldFn") else None

    def points(block: Block) -> list[Point]:
        _check(block, time, measurement, need_field=function is None)
        chosen = _tags(block, tags, {measurement, *_OWN, *_read_by(function)})
        return _points(block, time, measurement, chosen, _own_field if function is None else _made(function))

    node = WriteTo(name="to", target=target_of(call), points=points, passed=lambda block: _timed(block, time))
    stream = call.node(node, call.stream())
    call.evaluator.add_write("to", stream.node)
    return stream


@PART.function("<-tables ?bucket ?bucketID ?org ?orgID ?host ?token")
def wideTo(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Write pivoted rows, a field for each column that is not in the key."""
    target = target_of(call)

    def points(block: Block) -> list[Point]:
        if "_field" in block.key:
            raise InvalidInput('found column "_field" in the group key; wideTo() expects pivoted data')
        if "_measurement" not in block.key:
            raise InvalidInput('required column "_measurement" not in group key')
        if block.find("_time") is None:
            raise InvalidInput("no time column detected")
        types = {c.label: c.type for c in block.columns}
        tags = [k for k in block.key if types[k] is ColumnType.STRING and k != "_measurement"]
        names = [label for label in block.labels if label not in block.key and label != "_time"]
        return _points(block, "_time", "_measurement", tags, lambda row: {n: row[n] for n in names})

    node = WriteTo(name=call.name, target=target, points=points, passed=lambda block: _timed(block, "_time"))
    stream = call.node(node, call.stream())
    call.evaluator.add_write("wide-to", stream.node)
    return stream


def _check(block: Block, time: str, measurement: str, *, need_field: bool) -> None:
    if block.find(measurement) is None:
        raise InvalidInput(f"no column with label {measurement} exists")
    found = block.find(time)
    if found is None or found.type is not ColumnType.TIME:
        raise InvalidInput("no time column detected")
    if need_field:
        for label in ("_field", "_value"):
            if block.find(label) is None:
                raise InvalidInput(f"table has no {label} column")


def _tags(block: Block, listed: Sequence[str] | None, taken: set[str]) -> list[str]:
    """The tag columns: the listed ones that are there, or every other string column."""
    if listed is None:
        return [c.label for c in block.columns if c.type is ColumnType.STRING and c.label not in taken]
    found = []
    for label in listed:
        column = block.find(label)
        if column is None:
            continue
        if column.type is not ColumnType.STRING:
            raise InvalidInput("invalid type for tag column")
        found.append(label)
    return found


def _read_by(function: RowFunction | None) -> set[str]:
    """The columns that `fieldFn` looks at."""
    if function is None or not isinstance(function.function, Closure):
        return set()
    return {n.label for n in ast.walk(function.function.expression) if isinstance(n, ast.MemberExpression)}


def _own_field(row: dict[str, Value]) -> dict[str, Value]:
    name = row["_field"]
    return {name: row["_value"]} if isinstance(name, str) else {}


def _made(function: RowFunction) -> Fields:
    def fields(row: dict[str, Value]) -> dict[str, Value]:
        value = function.call(row)
        if not isinstance(value, dict):
            raise InvalidInput("fieldFn must return a record")
        return value

    return fields


def _points(block: Block, time: str, measurement: str, tags: Sequence[str], fields: Fields) -> list[Point]:
    points = []
    for row in rows_of(block):
        instant, name = row[time], row[measurement]
        if isinstance(instant, Null) or not isinstance(instant, int) or not isinstance(name, str):
            continue
        own = tuple(sorted((t, v) for t in tags if isinstance(v := row[t], str) and v))
        made = tuple(f for f in (_field(k, v) for k, v in fields(row).items()) if f is not None)
        if made:
            points.append(Point(name, own, made, int(instant)))
    return points


def _field(name: str, value: Value) -> tuple[str, FieldType, FieldValue] | None:
    """A field; None for what cannot be stored: null, NaN and infinities."""
    match value:
        case bool():
            return name, FieldType.BOOLEAN, value
        case UInt():
            return name, FieldType.UNSIGNED, int(value)
        case int():
            return name, FieldType.INTEGER, int(value)
        case float():
            return (name, FieldType.FLOAT, value) if math.isfinite(value) else None
        case str():
            return name, FieldType.STRING, value
        case Null():
            return None
    raise InvalidInput(f"unsupported field type for {name}")


def _timed(block: Block, time: str) -> Block:
    return shape.take_rows(block, block.series(time).is_not_null())
