"""Functions that rank rows, look at keys or at hours.

Source: flux.md §11.1, §11.2.
"""

from __future__ import annotations

from collections.abc import Callable

from fluxkeep.datamodel.reader import Aggregate
from fluxkeep.datamodel.tables import Block, Stream
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute import listing
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.plan import operations as op
from fluxkeep.flux.plan.graph import Transform
from fluxkeep.flux.stdlib.registry import Package

PART = Package("universe")


@PART.function("<-tables n ?columns")
def top(call: Call) -> Value:
    """The n greatest rows."""
    n, columns = call.int("n"), call.strings("columns", ["_value"])
    return call.node(Transform("top", lambda blocks: listing.best(blocks, n, columns, descending=True)), call.stream())


@PART.function("<-tables n ?columns")
def bottom(call: Call) -> Value:
    """The n smallest rows."""
    n, columns = call.int("n"), call.strings("columns", ["_value"])
    return call.node(
        Transform("bottom", lambda blocks: listing.best(blocks, n, columns, descending=False)), call.stream()
    )


def _ranked(kind: Aggregate, *, descending: bool) -> Callable[[Call], Value]:
    """Group, reduce, ungroup, rank."""

    def run(call: Call) -> Value:
        n, column = call.int("n"), call.string("column", "_value")
        grouped = call.node(op.Group(tuple(call.strings("groupColumns", [])), "by"), call.stream())
        reduced = call.node(op.Reduce(kind, column), grouped.node)
        together = call.node(op.Group((), "by"), reduced.node)
        return call.node(
            Transform(call.name, lambda blocks: listing.best(blocks, n, [column], descending=descending)), together.node
        )

    return run


for _name, _kind, _descending in (
    ("highestMax", Aggregate.MAX, True),
    ("highestAverage", Aggregate.MEAN, True),
    ("highestCurrent", Aggregate.LAST, True),
    ("lowestMin", Aggregate.MIN, False),
    ("lowestAverage", Aggregate.MEAN, False),
    ("lowestCurrent", Aggregate.LAST, False),
):
    PART.function("<-tables n ?column ?groupColumns", _name)(_ranked(_kind, descending=_descending))


@PART.function("<-tables n ?pos ?column")
def sample(call: Call) -> Value:
    """Every n-th row."""
    n, position, column = call.int("n"), call.int("pos", -1), call.string("column", "_value")
    if n < 1:
        raise InvalidInput(f"n must be a positive integer, but was {n}")
    if position >= n:
        raise InvalidInput(f"pos must be less than n, but {position} >= {n}")
    return call.node(Transform("sample", lambda blocks: listing.sample(blocks, n, position, column)), call.stream())


@PART.function("<-tables start stop ?location ?timeColumn")
def hourSelection(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Rows of some hours of the day."""
    start, stop, time = call.int("start"), call.int("stop"), call.string("timeColumn", "_time")
    zone, fixed = call.location()

    def chosen(blocks: Stream) -> list[Block]:
        for name, hour in (("start", start), ("stop", stop)):
            if not 0 <= hour <= 23:
                raise InvalidInput(f"{name} must be between 0 and 23")
        return listing.hours(blocks, start, stop, zone, fixed, time)

    return call.node(Transform("hourSelection", chosen), call.stream())


@PART.function("<-tables ?column")
def columns(call: Call) -> Value:
    """All labels."""
    column = call.string("column", "_value")
    return call.node(Transform("columns", lambda blocks: listing.columns(blocks, column)), call.stream())


@PART.function("<-tables ?column")
def keys(call: Call) -> Value:
    """The key's labels."""
    column = call.string("column", "_value")
    return call.node(Transform("keys", lambda blocks: listing.keys(blocks, column)), call.stream())


@PART.function("<-tables keyColumns")
def keyValues(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Labels and values of columns."""
    columns = call.strings("keyColumns")
    return call.node(Transform("keyValues", lambda blocks: listing.key_values(blocks, columns)), call.stream())
