"""Rows of a SELECT's sources, side by side: one column per reference, one row per point.

Tag conditions go into the scan; what needs values is applied to the columns.

Source: influxql.md §6, §10 (types of one field over several shards), §11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from fluxkeep.datamodel.reader import ScanRequest
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.influxql.execute.expressions import NOTHING, Typed, evaluate
from fluxkeep.influxql.execute.frames import Entity, Groups, Table, dtype_of, picked, sort_rows
from fluxkeep.influxql.plan.bind import Bound, MeasurementSource
from fluxkeep.influxql.plan.predicates import measurement_predicate, split_condition
from fluxkeep.influxql.plan.typing import with_types
from fluxkeep.influxql.rewrite.wildcards import Schema
from fluxkeep.influxql.syntax.ast import BooleanLiteral, Expr, VarRef, walk
from fluxkeep.influxql.types import DataType


@dataclass(frozen=True, slots=True)
class Flat:
    """Rows of one source.

    Attributes:
        frame: `sid` u32, `time` i64, and a column for each field read, its name behind a dot.
        entities: What `sid` counts.
        types: Of the field columns.
    """

    frame: pl.DataFrame
    entities: list[Entity]
    types: dict[str, DataType]


def _named(field: str) -> str:
    """The column of a field in `Flat`: no name that a field may have meets `sid`, `time` or our own."""
    return "." + field


def gather(
    bound: Bound,
    refs: Sequence[VarRef],
    groups: Groups,
    time_range: TimeRange,
    run: Callable[[Bound], Table],
    *,
    limit: int | None = None,
) -> pl.DataFrame:
    """Points of all sources: g, time, and `r0`, `r1`, … for the references, in the references' types.

    A row is kept when a field that is referred to has a value. By group, then time.

    Args:
        limit: At most so many rows of each series are needed; only the scan may heed it.
    """
    if time_range.is_empty:
        return empty(refs)
    descending = bound.compiled.descending
    frames: list[pl.DataFrame] = []
    for source in bound.sources:
        if isinstance(source, MeasurementSource):
            frame = _measurement(source, bound.condition, refs, groups, time_range, limit, descending)
        else:
            frame = _subquery(source, bound, refs, groups, run)
        if frame is not None:
            frames.append(frame)
    if not frames:
        return empty(refs)
    return sort_rows(pl.concat(frames) if len(frames) > 1 else frames[0], descending=descending)


def empty(refs: Sequence[VarRef]) -> pl.DataFrame:
    """No points."""
    schema: dict[str, pl.DataType] = {"g": pl.UInt32(), "time": pl.Int64()}
    schema.update({f"r{i}": dtype_of(ref.type) for i, ref in enumerate(refs)})
    return pl.DataFrame(schema=schema)


def _measurement(
    source: MeasurementSource,
    condition: Expr | None,
    refs: Sequence[VarRef],
    groups: Groups,
    time_range: TimeRange,
    limit: int | None,
    descending: bool,
) -> pl.DataFrame | None:
    pushed, rest = split_condition(condition, source.schema)
    wanted = field_names([*refs, *references(rest)], source.schema)
    if not field_names(refs, source.schema) or rest == BooleanLiteral(False):
        return None
    request = ScanRequest(
        time_range=time_range,
        predicate=measurement_predicate(source.name, pushed),
        absent_is_empty=True,
        fields=tuple(sorted(wanted)),
        descending=descending,
        limit=limit if rest is None else None,
    )
    return arrange(read(source, request), source.schema, rest, refs, groups)


def _subquery(
    inner: Bound, bound: Bound, refs: Sequence[VarRef], groups: Groups, run: Callable[[Bound], Table]
) -> pl.DataFrame | None:
    table = run(inner)
    schema = inner.schema
    # Of columns that were given the same name the first is seen from outside.
    names = {name: f"c{i}" for i, name in reversed(list(enumerate(table.names)))}
    columns = [pl.col(column).alias(_named(name)) for name, column in names.items()]
    frame = table.frame.select(pl.col("g").alias("sid"), "time", *columns)
    types: dict[str, DataType] = {
        name: DataType.STRING if type_ is DataType.TAG else type_
        for name, type_ in schema.fields.items()
        if name in names and type_ is not DataType.UNKNOWN
    }
    return arrange(Flat(frame, table.groups, types), schema, bound.condition, refs, groups)


def references(expr: Expr | None) -> list[VarRef]:
    """The names that an expression looks at."""
    return [] if expr is None else [node for node in walk(expr) if isinstance(node, VarRef)]


def field_names(refs: Iterable[VarRef], schema: Schema) -> set[str]:
    """Those of the references that read a field here."""
    return {
        ref.name
        for ref in refs
        if ref.name in schema.fields and ref.type is not DataType.TAG and schema.type_of(ref) is not DataType.TAG
    }


def read(source: MeasurementSource, request: ScanRequest) -> Flat:
    """Scan raw rows and put the fields of a point side by side."""
    scan = source.reader.scan(request)
    sids: dict[tuple[str, object], int] = {}
    sid_of = np.empty(len(scan.series), np.uint32)
    field_of = np.empty(len(scan.series), np.int32)
    fields: dict[str, int] = {}
    entities: list[Entity] = []
    for at, series in enumerate(scan.series):
        key = (series.measurement, series.tags)
        sid = sids.setdefault(key, len(sids))
        if sid == len(entities):
            entities.append(Entity(series.measurement, dict(series.tags)))
        sid_of[at] = sid
        field_of[at] = fields.setdefault(series.field, len(fields))
    parts: dict[str, list[pl.DataFrame]] = {}
    for batch in scan.batches:
        _take_apart(batch.frame, sid_of, field_of, list(fields), parts)
    types = {name: source.schema.fields[name] for name in fields if name in source.schema.fields}
    return Flat(_side_by_side(parts, types), entities, types)


def _take_apart(
    frame: pl.DataFrame,
    sid_of: npt.NDArray[np.uint32],
    field_of: npt.NDArray[np.int32],
    fields: list[str],
    parts: dict[str, list[pl.DataFrame]],
) -> None:
    """Rows of one batch, by field, with entities in place of field series."""
    ordinals = frame["series"].to_numpy()
    # Put together by hand: an expression has a fixed cost that a small answer would feel.
    sids = sid_of[ordinals]
    which = field_of[ordinals]
    for field, name in enumerate(fields):
        mine = which == field
        columns = [pl.Series("sid", sids), frame["time"], frame["value"].alias(_named(name))]
        if not mine.all():
            at = np.flatnonzero(mine)
            columns = [picked(column, at) for column in columns]
        if len(columns[0]):
            parts.setdefault(name, []).append(pl.DataFrame(columns))


def _side_by_side(parts: dict[str, list[pl.DataFrame]], types: dict[str, DataType]) -> pl.DataFrame:
    columns = [_one_type(_named(name), frames, types[name]) for name, frames in parts.items() if name in types]
    if not columns:
        return pl.DataFrame(schema={"sid": pl.UInt32, "time": pl.Int64})
    first = columns[0]
    if len(columns) == 1:
        return first
    keys = first[["sid", "time"]]
    if all(len(c) == len(first) and c[["sid", "time"]].equals(keys) for c in columns[1:]):
        return pl.DataFrame([*first.iter_columns(), *(c.to_series(2) for c in columns[1:])])
    # A point has at most one value per field, so any aggregate that skips nulls picks it.
    stacked = pl.concat(columns, how="diagonal")
    return stacked.group_by("sid", "time").agg(pl.all().max()).sort("sid", "time")


def _one_type(name: str, frames: list[pl.DataFrame], type_: DataType) -> pl.DataFrame:
    """Rows of a field in one type; values of others are cast where both are numbers, else dropped."""
    dtype = dtype_of(type_)
    kept = []
    for frame in frames:
        if frame.schema[name] == dtype:
            kept.append(frame)
        elif frame.schema[name].is_numeric() and dtype.is_numeric():
            kept.append(frame.with_columns(pl.col(name).cast(dtype, strict=False)))
    if not kept:
        return pl.DataFrame(schema={"sid": pl.UInt32, "time": pl.Int64, name: dtype})
    return kept[0] if len(kept) == 1 else pl.concat(kept).sort("sid", "time", maintain_order=True)


def arrange(
    flat: Flat, schema: Schema, condition: Expr | None, refs: Sequence[VarRef], groups: Groups
) -> pl.DataFrame | None:
    """Filter, group and name the columns of one source's rows."""
    frame = flat.frame
    if condition is not None and len(frame):
        frame = _filtered(flat, schema, condition)
    if not len(frame):
        return None
    of_entity = np.array([groups.of(e) for e in flat.entities], np.uint32)
    columns = [pl.Series("g", of_entity[frame["sid"].to_numpy()]), frame["time"]]
    complete = False
    has_value: pl.Series | None = None
    for at, ref in enumerate(refs):
        column = _column(flat, frame, schema, ref).alias(f"r{at}")
        if schema.type_of(ref) is not DataType.TAG and column.dtype != pl.Null():
            if column.null_count():
                there = column.is_not_null()
                has_value = there if has_value is None else has_value | there
            else:
                complete = True
        wanted = dtype_of(ref.type)
        columns.append(column if column.dtype == wanted else column.cast(wanted, strict=False))
    if complete:
        return pl.DataFrame(columns)
    return None if has_value is None else pl.DataFrame(columns).filter(has_value)


def _column(flat: Flat, frame: pl.DataFrame, schema: Schema, ref: VarRef) -> pl.Series:
    """The values of a reference, null where it has none or its cast has no meaning."""
    if schema.type_of(ref) is DataType.TAG:
        return _tags(flat, frame, ref.name)
    stored = flat.types.get(ref.name)
    if stored is None or ref.type is DataType.TAG:
        return pl.Series([None], dtype=pl.Null).new_from_index(0, len(frame))
    wanted = stored if ref.type in (DataType.UNKNOWN, DataType.ANY_FIELD) else ref.type
    if wanted is stored:
        return frame[_named(ref.name)]
    if wanted.is_numeric and stored.is_numeric:
        return _cast(frame[_named(ref.name)], stored, wanted)
    return pl.Series([None], dtype=dtype_of(wanted)).new_from_index(0, len(frame))


def _cast(column: pl.Series, stored: DataType, wanted: DataType) -> pl.Series:
    if {stored, wanted} == {DataType.INTEGER, DataType.UNSIGNED}:
        view = column.to_frame("x").select(pl.col("x").reinterpret(signed=wanted is DataType.INTEGER))
        return view["x"]
    return column.cast(dtype_of(wanted), strict=False)


def _tags(flat: Flat, frame: pl.DataFrame, tag: str) -> pl.Series:
    values = pl.Series([e.tags.get(tag) or None for e in flat.entities], dtype=pl.String)
    return values.gather(frame["sid"])


def _filtered(flat: Flat, schema: Schema, condition: Expr) -> pl.DataFrame:
    typed = with_types(condition, schema)
    columns: dict[Expr, Typed] = {}
    added: list[pl.Series] = []
    for at, (original, ref) in enumerate(zip(references(condition), references(typed), strict=True)):
        if ref.type is DataType.UNKNOWN and original.type is not DataType.ANY_FIELD:
            # Neither field nor tag: compares as a tag that is missing everywhere.
            columns[ref] = Typed(pl.lit("", pl.String), DataType.TAG)
            continue
        values = _column(flat, flat.frame, schema, ref).rename(f"?{at}")
        if ref.type is DataType.TAG:
            values = values.fill_null("")
        added.append(values)
        columns[ref] = Typed(pl.col(f"?{at}"), ref.type) if values.dtype != pl.Null() else NOTHING
    truth = evaluate(typed, columns)
    if truth.type is not DataType.BOOLEAN:
        return flat.frame.clear()
    return flat.frame.with_columns(added).filter(truth.expr).drop([s.name for s in added])
