"""Annotated CSV: results out, results in.

The rows of whole blocks are spelled by `csv_rows`; labels and annotations, and the
order of what stands in an answer, are made here.
The decoder reads what `csv.from` is given.

Source: http-api.md §10.3, §10.4; flux.md §8.
"""

from __future__ import annotations

import csv
import io
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from fluxkeep.datamodel.tables import Block, Column, ColumnType, Result, Value, make_block, runs
from fluxkeep.errors import InvalidInput
from fluxkeep.formats.csv_rows import BlockRows
from fluxkeep.instants import parse_rfc3339

_DATATYPES = {
    ColumnType.BOOL: "boolean",
    ColumnType.INT: "long",
    ColumnType.UINT: "unsignedLong",
    ColumnType.FLOAT: "double",
    ColumnType.STRING: "string",
    ColumnType.TIME: "dateTime:RFC3339",
}
_TYPES = {
    **{text: kind for kind, text in _DATATYPES.items()},
    "dateTime": ColumnType.TIME,
    "dateTime:RFC3339Nano": ColumnType.TIME,
}
Int64s = npt.NDArray[np.int64]

# Where runs are short, so many pieces go out as one; a run of so many rows goes out by itself.
_PIECES = 512
_PIECE_ROWS = 512


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a client wants its CSV; the defaults are those of a request without a dialect.

    Attributes:
        annotations: Of `datatype`, `group`, `default`, in the order asked for.
        header: Whether the row of labels is written.
        delimiter: One ASCII character.

    Raises:
        InvalidInput: A delimiter of another length.
    """

    annotations: tuple[str, ...] = ()
    header: bool = True
    delimiter: str = ","

    def __post_init__(self) -> None:
        if len(self.delimiter.encode()) != 1:
            raise InvalidInput("invalid dialect delimeter: must be length 1")


FULL_DIALECT = Dialect(annotations=("datatype", "group", "default"))


def encode(results: Iterable[Result], dialect: Dialect = FULL_DIALECT) -> Iterator[bytes]:
    """Results as annotated CSV, in pieces; lines end CRLF.

    A failure while a result is made is raised out of the iterator after what was
    written before it; the caller appends `encode_error`.
    """
    for result in results:
        yield from _encode_result(result, dialect)
        yield b"\r\n"


def encode_error(message: str, dialect: Dialect, *, after_tables: bool) -> bytes:
    """The error table that ends a broken answer."""
    row = {
        "datatype": ("#datatype", "string", "string"),
        "group": ("#group", "true", "true"),
        "default": ("#default", "", ""),
    }
    lines = [row[a] for a in dialect.annotations]
    lines += [("", "error", "reference"), ("", message, "")]
    text = "".join(_line(line, dialect.delimiter) for line in lines)
    return (("\r\n" if after_tables else "") + text).encode()


class _Stretch(NamedTuple):
    """Tables [start, stop) of a block that stand together in the answer: all with rows, or one without.

    Its rows are [first, last). There may be as many as tables, so it is a plain tuple.
    """

    block: Block
    start: int
    stop: int
    first: int
    last: int


def _encode_result(result: Result, dialect: Dialect) -> Iterator[bytes]:
    """The blocks of one result; a schema block only where something changes."""
    stretches = list(_stretches(result.blocks))
    rows = _rows(result, stretches, dialect)
    schemas: dict[int, bytes] = {}
    shapes: dict[int, tuple[tuple[Column, ...], frozenset[str]]] = {}
    previous: tuple[tuple[Column, ...], frozenset[str]] | None = None
    number = 0
    lead = b""
    pieces: list[bytes] = []
    for stretch in stretches:
        block = stretch.block
        if stretch.first == stretch.last:
            pieces += (lead, _schema(block, result.name, dialect, number, stretch.start).encode())
            previous = None
        else:
            shape = shapes.get(id(block))
            if shape is None:
                shape = shapes[id(block)] = (block.columns, frozenset(block.key))
                schemas[id(block)] = _schema(block, result.name, dialect, None, None).encode()
            if previous is not shape and previous != shape:
                pieces += (lead, schemas[id(block)])
            previous = shape
            lines = rows[id(block)].lines(stretch.first, stretch.last)
            if stretch.last - stretch.first < _PIECE_ROWS:
                pieces += lines
            else:
                yield b"".join(pieces)
                pieces.clear()
                yield from lines
        number += stretch.stop - stretch.start
        lead = b"\r\n"
        if len(pieces) >= _PIECES:
            yield b"".join(pieces)
            pieces.clear()
    if pieces:
        yield b"".join(pieces)


def _stretches(blocks: Sequence[Block]) -> Iterator[_Stretch]:
    # Runs may be as many as tables, so what costs something a call is done once a block.
    known: dict[int, tuple[list[int], list[int]]] = {}
    for run in runs(blocks):
        block = run.block
        found = known.get(id(block))
        if found is None:
            sizes = block.sizes()
            edges = [0, *np.cumsum(sizes).tolist()]
            found = known[id(block)] = edges, np.flatnonzero(sizes == 0).tolist()
        edges, empty = found
        at = run.start
        for table in (*empty[bisect_left(empty, run.start) : bisect_left(empty, run.stop)], run.stop):
            if table > at:
                yield _Stretch(block, at, table, edges[at], edges[table])
            if table < run.stop:
                yield _Stretch(block, table, table + 1, edges[table], edges[table])
            at = table + 1


def _rows(result: Result, stretches: Sequence[_Stretch], dialect: Dialect) -> dict[int, BlockRows]:
    """What makes the lines of each block, by its identity."""
    name = "" if "default" in dialect.annotations else _quoted(result.name, dialect.delimiter)
    numbers = {id(block): np.zeros(block.table_count, np.int64) for block in result.blocks}
    cuts: dict[int, set[int]] = {id(block): set() for block in result.blocks}
    number = 0
    for stretch in stretches:
        count = stretch.stop - stretch.start
        numbers[id(stretch.block)][stretch.start : stretch.stop] = np.arange(number, number + count)
        cuts[id(stretch.block)].update((stretch.first, stretch.last))
        number += count
    return {
        id(block): BlockRows(
            block,
            numbers[id(block)],
            np.array(sorted(cuts[id(block)]), np.int64),
            dialect.delimiter + name,
            dialect.delimiter,
        )
        for block in result.blocks
    }


def _schema(block: Block, name: str, dialect: Dialect, number: int | None, empty: int | None) -> str:
    """Annotations and labels; of an empty table also its number and key."""
    lines: list[list[str]] = []
    for annotation in dialect.annotations:
        if annotation == "datatype":
            lines.append(["#datatype", "string", "long", *(_DATATYPES[c.type] for c in block.columns)])
        elif annotation == "group":
            group = ("true" if c.label in block.key else "false" for c in block.columns)
            lines.append(["#group", "false", "false", *group])
        elif annotation == "default":
            defaults = [""] * len(block.columns)
            if empty is not None:
                defaults = [
                    (format_column(block.keys[c.label].slice(empty, 1), c.type)[0] or "")
                    if c.label in block.key
                    else ""
                    for c in block.columns
                ]
            lines.append(["#default", name, "" if number is None else str(number), *defaults])
    if dialect.header:
        lines.append(["", "result", "table", *block.labels])
    return "".join(_line(line, dialect.delimiter) for line in lines)


def format_column(values: pl.Series, kind: ColumnType) -> pl.Series:
    """Cells as text; null stays null."""
    match kind:
        case ColumnType.STRING:
            return values
        case ColumnType.FLOAT:
            return _format_floats(values)
        case ColumnType.TIME:
            return _format_times(values)
        case _:
            return values.cast(pl.String)


def _format_floats(values: pl.Series) -> pl.Series:
    text = values.cast(pl.String).str.strip_suffix(".0")
    odd = text.str.contains(r"[a-zA-Z]").fill_null(False)
    if not odd.any():
        return text
    distinct = values.filter(odd).unique().to_list()
    spelled = {v: format_float(v) for v in distinct}
    # NaN is not equal to itself as a key; its text is the same wherever it stands.
    fixed = [spelled.get(v, "NaN") for v in values.filter(odd).to_list()]
    return text.scatter(odd.arg_true(), fixed)


def format_float(value: float) -> str:
    """Shortest decimal digits without an exponent; `NaN`, `+Inf`, `-Inf`."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text:
        text = f"{Decimal(text):f}"
    return text.removesuffix(".0")


def _format_times(values: pl.Series) -> pl.Series:
    instants = values.cast(pl.Datetime("ns"))
    if not (values % 1_000_000_000 != 0).any():
        return instants.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    text = instants.dt.strftime("%Y-%m-%dT%H:%M:%S%.9f")
    return text.str.strip_chars_end("0").str.strip_suffix(".") + "Z"


def _quoted(cell: str, delimiter: str) -> str:
    if not cell:
        return cell
    if cell == "\\." or cell[0].isspace() or any(c in cell for c in (delimiter, '"', "\r", "\n")):
        # Quirk: the reference's writer drops a lone carriage return; http-api.md §10.3.
        return '"' + cell.replace('"', '""').replace("\r", "").replace("\n", "\r\n") + '"'
    return cell


def _line(cells: Iterable[str], delimiter: str) -> str:
    return delimiter.join(_quoted(c, delimiter) for c in cells) + "\r\n"


# ---------------------------------------------------------------- decoding


@dataclass(slots=True)
class _Table:
    """A table while it is read."""

    columns: tuple[Column, ...]
    key: tuple[str, ...]
    key_values: tuple[Value, ...]
    rows: list[list[Value]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Schema:
    """What annotations and labels say of the rows that follow."""

    columns: tuple[Column | None, ...]
    group: tuple[bool, ...]
    defaults: tuple[str, ...]
    result_at: int | None
    table_at: int | None


def decode(text: str) -> list[Result]:
    """Read annotated CSV with all three annotations.

    Raises:
        InvalidInput: With the reference's texts; also where the text is an error table,
            with that table's message.
    """
    results: dict[str, list[_Table]] = {}
    annotations: dict[str, list[str]] = {}
    schema: _Schema | None = None
    at: tuple[str, str] | None = None
    pending: tuple[_Schema, bool] | None = None
    for line, row in _records(text):
        if not any(row) and len(row) <= 1:
            continue
        if row[0].startswith("#"):
            if schema is not None:
                _keep_empty(pending, results)
                annotations, schema, pending = {}, None, None
            annotations[row[0][1:]] = row[1:]
        elif schema is None:
            schema = _read_schema(annotations, row[1:])
            pending, at = (schema, True), None
        else:
            cells = row[1:]
            if len(cells) != len(schema.columns):
                raise InvalidInput(f"record on line {line}: wrong number of fields")
            filled = [c or schema.defaults[i] for i, c in enumerate(cells)]
            _raise_error(schema, filled)
            name = filled[schema.result_at] if schema.result_at is not None else ""
            number = filled[schema.table_at] if schema.table_at is not None else ""
            tables = results.setdefault(name, [])
            values = [_parse_cell(c, filled[i]) for i, c in enumerate(schema.columns) if c is not None]
            if at != (name, number):
                columns = tuple(c for c in schema.columns if c is not None)
                key = tuple(c.label for c, g in zip(schema.columns, schema.group, strict=True) if c is not None and g)
                key_values = tuple(values[i] for i, c in enumerate(columns) if c.label in key)
                tables.append(_Table(columns, key, key_values))
                at, pending = (name, number), None
            tables[-1].rows.append(values)
    if annotations and schema is None:
        raise InvalidInput("missing expected header row")
    _keep_empty(pending, results)
    return [Result(name, _blocks(tables)) for name, tables in results.items()]


def decode_raw(text: str) -> list[Block]:
    """Read plain CSV: a header and rows, all strings, one table without a key."""
    records = [row for _, row in _records(text) if any(row) or len(row) > 1]
    if not records:
        return []
    labels = records[0]
    columns = tuple(Column(label, ColumnType.STRING) for label in labels)
    values = {
        label: [row[i] if i < len(row) and row[i] else None for row in records[1:]] for i, label in enumerate(labels)
    }
    return [make_block(columns, (), [()], values, [0] * (len(records) - 1))]


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise InvalidInput(f"failed to read csv: {error}") from error


def _read_schema(annotations: dict[str, list[str]], labels: list[str]) -> _Schema:
    for name in ("datatype", "group", "default"):
        if name not in annotations:
            if labels[:2] == ["error", "reference"]:
                break
            hint = (
                '. consider using the mode: "raw" for csv that is not expected to have annotations.'
                if not annotations
                else ""
            )
            raise InvalidInput(f"failed to read metadata: missing expected annotation {name}{hint}")
    kinds, group, defaults = (
        [*annotations.get(name, []), *[""] * len(labels)][: len(labels)] for name in ("datatype", "group", "default")
    )
    columns: list[Column | None] = []
    result_at = table_at = None
    for i, label in enumerate(labels):
        if label == "result" and result_at is None:
            result_at = i
            columns.append(None)
        elif label == "table" and table_at is None:
            table_at = i
            columns.append(None)
        elif labels[:2] == ["error", "reference"]:
            columns.append(Column(label, ColumnType.STRING))
        else:
            if kinds[i] not in _TYPES:
                raise InvalidInput(
                    f'failed to read metadata: column "{label}" has invalid datatype: '
                    f'unsupported data type "{kinds[i]}"'
                )
            columns.append(Column(label, _TYPES[kinds[i]]))
    return _Schema(tuple(columns), tuple(g == "true" for g in group), tuple(defaults), result_at, table_at)


def _raise_error(schema: _Schema, cells: list[str]) -> None:
    labels = [c.label for c in schema.columns if c is not None]
    if labels[:1] == ["error"]:
        raise InvalidInput(cells[0])


def _keep_empty(pending: tuple[_Schema, bool] | None, results: dict[str, list[_Table]]) -> None:
    """A schema without rows is an empty table whose key is in the defaults."""
    if pending is None:
        return
    schema = pending[0]
    columns = tuple(c for c in schema.columns if c is not None)
    key = tuple(c.label for c, g in zip(schema.columns, schema.group, strict=True) if c is not None and g)
    values = tuple(
        _parse_cell(c, schema.defaults[i]) for i, c in enumerate(schema.columns) if c is not None and c.label in key
    )
    name = schema.defaults[schema.result_at] if schema.result_at is not None else ""
    results.setdefault(name, []).append(_Table(columns, key, values))


def _parse_cell(column: Column, cell: str) -> Value:
    if not cell:
        return None
    try:
        match column.type:
            case ColumnType.STRING:
                return cell
            case ColumnType.FLOAT:
                return float(cell)
            case ColumnType.INT | ColumnType.UINT:
                return int(cell)
            case ColumnType.BOOL:
                return {"true": True, "false": False}[cell]
            case ColumnType.TIME:
                return parse_rfc3339(cell)
    except (ValueError, KeyError) as error:
        raise InvalidInput(f'column "{column.label}": cannot parse "{cell}" as {column.type.value}') from error


def _blocks(tables: list[_Table]) -> list[Block]:
    """Tables of one shape into one block."""
    shapes: dict[tuple[tuple[Column, ...], tuple[str, ...]], list[int]] = {}
    for i, table in enumerate(tables):
        shapes.setdefault((table.columns, table.key), []).append(i)
    blocks = []
    for (columns, key), members in shapes.items():
        ids = [n for n, i in enumerate(members) for _ in tables[i].rows]
        flat = [row for i in members for row in tables[i].rows]
        values = {c.label: [row[n] for row in flat] for n, c in enumerate(columns)}
        blocks.append(make_block(columns, key, [tables[i].key_values for i in members], values, ids, members))
    return blocks
