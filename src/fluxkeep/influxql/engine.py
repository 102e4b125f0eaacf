"""The InfluxQL engine: a query's text to results.

    results = execute(text, sources=…, database="db", now_ns=…)

The text is parsed before anything else happens; statements then run one after
another while the results are taken.

Source: influxql.md §1 (sequence of statements), §2, §3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from fluxkeep.datamodel.memory_account import MemoryAccount
from fluxkeep.errors import Abandoned, FluxkeepError, Internal
from fluxkeep.formats.v1 import Result
from fluxkeep.influxql.errors import QueryError
from fluxkeep.influxql.execute.emit import emit
from fluxkeep.influxql.execute.select import run_select
from fluxkeep.influxql.plan.bind import Bound, bind
from fluxkeep.influxql.plan.compile import compile_select
from fluxkeep.influxql.sources import CountedSources, Databases, Sources
from fluxkeep.influxql.statements.delete import delete, drop_measurement
from fluxkeep.influxql.statements.explain import explain, explain_analyze
from fluxkeep.influxql.statements.show import NotSupportedError, show
from fluxkeep.influxql.syntax.ast import Delete, DropMeasurement, Explain, NotThere, Select, Statement
from fluxkeep.influxql.syntax.cursor import Parameter
from fluxkeep.influxql.syntax.parser import parse

# Statements of longer texts are not kept: 256 of these take a few megabytes.
_KEPT_CHARS_MAX = 1024


def execute(
    text: str,
    *,
    sources: Sources,
    now_ns: int,
    database: str = "",
    policy: str = "",
    parameters: Mapping[str, Parameter] | None = None,
    chunk_size: int | None = None,
    gone: Callable[[], bool] | None = None,
    memory_bytes_max: int = 0,
) -> Iterator[Result]:
    """Run the statements of a query.

    Args:
        text: One or more statements.
        database: What a statement without one means.
        policy: Likewise.
        parameters: Values of bound parameters; see `bind_parameters`.
        chunk_size: Cut series into results of so many rows.
        gone: Whether nobody waits for the answer any more; asked before each statement.
        memory_bytes_max: What the query may hold of points read and rows to be written; 0 for no limit.
            A statement that would hold more is refused as any other that fails.

    Returns:
        Results in order. A failing statement's result carries the error, those after it
        are reported as not executed. Statements without an answer give no result.

    Raises:
        ParseError: Before anything ran.
        Abandoned: From the iterator, when `gone` or a reader says so.
    """
    statements = parse(text, parameters) if parameters or len(text) > _KEPT_CHARS_MAX else _parse_kept(text)
    account = MemoryAccount(memory_bytes_max)
    databases = Databases(CountedSources(sources, account), database, policy)
    return _run(statements, databases, now_ns, chunk_size, gone, account)


@lru_cache(maxsize=256)
def _parse_kept(text: str) -> tuple[Statement, ...]:
    """The statements of a text without parameters; trees are frozen, and dashboards ask the same again and again."""
    return parse(text, {})


def _run(
    statements: tuple[Statement, ...],
    databases: Databases,
    now_ns: int,
    chunk_size: int | None,
    gone: Callable[[], bool] | None,
    account: MemoryAccount,
) -> Iterator[Result]:
    for at, statement in enumerate(statements):
        if gone is not None and gone():
            raise Abandoned
        try:
            yield from _statement(statement, at, databases, now_ns, chunk_size, account)
        except NotSupportedError as error:
            yield Result(statement_id=at, error=error.message)
        except Internal:
            raise
        except RecursionError:
            # Nesting is bounded by the parser, chains of operators are not.
            yield Result(statement_id=at, error="the statement's expression is too long")
        except FluxkeepError as error:
            yield Result(statement_id=at, error=error.message)
            for later in range(at + 1, len(statements)):
                yield Result(statement_id=later, error="not executed")
            return


def _statement(
    statement: Statement,
    at: int,
    databases: Databases,
    now_ns: int,
    chunk_size: int | None,
    account: MemoryAccount,
) -> Iterator[Result]:
    match statement:
        case Select():
            bound = _bound(statement, databases, now_ns)
            if statement.into is not None:
                raise QueryError("not implemented: SELECT INTO")
            compiled = bound.compiled
            held = account.used_bytes
            table = run_select(bound)
            written = _written_bytes(len(table.frame), len(table.names) + 1)
            account.take(written)
            yield from emit(
                table,
                statement_id=at,
                time_name=compiled.time_name,
                location=compiled.location,
                chunk_size=chunk_size,
            )
            # The points are gone, and so are rows sent in parts; those of one piece wait for the last statement.
            account.give_back(account.used_bytes - held - (0 if chunk_size else written))
        case Explain(select=select, analyze=analyze):
            bound = _bound(select, databases, now_ns)
            yield Result(statement_id=at, series=[explain_analyze(bound) if analyze else explain(bound)])
        case Delete():
            delete(statement, databases, now_ns)
        case DropMeasurement():
            drop_measurement(statement, databases)
        case NotThere(name=name):
            raise QueryError(f"not implemented: {name}")
        case _:
            found = show(statement, databases, now_ns)
            account.take(sum(_written_bytes(series.row_count, len(series.columns)) for series in found))
            yield Result(statement_id=at, series=found)


def _written_bytes(rows: int, columns: int) -> int:
    """About what rows take while they are written: a tuple each, and in it values, and their text."""
    return rows * (64 + 48 * columns)


def _bound(select: Select, databases: Databases, now_ns: int) -> Bound:
    return bind(compile_select(select, now_ns), databases)
