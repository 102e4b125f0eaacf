"""SHOW statements: what the index of a bucket holds.

Source: influxql.md §13; recorded in golden/influxql/show-and-statements.txt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fluxkeep.datamodel.predicates import MEASUREMENT, Compare, Op, Predicate
from fluxkeep.datamodel.reader import Aggregate, Reader, ScanRequest
from fluxkeep.datamodel.series import series_key
from fluxkeep.formats.v1 import Cell, Series
from fluxkeep.influxql.errors import QueryError
from fluxkeep.influxql.sources import Databases, Mapping
from fluxkeep.influxql.statements.conditions import SeriesCondition, of_sources, series_condition
from fluxkeep.influxql.syntax.ast import (
    Counted,
    Listing,
    Measurement,
    Show,
    ShowCardinality,
    ShowDatabases,
    ShowMeasurements,
    ShowPolicies,
    TagKeyTest,
)
from fluxkeep.influxql.syntax.regex import matches

# Constants in 2.x, whatever the bucket keeps.
_POLICY = ("0s", "168h0m0s", 1)


class NotSupportedError(QueryError):
    """Refused as this statement's own answer: the statements after it still run."""


def show(
    statement: ShowDatabases | ShowPolicies | ShowMeasurements | Show | ShowCardinality,
    databases: Databases,
    now_ns: int,
) -> list[Series]:
    """The series of a SHOW statement's answer; none when it finds nothing.

    Raises:
        QueryError: With the reference's text.
    """
    match statement:
        case ShowDatabases():
            names = list(dict.fromkeys(m.database for m in databases.readable()))
            return [_table("databases", ["name"], [(name,) for name in names])]
        case ShowPolicies(database=database):
            return [_policies(databases, database)]
        case ShowMeasurements():
            return _measurements(statement, databases, now_ns)
        case Show():
            return _listing(statement, databases, now_ns)
        case ShowCardinality():
            return _cardinality(statement, databases, now_ns)


def _table(name: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Series:
    return Series(name=name, columns=columns, data=[list(c) for c in zip(*rows, strict=True)])


def _cut(rows: list[tuple[Cell, ...]], limit: int, offset: int) -> list[tuple[Cell, ...]]:
    return rows[offset : offset + limit if limit else None]


def _policies(databases: Databases, database: str) -> Series:
    database = databases.named(database)
    rows = [(m.policy, *_POLICY, m.is_default) for m in databases.readable() if m.database == database]
    return _table("", ["name", "duration", "shardGroupDuration", "replicaN", "default"], rows)


def _measurements(statement: ShowMeasurements, databases: Databases, now_ns: int) -> list[Series]:
    if statement.database == "*" and statement.policy != "*":
        raise NotSupportedError("query 'SHOW MEASUREMENTS ON *' not supported. use 'ON *.*' or specify a database")
    condition = series_condition(statement.condition, now_ns)
    if condition.timed:
        raise QueryError("SHOW MEASUREMENTS doesn't support time in WHERE clause")
    sources = () if statement.source is None else (statement.source,)
    if not statement.policy and statement.database != "*":
        database = databases.named(statement.database)
        if not any(m.database == database for m in databases.readable()):
            # An unknown database has no measurements here, while other statements refuse it (recorded in
            # golden/http/v1-credentials.jsonl).
            return []
        policy = statement.source.policy if statement.source is not None else ""
        reader = databases.sources.reader(databases.resolve(statement.database, policy))
        rows: list[tuple[Cell, ...]] = [(name,) for name in _names(reader, sources, condition)]
        columns = ["name"]
    else:
        rows = []
        for mapping in _chosen(databases, statement.database, statement.policy):
            reader = databases.sources.reader(mapping)
            rows += [(name, mapping.database, mapping.policy) for name in _names(reader, sources, condition)]
        columns = ["name", "database", "retention policy"]
    rows = _cut(rows, statement.limit, statement.offset)
    return [_table("measurements", columns, rows)] if rows else []


def _chosen(databases: Databases, database: str, policy: str) -> list[Mapping]:
    """The mappings that a pair of names or stars stands for, by name."""
    found = [m for m in databases.readable() if database in ("*", m.database) and policy in ("*", m.policy)]
    if not found and database != "*":
        databases.resolve(database, "" if policy == "*" else policy)
    return sorted(found, key=lambda m: (m.database.encode(), m.policy.encode()))


def _names(reader: Reader, sources: Iterable[Measurement], condition: SeriesCondition) -> list[str]:
    return reader.measurements(condition.time_range, condition.narrowed(of_sources(sources)))


def _readers(
    sources: Sequence[Measurement], database: str, databases: Databases
) -> list[tuple[Reader, list[Measurement]]]:
    """The buckets that FROM names, and what it names of each."""
    if not sources:
        return [(databases.sources.reader(databases.resolve(database, "")), [])]
    found: dict[Mapping, list[Measurement]] = {}
    for source in sources:
        found.setdefault(databases.resolve(source.database or database, source.policy), []).append(source)
    return [(databases.sources.reader(mapping), named) for mapping, named in found.items()]


def _listing(statement: Show, databases: Databases, now_ns: int) -> list[Series]:
    condition = series_condition(statement.condition, now_ns)
    found: list[Series] = []
    for reader, sources in _readers(statement.sources, statement.database, databases):
        if statement.listing is Listing.SERIES:
            rows: list[tuple[Cell, ...]] = [(key,) for key in _series_keys(reader, sources, condition)]
            rows = _cut(rows, statement.limit, statement.offset)
            found += [_table("", ["key"], rows)] if rows else []
            continue
        for name in _names(reader, sources, condition):
            mine = condition.narrowed(Compare(MEASUREMENT, Op.EQ, name))
            columns, rows = _rows(statement, reader, condition, mine)
            rows = _cut(rows, statement.limit, statement.offset)
            if rows:
                found.append(_table(name, columns, rows))
    return found


def _rows(
    statement: Show, reader: Reader, condition: SeriesCondition, mine: Predicate | None
) -> tuple[list[str], list[tuple[Cell, ...]]]:
    """Columns and rows of one measurement."""
    time_range = condition.time_range
    match statement.listing:
        case Listing.TAG_KEYS:
            # Quirk: WITH KEY is read and has no effect (recorded).
            return ["tagKey"], [(key,) for key in reader.tag_keys(time_range, mine)]
        case Listing.FIELD_KEYS:
            keys = reader.field_keys(time_range, mine)
            return ["fieldKey", "fieldType"], [(field, type_.value) for _, field, type_ in keys]
        case _:
            assert statement.keys is not None
            return ["key", "value"], _tag_values(reader, statement.keys, condition, mine)


def _tag_values(
    reader: Reader, test: TagKeyTest, condition: SeriesCondition, mine: Predicate | None
) -> list[tuple[Cell, ...]]:
    return [
        (key, value)
        for key in reader.tag_keys(condition.time_range, mine)
        if passes(test, key)
        for value in reader.tag_values(key, condition.time_range, mine)
        if value
    ]


def passes(test: TagKeyTest, key: str) -> bool:
    """Whether a tag key satisfies WITH KEY."""
    match test.op:
        case "=" | "IN":
            return key in test.keys
        case "!=":
            return key not in test.keys
        case op:
            assert test.regex is not None
            return matches(test.regex, key) is (op == "=~")


def _series_keys(reader: Reader, sources: Sequence[Measurement], condition: SeriesCondition) -> list[str]:
    """Series keys in byte order; with a time condition only of series that have points in it."""
    predicate = condition.narrowed(of_sources(sources))
    if condition.timed:
        scan = reader.scan(
            ScanRequest(
                time_range=condition.time_range,
                predicate=predicate,
                absent_is_empty=True,
                aggregate=Aggregate.COUNT,
            )
        )
        present = {at for batch in scan.batches for at in batch.frame["series"].to_list()}
        series = [scan.series[at] for at in sorted(present)]
    else:
        series = list(reader.series(condition.time_range, predicate))
    return sorted({series_key(s.measurement, s.tags) for s in series}, key=str.encode)


def _cardinality(statement: ShowCardinality, databases: Databases, now_ns: int) -> list[Series]:
    counted = statement.counted
    plain = not (
        statement.sources or statement.condition or statement.dimensions or statement.limit or statement.offset
    )
    if not statement.exact and plain and counted in (Counted.SERIES, Counted.MEASUREMENT):
        raise QueryError(f"not implemented: SHOW {counted.value} CARDINALITY")
    condition = series_condition(statement.condition, now_ns)
    if condition.timed:
        raise QueryError(f"SHOW {counted.value} EXACT CARDINALITY doesn't support time in WHERE clause")
    found: list[Series] = []
    for reader, sources in _readers(statement.sources, statement.database, databases):
        names = _names(reader, sources, condition)
        if counted is Counted.MEASUREMENT:
            found += [_table("", ["count"], [(len(names),)])] if names else []
            continue
        for name in names:
            mine = condition.narrowed(Compare(MEASUREMENT, Op.EQ, name))
            count = _count(statement, reader, condition, mine)
            if count:
                found.append(_table(name, ["count"], [(count,)]))
    return found


def _count(statement: ShowCardinality, reader: Reader, condition: SeriesCondition, mine: Predicate | None) -> int:
    time_range = condition.time_range
    match statement.counted:
        case Counted.SERIES:
            return reader.cardinality(time_range, mine)
        case Counted.TAG_KEY:
            return len(reader.tag_keys(time_range, mine))
        case Counted.FIELD_KEY:
            return len(reader.field_keys(time_range, mine))
        case _:
            assert statement.keys is not None
            return len({value for _, value in _tag_values(reader, statement.keys, condition, mine)})
