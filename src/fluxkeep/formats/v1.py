"""Answers of the v1 query endpoint: JSON, chunked JSON, CSV, MessagePack.

A `Result` is one statement's answer or a part of it. Values come as columns,
so that rows exist only while they are written; series of one SELECT are cut from
common columns, which are made ready once for all of them. Instants are ns; the
encoder knows what the client wants to see of them.

Source: influxql.md §3, http-api.md §7.2; recorded in
golden/influxql/show-and-statements.txt ("answer …").
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import numpy.typing as npt
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
_INTEGER_MAX = 2.0**63
# Escaped as in the reference, so that no browser takes an answer for HTML; in JSON they occur only inside strings.
_UNSAFE = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


# A column as an engine has it: a list of values or, of many series together, a column of Polars.
Column: TypeAlias = Sequence[Cell] | pl.Series


# Neither of these two is frozen: an answer may have ten thousand of them, and freezing doubles what they cost.
@dataclass(slots=True)
class Cut:
    """The rows start..stop of columns that several series have in common."""

    columns: Sequence[pl.Series]
    start: int
    stop: int


@dataclass(slots=True, kw_only=True)
class Series:
    """Rows of one name and tag set.

    Attributes:
        name: Empty where a statement's rows have none.
        tags: Sorted by key; None without grouping by tags.
        columns: Their names.
        data: A list of values for each column, all equally long, or rows of common columns.
        timed: The first column holds instants in ns.
        location: The IANA zone that instants are shown in; None is UTC.
        partial: More rows of this series follow in the next result.
    """

    name: str = ""
    tags: Mapping[str, str] | None = None
    columns: Sequence[str]
    data: Sequence[Sequence[Cell]] | Cut
    timed: bool = False
    location: str | None = None
    partial: bool = False

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        if isinstance(self.data, Cut):
            return self.data.stop - self.data.start
        return len(self.data[0]) if self.data else 0

    def lists(self) -> list[list[Cell]]:
        """The values of each column."""
        if isinstance(self.data, Cut):
            cut = self.data
            return [column[cut.start : cut.stop].to_list() for column in cut.columns]
        return [list(column) for column in self.data]


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
        before[-1] = replace(after[0], data=_together(before[-1], after[0]))
        rest = after[1:]
    before.extend(rest)


def _together(one: Series, other: Series) -> Sequence[Sequence[Cell]] | Cut:
    match one.data, other.data:
        case Cut(columns, start, stop), Cut(same, then, end) if columns is same and stop == then:
            return Cut(columns, start, end)
    return [[*a, *b] for a, b in zip(one.lists(), other.lists(), strict=True)]


class _Rows:
    """The rows of series as an encoding wants them; of common columns they are made once."""

    def __init__(self, make: Callable[[Sequence[Column], Series], Sequence[Any]]) -> None:
        """Take what makes rows of columns; of the series it looks at what all of common columns have alike."""
        self._make = make
        self._columns: Sequence[pl.Series] | None = None
        self._made: Sequence[Any] = ()

    def of(self, series: Series) -> Sequence[Any]:
        """The rows of a series; raises as `make`."""
        cut = series.data
        if not isinstance(cut, Cut):
            return self._make(cut, series)
        if cut.columns is not self._columns:
            self._made = self._make(cut.columns, series)
            self._columns = cut.columns
        return self._made[cut.start : cut.stop]


def encode_json(results: Iterable[Result], epoch: str) -> bytes:
    """The whole answer as one document and a line feed; `{}` when no statement answers."""
    rows = _JsonRows(epoch)
    return _document([_json_result(result, rows) for result in results])


def encode_json_chunks(results: Iterable[Result], epoch: str) -> Iterator[bytes]:
    """A document and a line feed for each part."""
    rows = _JsonRows(epoch)
    empty = True
    for result in results:
        empty = False
        yield _document([_json_result(result, rows)])
    if empty:
        yield _document([])


def _document(results: list[dict[str, Any]]) -> bytes:
    body = msgspec.json.encode({"results": results} if results else {})
    for raw, escaped in _UNSAFE:
        if raw in body:
            body = body.replace(raw, escaped)
    return body + b"\n"


def _json_result(result: Result, rows: _JsonRows) -> dict[str, Any]:
    try:
        return _shape(result, rows)
    except UnsupportedValue as error:
        return {"statement_id": result.statement_id, "error": str(error)}


def _shape(result: Result, rows: _Rows) -> dict[str, Any]:
    """The members of a result in the order in which the reference writes them."""
    shape: dict[str, Any] = {"statement_id": result.statement_id}
    if result.series:
        shape["series"] = [_shape_series(series, rows.of(series)) for series in result.series]
    if result.partial:
        shape["partial"] = True
    if result.error is not None:
        shape["error"] = result.error
    return shape


def _shape_series(series: Series, rows: Sequence[Any]) -> dict[str, Any]:
    shape: dict[str, Any] = {}
    if series.name:
        shape["name"] = series.name
    if series.tags:
        shape["tags"] = series.tags
    shape["columns"] = series.columns
    if rows:
        shape["values"] = rows
    if series.partial:
        shape["partial"] = True
    return shape


class _JsonRows(_Rows):
    """Rows of values that JSON has; a series with an infinity has none."""

    def __init__(self, epoch: str) -> None:
        super().__init__(self._of_columns)
        self._epoch = epoch
        # Of each common column with infinities, where they are and which.
        self._infinite: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]] = []

    def of(self, series: Series) -> Sequence[Any]:
        """The rows of a series.

        Raises:
            UnsupportedValue: An infinity is among them.
        """
        rows = super().of(series)
        if isinstance(series.data, Cut):
            for places, values in self._infinite:
                at = int(np.searchsorted(places, series.data.start))
                if at < len(places) and places[at] < series.data.stop:
                    raise _infinity(values[at])
        return rows

    def _of_columns(self, columns: Sequence[Column], series: Series) -> list[tuple[Any, ...]]:
        ready = [_json_values(column) for column in columns]
        if series.timed:
            ready[0] = (
                scale_times(columns[0], self._epoch) if self._epoch else format_times(columns[0], series.location)
            )
        if isinstance(series.data, Cut):
            self._infinite = list(_infinities(series.data.columns))
        return list(zip(*ready, strict=True))


def _infinities(columns: Sequence[pl.Series]) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
    for column in columns:
        if column.dtype.is_float():
            values = column.to_numpy()
            places = np.flatnonzero(np.isinf(values))
            if len(places):
                yield places, values[places]


def _infinity(value: float) -> UnsupportedValue:
    return UnsupportedValue(f"json: unsupported value: {'+' if value > 0 else '-'}Inf")


def _listed(column: Column) -> Sequence[Cell]:
    return column.to_list() if isinstance(column, pl.Series) else column


def _json_values(column: Column) -> Sequence[Any]:
    """Whole floats become integers, as the reference writes them; NaN becomes null, an infinity of a list raises."""
    if isinstance(column, pl.Series):
        return _json_floats(column) if column.dtype.is_float() else column.to_list()
    if not isinstance(next((value for value in column if value is not None), None), float):
        return column
    return [_json_number(value) for value in column]


def _json_floats(column: pl.Series) -> list[Any]:
    # A null is a NaN here, and both are null there.
    values = column.to_numpy()
    whole = (values == np.trunc(values)) & (np.abs(values) < _WHOLE_MAX)
    if whole.all() and (not len(values) or float(np.abs(values).max()) < _INTEGER_MAX):
        return values.astype(np.int64).tolist()  # type: ignore[no-any-return]
    shown: list[Any] = values.tolist()
    for at in np.flatnonzero(whole).tolist():
        shown[at] = int(shown[at])
    for at in np.flatnonzero(np.isnan(values)).tolist():
        shown[at] = None
    return shown


def _json_number(value: Cell) -> Cell:
    """As `_json_values`, of one float or null."""
    if not isinstance(value, float) or value != value:
        return None
    if value in (float("inf"), float("-inf")):
        raise _infinity(value)
    return int(value) if value.is_integer() and abs(value) < _WHOLE_MAX else value


def scale_times(times: Column, epoch: str) -> list[int]:
    """Instants in the unit of `epoch`; the division cuts towards zero."""
    ns = _instants(times)
    unit = EPOCHS.get(epoch, 1)
    if unit > 1:
        ns = ns // unit + ((ns < 0) & (ns % unit != 0))
    return ns.tolist()  # type: ignore[no-any-return]


def _instants(times: Column) -> npt.NDArray[np.int64]:
    return times.to_numpy() if isinstance(times, pl.Series) else np.array(times, np.int64)


def format_times(times: Column, location: str | None) -> list[str]:
    """Instants as RFC 3339 with the shortest fraction, with the zone's offset where one is given."""
    ns = _instants(times)
    if location in (None, "UTC"):
        if not (ns % SECOND).any():
            moments = pl.Series(ns, dtype=pl.Int64).cast(pl.Datetime("ns"))
            return moments.dt.to_string("%Y-%m-%dT%H:%M:%SZ").to_list()
        return [format_rfc3339(t) for t in ns.tolist()]
    zone = ZoneInfo(location or "UTC")
    return [_in_zone(t, zone) for t in ns.tolist()]


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
    rows = _Rows(lambda columns, series: _csv_rows(columns, series, epoch))
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
            head = f"{_csv_field(series.name)},{_csv_field(tags)},"
            lines += [head + row for row in rows.of(series)]
            yield ("\n".join(lines) + "\n").encode()


def _escape(text: str) -> str:
    """A tag's key or value as in a series key."""
    for special in ",= ":
        text = text.replace(special, "\\" + special)
    return text


def _csv_rows(columns: Sequence[Column], series: Series, epoch: str) -> list[str]:
    texts = [list(map(_csv_value, _listed(column))) for column in columns]
    if series.timed:
        texts[0] = list(map(str, scale_times(columns[0], epoch or "ns")))
    return [",".join(row) for row in zip(*texts, strict=True)]


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
    text = repr(value)
    if "e" in text:
        text = f"{Decimal(text):f}"
    return text.removesuffix(".0")


def _csv_field(text: str) -> str:
    if not text:
        return text
    if text == "\\." or text[0].isspace() or any(c in text for c in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def encode_msgpack(results: Iterable[Result], epoch: str) -> bytes:
    """MessagePack in the shape of the JSON; times are extension values of type 5 unless `epoch` is given."""

    def packed(columns: Sequence[Column], series: Series) -> list[tuple[Any, ...]]:
        ready: list[Sequence[Any]] = [_listed(column) for column in columns]
        if series.timed:
            ready[0] = scale_times(columns[0], epoch) if epoch else [_packed_time(t) for t in ready[0]]
        return list(zip(*ready, strict=True))

    rows = _Rows(packed)
    shapes = [{"error": r.error} if r.error is not None else _shape(r, rows) for r in results]
    return msgspec.msgpack.encode({"results": shapes} if shapes else {})


def _packed_time(ns: Any) -> msgspec.msgpack.Ext:
    seconds, fraction = divmod(int(ns), SECOND)
    return msgspec.msgpack.Ext(_TIME_EXTENSION, struct.pack(">qi", seconds, fraction))
