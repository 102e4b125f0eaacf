"""Annotated CSV: results out, results in.

The encoder turns whole blocks into text on columns; only labels, annotations
and the rare float that needs more than its shortest digits pass through Python.
The decoder reads what `csv.from` is given.

Source: http-api.md §10.3, §10.4; flux.md §8.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl

from fluxkeep.datamodel.tables import TABLE, Block, Column, ColumnType, Result, Value, make_block, runs
from fluxkeep.errors import InvalidInput
from fluxkeep.instants import format_rfc3339, parse_rfc3339

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
# Up to so many cells are formatted one by one.
_FEW = 64
# Up to so many rows are put together without a frame.
_SHORT_RUN_ROWS = 64
_ROWS_PER_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a client wants its CSV; the defaults are those of a request without a dialect.

    Attributes:
        annotations: Of `datatype`, `group`, `default`, in the order asked for.
        header: Whether the row of labels is written.
        delimiter: One character.
    """

    annotations: tuple[str, ...] = ()
    header: bool = True
    delimiter: str = ","


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


def _encode_result(result: Result, dialect: Dialect) -> Iterator[bytes]:
    """The blocks of one result; a schema block only where something changes."""
    previous: tuple[tuple[Column, ...], frozenset[str]] | None = None
    number = 0
    started = False
    texts: dict[int, _BlockText] = {}
    for run in runs(result.blocks):
        text = texts.get(id(run.block))
        if text is None:
            text = texts[id(run.block)] = _BlockText(run.block, result.name, dialect)
        block = run.block
        shape = (block.columns, frozenset(block.key))
        at = run.start
        while at < run.stop:
            until = text.next_empty(at, run.stop)
            if until > at:
                if previous != shape:
                    yield (("\r\n" if started else "") + _schema(block, result.name, dialect, None, None)).encode()
                    started, previous = True, shape
                yield from text.rows(at, until, number)
                number += until - at
                at = until
            if at < run.stop:
                yield (("\r\n" if started else "") + _schema(block, result.name, dialect, number, at)).encode()
                started, previous = True, None
                number += 1
                at += 1


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


class _Chunk:
    """Some rows of a block as text behind the table's number, made once however many runs share them.

    Where types alternate from series to series a run is a few rows, and a frame
    for each would cost a thousand times its text.
    """

    def __init__(self, start: int, ids: pl.Series, tails: pl.Series) -> None:
        self.start = start
        self.stop = start + len(ids)
        self._ids = ids
        self._tails = tails
        self._lists: tuple[list[int], list[str]] | None = None

    def text(self, first: int, last: int, shift: int, lead: str, delimiter: str) -> str:
        """The lines of the rows [first, last) of the block; tables are numbered `shift` beside their ordinals."""
        at, until = first - self.start, last - self.start
        if until - at <= _SHORT_RUN_ROWS:
            if self._lists is None:
                self._lists = (self._ids.to_list(), self._tails.to_list())
            ids, tails = self._lists
            rows = zip(ids[at:until], tails[at:until], strict=True)
            return "".join([f"{lead}{delimiter}{table + shift}{tail}\r\n" for table, tail in rows])
        numbers = (self._ids.slice(at, until - at).cast(pl.Int64) + shift).cast(pl.String)
        named = pl.DataFrame([numbers.alias("0"), self._tails.slice(at, until - at).alias("1")])
        lines = named.select(pl.concat_str([pl.lit(lead + delimiter), pl.col("0"), pl.col("1")]))
        text: str = lines.to_series().str.join("\r\n")[0]
        return text + "\r\n"


class _BlockText:
    """The rows of one block as lines, made chunk by chunk."""

    def __init__(self, block: Block, name: str, dialect: Dialect) -> None:
        self._block = block
        self._dialect = dialect
        self._lead = dialect.delimiter + ("" if "default" in dialect.annotations else _quoted(name, dialect.delimiter))
        sizes = block.sizes()
        self._sizes = sizes
        self._starts = [0, *sizes.cumsum().tolist()]
        self._empty = [i for i, size in enumerate(sizes.tolist()) if not size]
        self._segments = self._make_segments()
        self._chunk: _Chunk | None = None

    def _make_segments(self) -> list[Column | pl.Series]:
        """The columns in order; key columns that stand together are one text a table, made once."""
        segments: list[Column | pl.Series] = []
        together: list[pl.Series] = []
        for column in (*self._block.columns, None):
            if column is not None and column.label in self._block.key:
                together.append(self._cells(self._block.keys[column.label], column))
                continue
            if together:
                segments.append(_joined(together, self._dialect.delimiter))
                together = []
            if column is not None:
                segments.append(column)
        return segments

    def next_empty(self, start: int, stop: int) -> int:
        """The first table in [start, stop) without rows, or stop."""
        if not self._empty:
            return stop
        return next((i for i in self._empty if start <= i < stop), stop)

    def rows(self, start: int, stop: int, number: int) -> Iterator[bytes]:
        """The lines of the tables [start, stop), which are numbered from `number`."""
        first, last = self._starts[start], self._starts[stop]
        shift = number - start
        while first < last:
            chunk = self._chunk_at(first)
            until = min(last, chunk.stop)
            yield chunk.text(first, until, shift, self._lead, self._dialect.delimiter).encode()
            first = until

    def _chunk_at(self, row: int) -> _Chunk:
        """The chunk that holds a row; runs go forward, so only the latest is kept."""
        if self._chunk is None or not self._chunk.start <= row < self._chunk.stop:
            begin = row // _ROWS_PER_CHUNK * _ROWS_PER_CHUNK
            rows = self._block.rows.slice(begin, _ROWS_PER_CHUNK)
            ids = rows[TABLE]
            cells = [
                self._cells(rows[segment.label], segment) if isinstance(segment, Column) else segment.gather(ids)
                for segment in self._segments
            ]
            # An empty cell in front brings the delimiter, so that a table without columns has none.
            blank = pl.repeat("", len(ids), eager=True)
            self._chunk = _Chunk(begin, ids, _joined([blank, *cells], self._dialect.delimiter))
        return self._chunk

    def _cells(self, values: pl.Series, column: Column) -> pl.Series:
        if len(values) <= _FEW:
            return pl.Series(_few_cells(values.to_list(), column.type, self._dialect.delimiter), dtype=pl.String)
        text = format_column(values, column.type).fill_null("")
        return _quote(text, self._dialect.delimiter) if column.type is ColumnType.STRING else text


def _joined(cells: Sequence[pl.Series], delimiter: str) -> pl.Series:
    """Row by row, the cells behind each other."""
    if len(cells) == 1:
        return cells[0]
    if len(cells[0]) <= _FEW:
        lines = zip(*(text.to_list() for text in cells), strict=True)
        return pl.Series([delimiter.join(line) for line in lines], dtype=pl.String)
    named = pl.DataFrame([text.alias(str(i)) for i, text in enumerate(cells)])
    return named.select(pl.concat_str(pl.all(), separator=delimiter)).to_series()


def _few_cells(values: Sequence[Any], kind: ColumnType, delimiter: str) -> list[str]:
    """What `format_column` and `_quote` give, without the fixed cost of an expression, which is that of 100 cells."""
    match kind:
        case ColumnType.STRING:
            return ["" if v is None else _quoted(v, delimiter) for v in values]
        case ColumnType.FLOAT:
            return ["" if v is None else format_float(v) for v in values]
        case ColumnType.TIME:
            return ["" if v is None else format_rfc3339(v) for v in values]
        case ColumnType.BOOL:
            return ["" if v is None else "true" if v else "false" for v in values]
        case _:
            return ["" if v is None else str(v) for v in values]


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


def _quote(text: pl.Series, delimiter: str) -> pl.Series:
    """Quote where RFC 4180 and the reference's writer do."""
    special = text.str.contains(rf'[\r\n"{_in_class(delimiter)}]|^\s|^\\\.$')
    if not special.any():
        return text
    quoted = (
        '"'
        + text.str.replace_all('"', '""', literal=True).str.replace_all("\r", "").str.replace_all("\n", "\r\n")
        + '"'
    )
    return quoted.zip_with(special, text)


def _in_class(delimiter: str) -> str:
    return "\\" + delimiter if delimiter in r"\]^-[&~" else delimiter


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
