"""What a Flux expression evaluates to.

    bool, int, float, string, bytes   Python's own
    uint, time                        subclasses of int, so that no table tells them apart by a flag
    duration                          `instants.Duration`
    null                              `Null`, which knows its type where that is known
    array                             list          record   dict
    dictionary                        `Dictionary`  regexp   `Regexp`
    function                          `Closure` or `Builtin`
    stream, table                     `StreamValue`, `TableValue`

Source: flux.md §4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import re2

from fluxkeep.datamodel.tables import ColumnType
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.syntax import ast
from fluxkeep.instants import Duration, format_rfc3339

if TYPE_CHECKING:
    from fluxkeep.datamodel.tables import Block
    from fluxkeep.flux.interpreter.calls import Call
    from fluxkeep.flux.plan.graph import Node

_INT_SPAN = 1 << 64
_INT_HALF = 1 << 63


class UInt(int):
    """An unsigned 64-bit integer."""

    __slots__ = ()


class Time(int):
    """An instant in ns."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Null:
    """The absence of a value; `kind` is a type's name or "" where none is known."""

    kind: str = ""


class Regexp:
    """A compiled RE2 pattern.

    Raises:
        InvalidInput: The pattern is not RE2 syntax.
    """

    __slots__ = ("compiled", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.compiled = _compile(pattern)

    def search(self, text: str) -> bool:
        """Whether the pattern occurs anywhere."""
        return self.compiled.search(text) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Regexp) and other.pattern == self.pattern

    def __hash__(self) -> int:
        return hash(self.pattern)


_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


def _compile(pattern: str) -> Any:
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise InvalidInput(f"failed to compile regular expression: {reason}") from error


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Keys of one type to values of one type; iteration is by key."""

    entries: tuple[tuple[Value, Value], ...]

    def as_mapping(self) -> dict[Any, Value]:
        """Entries by key."""
        return dict(self.entries)


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A value whose type is not known to the checker."""

    inner: Value


@dataclass(frozen=True, slots=True)
class StreamValue:
    """A pipeline that nothing has run yet."""

    node: Node


@dataclass(frozen=True, slots=True)
class TableValue:
    """One table that a sub-query found: ordinal `table` of a block."""

    block: Block
    table: int


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter: its name, whether it must be given, whether it takes what is piped."""

    name: str
    required: bool = True
    pipe: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Closure:
    """A function of the script."""

    expression: ast.FunctionExpression
    scope: Scope
    name: str = ""

    @property
    def params(self) -> tuple[Param, ...]:
        """In the order written."""
        return tuple(
            Param(
                p.name,
                p.default is None or isinstance(p.default, ast.PipeLiteral),
                isinstance(p.default, ast.PipeLiteral),
            )
            for p in self.expression.params
        )


@dataclass(frozen=True, slots=True, eq=False)
class Builtin:
    """A function of the library; `key` is `package/path.name`."""

    name: str
    path: str
    params: tuple[Param, ...]
    run: Callable[[Call], Value]

    @property
    def key(self) -> str:
        """The name with its import path."""
        return f"{self.path}.{self.name}"


@dataclass(slots=True, eq=False)
class PackageValue:
    """An imported package. Options may be set, everything else stays."""

    name: str
    path: str
    members: dict[str, Value] = field(default_factory=dict)


class Scope:
    """Names of one level and the levels around it."""

    __slots__ = ("names", "outer")

    def __init__(self, outer: Scope | None = None, names: Mapping[str, Value] | None = None) -> None:
        self.outer = outer
        self.names: dict[str, Value] = dict(names or {})

    def find(self, name: str) -> Value | None:
        """The innermost value of a name; None where it has none."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return None


Value: TypeAlias = (
    bool
    | int
    | float
    | str
    | bytes
    | Duration
    | Null
    | Regexp
    | list[Any]
    | dict[str, Any]
    | Dictionary
    | Dynamic
    | StreamValue
    | TableValue
    | Closure
    | Builtin
    | PackageValue
)


def kind_of(value: Value) -> str:
    """The name of a value's type as error texts have it; composite ones by their elements."""
    match value:
        case bool():
            return "bool"
        case UInt():
            return "uint"
        case Time():
            return "time"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "string"
        case bytes():
            return "bytes"
        case Duration():
            return "duration"
        case Regexp():
            return "regexp"
        case Null(kind=kind):
            return kind or "invalid"
        case list():
            return f"[{kind_of(value[0]) if value else 'A'}]"
        case dict():
            return "{" + ", ".join(f"{k}: {kind_of(v)}" for k, v in value.items()) + "}"
        case Dictionary(entries=entries):
            return f"[{kind_of(entries[0][0])}:{kind_of(entries[0][1])}]" if entries else "[A:B]"
        case Dynamic():
            return "dynamic"
        case StreamValue() | TableValue():
            return "stream[A]"
        case Closure() | Builtin():
            return "function"
        case PackageValue():
            return "package"


def nature_of(value: Value) -> str:
    """The class of a value's type: `array`, `object`, `function` or the basic type itself."""
    match value:
        case list():
            return "array"
        case dict():
            return "object"
        case Dictionary():
            return "dictionary"
        case StreamValue() | TableValue():
            return "stream"
        case _:
            return kind_of(value)


def wrap_int(number: int) -> int:
    """Two's complement in 64 bits."""
    return (number + _INT_HALF) % _INT_SPAN - _INT_HALF


def wrap_uint(number: int) -> UInt:
    """Modulo 2^64."""
    return UInt(number % _INT_SPAN)


def of_column(value: bool | float | str | None, kind: ColumnType) -> Value:
    """A table's cell as a value."""
    if value is None:
        return Null(kind.value)
    if kind is ColumnType.TIME:
        return Time(value)
    if kind is ColumnType.UINT:
        return UInt(value)
    return value


def format_value(value: Value) -> str | None:
    """The text that interpolation and `string()` give; None for types that have none."""
    # The spelling of floats is the encoder's.
    from fluxkeep.formats.annotated_csv import format_float

    match value:
        case bool():
            return "true" if value else "false"
        case Time():
            return nine_digits(value)
        case int():
            return str(int(value))
        case float():
            return format_float(value)
        case str():
            return value
        case Duration():
            return str(value)
        case Dynamic(inner=inner):
            return format_value(inner)
        case Regexp(pattern=pattern):
            return pattern
        case _:
            return None


def nine_digits(ns: int) -> str:
    """A time as RFC 3339 with nine digits after the second."""
    head, _, fraction = format_rfc3339(ns).removesuffix("Z").partition(".")
    return f"{head}.{fraction.ljust(9, '0')}Z"


def is_null(value: Value) -> bool:
    """Whether it is null, whatever the type."""
    return isinstance(value, Null)
