"""Conditions over series: a time range and a predicate on tags.

Source: influxql.md §13, §14.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fluxkeep.datamodel.predicates import MEASUREMENT, And, Compare, Op, Or, Predicate
from fluxkeep.datamodel.timerange import EVERYTHING, TimeRange
from fluxkeep.influxql.errors import QueryError
from fluxkeep.influxql.plan.predicates import tag_predicate
from fluxkeep.influxql.rewrite.time_conditions import split_condition
from fluxkeep.influxql.rewrite.wildcards import Schema
from fluxkeep.influxql.syntax.ast import Expr, Measurement
from fluxkeep.influxql.syntax.printer import render

_NO_FIELDS = Schema({}, frozenset())


@dataclass(frozen=True, slots=True)
class SeriesCondition:
    """What a WHERE clause of SHOW or DELETE comes to."""

    time_range: TimeRange
    predicate: Predicate | None
    timed: bool

    def narrowed(self, predicate: Predicate | None) -> Predicate | None:
        """The predicate together with another one."""
        parts = [p for p in (predicate, self.predicate) if p is not None]
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else And(tuple(parts))


def series_condition(condition: Expr | None, now_ns: int) -> SeriesCondition:
    """Read a condition in which every name is a tag.

    Raises:
        QueryError: It compares something else.
    """
    rest, bounds = split_condition(condition, now_ns)
    predicate = None
    if rest is not None:
        predicate = tag_predicate(rest, _NO_FIELDS)
        if predicate is None:
            raise QueryError(f"invalid condition expression: {render(rest)}")
    time_range = EVERYTHING if bounds.is_open else TimeRange(bounds.start, bounds.end + 1)
    return SeriesCondition(time_range, predicate, not bounds.is_open)


def of_sources(sources: Iterable[Measurement]) -> Predicate | None:
    """Rows of any of the measurements; None for no sources, which means all."""
    found: list[Predicate] = []
    for source in sources:
        if source.regex is not None:
            found.append(Compare(MEASUREMENT, Op.MATCH, source.regex))
        else:
            found.append(Compare(MEASUREMENT, Op.EQ, source.name))
    if not found:
        return None
    return found[0] if len(found) == 1 else Or(tuple(found))
