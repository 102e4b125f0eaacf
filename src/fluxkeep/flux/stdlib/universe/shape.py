"""Functions that choose rows and columns, group and name results.

Source: flux.md §11.1, §11.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fluxkeep.datamodel.tables import Block
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute import combine, shape
from fluxkeep.flux.execute.mapping import map_
from fluxkeep.flux.execute.rows import RowFunction
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Null, StreamValue, Time, UInt, Value, kind_of
from fluxkeep.flux.plan import operations as op
from fluxkeep.flux.plan.graph import Effect, Node, Transform, Yield
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.instants import MAX_TIME_NS, MIN_TIME_NS, SECOND, Duration

PART = Package("universe")
# A month as a plain length: a twelfth of 365.25 days. Source: flux.md §10.
MONTH_NS = 2_629_800_000_000_000


def plain_length(duration: Duration) -> int:
    """A duration in ns where months have a fixed length."""
    return duration.months * MONTH_NS + duration.ns


def _range_bound(call: Call, name: str) -> int:
    value = call.arguments.get(name)
    match value:
        case None if name == "stop":
            return call.evaluator.now()
        case Time():
            return int(value)
        case Duration():
            return call.evaluator.now() + plain_length(value)
        case UInt() | bool() | None:
            pass
        case int():
            return value * SECOND
    raise InvalidInput(f"value is not a time, got {kind_of(value if value is not None else Null())}")


@PART.function("<-tables start ?stop")
def range_(call: Call) -> Value:
    """Rows from start to before stop."""
    start, stop = _range_bound(call, "start"), _range_bound(call, "stop")
    bounds = TimeRange(max(start, MIN_TIME_NS), min(stop, MAX_TIME_NS))
    return call.node(op.Range(bounds), call.stream())


@PART.function("<-tables fn ?onEmpty")
def filter_(call: Call) -> Value:
    """Rows for which the predicate holds."""
    on_empty = call.string("onEmpty", "drop")
    if on_empty not in ("keep", "drop"):
        raise InvalidInput(f'onEmpty must be keep or drop, was "{on_empty}"')
    function = RowFunction(call.function("fn"), call.evaluator)
    return call.node(op.Filter(function, on_empty == "keep"), call.stream())


@PART.function("<-tables n ?offset")
def limit(call: Call) -> Value:
    """The first n rows after the offset."""
    n, offset = call.int("n"), call.int("offset", 0)
    if n < 0:
        raise InvalidInput(f"limit n cannot be negative ({n})")
    if offset < 0:
        raise InvalidInput(f"limit offset cannot be negative ({offset})")
    return call.node(op.Limit(n, offset), call.stream())


@PART.function("<-tables n ?offset")
def tail(call: Call) -> Value:
    """The last n rows before the last `offset` rows."""
    n, offset = call.int("n"), call.int("offset", 0)
    return call.node(Transform("tail", lambda blocks: shape.tail(blocks, n, offset)), call.stream())


@PART.function("<-tables ?columns ?desc")
def sort(call: Call) -> Value:
    """Rows in order."""
    columns, descending = call.strings("columns", ["_value"]), call.bool("desc", default=False)
    return call.node(
        Transform("sort", lambda blocks: shape.sort(blocks, columns, descending=descending)), call.stream()
    )


@PART.function("<-tables ?columns ?mode")
def group(call: Call) -> Value:
    """Tables by the values of columns."""
    mode = call.string("mode", "by")
    if mode not in ("by", "except"):
        raise InvalidInput('invalid group mode: must be "by" or "except"')
    return call.node(op.Group(tuple(call.strings("columns", [])), mode), call.stream())


def _selector(call: Call, *, keep: bool) -> Callable[[Block], list[str]]:
    """Which labels `keep` or `drop` leaves."""
    word = "keep" if keep else "drop"
    if call.has("columns") and call.has("fn"):
        raise InvalidInput(f"{word} error: both column list and predicate provided")
    if call.has("columns"):
        columns = set(call.strings("columns"))
        return lambda block: [label for label in block.labels if (label in columns) == keep]
    if not call.has("fn"):
        raise InvalidInput(f"{word} error: neither column list nor predicate function provided")
    function = call.function("fn")

    def chosen(block: Block) -> list[str]:
        return [label for label in block.labels if (call.invoke(function, column=label) is True) == keep]

    return chosen


@PART.function("<-tables ?columns ?fn")
def keep(call: Call) -> Value:
    """Only some columns."""
    keeps = _selector(call, keep=True)
    return call.node(Transform("keep", lambda blocks: shape.select_columns(blocks, keeps)), call.stream())


@PART.function("<-tables ?columns ?fn")
def drop(call: Call) -> Value:
    """All but some columns."""
    keeps = _selector(call, keep=False)
    return call.node(Transform("drop", lambda blocks: shape.select_columns(blocks, keeps)), call.stream())


@PART.function("<-tables ?columns ?fn")
def rename(call: Call) -> Value:
    """Columns under other labels."""
    if call.has("columns") and call.has("fn"):
        raise InvalidInput("rename error: both column list and map function provided")
    if not call.has("columns") and not call.has("fn"):
        raise InvalidInput("rename error: neither column list nor map function provided")
    if call.has("columns"):
        columns = call.record("columns")
        labels = {old: new for old, new in columns.items() if isinstance(new, str)}
        return call.node(
            Transform("rename", lambda blocks: shape.rename(blocks, lambda c: labels.get(c, c), labels)), call.stream()
        )
    function = call.function("fn")

    def renamed(label: str) -> str:
        new = call.invoke(function, column=label)
        if not isinstance(new, str):
            raise InvalidInput(f"rename error: expected string but found {kind_of(new)}")
        return new

    return call.node(Transform("rename", lambda blocks: shape.rename(blocks, renamed)), call.stream())


@PART.function("<-tables column as")
def duplicate(call: Call) -> Value:
    """A column copied."""
    return call.node(op.Duplicate(call.string("column"), call.string("as")), call.stream())


@PART.function("<-tables key value")
def set_(call: Call) -> Value:
    """A string column with one value."""
    key, value = call.string("key"), call.string("value")
    return call.node(Transform("set", lambda blocks: shape.set_constant(blocks, key, value)), call.stream())


@PART.function("<-tables ?name")
def yield_(call: Call) -> Value:
    """Name a result and pass it on."""
    name = call.string("name", "_result")
    stream = call.node(Yield(name), call.stream())
    call.evaluator.add_result(name, stream.node)
    return stream


@PART.function("tables")
def union(call: Call) -> Value:
    """Several streams as one."""
    streams = call.array("tables")
    if len(streams) < 2:
        raise InvalidInput("union must have at least two streams as input")
    nodes: list[Node] = []
    for stream in streams:
        if not isinstance(stream, StreamValue):
            raise InvalidInput(f"expected stream[A] but found {kind_of(stream)} (argument tables)")
        nodes.append(stream.node)

    def united(inputs: Sequence[Sequence[Block]], _: object) -> Sequence[Block]:
        return combine.union(inputs)

    return call.node(Effect("union", united), *nodes)


@PART.function("<-tables rowKey columnKey valueColumn")
def pivot(call: Call) -> Value:
    """Rows of several columns' values side by side."""
    row_key, column_key = call.strings("rowKey"), call.strings("columnKey")
    value = call.string("valueColumn")
    for label in row_key:
        if label in column_key:
            raise InvalidInput(f"column name found in both rowKey and colKey: {label}")
    return call.node(
        Transform("pivot", lambda blocks: combine.pivot(blocks, row_key, column_key, value)), call.stream()
    )


@PART.function("<-tables fn ?mergeKey")
def map__(call: Call) -> Value:
    """Each row anew."""
    function = RowFunction(call.function("fn"), call.evaluator)
    merge_key = call.bool("mergeKey", default=False)
    return call.node(Transform("map", lambda blocks: map_(blocks, function, merge_key=merge_key)), call.stream())
