"""Wildcards and patterns in fields and dimensions, replaced by what a schema holds.

Source: influxql.md §6 (wildcards), §7 (dimensions); golden/influxql/functions.txt, "function over".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from fluxkeep.influxql.errors import QueryError
from fluxkeep.influxql.rewrite.names import field_name
from fluxkeep.influxql.syntax.ast import Binary, Call, Expr, Field, Paren, Regex, VarRef, Wildcard, walk
from fluxkeep.influxql.syntax.regex import matches
from fluxkeep.influxql.types import FIELD_ORDER, DataType, stronger

_NUMERIC = frozenset((DataType.FLOAT, DataType.INTEGER, DataType.UNSIGNED))
_ANY_TYPE = frozenset(("count", "first", "last", "distinct", "elapsed", "mode", "sample"))


@dataclass(frozen=True, slots=True)
class Schema:
    """Fields with their types, and tag keys, of one source or of several together."""

    fields: Mapping[str, DataType]
    tags: Set[str]

    def type_of(self, ref: VarRef) -> DataType:
        """What a reference reads here; unknown when it reads nothing. A field hides a tag of its name.

        A tag that a subquery selected is a column of strings to the query around it.
        """
        found = self.fields.get(ref.name)
        if found is DataType.TAG and ref.type in (DataType.TAG, DataType.ANY_FIELD, DataType.UNKNOWN):
            return DataType.STRING
        match ref.type:
            case DataType.TAG:
                return DataType.TAG if ref.name in self.tags else DataType.UNKNOWN
            case DataType.ANY_FIELD:
                return found or DataType.UNKNOWN
            case DataType.UNKNOWN:
                return found or (DataType.TAG if ref.name in self.tags else DataType.UNKNOWN)
            case cast:
                return cast


def union(schemas: Iterable[Schema]) -> Schema:
    """All fields, each of its strongest type, and all tags."""
    fields: dict[str, DataType] = {}
    tags: set[str] = set()
    for schema in schemas:
        for name, type_ in schema.fields.items():
            if type_ in FIELD_ORDER:
                fields[name] = stronger(fields.get(name), type_)
            elif type_ is DataType.TAG:
                fields.setdefault(name, type_)
        tags |= schema.tags
    return Schema(fields, tags)


def expand_dimensions(dimensions: Iterable[Expr], tags: Set[str]) -> tuple[str, ...]:
    """Tag keys to group by, sorted."""
    found: set[str] = set()
    for dimension in dimensions:
        match dimension:
            case VarRef(name=name):
                found.add(name)
            case Wildcard():
                found |= tags
            case Regex(pattern=pattern):
                found |= {tag for tag in tags if matches(pattern, tag)}
    return tuple(sorted(found, key=str.encode))


def expand_fields(fields: Iterable[Field], dimensions: Iterable[Expr], schema: Schema) -> list[Field]:
    """Fields without wildcards and patterns.

    Raises:
        QueryError: A wildcard or pattern inside an operation.
    """
    listed = list(dimensions)
    tags: Set[str] = schema.tags - {d.name for d in listed if isinstance(d, VarRef)}
    if any(isinstance(d, Wildcard | Regex) for d in listed):
        tags = frozenset()
    refs = [VarRef(name, type_) for name, type_ in schema.fields.items()]
    refs += [VarRef(name, DataType.TAG) for name in tags]
    refs.sort(key=lambda r: (r.name.encode(), r.type is DataType.TAG))
    found: list[Field] = []
    for field in fields:
        found.extend(_expand(field, refs))
    return found


def _expand(field: Field, refs: list[VarRef]) -> list[Field]:
    match field.expr:
        case Wildcard(kind=kind):
            wanted = {"": (True, True), "field": (True, False), "tag": (False, True)}[kind]
            return [Field(r) for r in refs if wanted[r.type is DataType.TAG]]
        case Regex(pattern=pattern):
            return [Field(r) for r in refs if matches(pattern, r.name)]
        case Call() as call:
            return _expand_call(field, call, refs)
        case Binary() | Paren():
            for node in walk(field.expr):
                if isinstance(node, Wildcard):
                    raise QueryError("unable to use wildcard in a binary expression")
                if isinstance(node, Regex):
                    raise QueryError("unable to use regex in a binary expression")
            return [field]
        case _:
            return [field]


def _expand_call(field: Field, call: Call, refs: list[VarRef]) -> list[Field]:
    inner = call
    while inner.args and isinstance(inner.args[0], Call):
        inner = inner.args[0]
    if not inner.args:
        return [field]
    pattern: str | None = None
    match inner.args[0]:
        case Wildcard(kind="tag"):
            raise QueryError(f"unable to use tag wildcard in {inner.name}()")
        case Wildcard():
            pass
        case Regex() as regex:
            pattern = regex.pattern
        case _:
            return [field]
    types = set(_NUMERIC)
    if inner.name in _ANY_TYPE:
        types |= {DataType.STRING, DataType.BOOLEAN}
    if inner.name in ("min", "max"):
        types.add(DataType.BOOLEAN)
    if call.name.startswith("holt_winters"):
        types.discard(DataType.UNSIGNED)
    return [
        Field(_with_argument(call, ref), f"{field_name(field)}_{ref.name}")
        for ref in refs
        if ref.type in types and (pattern is None or matches(pattern, ref.name))
    ]


def _with_argument(call: Call, ref: VarRef) -> Call:
    first = call.args[0]
    argument: Expr = _with_argument(first, ref) if isinstance(first, Call) else ref
    return Call(call.name, (argument, *call.args[1:]), span=call.span)
