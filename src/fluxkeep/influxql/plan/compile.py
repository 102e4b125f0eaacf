"""A SELECT checked and its clauses read, before any source is looked at.

Source: influxql.md §6, §7, §11.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fluxkeep.influxql.errors import QueryError
from fluxkeep.influxql.plan.checks import Checked, check
from fluxkeep.influxql.rewrite.fold import fold
from fluxkeep.influxql.rewrite.time_conditions import Bounds, split_condition
from fluxkeep.influxql.syntax.ast import (
    Call,
    DurationLiteral,
    Expr,
    Field,
    Fill,
    Measurement,
    Regex,
    Select,
    TimeLiteral,
    VarRef,
    Wildcard,
)
from fluxkeep.influxql.syntax.printer import render


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What the clauses of a SELECT say.

    Attributes:
        fields: Folded; `time` is not among them, the tags of top() and bottom() are.
        time_name: What the time column is called.
        condition: Without time.
        bounds: Of the statement and of those it stands in.
        interval: GROUP BY time in ns; 0 without.
        offset: Of the windows in ns.
        dimensions: References, wildcards and patterns.
    """

    select: Select
    fields: tuple[Field, ...]
    time_name: str
    condition: Expr | None
    bounds: Bounds
    interval: int
    offset: int
    dimensions: tuple[Expr, ...]
    fill: Fill
    fill_value: int | float | None
    descending: bool
    location: str | None
    checked: Checked
    sources: tuple[Measurement | Compiled, ...]


def compile_select(select: Select, now_ns: int, outer: Compiled | None = None) -> Compiled:
    """Check a SELECT and its subqueries.

    Raises:
        QueryError: With the reference's text.
    """
    location = select.location or (outer.location if outer else None)
    condition, bounds = split_condition(select.condition, now_ns, select.location or location)
    interval, offset, dimensions = _dimensions(select, now_ns)
    descending = select.descending
    if outer is not None:
        if select.ordered and select.descending != outer.descending:
            raise QueryError("subqueries must be ordered in the same direction as the query itself")
        descending = outer.descending
        bounds = bounds.intersect(outer.bounds)
    fill = select.fill
    if outer is not None and interval and fill is Fill.NULL:
        fill = Fill.NONE
    inherited = False
    if outer is not None and not interval and outer.interval:
        interval, offset, inherited = outer.interval, outer.offset, True
    time_name, fields = _fields(select, now_ns)
    checked = check(
        fields, interval=interval, limit=select.limit, fill=fill, inherited=inherited, into=select.into is not None
    )
    # Inherited windows are filled by nobody: the reference leaves empty ones out of subqueries.
    if inherited and fill is Fill.NULL:
        fill = Fill.NONE
    if not checked.calls:
        interval = offset = 0
    if interval and bounds.last is None:
        bounds = Bounds(bounds.first, max(now_ns, bounds.start))
    compiled = Compiled(
        select=select,
        fields=_with_top_tags(fields, into=select.into is not None),
        time_name=time_name,
        condition=condition,
        bounds=bounds,
        interval=interval,
        offset=offset,
        dimensions=dimensions,
        fill=fill,
        fill_value=select.fill_value,
        descending=descending,
        location=location,
        checked=checked,
        sources=(),
    )
    sources = tuple(
        source if isinstance(source, Measurement) else compile_select(source.select, now_ns, compiled)
        for source in select.sources
    )
    return replace(compiled, sources=sources)


def _fields(select: Select, now_ns: int) -> tuple[str, tuple[Field, ...]]:
    """The name of the time column, and the folded fields without `time` itself."""
    time_name = "time"
    fields: list[Field] = []
    for field in select.fields:
        if isinstance(field.expr, VarRef) and field.expr.name == "time":
            time_name = field.alias or time_name
            continue
        fields.append(Field(fold(field.expr, now_ns=now_ns), field.alias, span=field.span))
    return time_name, tuple(fields)


def _with_top_tags(fields: tuple[Field, ...], *, into: bool) -> tuple[Field, ...]:
    """The tags of top() and bottom() as columns after the call's own."""
    found: list[Field] = []
    for field in fields:
        found.append(field)
        match field.expr:
            case Call(name="top" | "bottom", args=args) if not into:
                found.extend(Field(arg) for arg in args[1:-1])
    return tuple(found)


def _dimensions(select: Select, now_ns: int) -> tuple[int, int, tuple[Expr, ...]]:
    interval = offset = 0
    found: list[Expr] = []
    for dimension in select.dimensions:
        match fold(dimension, now_ns=now_ns):
            case VarRef(name=name) as ref:
                if name.lower() == "time":
                    raise QueryError("time() is a function and expects at least one argument")
                found.append(ref)
            case Call(name=name, args=args):
                if name != "time":
                    raise QueryError("only time() calls allowed in dimensions")
                if not 1 <= len(args) <= 2:
                    raise QueryError("time dimension expected 1 or 2 arguments")
                if not isinstance(args[0], DurationLiteral):
                    raise QueryError("time dimension must have duration argument")
                if interval:
                    raise QueryError("multiple time dimensions not allowed")
                interval = args[0].ns
                offset = _offset(args[1], interval) if len(args) == 2 else 0
            case (Wildcard() | Regex()) as several:
                found.append(several)
            case _:
                raise QueryError("only time and tag dimensions allowed")
    return max(interval, 0), offset, tuple(found)


def _offset(expr: Expr, interval: int) -> int:
    """Where windows start past the epoch; a negative remainder stays negative as in the reference."""
    match expr:
        case DurationLiteral(ns=ns):
            return (abs(ns) % interval) * (-1 if ns < 0 else 1) if interval > 0 else 0
        case TimeLiteral(ns=ns):
            return ns % interval if interval > 0 else 0
        case _:
            raise QueryError(f"invalid time dimension offset: {render(expr)}")
