"""The tree of a Flux script: frozen nodes with spans.

A node is equal to another when it means the same text; where it stood
(`location`) and what was wrong with it (`errors`) do not count, so a round trip
through the formatter can be tested with `==`.

A tree made from a text with syntax errors is still a tree: the places that
could not be read are `BadStatement` and `BadExpression`, and messages hang at
the nodes in which they arose. `parser.parse` refuses such trees, helpers show them.

Source: flux.md §1, §2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import TypeAlias

from fluxkeep.instants import Duration


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Line and column, both from 1; columns count UTF-8 bytes."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """A half-open stretch of source; prints as `1:5-1:10`."""

    start: Position
    end: Position

    def __str__(self) -> str:
        return f"{self.start}-{self.end}"


NOWHERE = SourceLocation(Position(0, 0), Position(0, 0))
"""The location of nodes that no text was read for, such as those of an `extern` without locations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What every node has: its place, the messages about it, the comments before it."""

    location: SourceLocation = field(default=NOWHERE, compare=False)
    errors: tuple[str, ...] = field(default=(), compare=False, repr=False)
    comments: tuple[str, ...] = field(default=(), compare=False, repr=False)


# --- literals -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Identifier(Node):
    """A name."""

    name: str


@dataclass(frozen=True, slots=True)
class IntegerLiteral(Node):
    """An int64; from a text it is never negative."""

    value: int


@dataclass(frozen=True, slots=True)
class UnsignedIntegerLiteral(Node):
    """A uint64; only trees sent as JSON have it, the language does not."""

    value: int


@dataclass(frozen=True, slots=True)
class FloatLiteral(Node):
    """A finite float."""

    value: float


@dataclass(frozen=True, slots=True)
class BooleanLiteral(Node):
    """Only trees sent as JSON have it; in a text `true` is a name."""

    value: bool


@dataclass(frozen=True, slots=True)
class StringLiteral(Node):
    """A text without interpolation, escapes resolved."""

    value: str


@dataclass(frozen=True, slots=True)
class DurationLiteral(Node):
    """Magnitudes and units as written, `(1, "h"), (30, "m")`; never negative from a text."""

    values: tuple[tuple[int, str], ...]

    @property
    def duration(self) -> Duration:
        """The sum of the parts."""
        months = ns = 0
        for magnitude, unit in self.values:
            one = Duration.parse(f"1{unit}")
            months += magnitude * one.months
            ns += magnitude * one.ns
        return Duration(months, ns)


@dataclass(frozen=True, slots=True)
class DateTimeLiteral(Node):
    """An instant in ns."""

    value: int


@dataclass(frozen=True, slots=True)
class RegexpLiteral(Node):
    r"""An RE2 pattern with the literal's own escapes (`\/`, `\xHH`) resolved."""

    value: str


@dataclass(frozen=True, slots=True)
class PipeLiteral(Node):
    """`<-`, the default of a parameter that takes what is piped."""


@dataclass(frozen=True, slots=True)
class LabelLiteral(Node):
    """`.name`; refused by the checker."""

    value: str


# --- expressions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextPart(Node):
    """A stretch of text in an interpolated string, escapes resolved."""

    value: str


@dataclass(frozen=True, slots=True)
class InterpolatedPart(Node):
    """`${expression}`."""

    expression: Expression


StringPart: TypeAlias = TextPart | InterpolatedPart


@dataclass(frozen=True, slots=True)
class StringExpression(Node):
    """A string with at least one interpolation."""

    parts: tuple[StringPart, ...]


@dataclass(frozen=True, slots=True)
class ArrayExpression(Node):
    """`[a, b]`."""

    elements: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class DictItem(Node):
    """`key: value` within a dictionary."""

    key: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class DictExpression(Node):
    """`[k: v]`, `[:]`."""

    elements: tuple[DictItem, ...]


@dataclass(frozen=True, slots=True)
class Property(Node):
    """`key: value` of a record or an argument list; without a value the key is also the variable."""

    key: Identifier | StringLiteral
    value: Expression | None

    @property
    def name(self) -> str:
        """The label."""
        return self.key.name if isinstance(self.key, Identifier) else self.key.value


@dataclass(frozen=True, slots=True)
class ObjectExpression(Node):
    """A record, `{a: 1}` or `{base with a: 1}`; also the argument list of a call, then without `base`."""

    properties: tuple[Property, ...]
    base: Identifier | None = None


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """A parameter; `default` is None for a required one and a `PipeLiteral` for the piped one."""

    key: Identifier
    default: Expression | None = None

    @property
    def name(self) -> str:
        """The parameter's name."""
        return self.key.name


@dataclass(frozen=True, slots=True)
class FunctionExpression(Node):
    """`(a, b=1, c=<-) => body`."""

    params: tuple[Parameter, ...]
    body: Expression | Block


@dataclass(frozen=True, slots=True)
class CallExpression(Node):
    """`callee(arguments)`; `arguments` is None for `f()`."""

    callee: Expression
    arguments: ObjectExpression | None = None

    @property
    def properties(self) -> tuple[Property, ...]:
        """The arguments in the order written."""
        return self.arguments.properties if self.arguments else ()


@dataclass(frozen=True, slots=True)
class PipeExpression(Node):
    """`argument |> call`."""

    argument: Expression
    call: CallExpression


@dataclass(frozen=True, slots=True)
class MemberExpression(Node):
    """`object.property` or `object["property"]`."""

    object: Expression
    key: Identifier | StringLiteral

    @property
    def label(self) -> str:
        """The member's name, however it was written."""
        return self.key.name if isinstance(self.key, Identifier) else self.key.value


@dataclass(frozen=True, slots=True)
class IndexExpression(Node):
    """`array[index]`."""

    array: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class UnaryExpression(Node):
    """Operator is one of `+ - not exists`."""

    operator: str
    argument: Expression


@dataclass(frozen=True, slots=True)
class BinaryExpression(Node):
    """Operator is one of `+ - * / % ^ == != < <= > >= =~ !~`.

    An empty operator stands between two expressions that nothing joins; only trees with errors have it.
    """

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class LogicalExpression(Node):
    """Operator is `and` or `or`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class ConditionalExpression(Node):
    """`if test then consequent else alternate`."""

    test: Expression
    consequent: Expression
    alternate: Expression


@dataclass(frozen=True, slots=True)
class ParenExpression(Node):
    """`(expression)`; means the same as what it holds."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class BadExpression(Node):
    """Something that is not an expression; `text` says what was found."""

    text: str


Expression: TypeAlias = (
    Identifier
    | IntegerLiteral
    | UnsignedIntegerLiteral
    | FloatLiteral
    | BooleanLiteral
    | StringLiteral
    | DurationLiteral
    | DateTimeLiteral
    | RegexpLiteral
    | PipeLiteral
    | LabelLiteral
    | StringExpression
    | ArrayExpression
    | DictExpression
    | ObjectExpression
    | FunctionExpression
    | CallExpression
    | PipeExpression
    | MemberExpression
    | IndexExpression
    | UnaryExpression
    | BinaryExpression
    | LogicalExpression
    | ConditionalExpression
    | ParenExpression
    | BadExpression
)


# --- types, as `builtin` statements and our signatures write them -----------------------------------


@dataclass(frozen=True, slots=True)
class NamedType(Node):
    """A basic type: `int`, `string`, `dynamic`, …"""

    name: str


@dataclass(frozen=True, slots=True)
class VariableType(Node):
    """A type variable, one upper-case letter with optional digits."""

    name: str


@dataclass(frozen=True, slots=True)
class ArrayType(Node):
    """`[element]`."""

    element: MonoType


@dataclass(frozen=True, slots=True)
class StreamType(Node):
    """`stream[element]`."""

    element: MonoType


@dataclass(frozen=True, slots=True)
class VectorType(Node):
    """`vector[element]`."""

    element: MonoType


@dataclass(frozen=True, slots=True)
class DictType(Node):
    """`[key: value]`."""

    key: MonoType
    value: MonoType


@dataclass(frozen=True, slots=True)
class LabelType(Node):
    """`.name`."""

    name: str


@dataclass(frozen=True, slots=True)
class PropertyType(Node):
    """`name: type` of a record type."""

    name: str
    type: MonoType


@dataclass(frozen=True, slots=True)
class RecordType(Node):
    """`{a: int}`, or open: `{R with a: int}`."""

    properties: tuple[PropertyType, ...]
    base: str | None = None


@dataclass(frozen=True, slots=True)
class ParameterType(Node):
    """A parameter of a function type; `kind` is `""` (required), `?` or `<-`."""

    kind: str
    name: str
    type: MonoType


@dataclass(frozen=True, slots=True)
class FunctionType(Node):
    """`(a: int, ?b: string, <-c: A) => bool`."""

    params: tuple[ParameterType, ...]
    result: MonoType


MonoType: TypeAlias = (
    NamedType | VariableType | ArrayType | StreamType | VectorType | DictType | LabelType | RecordType | FunctionType
)


@dataclass(frozen=True, slots=True)
class TypeConstraint(Node):
    """`A: Addable + Divisible`."""

    variable: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TypeExpression(Node):
    """A type with what its variables must satisfy."""

    type: MonoType
    constraints: tuple[TypeConstraint, ...] = ()


# --- statements -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """`@name` or `@name(params)` before what follows it."""

    name: str
    params: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class VariableAssignment(Node):
    """`id = init`."""

    id: Identifier
    init: Expression
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class MemberAssignment(Node):
    """`package.name = init`, only within an option statement."""

    member: MemberExpression
    init: Expression


@dataclass(frozen=True, slots=True)
class OptionStatement(Node):
    """`option …`."""

    assignment: VariableAssignment | MemberAssignment
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpressionStatement(Node):
    """An expression whose value, when a stream, is a result."""

    expression: Expression
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class ReturnStatement(Node):
    """`return argument`."""

    argument: Expression
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class BuiltinStatement(Node):
    """`builtin id : type`; without effect in a script."""

    id: Identifier
    type: TypeExpression
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class Block(Node):
    """`{ statements }`."""

    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class TestCaseStatement(Node):
    """`testcase id extends "…" { … }`; imports may stand within its block."""

    id: Identifier
    block: Block
    extends: StringLiteral | None = None
    attributes: tuple[Attribute, ...] = ()

    # The name looks like a test class to pytest.
    __test__ = False


@dataclass(frozen=True, slots=True)
class ImportDeclaration(Node):
    """`import alias "path"`."""

    path: StringLiteral
    alias: Identifier | None = None
    attributes: tuple[Attribute, ...] = ()

    @property
    def name(self) -> str:
        """The name under which the package is known here."""
        return self.alias.name if self.alias else self.path.value.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class BadStatement(Node):
    """Something that begins no statement."""

    text: str


Statement: TypeAlias = (
    VariableAssignment
    | OptionStatement
    | ExpressionStatement
    | ReturnStatement
    | BuiltinStatement
    | TestCaseStatement
    | ImportDeclaration
    | BadStatement
)


@dataclass(frozen=True, slots=True)
class PackageClause(Node):
    """`package name`."""

    id: Identifier
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class File(Node):
    """One source text."""

    body: tuple[Statement, ...]
    imports: tuple[ImportDeclaration, ...] = ()
    package: PackageClause | None = None
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Package(Node):
    """Files of one package; a script is one file of package `main`."""

    files: tuple[File, ...]
    package: str = "main"
    path: str = ""


def children(node: Node) -> Iterator[Node]:
    """The nodes directly within a node, in the order of their fields, which is that of the text."""
    for name in _FIELDS.get(type(node)) or _register(type(node)):
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif type(value) is tuple:
            for item in value:
                if isinstance(item, Node):
                    yield item


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, parents first; without recursion, so depth does not matter."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(tuple(children(current))))


_BASE = frozenset({"location", "errors", "comments"})
_FIELDS: dict[type[Node], tuple[str, ...]] = {}


def _register(kind: type[Node]) -> tuple[str, ...]:
    names = tuple(f.name for f in fields(kind) if f.name not in _BASE)
    _FIELDS[kind] = names
    return names
