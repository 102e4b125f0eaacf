"""DELETE and DROP MEASUREMENT.

Source: influxql.md §14; recorded in golden/influxql/show-and-statements.txt ("delete …", "drop …").
"""

from __future__ import annotations

from fluxkeep.datamodel.predicates import MEASUREMENT, Compare, Op, Predicate, columns_of
from fluxkeep.datamodel.timerange import EVERYTHING
from fluxkeep.influxql.errors import QueryError
from fluxkeep.influxql.sources import Databases, Mapping
from fluxkeep.influxql.statements.conditions import of_sources, series_condition
from fluxkeep.influxql.syntax.ast import Delete, DropMeasurement


def delete(statement: Delete, databases: Databases, now_ns: int) -> None:
    """Delete points of the default mapping's bucket, or of the policy's in FROM.

    Raises:
        QueryError: No mapping, no permission, or fields in the condition.
    """
    condition = series_condition(statement.condition, now_ns)
    policy = statement.source.policy if statement.source else ""
    database = databases.named("")
    found = [m for m in databases.all if m.database == database and (m.policy == policy if policy else m.is_default)]
    if not found:
        raise _unmapped(database, policy)
    mapping = found[0]
    sources = (statement.source,) if statement.source else ()
    predicate = condition.narrowed(of_sources(sources))
    _refuse_fields(databases, mapping, predicate)
    _require_write(mapping)
    databases.sources.delete(mapping, condition.time_range, predicate)


def drop_measurement(statement: DropMeasurement, databases: Databases) -> None:
    """Delete a measurement from every bucket that the database is mapped to; an unknown name does no harm.

    Raises:
        QueryError: No mapping, or no permission.
    """
    database = databases.named("")
    found = [m for m in databases.all if m.database == database]
    if not found:
        raise _unmapped(database, "")
    for mapping in found:
        _require_write(mapping)
    for mapping in found:
        databases.sources.delete(mapping, EVERYTHING, Compare(MEASUREMENT, Op.EQ, statement.name))


def _unmapped(database: str, policy: str) -> QueryError:
    return QueryError(f"no dbrp mappings found: db={database}, rp={policy}, please check to make sure db and rp exist")


def _require_write(mapping: Mapping) -> None:
    if not mapping.writable:
        raise QueryError("insufficient permissions")


def _refuse_fields(databases: Databases, mapping: Mapping, predicate: Predicate | None) -> None:
    """A name that is a field and no tag cannot choose series."""
    names = columns_of(predicate) - {MEASUREMENT}
    if not names or not mapping.readable:
        return
    reader = databases.sources.reader(mapping)
    fields = {field for _, field, _ in reader.field_keys()} - set(reader.tag_keys())
    if names & fields:
        raise QueryError("fields not supported in WHERE clause during deletion")
