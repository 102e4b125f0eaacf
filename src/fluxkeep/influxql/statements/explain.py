"""EXPLAIN: what a SELECT would read. The text is free-form.

The counts are the store's where it has an index for them; how points lie in
files is not asked, so they all count as cached in one shard.

Source: influxql.md §14; recorded in golden/http/v1-query.jsonl ("explain").
"""

from __future__ import annotations

import time

from fluxkeep.datamodel.predicates import MEASUREMENT, Compare, Op
from fluxkeep.datamodel.reader import Aggregate, ScanRequest
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.formats.v1 import Series
from fluxkeep.influxql.execute.select import calls_of, plain_refs, run_select
from fluxkeep.influxql.plan.bind import Bound, MeasurementSource
from fluxkeep.influxql.syntax.printer import render


def explain(bound: Bound) -> Series:
    """The plan of a SELECT that is not run."""
    lines: list[str] = []
    exprs = [column.expr for column in bound.columns]
    calls = list(dict.fromkeys(call for expr in exprs for call in calls_of(expr)))
    refs = list(dict.fromkeys(ref for expr in exprs for ref in plain_refs(expr)))
    for call in [render(c) for c in calls] or ["<nil>"]:
        lines.append(f"EXPRESSION: {call}")
        if refs:
            lines.append(f"AUXILIARY FIELDS: {', '.join(map(render, refs))}")
        series, values = _counts(bound)
        lines += [
            f"NUMBER OF SHARDS: {1 if series else 0}",
            f"NUMBER OF SERIES: {series}",
            f"CACHED VALUES: {values}",
            "NUMBER OF FILES: 0",
            "NUMBER OF BLOCKS: 0",
            "SIZE OF BLOCKS: 0",
        ]
    return Series(columns=["QUERY PLAN"], data=[lines])


def _counts(bound: Bound) -> tuple[int, int]:
    bounds = bound.compiled.bounds
    time_range = TimeRange(bounds.start, bounds.end + 1)
    series = values = 0
    for source in bound.sources:
        if not isinstance(source, MeasurementSource):
            inner = _counts(source)
            series, values = series + inner[0], values + inner[1]
            continue
        mine = Compare(MEASUREMENT, Op.EQ, source.name)
        series += source.reader.cardinality(time_range, mine)
        fields = [c.expr for c in bound.columns]
        names = {ref.name for expr in fields for ref in (*plain_refs(expr),)}
        names |= {
            ref.name for expr in fields for call in calls_of(expr) for arg in call.args for ref in plain_refs(arg)
        }
        request = ScanRequest(
            time_range=time_range,
            predicate=mine,
            absent_is_empty=True,
            fields=tuple(sorted(names)),
            aggregate=Aggregate.COUNT,
        )
        values += sum(int(batch.frame["value"].sum()) for batch in source.reader.scan(request).batches)
    return series, values


def explain_analyze(bound: Bound) -> Series:
    """A SELECT run for its timings."""
    begun = time.perf_counter_ns()
    table = run_select(bound)
    took = (time.perf_counter_ns() - begun) / 1_000_000
    lines = [
        ".",
        "└── select",
        f"    ├── execution_time: {took:.3f}ms",
        "    └── rows",
        f"        └── {len(table.frame)}",
    ]
    return Series(columns=["EXPLAIN ANALYZE"], data=[lines])
