"""The operations that rules look into: what a read can take over.

Source: flux.md §16.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fluxkeep.datamodel.point_rows import Point, batch_of
from fluxkeep.datamodel.predicates import Predicate
from fluxkeep.datamodel.reader import Aggregate, Reader
from fluxkeep.datamodel.tables import Block, Column, ColumnType, make_block
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute import aggregates, scan, shape
from fluxkeep.flux.execute.regroup import sort_tables
from fluxkeep.flux.execute.rows import RowFunction
from fluxkeep.flux.execute.window import WindowSpec, fill_empty, window

if TYPE_CHECKING:
    from fluxkeep.flux.execute.run import Run

Tables = Sequence[Block]


@dataclass(frozen=True, slots=True)
class From:
    """A bucket, not bounded yet; never runs."""

    bucket: str | None
    bucket_id: str | None

    @property
    def label(self) -> str:
        """`from`."""
        return f"from {self.bucket or self.bucket_id}"

    def apply(self, inputs: Sequence[Tables], run: Run) -> Tables:  # noqa: ARG002 - the protocol's
        """Refused: the planner puts a `Scan` in its place."""
        raise InvalidInput(
            f'cannot submit unbounded read to "{self.bucket or self.bucket_id}"; '
            "try bounding 'from' with a call to 'range'"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A read of storage with all that was moved into it.

    Attributes:
        group: The columns of a grouped read as written; None for a table per field series.
        aggregate: Computed by storage, one row a table (and window).
        spec: The windows, where `aggregate` is windowed.
        time: Which bound of its window becomes a row's `_time` in the by-time form (the windows are
            then undone); None leaves one table a window.
        fill: Empty windows are rows of null, or of 0 for a count.
        limit: At most so many rows of each field series are needed.
    """

    source: From
    time_range: TimeRange
    predicate: Predicate | None = None
    group: tuple[str, ...] | None = None
    aggregate: Aggregate | None = None
    spec: WindowSpec | None = None
    time: str | None = None
    fill: bool = False
    limit: int | None = None

    @property
    def label(self) -> str:
        """All that it carries."""
        parts = [f"scan {self.source.bucket or self.source.bucket_id}"]
        if self.predicate is not None:
            parts.append(f"where {describe(self.predicate)}")
        if self.group is not None:
            parts.append(f"group [{', '.join(self.group)}]")
        if self.aggregate is not None:
            parts.append(self.aggregate.value)
        if self.spec is not None and self.spec.window is not None:
            parts.append(f"every {self.spec.window.every}")
        if self.time is not None:
            parts.append(f"by {self.time}")
        if self.limit is not None:
            parts.append(f"limit {self.limit}")
        return " ".join(parts)

    def apply(self, inputs: Sequence[Tables], run: Run) -> Tables:  # noqa: ARG002 - the protocol's
        """Read."""
        reader = run.reader(self.source)
        return scan.read(reader, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRead:
    """A question about names that storage answers from its index: one table, one column `_value`.

    Attributes:
        question: Asks the reader; strings or ints, in order.
        kind: The type of the answers.
    """

    name: str
    source: From
    time_range: TimeRange
    question: Callable[[Reader], Sequence[str] | Sequence[int]]
    kind: ColumnType = ColumnType.STRING

    @property
    def label(self) -> str:
        """The function's name and the bucket."""
        return f"{self.name} of {self.source.bucket or self.source.bucket_id}"

    def apply(self, inputs: Sequence[Tables], run: Run) -> Tables:  # noqa: ARG002 - the protocol's
        """Ask."""
        answers: list[str | int] = list(self.question(run.reader(self.source)))
        return [make_block((Column("_value", self.kind),), (), [()], {"_value": answers}, [0] * len(answers))]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteTo:
    """Rows written to a bucket and passed on.

    Attributes:
        points: Makes the points of a block; rows without a time make none.
        passed: What goes on of a block.
    """

    name: str
    target: From
    points: Callable[[Block], list[Point]]
    passed: Callable[[Block], Block]

    @property
    def label(self) -> str:
        """The function's name and the bucket."""
        return f"{self.name} {self.target.bucket or self.target.bucket_id}"

    def apply(self, inputs: Sequence[Tables], run: Run) -> Tables:
        """Write, then pass on."""
        points = [point for block in inputs[0] for point in self.points(block)]
        if points:
            run.writer(self.target)(batch_of(points))
        return [self.passed(block) for block in inputs[0]]


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds."""

    bounds: TimeRange

    @property
    def label(self) -> str:
        """`range`."""
        return "range"

    def apply(self, inputs: Sequence[Tables], run: Run) -> Tables:  # noqa: ARG002 - the protocol's
        """In memory."""
        return shape.range_(inputs[0], self.bounds)


@dataclass(frozen=True, slots=True)
class Filter:
    """Rows for which a predicate holds."""

    function: RowFunction
    keep_empty: bool = False

    @property
    def label(self) -> str:
        """`filter`."""
        return "filter"

    def apply(self, inputs: Sequence[Tables], run: Run) -> Tables:  # noqa: ARG002 - the protocol's
        """In memory."""
        return shape.filter_(inputs[0], self.function, keep_empty=self.keep_empty)


@dataclass(frozen=True, slots=True)
class Group:
    """Tables by other columns."""

    columns: tuple[str, ...]
    mode: str

    @property
    def label(self) -> str:
        """Mode and columns."""
        return f"group {self.mode} [{', '.join(self.columns)}]"

    def apply(self, inputs: Sequence[Tables], run: Run) -> Tables:  # noqa: ARG002 - the protocol's
        """In memory."""
        return shape.group(inputs[0], self.columns, self.mode)


@dataclass(frozen=True, slots=True)
class Window:
    """Tables by time."""

    spec: WindowSpec

    @property
    def label(self) -> str:
        """`window`."""
        return "window" if self.spec.window else "window inf"

    def apply(self, inputs: Sequence[Tables], run: Run) -> Tables:
        """In memory."""
        bounds = run.bounds
        assert bounds is not None
        return window(inputs[0], self.spec, bounds)


@dataclass(frozen=True, slots=True)
class Reduce:
    """One of the aggregates and selectors that storage knows.

    Attributes:
        keep_order: Over a grouped read: tables stay in its order and rows are looked at by time;
            otherwise selectors order tables by key and take rows as they stand.
    """

    kind: Aggregate
    column: str
    keep_order: bool = False

    @property
    def label(self) -> str:
        """The function's name."""
        return self.kind.value

    def apply(self, inputs: Sequence[Tables], run: Run) -> Tables:  # noqa: ARG002 - the protocol's
        """In memory."""
        if self.kind in _AGGREGATES:
            return aggregates.aggregate(inputs[0], self.column, _AGGREGATES[self.kind])
        if self.keep_order:
            # Storage chooses among all rows of a group by their times, whatever series they are of.
            by_time = shape.sort(inputs[0], ["_time"], descending=False)
            return aggregates.select(by_time, self.column, _SELECTORS[self.kind])
        return sort_tables(aggregates.select(inputs[0], self.column, _SELECTORS[self.kind]))


_AGGREGATES = {Aggregate.COUNT: aggregates.count, Aggregate.SUM: aggregates.sum_, Aggregate.MEAN: aggregates.mean}
_SELECTORS = {
    Aggregate.MIN: aggregates.min_,
    Aggregate.MAX: aggregates.max_,
    Aggregate.FIRST: aggregates.first,
    Aggregate.LAST: aggregates.last,
}


@dataclass(frozen=True, slots=True)
class Limit:
    """The first rows after an offset."""

    n: int
    offset: int

    @property
    def label(self) -> str:
        """`limit` and its numbers."""
        return f"limit {self.n} offset {self.offset}"

    def apply(self, inputs: Sequence[Tables], run: Run) -> Tables:  # noqa: ARG002 - the protocol's
        """In memory."""
        return shape.limit(inputs[0], self.n, self.offset)


@dataclass(frozen=True, slots=True)
class FillEmpty:
    """Empty tables become rows of null."""

    @property
    def label(self) -> str:
        """`table.fill`."""
        return "table.fill"

    def apply(self, inputs: Sequence[Tables], run: Run) -> Tables:  # noqa: ARG002 - the protocol's
        """In memory."""
        return fill_empty(inputs[0])


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A column copied."""

    column: str
    into: str

    @property
    def label(self) -> str:
        """`duplicate`."""
        return f"duplicate {self.column} as {self.into}"

    def apply(self, inputs: Sequence[Tables], run: Run) -> Tables:  # noqa: ARG002 - the protocol's
        """In memory."""
        return shape.duplicate(inputs[0], self.column, self.into)


def describe(predicate: Predicate) -> str:
    """A predicate as text, for plans."""
    from fluxkeep.datamodel.predicates import And, Compare, Exists, Not

    match predicate:
        case Compare(column=column, op=op, literal=literal):
            return f"{column} {op.value} {literal!r}"
        case Exists(column=column):
            return f"exists {column}"
        case Not(operand=operand):
            return f"not ({describe(operand)})"
        case And(operands=operands):
            return "(" + " and ".join(describe(o) for o in operands) + ")"
    return "(" + " or ".join(describe(o) for o in predicate.operands) + ")"
