"""Rules that move work into reads, and what is known of a graph before it runs.

Each rule looks at a node whose inputs were rewritten already and answers a node
that gives the same tables, or None. A node that several others use is left
where it is: its tables are needed as they are.

Source: flux.md §16.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fluxkeep.datamodel.predicates import And, Predicate
from fluxkeep.datamodel.reader import Aggregate
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.rows import RowFunction
from fluxkeep.flux.interpreter.values import Closure
from fluxkeep.flux.plan import operations as op
from fluxkeep.flux.plan.graph import Node, Yield, walk
from fluxkeep.flux.plan.predicates import split_filter

Rule = Callable[[Node, "Uses"], Node | None]

_BUILDING = "error in building plan while starting program: "
_STARTING = "failed to initialize execute state: "


class Uses:
    """How many nodes and results use a node of the graph that was given."""

    def __init__(self, roots: Sequence[Node]) -> None:
        self._counts: dict[int, int] = {}
        for node in walk(roots):
            for used in node.inputs:
                self._counts[id(used)] = self._counts.get(id(used), 0) + 1
        for root in roots:
            self._counts[id(root)] = self._counts.get(id(root), 0) + 1

    def single(self, node: Node) -> bool:
        """Whether only one needs it."""
        return self._counts.get(id(node), 1) == 1

    def take_over(self, new: Node, old: Node) -> None:
        """A rewritten node is used as often as the one it replaces."""
        self._counts[id(new)] = self._counts.get(id(old), 1)


def plan(roots: Sequence[Node], *, push_down: bool = True) -> list[Node]:
    """Rewrite a graph.

    Args:
        roots: Of the results, in order.
        push_down: False keeps all work above bounded reads; tests compare the two.

    Raises:
        InvalidInput: A read without a range, or with an empty one.
    """
    uses = Uses(roots)
    rules = RULES if push_down else (bound_read, time_first)
    done: dict[int, Node] = {}
    for node in walk(roots):
        inputs = tuple(done[id(i)] for i in node.inputs)
        current = node if inputs == node.inputs else replace(node, inputs=inputs)
        if current is not node:
            uses.take_over(current, node)
        changed = True
        while changed:
            changed = False
            for rule in rules:
                rewritten = rule(current, uses)
                if rewritten is not None:
                    uses.take_over(rewritten, node)
                    current, changed = rewritten, True
                    break
        done[id(node)] = current
    planned = [done[id(root)] for root in roots]
    _check(planned)
    return planned


def _check(roots: Sequence[Node]) -> None:
    for node in walk(roots):
        match node.operation:
            case op.From(bucket=bucket, bucket_id=bucket_id):
                name = bucket if bucket is not None else bucket_id
                raise InvalidInput(
                    f"{_BUILDING}cannot submit unbounded read to \"{name}\"; try bounding 'from' with a call to 'range'"
                )
            case op.Scan(time_range=time_range) | op.IndexRead(time_range=time_range) if time_range.is_empty:
                raise InvalidInput(f"{_BUILDING}cannot query an empty range")


def _plain(node: Node, uses: Uses) -> op.Scan | None:
    """A read that nothing but bounds and predicates was moved into, for one user."""
    scan = node.operation
    if isinstance(scan, op.Scan) and scan.aggregate is None and scan.limit is None and uses.single(node):
        return scan
    return None


def _put(node: Node, scan: op.Scan, inner: Node) -> Node:
    """A read in the place of a node; errors go on naming the node's call."""
    return Node(scan, inner.inputs, node.site)


def bound_read(node: Node, uses: Uses) -> Node | None:  # noqa: ARG001 - a rule
    """`from |> range`: a bounded read."""
    if isinstance(node.operation, op.Range) and isinstance(node.inputs[0].operation, op.From):
        return Node(op.Scan(source=node.inputs[0].operation, time_range=node.operation.bounds), (), node.site)
    return None


def narrow_read(node: Node, uses: Uses) -> Node | None:
    """A later `range` over a read narrows it."""
    if not isinstance(node.operation, op.Range):
        return None
    scan = _plain(node.inputs[0], uses)
    if scan is None or scan.group is not None:
        return None
    bounds = node.operation.bounds
    cut = TimeRange(max(bounds.start, scan.time_range.start), min(bounds.stop, scan.time_range.stop))
    if cut.is_empty:
        return None
    return _put(node, replace(scan, time_range=cut), node.inputs[0])


def filter_read(node: Node, uses: Uses) -> Node | None:
    """What storage understands of a predicate; the rest stays above."""
    operation = node.operation
    if not isinstance(operation, op.Filter) or operation.keep_empty:
        return None
    scan = _plain(node.inputs[0], uses)
    function = operation.function.function
    if scan is None or scan.group is not None or not isinstance(function, Closure):
        return None
    predicate, rest = split_filter(function)
    if predicate is None:
        return None
    read = _put(node, replace(scan, predicate=_both(scan.predicate, predicate)), node.inputs[0])
    if rest is None:
        return read
    row_function = RowFunction(rest, operation.function.evaluator, operation.function.columnar)
    return Node(op.Filter(row_function), (read,), node.site)


def _both(one: Predicate | None, other: Predicate) -> Predicate:
    if one is None:
        return other
    parts = (*one.operands,) if isinstance(one, And) else (one,)
    return And((*parts, other))


def group_read(node: Node, uses: Uses) -> Node | None:
    """`group(columns)` over a read: a grouped read."""
    operation = node.operation
    if not isinstance(operation, op.Group) or operation.mode != "by":
        return None
    scan = _plain(node.inputs[0], uses)
    if scan is None or scan.group is not None or {"_time", "_value"} & set(operation.columns):
        return None
    columns = tuple(c for c in operation.columns if c not in ("_start", "_stop"))
    return _put(node, replace(scan, group=columns), node.inputs[0])


def aggregate_read(node: Node, uses: Uses) -> Node | None:
    """An aggregate of `_value` over a read, grouped or not."""
    operation = node.operation
    if not isinstance(operation, op.Reduce) or operation.column != "_value":
        return None
    scan = _plain(node.inputs[0], uses)
    if scan is None or (scan.group is not None and operation.kind not in (Aggregate.COUNT, Aggregate.SUM)):
        return None
    return _put(node, replace(scan, aggregate=operation.kind), node.inputs[0])


def window_read(node: Node, uses: Uses) -> Node | None:
    """`window |> aggregate` over a read: the aggregate of each window."""
    operation = node.operation
    if not isinstance(operation, op.Reduce) or operation.column != "_value":
        return None
    inner = node.inputs[0]
    if not isinstance(inner.operation, op.Window) or not uses.single(inner):
        return None
    spec = inner.operation.spec
    window = spec.window
    scan = _plain(inner.inputs[0], uses)
    if scan is None or scan.group is not None or window is None or window.every != window.period:
        return None
    if (spec.time, spec.start, spec.stop) != ("_time", "_start", "_stop") or spec.local:
        return None
    if window.offset.months < 0 or window.offset.ns < 0:
        return None
    return _put(node, replace(scan, aggregate=operation.kind, spec=spec), inner.inputs[0])


def select_grouped(node: Node, uses: Uses) -> Node | None:
    """A selector over a grouped read leaves its order of tables."""
    operation = node.operation
    if not isinstance(operation, op.Reduce) or operation.keep_order:
        return None
    scan = _plain(node.inputs[0], uses)
    if scan is None or scan.group is None:
        return None
    return Node(replace(operation, keep_order=True), node.inputs, node.site)


def fill_read(node: Node, uses: Uses) -> Node | None:
    """`table.fill` over windows of a read: the read fills them."""
    scan = node.inputs[0].operation if node.inputs else None
    if not isinstance(node.operation, op.FillEmpty) or not isinstance(scan, op.Scan) or not uses.single(node.inputs[0]):
        return None
    if scan.spec is None or not scan.spec.create_empty or scan.time is not None:
        return None
    return _put(node, replace(scan, fill=True), node.inputs[0])


def unwindow_read(node: Node, uses: Uses) -> Node | None:
    """`duplicate(_stop as _time) |> window(every: inf)` over windows of a read: rows by time."""
    operation = node.operation
    if not isinstance(operation, op.Window) or operation.spec.window is not None or operation.spec.time != "_time":
        return None
    copy = node.inputs[0]
    if not isinstance(copy.operation, op.Duplicate) or not uses.single(copy) or copy.operation.into != "_time":
        return None
    scan = copy.inputs[0].operation
    if not isinstance(scan, op.Scan) or scan.spec is None or scan.time is not None or not uses.single(copy.inputs[0]):
        return None
    assert scan.aggregate is not None
    if copy.operation.column not in ("_stop", "_start"):
        return None
    if scan.spec.create_empty and scan.aggregate.is_selector and not scan.fill:
        return None
    return _put(node, replace(scan, time=copy.operation.column), copy.inputs[0])


def limit_read(node: Node, uses: Uses) -> Node | None:
    """`limit` over a read: no more rows of a series than it can need are read."""
    operation = node.operation
    if not isinstance(operation, op.Limit) or operation.n < 1:
        return None
    scan = _plain(node.inputs[0], uses)
    if scan is None or scan.group is not None:
        return None
    read = _put(node, replace(scan, limit=operation.n + operation.offset), node.inputs[0])
    return Node(operation, (read,), node.site)


def time_first(node: Node, uses: Uses) -> Node | None:
    """`window |> count, sum or mean |> duplicate |> window(every: inf)` above a read.

    Quirk: the reference runs this in one operator, which shows in the order of columns.
    Source: flux.md §11.4, `aggregateWindow`.
    """
    operation = node.operation
    if not isinstance(operation, op.Window) or operation.spec.window is not None or operation.spec.time_first:
        return None
    copy = node.inputs[0]
    if not isinstance(copy.operation, op.Duplicate) or not uses.single(copy):
        return None
    if copy.operation.column not in ("_stop", "_start") or copy.operation.into != operation.spec.time:
        return None
    inner = copy.inputs[0]
    if isinstance(inner.operation, op.FillEmpty):
        inner = inner.inputs[0]
    if not isinstance(inner.operation, op.Reduce) or inner.operation.kind.is_selector:
        return None
    if not isinstance(inner.inputs[0].operation, op.Window):
        return None
    return Node(op.Window(replace(operation.spec, time_first=True)), node.inputs, node.site)


RULES: tuple[Rule, ...] = (
    bound_read,
    narrow_read,
    filter_read,
    group_read,
    aggregate_read,
    window_read,
    select_grouped,
    fill_read,
    unwindow_read,
    limit_read,
    time_first,
)


def bounds_of(roots: Sequence[Node]) -> dict[int, TimeRange | None]:
    """The time range in force at each node: the nearest `range`'s.

    Raises:
        InvalidInput: A window needs one and has none.
    """
    bounds: dict[int, TimeRange | None] = {}
    for node in walk(roots):
        inherited = [bounds[id(i)] for i in node.inputs]
        known = [b for b in inherited if b is not None]
        current = None
        if known and len(known) == len(inherited):
            current = TimeRange(min(b.start for b in known), max(b.stop for b in known))
        match node.operation:
            case op.Scan(time_range=time_range):
                current = time_range
            case op.Range(bounds=own):
                current = own if current is None else _cut(current, own)
            case op.Window() if current is None:
                raise InvalidInput(f"{_STARTING}nil bounds passed to window; use range to set the window range")
        start_check = getattr(node.operation, "check_start", None)
        if start_check is not None:
            start_check()
        shift = getattr(node.operation, "shift_bounds", None)
        if shift is not None and current is not None:
            current = shift(current)
        bounds[id(node)] = current
    return bounds


def _cut(outer: TimeRange, inner: TimeRange) -> TimeRange:
    cut = TimeRange(max(outer.start, inner.start), min(outer.stop, inner.stop))
    return inner if cut.is_empty else cut


def check_results(results: Sequence[tuple[str, Node]]) -> None:
    """Names of results are unique.

    Raises:
        InvalidInput: Two have one name.
    """
    yielded: set[str] = set()
    for name, node in results:
        if isinstance(node.operation, Yield):
            if name in yielded:
                raise InvalidInput(f'{_BUILDING}found more than one call to yield() with the name "{name}"')
            yielded.add(name)
    names: set[str] = set()
    for name, _ in results:
        if name in names:
            raise InvalidInput(f'{_STARTING}tried to produce more than one result with the name "{name}"')
        names.add(name)
