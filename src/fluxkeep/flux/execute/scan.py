"""A read of storage as tables: field series to blocks, with groups, windows and fills.

Columns come as the reference's reads have them: `_start, _stop, _time, _value`,
then `_field`, `_measurement` and the tags by label.

Source: flux.md §12 (`from`), §16.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from fluxkeep.compute.windows import WindowGrid, clip
from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.predicates import VALUE, And, Compare, Op, Or, Predicate, columns_of
from fluxkeep.datamodel.reader import Aggregate, FieldSeries, Reader, ScanRequest
from fluxkeep.datamodel.reader import Scan as Answer
from fluxkeep.datamodel.series_names import names_of
from fluxkeep.datamodel.tables import ORDER, TABLE, Block, Column, Columns, ColumnType
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.failures import PlacedError
from fluxkeep.flux.execute.regroup import ascending, by_order, piece_of, rebuild

if TYPE_CHECKING:
    from fluxkeep.flux.plan.operations import Scan

_TYPES = {
    FieldType.FLOAT: ColumnType.FLOAT,
    FieldType.INTEGER: ColumnType.INT,
    FieldType.UNSIGNED: ColumnType.UINT,
    FieldType.STRING: ColumnType.STRING,
    FieldType.BOOLEAN: ColumnType.BOOL,
}
_FRONT = ("_start", "_stop", "_time", "_value")


def read(reader: Reader, scan: Scan) -> Sequence[Block]:
    """Ask the reader and shape its answer."""
    window = scan.spec.window if scan.spec is not None else None
    request = ScanRequest(
        time_range=scan.time_range,
        predicate=scan.predicate,
        absent_is_empty=True,
        fields=fields_of(scan.predicate),
        aggregate=scan.aggregate,
        window=window,
        limit=scan.limit,
    )
    try:
        answer = reader.scan(request)
        frames = _collect(answer)
    except InvalidInput as error:
        kind_name = error.message.removeprefix("unsupported aggregate column type ")
        if window is None or scan.aggregate is None or kind_name == error.message:
            raise
        # Quirk: the reference's store tells this in its own words, and no call. Source: recorded answers.
        raise PlacedError(f"unsupported input type for {scan.aggregate.value} aggregate: {kind_name}") from error
    whole = {kind: parts[0] if len(parts) == 1 else pl.concat(parts) for kind, parts in frames.items()}
    if scan.group is not None and scan.aggregate is not None and len(whole) == 1:
        ((kind, frame),) = whole.items()
        return [_group_sums(answer.series, kind, frame, scan)]
    blocks: list[Block] = []
    for kind, frame in whole.items():
        blocks += _blocks(answer.series, kind, frame, scan)
    blocks = by_order(blocks)
    if scan.group is not None:
        return _grouped(blocks, scan)
    return blocks


def fields_of(predicate: Predicate | None) -> tuple[str, ...] | None:
    """The only fields that a predicate can hold for, sorted; None where it does not say."""
    match predicate:
        case Compare(column="_field", op=Op.EQ, literal=str(name)):
            return (name,)
        case And(operands=operands):
            known = [set(found) for o in operands if (found := fields_of(o)) is not None]
            return tuple(sorted(set.intersection(*known))) if known else None
        case Or(operands=operands):
            each = [fields_of(o) for o in operands]
            return tuple(sorted({name for found in each for name in found or ()})) if None not in each else None
    return None


def _collect(answer: Answer) -> dict[FieldType, list[pl.DataFrame]]:
    frames: dict[FieldType, list[pl.DataFrame]] = {}
    for batch in answer.batches:
        if batch.frame.height:
            frames.setdefault(batch.type, []).append(batch.frame)
    return frames


def _blocks(series: Sequence[FieldSeries], kind: FieldType, frame: pl.DataFrame, scan: Scan) -> Iterable[Block]:
    """The rows of one value type: a block for each set of tag keys."""
    ordinals = frame["series"].to_numpy()
    # Rows of a series stand together, the series ascend.
    begins = np.concatenate((np.ones(1, np.bool_), ordinals[1:] != ordinals[:-1]))
    present = ordinals[begins].astype(np.int64)
    table_of = np.cumsum(begins, dtype=np.int32) - np.int32(1)
    if scan.predicate is not None and VALUE in columns_of(scan.predicate):
        possible = np.array([not _impossible(scan.predicate, series[p].type) for p in present.tolist()])
    else:
        possible = np.ones(len(present), np.bool_)
    names = names_of(series, present).columns
    for tags, members in _shapes(names, possible):
        keys = pl.DataFrame(
            [
                pl.Series(ORDER, present if members is None else present[members], dtype=pl.Int64),
                *(names[label] if members is None else names[label][members] for label in tags),
            ]
        )
        if members is None:
            yield _shaped(keys, _TYPES[kind], frame, table_of, scan)
            continue
        ids = np.full(len(present), -1, np.int32)
        ids[members] = np.arange(len(members), dtype=np.int32)
        mine = ids[table_of]
        kept = np.flatnonzero(mine >= 0)
        yield _shaped(keys, _TYPES[kind], frame[kept], mine[kept], scan)


def _shapes(
    names: Mapping[str, pl.Series], possible: npt.NDArray[np.bool_]
) -> Iterator[tuple[list[str], npt.NDArray[np.int64] | None]]:
    """The labels of each set of tag keys, sorted, and which series have it; None for all."""
    labels = sorted(names)
    if possible.all() and not any(names[label].null_count() for label in labels):
        yield labels, None
        return
    there = np.column_stack([names[label].is_not_null().to_numpy() for label in labels])
    sets, of = np.unique(there, axis=0, return_inverse=True)
    for number, has in enumerate(sets):
        members = np.flatnonzero((of.reshape(-1) == number) & possible)
        if len(members):
            yield [label for label, present in zip(labels, has.tolist(), strict=True) if present], members


def _impossible(predicate: Predicate, kind: FieldType) -> bool:
    """Whether a predicate compares unsigned values with a number of another type, which never holds.

    Source: flux.md §16, the differences between pushed and in-memory forms.
    """
    match predicate:
        case Compare(column="_value", literal=literal):
            return kind is FieldType.UNSIGNED and isinstance(literal, int | float) and not isinstance(literal, bool)
        case And(operands=operands):
            return any(_impossible(o, kind) for o in operands)
        case Or(operands=operands):
            return all(_impossible(o, kind) for o in operands)
    return False


def _shaped(
    keys: pl.DataFrame, kind: ColumnType, frame: pl.DataFrame, tables: npt.NDArray[np.int32], scan: Scan
) -> Block:
    """The block of some series: `tables` has the row of `keys` that each row of `frame` belongs to."""
    names = [c for c in keys.columns if c != ORDER]
    frame = pl.DataFrame([pl.Series(TABLE, tables), *frame.iter_columns()])
    if scan.spec is not None and scan.spec.window is not None:
        return _windowed(keys, names, kind, frame, scan)
    keys = _bounded(keys, scan)
    with_time = scan.aggregate is None or scan.aggregate.is_selector
    times = [frame["time"].alias("_time")] if with_time else []
    rows = pl.DataFrame([frame[TABLE], *times, frame["value"].alias("_value")])
    columns = _columns(names, kind, with_time=with_time, value_last=scan.aggregate is Aggregate.MEAN)
    return Block(columns, ("_start", "_stop", *names), keys, rows)


def _bounded(keys: pl.DataFrame, scan: Scan) -> pl.DataFrame:
    """Keys with the range's bounds in front."""
    # Put together by hand, here and elsewhere: an expression has a fixed cost that a small answer would feel.
    start, stop = (
        pl.Series(label, np.full(keys.height, bound, np.int64))
        for label, bound in (("_start", scan.time_range.start), ("_stop", scan.time_range.stop))
    )
    return pl.DataFrame([keys[ORDER], start, stop, *(keys[name] for name in keys.columns if name != ORDER)])


def _columns(names: Sequence[str], kind: ColumnType, *, with_time: bool, value_last: bool = False) -> Columns:
    front = [Column("_start", ColumnType.TIME), Column("_stop", ColumnType.TIME)]
    if with_time:
        front.append(Column("_time", ColumnType.TIME))
    tail = [Column(name, ColumnType.STRING) for name in names]
    value = [Column("_value", kind)]
    # Quirk: a mean without windows is computed above the read and comes as aggregates do, key first.
    return tuple([*front, *tail, *value] if value_last else [*front, *value, *tail])


def _windowed(keys: pl.DataFrame, names: list[str], kind: ColumnType, frame: pl.DataFrame, scan: Scan) -> Block:
    assert scan.spec is not None
    assert scan.aggregate is not None
    selector = scan.aggregate.is_selector
    rows = pl.DataFrame([frame[name] for name in (TABLE, "start", "stop", "time", "value")])
    if scan.spec.create_empty:
        rows = _with_empty_windows(rows, keys.height, scan)
    if scan.time is not None:
        # The by-time form: windows undone, a bound of the window as the row's time.
        time = rows["stop" if scan.time == "_stop" else "start"]
        shown = pl.DataFrame([rows[TABLE], time.alias("_time"), rows["value"].alias("_value")])
        return Block(_columns(names, kind, with_time=True), ("_start", "_stop", *names), _bounded(keys, scan), shown)
    tables = rows.with_row_index("\0n")
    key_rows = keys[tables[TABLE]].with_columns(
        tables["start"].alias("_start"),
        tables["stop"].alias("_stop"),
        pl.Series(ORDER, np.arange(tables.height), dtype=pl.Int64),
    )
    # Places of windows of one series follow its place; blocks of other shapes are told apart by it.
    places = keys[ORDER].gather(tables[TABLE]) * (1 << 32) + tables["\0n"].cast(pl.Int64)
    key_rows = key_rows.with_columns(places.alias(ORDER)).select(ORDER, "_start", "_stop", *names)
    data = pl.DataFrame(
        [
            tables["\0n"].cast(pl.Int32).alias(TABLE),
            *([tables["time"].alias("_time")] if selector else []),
            tables["value"].alias("_value"),
        ]
    )
    if selector and scan.spec.create_empty and not scan.fill:
        data = data.filter(tables["value"].is_not_null())
    if selector and scan.fill:
        # Quirk: filled windows of a read have lost the times of what was selected. Source: flux.md §11.4.
        data, selector = data.drop("_time"), False
    return Block(_columns(names, kind, with_time=selector), ("_start", "_stop", *names), key_rows, data)


def _with_empty_windows(rows: pl.DataFrame, tables: int, scan: Scan) -> pl.DataFrame:
    """Every window of the range for every series: null, or 0 for a count."""
    assert scan.spec is not None
    assert scan.spec.window is not None
    grid = WindowGrid(scan.spec.window)
    indices = grid.covering(scan.time_range)
    starts, stops = clip(grid.starts(indices), grid.stops(indices), scan.time_range)
    every = pl.DataFrame({TABLE: np.arange(tables, dtype=np.int32)}).join(
        pl.DataFrame({"start": starts, "stop": stops}), how="cross"
    )
    filled = every.join(rows, on=[TABLE, "start", "stop"], how="left", maintain_order="left")
    if scan.aggregate is Aggregate.COUNT:
        filled = filled.with_columns(pl.col("value").fill_null(0))
    return filled


def _grouped(blocks: Sequence[Block], scan: Scan) -> list[Block]:
    """A grouped read: `_start, _stop` and the listed columns as written are the key.

    A series that lacks a listed tag comes under a key without it; aggregated, under null. Such
    groups are last. Source: flux.md §16, 3.
    """
    assert scan.group is not None
    wanted = tuple(dict.fromkeys(scan.group))
    if scan.aggregate is not None:
        blocks = [_with_absent(b, wanted) for b in blocks]
    pieces = [piece_of(b, ("_start", "_stop", *(c for c in wanted if b.find(c) is not None))) for b in blocks]
    grouped = rebuild(pieces, sort=False)
    if scan.aggregate is not None:
        grouped = [_summed(b, wanted) for b in grouped]
    ordered = sorted(
        ((_group_order(b, i, wanted), n, i) for n, b in enumerate(grouped) for i in range(b.table_count)),
        key=lambda entry: entry[0],
    )
    places = [np.empty(b.table_count, np.int64) for b in grouped]
    for place, (_, n, i) in enumerate(ordered):
        places[n][i] = place
    return [
        _sorted_columns(_replaced(b, places[n]), key_last=scan.aggregate is not None) for n, b in enumerate(grouped)
    ]


def _with_absent(block: Block, wanted: Sequence[str]) -> Block:
    missing = [c for c in wanted if block.find(c) is None]
    if not missing:
        return block
    columns = (*block.columns, *(Column(c, ColumnType.STRING) for c in missing))
    keys = block.keys.with_columns(pl.lit(None, pl.String).alias(c) for c in missing)
    return Block(columns, (*block.key, *missing), keys, block.rows)


def _group_sums(series: Sequence[FieldSeries], kind: FieldType, frame: pl.DataFrame, scan: Scan) -> Block:
    """Counts or sums of field series of one type into those of their groups, without a table a series."""
    assert scan.group is not None
    wanted = tuple(dict.fromkeys(scan.group))
    names = names_of(series, frame["series"].to_numpy().astype(np.int64), wanted).columns
    if wanted:
        parts = pl.DataFrame([frame["value"].alias("\0value"), *(names[label] for label in wanted)])
        summed = parts.group_by(wanted).agg(pl.col("\0value").sum()).sort(wanted, nulls_last=True)
    else:
        summed = pl.DataFrame({"\0value": frame["value"].sum()}, schema={"\0value": frame["value"].dtype})
    count = np.arange(summed.height)
    keys = pl.DataFrame([pl.Series(ORDER, count, dtype=pl.Int64), *(summed[label] for label in wanted)])
    rows = pl.DataFrame([pl.Series(TABLE, count, dtype=pl.Int32), summed["\0value"].alias("_value")])
    return Block(_sum_columns(_TYPES[kind], wanted), ("_start", "_stop", *wanted), _bounded(keys, scan), rows)


def _sum_columns(kind: ColumnType, wanted: Sequence[str]) -> Columns:
    return (
        Column("_start", ColumnType.TIME),
        Column("_stop", ColumnType.TIME),
        Column("_value", kind),
        *(Column(c, ColumnType.STRING) for c in wanted),
    )


def _summed(block: Block, wanted: Sequence[str]) -> Block:
    """Partial counts or sums of a group's series into one."""
    rows = block.rows.group_by(TABLE, maintain_order=True).agg(pl.col("_value").sum())
    kind = next(c.type for c in block.columns if c.label == "_value")
    return Block(_sum_columns(kind, wanted), block.key, block.keys, rows)


def _group_order(block: Block, table: int, wanted: Sequence[str]) -> tuple[tuple[bool, str], ...]:
    values = [block.keys[c][table] if c in block.key else None for c in wanted]
    return tuple((v is None, v or "") for v in values)


def _replaced(block: Block, places: np.ndarray) -> Block:
    keys = block.keys.with_columns(pl.Series(ORDER, places, dtype=pl.Int64))
    return ascending(Block(block.columns, block.key, keys, block.rows))


def _sorted_columns(block: Block, *, key_last: bool) -> Block:
    if key_last:
        return block
    front = [c for label in _FRONT for c in block.columns if c.label == label]
    rest = sorted((c for c in block.columns if c.label not in _FRONT), key=lambda c: c.label)
    return Block((*front, *rest), block.key, block.keys, block.rows)
