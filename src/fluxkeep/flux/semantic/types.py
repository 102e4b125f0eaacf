"""The types of Flux and how they are written in messages.

Types are values that share structure, except for variables: a variable is a
cell that is filled once, when it is found equal to another type. `resolve`
looks through filled cells.

Records are rows: fields, outermost first, then a tail that is nothing (a closed
record) or a variable (fields still unknown). A label may stand more than once;
the outermost hides the others, which is what `{r with a: 1}` makes of an `a` in `r`.

Source: flux.md §4, §9.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

GENERIC = 1 << 30
"""The level of variables that stand for any type and are copied at each use."""

_ids = count()


class Var:
    """A type not known yet.

    Attributes:
        ref: What it was found to be.
        kinds: What it must be able to do, once known.
        level: How deep in nested definitions it came up; deeper ones may be generalised.
    """

    __slots__ = ("id", "kinds", "level", "ref")

    def __init__(self, level: int, kinds: frozenset[str] = frozenset()) -> None:
        self.id = next(_ids)
        self.ref: Type | None = None
        self.kinds = kinds
        self.level = level


@dataclass(frozen=True, slots=True)
class Basic:
    """`bool int uint float string bytes time duration regexp`, and `dynamic`."""

    name: str


@dataclass(frozen=True, slots=True)
class Collection:
    """An `array`, `stream` or `vector` of one type."""

    kind: str
    element: Type


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Keys and values, each of one type."""

    key: Type
    value: Type


@dataclass(frozen=True, slots=True)
class Record:
    """Fields, then the tail: None for a closed record, else a variable or another record."""

    fields: tuple[tuple[str, Type], ...]
    tail: Type | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """Arguments by name; `pipe` is the piped one, whose name is `<-` when it does not matter."""

    required: dict[str, Type]
    result: Type
    optional: dict[str, Type] = field(default_factory=dict)
    pipe: tuple[str, Type] | None = None


Type: TypeAlias = Var | Basic | Collection | Dictionary | Record | Function

BOOL, INT, UINT, FLOAT, STRING, BYTES, TIME, DURATION, REGEXP, DYNAMIC = (
    Basic(name) for name in ("bool", "int", "uint", "float", "string", "bytes", "time", "duration", "regexp", "dynamic")
)
BASIC = {t.name: t for t in (BOOL, INT, UINT, FLOAT, STRING, BYTES, TIME, DURATION, REGEXP, DYNAMIC)}

_NUMBER = frozenset(
    {
        "Addable",
        "Subtractable",
        "Divisible",
        "Numeric",
        "Comparable",
        "Equatable",
        "Nullable",
        "Negatable",
        "Stringable",
        "Basic",
    }
)
KINDS: dict[str, frozenset[str]] = {
    "int": _NUMBER,
    "uint": _NUMBER,
    "float": _NUMBER,
    "bool": frozenset({"Equatable", "Nullable", "Stringable", "Basic"}),
    "string": frozenset({"Addable", "Comparable", "Equatable", "Nullable", "Stringable", "Basic", "Label"}),
    "bytes": frozenset({"Equatable", "Basic"}),
    "time": frozenset({"Comparable", "Equatable", "Nullable", "Timeable", "Stringable", "Basic"}),
    "duration": frozenset({"Comparable", "Equatable", "Nullable", "Negatable", "Timeable", "Stringable", "Basic"}),
    "regexp": frozenset({"Basic"}),
    "dynamic": frozenset(),
}
"""What each basic type can do. Source: flux.md §4."""


def resolve(t: Type) -> Type:
    """The type itself, looking through variables that are filled."""
    while isinstance(t, Var) and t.ref is not None:
        t = t.ref
    return t


def row(record: Record) -> tuple[list[tuple[str, Type]], Var | None]:
    """All fields that are known, outermost first, and the tail if the record is open."""
    fields = list(record.fields)
    tail = record.tail
    while tail is not None:
        tail = resolve(tail)
        if not isinstance(tail, Record):
            # A tail that was found to be no record has been reported; it ends the row.
            return fields, tail if isinstance(tail, Var) else None
        fields += tail.fields
        tail = tail.tail
    return fields, None


def walk(t: Type) -> Iterator[Type]:
    """A type and all types within it, each once however often it stands there."""
    seen: set[int] = set()
    stack = [t]
    while stack:
        current = resolve(stack.pop())
        if id(current) not in seen:
            # Nothing here is made while walking, so an identity stays what it was.
            seen.add(id(current))
            yield current
            stack += parts(current)


def parts(t: Type) -> list[Type]:
    """The types directly within a type."""
    match t:
        case Collection(element=element):
            return [element]
        case Dictionary(key=key, value=value):
            return [key, value]
        case Record(fields=fields, tail=tail):
            return [item for _, item in fields] + ([tail] if tail is not None else [])
        case Function():
            piped = [t.pipe[1]] if t.pipe else []
            return [*piped, *t.required.values(), *t.optional.values(), t.result]
        case _:
            return []


def instantiate(t: Type, level: int, made: dict[int, Type] | None = None) -> Type:
    """The type with a new variable for each generic one; what stands in it twice is copied once."""
    t = resolve(t)
    if made is None:
        made = {}
    found = made.get(id(t))
    if found is None:
        found = made[id(t)] = _copy(t, level, made)
    return found


def _copy(t: Type, level: int, made: dict[int, Type]) -> Type:
    match t:
        case Var():
            return Var(level, t.kinds) if t.level == GENERIC else t
        case Collection(kind=kind, element=element):
            return Collection(kind, instantiate(element, level, made))
        case Dictionary(key=key, value=value):
            return Dictionary(instantiate(key, level, made), instantiate(value, level, made))
        case Record():
            fields, tail = row(t)
            copied = tuple((label, instantiate(item, level, made)) for label, item in fields)
            return Record(copied, None if tail is None else instantiate(tail, level, made))
        case Function():
            return Function(
                {name: instantiate(item, level, made) for name, item in t.required.items()},
                instantiate(t.result, level, made),
                {name: instantiate(item, level, made) for name, item in t.optional.items()},
                (t.pipe[0], instantiate(t.pipe[1], level, made)) if t.pipe else None,
            )
        case _:
            return t


def generalise(t: Type, level: int) -> Type:
    """Make the variables that came up deeper than `level` stand for any type; changes them in place."""
    for found in walk(t):
        if isinstance(found, Var) and found.level > level:
            found.level = GENERIC
    return t


_SHOWN_MAX = 500


class Names:
    """Letters for variables, in order of appearance, for one message; what is too long to read is cut."""

    def __init__(self) -> None:
        self._names: dict[Var, str] = {}
        self._shown = 0

    def of(self, variable: Var) -> str:
        """`A`, `B`, … `Z`, `A1`, …"""
        at = self._names.setdefault(variable, str(len(self._names)))
        turn, letter = divmod(int(at), 26)
        return chr(ord("A") + letter) + (str(turn) if turn else "")

    def show(self, t: Type) -> str:
        """A type as Flux writes it."""
        self._shown += 1
        if self._shown > _SHOWN_MAX:
            return "…"
        t = resolve(t)
        match t:
            case Var():
                return self.of(t)
            case Basic(name=name):
                return name
            case Collection(kind="array", element=element):
                return f"[{self.show(element)}]"
            case Collection(kind=kind, element=element):
                return f"{kind}[{self.show(element)}]"
            case Dictionary(key=key, value=value):
                return f"[{self.show(key)}: {self.show(value)}]"
            case Record():
                fields, tail = row(t)
                base = f"{self.of(tail)} with " if tail is not None else ""
                return f"{{{base}{', '.join(f'{label}: {self.show(item)}' for label, item in fields)}}}"
            case Function():
                given = [f"<-{'' if t.pipe[0] == '<-' else t.pipe[0]}: {self.show(t.pipe[1])}"] if t.pipe else []
                given += [f"{name}: {self.show(item)}" for name, item in t.required.items()]
                given += [f"?{name}: {self.show(item)}" for name, item in t.optional.items()]
                return f"({', '.join(given)}) => {self.show(t.result)}"

    def show_classed(self, t: Type) -> str:
        """As `show`, with the class behind types that are not basic: `[int] (array)`."""
        t = resolve(t)
        match t:
            case Collection(kind="array" | "vector" as kind):
                return f"{self.show(t)} ({kind})"
            case Dictionary():
                return f"{self.show(t)} (dictionary)"
            case Record():
                return f"{self.show(t)} (record)"
            case Function():
                return f"{self.show(t)} (function)"
            case Basic(name="dynamic"):
                return "dynamic (dynamic)"
            case _:
                return self.show(t)


def show(t: Type) -> str:
    """A type as Flux writes it."""
    return Names().show(t)
