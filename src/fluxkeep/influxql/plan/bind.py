"""A compiled SELECT bound to its sources: wildcards expanded, types known, columns named.

Source: influxql.md §2, §6, §10, §11.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fluxkeep.datamodel.reader import Reader
from fluxkeep.influxql.errors import QueryError
from fluxkeep.influxql.plan.compile import Compiled
from fluxkeep.influxql.plan.typing import type_of, with_types
from fluxkeep.influxql.rewrite.names import column_names
from fluxkeep.influxql.rewrite.wildcards import Schema, expand_dimensions, expand_fields, union
from fluxkeep.influxql.sources import Databases
from fluxkeep.influxql.syntax.ast import Binary, Expr, Measurement, walk
from fluxkeep.influxql.syntax.regex import matches
from fluxkeep.influxql.types import of_field

_SYSTEM_SOURCES = {
    "_fieldKeys": "SHOW FIELD KEYS",
    "_measurements": "SHOW MEASUREMENTS",
    "_series": "SHOW SERIES",
    "_tagKeys": "SHOW TAG KEYS",
    "_tags": "SHOW TAG VALUES",
}


@dataclass(frozen=True, slots=True)
class MeasurementSource:
    """One measurement of one bucket."""

    reader: Reader
    name: str
    schema: Schema


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the answer: its name and its typed expression."""

    name: str
    expr: Expr


@dataclass(frozen=True, slots=True)
class Bound:
    """A SELECT that can run.

    Attributes:
        tags: Tag keys to group by, sorted, those of outer queries among them.
        condition: Without time; names are resolved for each source.
    """

    compiled: Compiled
    sources: tuple[MeasurementSource | Bound, ...]
    columns: tuple[Column, ...]
    tags: tuple[str, ...]
    condition: Expr | None

    @property
    def schema(self) -> Schema:
        """How a query around this one sees it."""
        return Schema({c.name: type_of(c.expr) for c in self.columns}, frozenset(self.tags))

    def widened(self, tags: tuple[str, ...]) -> Bound:
        """Grouped by these tags too, all the way down."""
        merged = tuple(sorted({*self.tags, *tags}, key=str.encode))
        inner = tuple(s.widened(merged) if isinstance(s, Bound) else s for s in self.sources)
        return replace(self, tags=merged, sources=inner)


def bind(compiled: Compiled, databases: Databases) -> Bound:
    """Resolve sources and names.

    Raises:
        QueryError: Unknown databases and policies, operands that do not go together.
    """
    sources: list[MeasurementSource | Bound] = []
    for source in compiled.sources:
        if isinstance(source, Compiled):
            sources.append(bind(source, databases))
        else:
            sources.extend(measurements_of(source, databases))
    schema = union(s.schema for s in sources)
    tags = expand_dimensions(compiled.dimensions, schema.tags)
    seen = Schema(schema.fields, schema.tags | set(tags))
    fields = expand_fields(compiled.fields, compiled.dimensions, schema) if sources else []
    names = column_names(fields)
    columns = tuple(Column(name, with_types(field.expr, seen)) for name, field in zip(names, fields, strict=True))
    for column in columns:
        for node in walk(column.expr):
            if isinstance(node, Binary):
                type_of(node)
    bound = Bound(compiled, tuple(sources), columns, (), compiled.condition)
    return bound.widened(tags)


def measurements_of(source: Measurement, databases: Databases) -> list[MeasurementSource]:
    """The measurements that a name or pattern stands for; an unknown name is one without a schema.

    Raises:
        QueryError: A system source, an unknown database or policy.
    """
    if source.name in _SYSTEM_SOURCES:
        raise QueryError(f"unable to use system source '{source.name}': use {_SYSTEM_SOURCES[source.name]} instead")
    reader = databases.sources.reader(databases.resolve(source.database, source.policy))
    if source.regex is None:
        return [MeasurementSource(reader, source.name, schema_of(reader, source.name))]
    names = [name for name in reader.measurements() if matches(source.regex, name)]
    return [MeasurementSource(reader, name, schema_of(reader, name)) for name in names]


def schema_of(reader: Reader, measurement: str) -> Schema:
    """Fields and tags of a measurement over all time, as the reference takes them by whole shards."""
    found = reader.schema(measurement)
    return Schema({field: of_field(type_) for field, type_ in found.fields.items()}, found.tag_keys)
