"""The native scanner's twin in plain Python: slow, readable, the tests' oracle.

It makes the same columns and the same errors from any bytes. What is odd here
is odd in the reference; each oddity says so.

Source: http-api.md §6.3, §6.4.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.point_rows import FieldValue, Point, batch_of
from fluxkeep.datamodel.points import MeasurementBatch, PointBatch
from fluxkeep.instants import MAX_TIME_NS, MIN_TIME_NS, Precision
from fluxkeep.lineprotocol.errors import LineError, make_error
from fluxkeep.lineprotocol.parser import DEFAULT_LIMITS, Parsed, ParseLimits

KEY_BYTES_MAX = 65_535
RESERVED_TAG_KEYS = {
    b"_field": b"_field",
    b"_measurement": b"_measurement",
    b"time": b"time",
    b"\x00": b"\\x00",
    b"\xff": b"\\xff",
}
BLANKS = b" \t\x00"
BOOLEANS = {word.encode(): True for word in ("t", "T", "true", "True", "TRUE")} | {
    word.encode(): False for word in ("f", "F", "false", "False", "FALSE")
}
# See `cells_base` and `cells_per_value` in native/scanner.cpp.
CELLS_BASE = 65_536
CELLS_PER_VALUE = 16

_NUMBER_LEXEMES = re.compile(rb"-?(?:[0-9.iu]|[eE][+-]?)+")
_FLOAT = re.compile(rb"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TIMESTAMP = re.compile(rb"-?[0-9]*")


class _Refused(Exception):
    def __init__(self, reason: bytes) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class _Part:
    """A run of points of one measurement; see `is_crowded` in native/scanner.cpp."""

    points: list[tuple[int, Point]] = field(default_factory=list)
    columns: set[tuple[str, FieldType]] = field(default_factory=set)
    values: int = 0

    def is_crowded_by(self, point: Point) -> bool:
        columns = self.columns | {(name, type_) for name, type_, _ in point.fields}
        return bool(self.points) and (len(self.points) + 1) * len(columns) > CELLS_BASE + CELLS_PER_VALUE * self.values

    def add(self, line: int, point: Point) -> None:
        self.points.append((line, point))
        self.columns |= {(name, type_) for name, type_, _ in point.fields}
        self.values += len(point.fields)

    def batch(self) -> MeasurementBatch:
        (made,) = batch_of(point for _, point in self.points).measurements
        numbers = made.line.copy()
        numbers[:] = [line for line, _ in self.points]
        return dataclasses.replace(made, line=numbers)


def parse(body: bytes, *, precision: Precision, now_ns: int, limits: ParseLimits = DEFAULT_LIMITS) -> Parsed:
    """What `fluxkeep.lineprotocol.parse` does."""
    unit = precision.value
    default_time = now_ns // unit * unit
    parts: list[_Part] = []
    current: dict[str, _Part] = {}
    errors: list[LineError] = []
    error_count = points = 0
    for start, line in split(body):
        try:
            point = parse_line(line, unit, default_time, limits)
        except _Refused as refused:
            error_count += 1
            if len(errors) < limits.errors_max:
                clipped = len(line) > limits.excerpt_bytes_max
                number = body.count(b"\n", 0, start) + 1
                errors.append(make_error(number, line[: limits.excerpt_bytes_max], clipped, refused.reason))
            continue
        part = current.get(point.measurement)
        if part is None or part.is_crowded_by(point):
            part = current[point.measurement] = _Part()
            parts.append(part)
        part.add(points, point)
        points += 1
    return Parsed(PointBatch(tuple(part.batch() for part in parts)), tuple(errors), error_count)


def split(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines that hold something, without blanks before and the newline after, and where they begin."""
    at = 0
    while at < len(body):
        stop = _line_end(body, at)
        text = body[at:stop]
        line = text.lstrip(BLANKS)
        if line and not line.startswith(b"#"):
            yield stop - len(line), line.removesuffix(b"\n")
        at = stop + 1


def _line_end(body: bytes, at: int) -> int:
    quoted = fields = False
    equals = commas = 0
    while at < len(body):
        byte = body[at : at + 1]
        # Quirk: a backslash among the last two bytes of a body is not seen as one.
        if byte == b"\\" and at + 2 < len(body):
            at += 2
            continue
        fields = fields or byte == b" "
        if byte == b"\n" and not quoted:
            return at
        if fields and byte == b'"' and equals > commas:
            quoted = not quoted
        elif fields and not quoted:
            equals += byte == b"="
            commas += byte == b","
        at += 1
    return len(body)


def parse_line(line: bytes, unit: int, default_time: int, limits: ParseLimits) -> Point:
    """One line as a point.

    Raises:
        _Refused: With the reason.
    """
    if len(line) > limits.line_bytes_max:
        raise _Refused(b"line is too long: %d > %d" % (len(line), limits.line_bytes_max))
    name, raw_tags, at = _scan_key(line)
    tags = _check_tags(raw_tags)
    if at > KEY_BYTES_MAX:
        raise _Refused(b"max key length exceeded: %d > %d" % (at, KEY_BYTES_MAX))
    elements, stop = _scan_fields(line, _skip_blanks(line, at))
    for raw_key, _, _ in elements:
        if at + 4 + len(raw_key) > KEY_BYTES_MAX:
            raise _Refused(b"max key length exceeded: %d > %d" % (at + 4 + len(raw_key), KEY_BYTES_MAX))
    time = _scan_time(line, _skip_blanks(line, stop), unit, default_time)
    fields = {_decode(raw_key, b',"= '): (type_, value) for raw_key, type_, value in elements}
    return Point(
        _decode(name, b', ="'), tags, tuple((key, type_, value) for key, (type_, value) in fields.items()), time
    )


def _decode(raw: bytes, specials: bytes) -> str:
    return re.sub(rb"\\([" + re.escape(specials) + rb"])", rb"\1", raw).decode("utf-8", "replace")


def _skip_blanks(line: bytes, at: int) -> int:
    while at < len(line) and line[at] in BLANKS:
        at += 1
    return at


def _find(line: bytes, at: int, stops: bytes) -> int:
    """The first of `stops` from `at` on that has no backslash before it, or -1.

    Quirk: only the byte before counts, so that a doubled backslash escapes too.
    """
    while at < len(line):
        if line[at] in stops and line[at - 1 : at] != b"\\":
            return at
        at += 1
    return -1


def _scan_key(line: bytes) -> tuple[bytes, list[tuple[bytes, bytes]], int]:
    """Measurement, tags and the place of the space behind them."""
    if line.startswith(b","):
        raise _Refused(b"missing measurement")
    at = _find(line, 1, b", ")
    if at < 0:
        raise _Refused(b"missing fields")
    name = line[:at]
    tags = []
    while line[at : at + 1] == b",":
        key_at = at + 1
        if line[key_at : key_at + 1] in (b"", b" ", b",", b"="):
            raise _Refused(b"missing tag key")
        equals = _find(line, key_at + 1, b" ,=")
        if equals < 0 or line[equals : equals + 1] != b"=" or line[equals + 1 : equals + 2] in (b"", b",", b" "):
            raise _Refused(b"missing tag value")
        # Quirk: an equals sign as a value's first byte is taken literally.
        at = _find(line, equals + 2, b" ,=")
        if at < 0:
            raise _Refused(b"missing fields")
        if line[at : at + 1] == b"=":
            raise _Refused(b"invalid tag format")
        tags.append((line[key_at:equals], line[equals + 1 : at]))
    return name, tags, at


def _check_tags(raw: list[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    for key, _ in raw:
        if key in RESERVED_TAG_KEYS:
            raise _Refused(b'cannot use reserved tag key "%s"' % RESERVED_TAG_KEYS[key])
    tags = sorted((_decode(key, b",= "), _decode(value, b",= ")) for key, value in raw)
    if len({key for key, _ in tags}) < len(tags):
        raise _Refused(b"duplicate tags")
    return tuple(tags)


def _scan_fields(line: bytes, at: int) -> tuple[list[tuple[bytes, FieldType, FieldValue]], int]:
    """The elements of the field section and where it ends."""
    elements: list[tuple[bytes, FieldType, FieldValue]] = []
    begin = at
    text_at: int | None = None
    quoted = False
    sound = True
    equals = commas = 0

    def close(stop: int) -> None:
        nonlocal text_at
        if text_at is not None:
            # Quirk: what follows the closing quote up to the last byte belongs to the string.
            value = _decode(line[text_at + 1 : stop - 1], b'"\\')
            elements[-1] = (elements[-1][0], FieldType.STRING, value)
            text_at = None

    while at < len(line):
        byte = line[at : at + 1]
        if byte == b"\\" and at + 1 < len(line):
            at += 2
        elif byte == b'"' and equals > commas:
            quoted = not quoted
            at += 1
        elif quoted:
            at += 1
        elif byte == b"=":
            sound = sound and equals == commas
            equals += 1
            if at == begin:
                raise _Refused(b"missing field key")
            first = line[at + 1 : at + 2]
            if first in (b"", b",", b" "):
                raise _Refused(b"missing field value")
            key = line[begin:at]
            if first == b'"':
                elements.append((key, FieldType.STRING, ""))
                text_at = at + 1
                at += 1
            else:
                end = min(i if i >= 0 else len(line) for i in (line.find(b",", at), line.find(b" ", at)))
                elements.append((key, *_scalar(line[at + 1 : end])))
                at = end
        elif byte == b",":
            close(at)
            commas += 1
            sound = sound and equals == commas
            at += 1
            begin = at
        elif byte == b" ":
            break
        else:
            at += 1
    if quoted:
        raise _Refused(b"unbalanced quotes")
    close(at)
    if equals == 0 or commas != equals - 1 or not sound:
        raise _Refused(b"invalid field format")
    return elements, at


def _scalar(lexeme: bytes) -> tuple[FieldType, FieldValue]:
    if lexeme[0] in b"0123456789.-nN":
        return _number(lexeme)
    if lexeme not in BOOLEANS:
        raise _Refused(b"invalid boolean")
    return FieldType.BOOLEAN, BOOLEANS[lexeme]


def _number(lexeme: bytes) -> tuple[FieldType, FieldValue]:
    marks = [mark for mark in (b"i", b"u") for _ in range(lexeme.count(mark))]
    points = lexeme.count(b".")
    exponent = b"e" in lexeme or b"E" in lexeme
    if _NUMBER_LEXEMES.fullmatch(lexeme) is None or points > 1 or len(marks) > 1 or (marks and (points or exponent)):
        raise _Refused(b"invalid number")
    if len(lexeme) - len(marks) - points - lexeme.startswith(b"-") == 0:
        raise _Refused(b"invalid number")
    if not marks:
        if _FLOAT.fullmatch(lexeme) is None or math.isinf(float(lexeme)):
            raise _Refused(b"invalid float")
        return FieldType.FLOAT, float(lexeme)
    digits = lexeme[:-1]
    if not lexeme.endswith(marks[0]) or (marks[0] == b"u" and lexeme.startswith(b"-")):
        raise _Refused(b"invalid number")
    if marks[0] == b"i":
        if not _fits(digits, -(2**63), 2**63 - 1):
            message = b'unable to parse integer %s: strconv.ParseInt: parsing "%s": value out of range'
            raise _Refused(message % (digits, digits))
        return FieldType.INTEGER, int(digits)
    if not _fits(digits, 0, 2**64 - 1):
        message = b'unable to parse unsigned %s: strconv.ParseUint: parsing "%s": value out of range'
        raise _Refused(message % (digits, digits))
    return FieldType.UNSIGNED, int(digits)


def _fits(digits: bytes, low: int, high: int) -> bool:
    # Python refuses to read very long integers; 20 digits are enough to be too large.
    return (
        len(digits.lstrip(b"-0")) <= 20
        and low <= int(digits.lstrip(b"-0") or b"0") * (-1 if digits.startswith(b"-") else 1) <= high
    )


def _scan_time(line: bytes, at: int, unit: int, default_time: int) -> int:
    match = _TIMESTAMP.match(line, at)
    assert match is not None
    digits, end = match[0], match.end()
    if line[end : end + 1] not in (b"", b" ", b"\n"):
        raise _Refused(b"bad timestamp")
    if not digits:
        return default_time
    if digits == b"-":
        raise _Refused(b'strconv.ParseInt: parsing "-": invalid syntax')
    if not _fits(digits, -(2**63), 2**63 - 1):
        raise _Refused(b'strconv.ParseInt: parsing "%s": value out of range' % digits)
    time = int(digits) * unit
    if not MIN_TIME_NS <= time <= MAX_TIME_NS:
        raise _Refused(b"time outside range -9223372036854775806 - 9223372036854775806")
    if line[end:].strip(b" "):
        raise _Refused(b"point is invalid")
    return time
