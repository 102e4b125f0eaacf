"""Answers of the v1 query endpoint: JSON, chunked JSON, CSV, MessagePack.

A `Result` is one statement's answer or a part of it. Values come as columns,
so that rows exist only while they are written. Instants are ns; the encoder
knows what the client wants to see of them.

Source: influxql.md §3, http-api.md §7.2; recorded in
golden/influxql/show-and-statements.txt ("answer …").
"""

from __future__ import annotations

import datetime as dt
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import polars as pl

from fluxkeep.instants import HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND, format_rfc3339

Cell: TypeAlias = float | int | str | bool | None

# What `epoch` may be; every other word that is not empty means nanoseconds.
EPOCHS: Final[Mapping[str, int]] = {
    "u": MICROSECOND,
    "ms": MILLISECOND,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
}
_TIME_EXTENSION = 5
# Larger ones are written with an exponent.
_WHOLE_MAX = 1e21
# Escaped as in the reference, so that no browser takes an answer for HTML; in JSON they occur only inside strings.
_UNSAFE = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Rows of one name and tag set.

    Attributes:
        name: Empty where a statement's rows have none.
        tags: Sorted by key; None without grouping by tags.
        columns: Their names.
        data: A list of values for each column, all equally long.
        timed: The first column holds instants in ns.
        location: The IANA zone that instants are shown in; None is UTC.
        partial: More rows of this series follow in the next result.
    """

    name: str = ""
    tags: Mapping[str, str] | None = None
    columns: Sequence[str]
    data: Sequence[Sequence[Cell]]
    timed: bool = False
    location: str | None = None
    partial: bool = False

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return len(self.data[0]) if self.data else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One statement's answer, or a part of it when `partial`."""

    statement_id: int
    series: Sequence[Series] = field(default=())
    partial: bool = False
    error: str | None = None


class UnsupportedValue(ValueError):
    """An infinity, which JSON has no word for; the text is the reference's."""


def merge(results: Iterable[Result]) -> Iterator[Result]:
    """Parts of one statement put together; series that were cut are joined again."""
    head: Result | None = None
    gathered: list[Series] = []
    for result in results:
        if head is not None and head.statement_id == result.statement_id and result.error is None:
            _join(gathered, result.series)
        else:
            if head is not None:
                yield replace(head, series=gathered)
            head, gathered = result, list(result.series)
        if not result.partial:
            yield replace(head, series=gathered, partial=False)
            head = None
    if head is not None:
        yield replace(head, series=gathered, partial=False)


def _join(before: list[Series], after: Sequence[Series]) -> None:
    """Add series behind others; one that was cut goes on where it was."""
    rest = after
    if before and after and before[-1].partial:
        data = [[*a, *b] for a, b in zip(before[-1].data, after[0].data, strict=True)]
        before[-1] = replace(after[0], data=data)
        rest = after[1:]
    before.extend(rest)


def encode_json(results: Iterable[Result], epoch: str) -> bytes:
    """The whole answer as one document and a line feed; `{}` when no statement answers."""
    return _document([_json_result(result, epoch) for result in results])


def encode_json_chunks(results: Iterable[Result], epoch: str) -> Iterator[bytes]:
    """A document and a line feed for each part."""
    empty = True
    for result in results:
        empty = False
        yield _document([_json_result(result, epoch)])
    if empty:
        yield _document([])


def _document(results: list[dict[str, Any]]) -> bytes:
    body = msgspec.json.encode({"results": results} if results else {})
    for raw, escaped in _UNSAFE:
        if raw in body:
            body = body.replace(raw, escaped)
    return body + b"\n"


def _json_result(result: Result, epoch: str) -> dict[str, Any]:
    try:
        return _shape(result, lambda series: _json_columns(series, epoch))
    except UnsupportedValue as error:
        return {"statement_id": result.statement_id, "error": str(error)}


def _shape(result: Result, columns: Callable[[Series], list[Sequence[Any]]]) -> dict[str, Any]:
    """The members of a result in the order in which the reference writes them."""
    shape: dict[str, Any] = {"statement_id": result.statement_id}
    if result.series:
        shape["series"] = [_shape_series(series, columns(series)) for series in result.series]
    if result.partial:
        shape["partial"] = True
    if result.error is not None:
        shape["error"] = result.error
    return shape


def _shape_series(series: Series, columns: list[Sequence[Any]]) -> dict[str, Any]:
    shape: dict[str, Any] = {}
    if series.name:
        shape["name"] = series.name
    if series.tags:
        shape["tags"] = dict(series.tags)
    shape["columns"] = list(series.columns)
    if series.row_count:
        shape["values"] = list(zip(*columns, strict=True))
    if series.partial:
        shape["partial"] = True
    return shape


def _json_columns(series: Series, epoch: str) -> list[Sequence[Any]]:
    columns: list[Sequence[Any]] = [_json_values(column) for column in series.data]
    if series.timed:
        times = series.data[0]
        columns[0] = scale_times(times, epoch) if epoch else format_times(times, series.location)
    return columns


def _json_values(column: Sequence[Cell]) -> Sequence[Any]:
    """Whole floats become integers, as the reference writes them; NaN becomes null."""
    if not isinstance(next((value for value in column if value is not None), None), float):
        return column
    numbers: Sequence[Any] = column
    try:
        plain = math.isfinite(sum(numbers)) and min(numbers) > -_WHOLE_MAX and max(numbers) < _WHOLE_MAX
    except TypeError:
        plain = False  # a null is among them
    if plain:
        return [number if number % 1 else int(number) for number in numbers]
    return [_json_number(value) for value in column]


def _json_number(value: Cell) -> Cell:
    """As `_json_values`, of one float or null."""
    if not isinstance(value, float) or value != value:
        return None
    if value in (float("inf"), float("-inf")):
        raise UnsupportedValue(f"json: unsupported value: {'+' if value > 0 else '-'}Inf")
    return int(value) if value.is_integer() and abs(value) < _WHOLE_MAX else value


def scale_times(times: Sequence[Any], epoch: str) -> list[int]:
    """Instants in the unit of `epoch`; the division cuts towards zero."""
    unit = EPOCHS.get(epoch, 1)
    if unit == 1:
        return list(times)
    return [t // unit if t >= 0 else -(-t // unit) for t in times]


def format_times(times: Sequence[Any], location: str | None) -> list[str]:
    """Instants as RFC 3339 with the shortest fraction, with the zone's offset where one is given."""
    if not times:
        return []
    ns = np.array(times, np.int64)
    if location in (None, "UTC"):
        if not (ns % SECOND).any():
            moments = pl.Series(ns).cast(pl.Datetime("ns"))
            return moments.dt.to_string("%Y-%m-%dT%H:%M:%SZ").to_list()
        return [format_rfc3339(t) for t in times]
    zone = ZoneInfo(location or "UTC")
    return [_in_zone(t, zone) for t in times]


def _in_zone(ns: int, zone: ZoneInfo) -> str:
    moment = (_EPOCH + dt.timedelta(seconds=ns // SECOND)).astimezone(zone)
    offset = moment.utcoffset() or dt.timedelta()
    minutes = int(offset.total_seconds()) // 60
    local = format_rfc3339(ns + int(offset.total_seconds()) * SECOND)[:-1]
    if not minutes:
        return local + "Z"
    return f"{local}{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def encode_csv(results: Iterable[Result], epoch: str) -> Iterator[bytes]:
    """CSV in pieces: a block for each statement that has series, a new header where columns change.

    Times are integers; a failed statement writes nothing.
    """
    statement = -1
    columns: Sequence[str] = ()
    for result in results:
        for at, series in enumerate(result.series):
            lines: list[str] = []
            if result.statement_id != statement or (at and series.columns != columns):
                if statement >= 0:
                    lines.append("")
                lines.append(",".join(map(_csv_field, ["name", "tags", *series.columns])))
                statement = result.statement_id
            columns = series.columns
            tags = ",".join(f"{_escape(k)}={_escape(v)}" for k, v in (series.tags or {}).items())
            head = f"{_csv_field(series.name)},{_csv_field(tags)}"
            for row in zip(*_csv_columns(series, epoch), strict=True):
                lines.append(",".join((head, *row)))
            yield ("\n".join(lines) + "\n").encode()


def _escape(text: str) -> str:
    """A tag's key or value as in a series key."""
    for special in ",= ":
        text = text.replace(special, "\\" + special)
    return text


def _csv_columns(series: Series, epoch: str) -> list[list[str]]:
    data = list(series.data)
    if series.timed:
        data[0] = scale_times(data[0], epoch or "ns")
    return [[_csv_value(value) for value in column] for column in data]


def _csv_value(value: Cell) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return _csv_float(value)
        case int():
            return str(value)
        case _:
            return _csv_field(value)


def _csv_float(value: float) -> str:
    """Positional digits, as many as are needed to read the same number back."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    text = f"{Decimal(repr(value)):f}"
    return text.removesuffix(".0")


def _csv_field(text: str) -> str:
    if not text:
        return text
    if text == "\\." or text[0].isspace() or any(c in text for c in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def encode_msgpack(results: Iterable[Result], epoch: str) -> bytes:
    """MessagePack in the shape of the JSON; times are extension values of type 5 unless `epoch` is given."""

    def columns(series: Series) -> list[Sequence[Any]]:
        found: list[Sequence[Any]] = list(series.data)
        if series.timed:
            times = series.data[0]
            found[0] = scale_times(times, epoch) if epoch else [_packed_time(t) for t in times]
        return found

    shapes = [{"error": r.error} if r.error is not None else _shape(r, columns) for r in results]
    return msgspec.msgpack.encode({"results": shapes} if shapes else {})


def _packed_time(ns: Any) -> msgspec.msgpack.Ext:
    seconds, fraction = divmod(int(ns), SECOND)
    return msgspec.msgpack.Ext(_TIME_EXTENSION, struct.pack(">qi", seconds, fraction))
