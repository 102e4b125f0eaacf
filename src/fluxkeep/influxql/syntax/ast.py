"""The tree of a query: frozen nodes with spans.

A span is a pair of offsets into the text; synthesised nodes have `NOWHERE`.
Spans take no part in comparison, so two texts that mean the same give equal trees.

Source: influxql.md §5.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from fluxkeep.influxql.types import DataType


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets [start, stop) into the text."""

    start: int
    stop: int


NOWHERE = Span(-1, -1)


@dataclass(frozen=True, slots=True)
class Node:
    """What all nodes share."""

    span: Span = field(default=NOWHERE, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class VarRef(Node):
    """A field, a tag or `time`; `type` is what was cast to, or found later."""

    name: str
    type: DataType = DataType.UNKNOWN


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of arguments; the name in lower case."""

    name: str
    args: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Distinct(Node):
    """`DISTINCT x`, the keyword form of `distinct(x)`."""

    name: str

    @property
    def call(self) -> Call:
        """The function form."""
        return Call("distinct", (VarRef(self.name, span=self.span),), span=self.span)


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`lhs op rhs`."""

    op: str
    lhs: Expr
    rhs: Expr


@dataclass(frozen=True, slots=True)
class Paren(Node):
    """An expression in brackets; kept because names and error texts show it."""

    expr: Expr


@dataclass(frozen=True, slots=True)
class Wildcard(Node):
    """`*`, `*::field`, `*::tag`; `kind` is "", "field" or "tag"."""

    kind: str = ""


@dataclass(frozen=True, slots=True)
class Regex(Node):
    """A pattern that is known to compile."""

    pattern: str


@dataclass(frozen=True, slots=True)
class NumberLiteral(Node):
    """A number with a point."""

    value: float


@dataclass(frozen=True, slots=True)
class IntegerLiteral(Node):
    """Within int64."""

    value: int


@dataclass(frozen=True, slots=True)
class UnsignedLiteral(Node):
    """Above int64, within uint64."""

    value: int


@dataclass(frozen=True, slots=True)
class StringLiteral(Node):
    """Text in single quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class BooleanLiteral(Node):
    """true or false."""

    value: bool


@dataclass(frozen=True, slots=True)
class DurationLiteral(Node):
    """Nanoseconds, negative ones too."""

    ns: int


@dataclass(frozen=True, slots=True)
class TimeLiteral(Node):
    """An instant; only folding makes these."""

    ns: int


@dataclass(frozen=True, slots=True)
class NilLiteral(Node):
    """Nothing; only folding makes it."""


Literal: TypeAlias = (
    NumberLiteral
    | IntegerLiteral
    | UnsignedLiteral
    | StringLiteral
    | BooleanLiteral
    | DurationLiteral
    | TimeLiteral
    | NilLiteral
    | Regex
)
Expr: TypeAlias = VarRef | Call | Distinct | Binary | Paren | Wildcard | Literal
LITERALS = (
    NumberLiteral,
    IntegerLiteral,
    UnsignedLiteral,
    StringLiteral,
    BooleanLiteral,
    DurationLiteral,
    TimeLiteral,
    NilLiteral,
    Regex,
)


class Fill(enum.Enum):
    """What stands for windows without points."""

    NULL = "null"
    NONE = "none"
    NUMBER = "number"
    PREVIOUS = "previous"
    LINEAR = "linear"


@dataclass(frozen=True, slots=True)
class Field(Node):
    """One selected expression."""

    expr: Expr
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Measurement(Node):
    """A source by name or by pattern; exactly one of `name` and `regex` is set."""

    database: str = ""
    policy: str = ""
    name: str = ""
    regex: str | None = None


@dataclass(frozen=True, slots=True)
class SubQuery(Node):
    """A SELECT as a source."""

    select: Select


Source: TypeAlias = Measurement | SubQuery


@dataclass(frozen=True, slots=True)
class Select(Node):
    """SELECT … FROM …; limits are 0 where absent."""

    fields: tuple[Field, ...]
    sources: tuple[Source, ...]
    into: Measurement | None = None
    condition: Expr | None = None
    dimensions: tuple[Expr, ...] = ()
    fill: Fill = Fill.NULL
    fill_value: int | float | None = None
    ordered: bool = False
    descending: bool = False
    limit: int = 0
    offset: int = 0
    slimit: int = 0
    soffset: int = 0
    location: str | None = None


@dataclass(frozen=True, slots=True)
class TagKeyTest(Node):
    """`WITH KEY op …`: op is `=`, `!=`, `=~`, `!~` or `IN`."""

    op: str
    keys: tuple[str, ...] = ()
    regex: str | None = None


@dataclass(frozen=True, slots=True)
class ShowDatabases(Node):
    """SHOW DATABASES."""


@dataclass(frozen=True, slots=True)
class ShowPolicies(Node):
    """SHOW RETENTION POLICIES."""

    database: str = ""


@dataclass(frozen=True, slots=True)
class ShowMeasurements(Node):
    """SHOW MEASUREMENTS; `database` and `policy` may be `*`."""

    database: str = ""
    policy: str = ""
    source: Measurement | None = None
    condition: Expr | None = None
    limit: int = 0
    offset: int = 0


class Listing(enum.Enum):
    """What a SHOW statement lists per measurement or series."""

    TAG_KEYS = "TAG KEYS"
    TAG_VALUES = "TAG VALUES"
    FIELD_KEYS = "FIELD KEYS"
    SERIES = "SERIES"


@dataclass(frozen=True, slots=True)
class Show(Node):
    """SHOW TAG KEYS, TAG VALUES, FIELD KEYS, SERIES."""

    listing: Listing
    database: str = ""
    sources: tuple[Measurement, ...] = ()
    keys: TagKeyTest | None = None
    condition: Expr | None = None
    limit: int = 0
    offset: int = 0


class Counted(enum.Enum):
    """What a cardinality statement counts, as statements spell it."""

    SERIES = "SERIES"
    MEASUREMENT = "MEASUREMENT"
    TAG_KEY = "TAG KEY"
    TAG_VALUES = "TAG VALUES"
    FIELD_KEY = "FIELD KEY"


@dataclass(frozen=True, slots=True)
class ShowCardinality(Node):
    """SHOW … [EXACT] CARDINALITY."""

    counted: Counted
    exact: bool
    database: str = ""
    sources: tuple[Measurement, ...] = ()
    keys: TagKeyTest | None = None
    condition: Expr | None = None
    dimensions: tuple[Expr, ...] = ()
    limit: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Delete(Node):
    """DELETE [FROM …] [WHERE …]."""

    source: Measurement | None = None
    condition: Expr | None = None


@dataclass(frozen=True, slots=True)
class DropMeasurement(Node):
    """DROP MEASUREMENT m."""

    name: str


@dataclass(frozen=True, slots=True)
class Explain(Node):
    """EXPLAIN [ANALYZE] SELECT …."""

    select: Select
    analyze: bool = False


@dataclass(frozen=True, slots=True)
class NotThere(Node):
    """A statement that parses and that 2.x does not carry out; `name` as the error says it."""

    name: str


Statement: TypeAlias = (
    Select
    | ShowDatabases
    | ShowPolicies
    | ShowMeasurements
    | Show
    | ShowCardinality
    | Delete
    | DropMeasurement
    | Explain
    | NotThere
)


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct operands."""
    match expr:
        case Binary(lhs=lhs, rhs=rhs):
            return (lhs, rhs)
        case Paren(expr=inner):
            return (inner,)
        case Call(args=args):
            return args
        case _:
            return ()


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all below it, outermost and leftmost first."""
    yield expr
    for child in children(expr):
        yield from walk(child)


def has_call(expr: Expr) -> bool:
    """Whether a function or DISTINCT occurs."""
    return any(isinstance(e, Call | Distinct) for e in walk(expr))
