"""CSV to line protocol, as `influx write --format csv` reads it.

Annotation rows give columns their types; a header cell may carry type and
default itself (`name|type|default`); Flux's annotated CSV is recognised by its
columns. Every row becomes a line or a `RowError`.

Source: cli.md §2.8.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from fluxkeep.cli.failures import CommandFailed
from fluxkeep.instants import Duration, parse_rfc3339

csv.field_size_limit(sys.maxsize)

_ANNOTATION = re.compile(r"#(datatype|group|default|constant|concat|timezone)(?:[ ,;]|$)")
_IGNORED = frozenset(("ignore", "ignored"))


class RowError(Exception):
    """A row that cannot become a line; says why and where."""

    def __init__(self, line: int, reason: str, row: list[str]) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.row = row


@dataclass(slots=True)
class _Column:
    label: str
    type: str = ""
    default: str = ""
    index: int = -1
    constant: str | None = None
    concat: str | None = None


@dataclass(slots=True)
class _Table:
    columns: list[_Column] = field(default_factory=list)
    zone: dt.tzinfo = dt.UTC


def _escape(text: str, specials: str) -> str:
    for special in specials:
        text = text.replace(special, "\\" + special)
    return text.replace("\n", "\\n")


class CsvToLines:
    """Turns lines of CSV text into lines of line protocol.

    Args:
        warn: Called with notes such as a fraction that was cut.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._delimiter = ","
        self._datatypes: list[str] = []
        self._groups: list[str] = []
        self._defaults: list[str] = []
        self._extra: list[_Column] = []
        self._zone: dt.tzinfo = dt.UTC
        self._table: _Table | None = None

    def convert(self, lines: Iterable[str]) -> Iterator[str | RowError]:
        """One result per data row; annotations and headers give none."""
        numbered = _Counter(lines)
        pending: Iterator[str] = iter(numbered)
        first = next(pending, None)
        if first is not None and first.startswith("sep="):
            self._delimiter = first.strip()[4:5] or ","
            first = next(pending, None)
        if first is None:
            return
        reader = csv.reader(_chain(first, pending), delimiter=self._delimiter)
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield RowError(numbered.line, str(error), [])
                continue
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            if row[0].startswith("#"):
                self._annotate(row, numbered.line)
                continue
            if self._table is None:
                self._table = self._header(row)
                continue
            try:
                yield self._line(self._table, row, numbered.line)
            except RowError as error:
                yield error

    def _annotate(self, row: list[str], line: int) -> None:
        if self._table is not None:
            self._table = None
            self._datatypes, self._groups, self._defaults, self._extra = [], [], [], []
            self._zone = dt.UTC
        match = _ANNOTATION.match(self._delimiter.join(row))
        if match is None:
            return
        keyword = match[1]
        rest = row[0][len(keyword) + 1 :].lstrip(" ")
        cells = [rest, *row[1:]] if rest else ["", *row[1:]]
        if keyword == "datatype":
            self._datatypes = cells
        elif keyword == "group":
            self._groups = cells
        elif keyword == "default":
            self._defaults = cells
        elif keyword == "timezone":
            self._zone = _zone(next((c for c in cells if c), ""), line)
        else:
            parts = cells if rest else cells[1:]
            kind = parts[0] if parts else ""
            if len(parts) > 2 and parts[1]:
                label, value = parts[1], parts[2]
            else:
                label, value = kind, next((p for p in parts[1:] if p), "")
            column = _Column(label=label, type=kind)
            if keyword == "constant":
                column.constant = value
            else:
                column.concat = value
            self._extra.append(column)

    def _header(self, row: list[str]) -> _Table:
        columns: list[_Column] = []
        flux = {"_measurement", "_field", "_value", "_time"}
        is_flux = len(flux.intersection(cell.partition("|")[0] for cell in row)) >= 2
        for index, cell in enumerate(row):
            label, _, rest = cell.partition("|")
            kind, _, default = rest.partition("|")
            column = _Column(label=label.strip(), type=kind.strip(), default=default, index=index)
            if not column.type and index < len(self._datatypes):
                column.type = self._datatypes[index].strip()
            if not column.default and index < len(self._defaults):
                column.default = self._defaults[index]
            if is_flux:
                self._flux_role(column)
            if index == 0 and not column.label:
                column.type = "ignored"
            columns.append(column)
        return _Table(columns + self._extra, self._zone)

    def _flux_role(self, column: _Column) -> None:
        if column.label in ("result", "table", "_start", "_stop", ""):
            column.type = "ignored"
        elif column.label == "_measurement":
            column.type = "measurement"
        elif column.label == "_time":
            column.type = column.type if column.type.startswith("dateTime") else "dateTime"
        elif column.label not in ("_field", "_value"):
            grouped = column.index < len(self._groups) and self._groups[column.index].strip() == "true"
            column.type = "tag" if grouped else column.type if column.type in ("tag", "field") else "ignored"

    def _line(self, table: _Table, row: list[str], line: int) -> str:
        cells: dict[str, str] = {}
        measurement = ""
        tags: list[tuple[str, str]] = []
        fields: list[str] = []
        time = ""
        flux_field: str | None = None
        flux_value: tuple[_Column, str] | None = None
        for column in table.columns:
            if column.constant is not None:
                value = column.constant
            elif column.concat is not None:
                value = re.sub(r"\$\{([^}]*)\}", lambda m: cells.get(m[1], ""), column.concat)
            else:
                value = (row[column.index] if column.index < len(row) else "") or column.default
                cells[column.label] = value
            kind = column.type
            if kind in _IGNORED or value == "":
                continue
            if kind == "measurement":
                measurement = value
            elif kind == "tag":
                tags.append((column.label, value))
            elif kind == "time" or kind.startswith("dateTime"):
                time = self._time(column, value, table.zone, line, row)
            elif column.label == "_field" and kind in ("", "string", "field"):
                flux_field = value
            elif column.label == "_value":
                flux_value = (column, value)
            else:
                fields.append(f"{_escape(column.label, ',= ')}={self._value(column, value, line, row)}")
        if flux_field is not None and flux_value is not None:
            column, value = flux_value
            fields.append(f"{_escape(flux_field, ',= ')}={self._value(column, value, line, row)}")
        if not measurement:
            has = any(c.type == "measurement" for c in table.columns)
            raise RowError(
                line, "column 'measurement': no measurement supplied" if has else "no measurement column found", row
            )
        if not fields:
            raise RowError(line, "no field data found", row)
        key = _escape(measurement, ", ") + "".join(f",{_escape(k, ',= ')}={_escape(v, ',= ')}" for k, v in sorted(tags))
        return f"{key} {','.join(fields)}" + (f" {time}" if time else "")

    def _time(self, column: _Column, value: str, zone: dt.tzinfo, line: int, row: list[str]) -> str:
        layout = column.type.partition(":")[2]
        try:
            if layout == "number" or (not layout and re.fullmatch(r"-?\d+", value)):
                return str(int(value))
            if layout in ("", "RFC3339", "RFC3339Nano"):
                return str(parse_rfc3339(value))
            return str(parse_go_layout(layout, value, zone))
        except ValueError as error:
            raise RowError(line, f"column '{column.label}': {error}", row) from error

    def _value(self, column: _Column, value: str, line: int, row: list[str]) -> str:
        kind, _, form = column.type.partition(":")
        try:
            match kind:
                case "double":
                    return _number(value, form)
                case "long" | "unsignedLong":
                    return self._whole(column, kind, form, value, line)
                case "boolean":
                    return _boolean(value, form)
                case "string":
                    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
                case "duration":
                    return f"{Duration.parse(value).ns}i"
                case _:
                    return value
        except ValueError as error:
            raise RowError(line, f"column '{column.label}': {error}", row) from error

    def _whole(self, column: _Column, kind: str, form: str, value: str, line: int) -> str:
        suffix = "i" if kind == "long" else "u"
        parser = "strconv.ParseInt" if kind == "long" else "strconv.ParseUint"
        strict = form.startswith("strict")
        text = _clean(value, form.removeprefix("strict"))
        if not strict and re.fullmatch(r"[-+]?\d+[.]\d*", text):
            cut = text.partition(".")[0]
            self._warn(
                f"WARNING: line {line}: column '{column.label}': '{value}' truncated to '{cut}' "
                f"to fit into {kind} data type"
            )
            text = cut
        if not re.fullmatch(r"[-+]?\d+" if kind == "long" else r"\d+", text):
            raise ValueError(f'{parser}: parsing "{value}": invalid syntax')
        number = int(text)
        low, high = (-(1 << 63), (1 << 63) - 1) if kind == "long" else (0, (1 << 64) - 1)
        if not low <= number <= high:
            raise ValueError(f'{parser}: parsing "{value}": value out of range')
        return f"{number}{suffix}"


class _Counter:
    """Counts the lines that a reader has taken."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.line = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        text = next(self._lines)
        self.line += 1
        return text


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _clean(value: str, form: str) -> str:
    """Drop the characters that a format such as `:,.` ignores and make the first one the decimal point."""
    if form:
        decimal, ignored = form[0], form[1:]
        value = "".join(c for c in value if c not in ignored)
        value = value.replace(decimal, ".")
    return value


def _number(value: str, form: str) -> str:
    text = _clean(value, form)
    if not re.fullmatch(r"[-+]?(\d+([.]\d*)?|[.]\d+)([eE][-+]?\d+)?", text):
        raise ValueError(f'strconv.ParseFloat: parsing "{value}": invalid syntax')
    return text


def _boolean(value: str, form: str) -> str:
    if form:
        yes, _, no = form.partition(":")
        for word, listed in (("true", yes), ("false", no)):
            if listed and value in listed.split(","):
                return word
        if not yes:
            return "true"
        if not no:
            return "false"
        raise ValueError(f"Unsupported boolean value '{value}' must one of [{yes}] or one of [{no}]")
    first = value[0]
    if first in "tTyY1":
        return "true"
    if first in "fFnN0":
        return "false"
    raise ValueError(f"Unsupported boolean value '{value}' , first character is expected to be 't','f','0','1','y','n'")


_GO_PARTS: tuple[tuple[str, str], ...] = (
    ("2006", r"(?P<year>\d{4})"),
    ("January", r"(?P<month_name>[A-Za-z]+)"),
    ("Monday", r"[A-Za-z]+"),
    ("-07:00", r"(?P<offset>[-+]\d{2}:\d{2})"),
    ("Z07:00", r"(?P<zoffset>Z|[-+]\d{2}:\d{2})"),
    ("-0700", r"(?P<offset>[-+]\d{4})"),
    ("Jan", r"(?P<month_name>[A-Za-z]{3})"),
    ("Mon", r"[A-Za-z]{3}"),
    ("MST", r"[A-Z]{3,4}"),
    ("01", r"(?P<month>\d{2})"),
    ("02", r"(?P<day>\d{2})"),
    ("03", r"(?P<hour12>\d{2})"),
    ("04", r"(?P<minute>\d{2})"),
    ("05", r"(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?"),
    ("06", r"(?P<short_year>\d{2})"),
    ("15", r"(?P<hour>\d{2})"),
    ("PM", r"(?P<half>AM|PM)"),
    ("pm", r"(?P<half>am|pm)"),
    ("_2", r" ?(?P<day>\d{1,2})"),
    ("1", r"(?P<month>\d{1,2})"),
    ("2", r"(?P<day>\d{1,2})"),
    ("3", r"(?P<hour12>\d{1,2})"),
    ("4", r"(?P<minute>\d{1,2})"),
    ("5", r"(?P<second>\d{1,2})(?:[.,](?P<fraction>\d+))?"),
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def parse_go_layout(layout: str, value: str, zone: dt.tzinfo) -> int:
    """The instant of a text in a layout written as Go writes it (`2006-01-02 15:04`).

    Raises:
        ValueError: The text is not of that layout.
    """
    pattern, at = "", 0
    while at < len(layout):
        fraction = re.match(r"[.,](0+|9+)", layout[at:])
        if fraction:
            # The seconds' part takes the fraction along.
            at += fraction.end()
            continue
        for text, expression in _GO_PARTS:
            if layout.startswith(text, at):
                pattern += expression
                at += len(text)
                break
        else:
            pattern += re.escape(layout[at])
            at += 1
    match = re.fullmatch(pattern, value)
    if match is None:
        raise ValueError(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "{layout}"')
    part = match.groupdict()
    year = int(part.get("year") or 0)
    if part.get("short_year"):
        year = int(part["short_year"]) + (1900 if int(part["short_year"]) >= 69 else 2000)
    month = int(part.get("month") or 1)
    if part.get("month_name"):
        month = _MONTHS.index(part["month_name"][:3].lower()) + 1
    hour = int(part.get("hour") or part.get("hour12") or 0)
    if part.get("half"):
        hour = hour % 12 + (12 if part["half"].lower() == "pm" else 0)
    offset = part.get("offset") or part.get("zoffset")
    if offset and offset != "Z":
        digits = offset.replace(":", "")
        delta = dt.timedelta(hours=int(digits[1:3]), minutes=int(digits[3:5]))
        zone = dt.timezone(-delta if digits[0] == "-" else delta)
    elif offset == "Z":
        zone = dt.UTC
    moment = dt.datetime(
        year or 1,
        month,
        int(part.get("day") or 1),
        hour,
        int(part.get("minute") or 0),
        int(part.get("second") or 0),
        tzinfo=zone,
    )
    since = moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    nanoseconds = int((part.get("fraction") or "0")[:9].ljust(9, "0"))
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + nanoseconds


def _zone(text: str, line: int) -> dt.tzinfo:
    if text in ("Local", "local"):
        return dt.datetime.now().astimezone().tzinfo or dt.UTC
    match = re.fullmatch(r"([-+])(\d{2})(\d{2})", text)
    if match is None:
        raise CommandFailed(f"line {line}: #timezone annotation: invalid timezone offset '{text}'")
    delta = dt.timedelta(hours=int(match[2]), minutes=int(match[3]))
    return dt.timezone(-delta if match[1] == "-" else delta)
