"""Line protocol to columns: what the rest of the house calls.

The work is done by the native scanner with the interpreter lock released;
`pure.py` does the same slowly and is what the tests compare it with.

Bytes that are no UTF-8: the reference stores them as they are. Here a name or
value is text, so every ill-formed part of it becomes one U+FFFD; series or
fields whose names differ in such bytes alone become one.

Source: http-api.md §6.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.points import FieldColumn, KnownSeries, MeasurementBatch, PointBatch, Strings
from fluxkeep.datamodel.series import Series
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol import _scanner
from fluxkeep.lineprotocol.errors import LineError, make_error, report

FIELD_TYPES = (FieldType.FLOAT, FieldType.INTEGER, FieldType.UNSIGNED, FieldType.STRING, FieldType.BOOLEAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseLimits:
    """What a body may ask of the parser.

    Attributes:
        line_bytes_max: Length of one line, strings with newlines included. The reference has no
            such limit; a longer line is a bad one.
        errors_max: Bad lines that are spelled out; further ones are counted.
        excerpt_bytes_max: How much of a bad line is repeated in its error.
    """

    line_bytes_max: int = 64 * 1024 * 1024
    errors_max: int = 1_000
    excerpt_bytes_max: int = 4_096


DEFAULT_LIMITS = ParseLimits()


class SeriesMemory:
    """Series that earlier requests have brought, shared by threads.

    With it, a request's known series cost a look-up each and come back as the
    same `Series` objects; without, each is parsed and made again. It begins
    anew when it holds `series_max`, or takes about `bytes_max`.
    """

    def __init__(self, series_max: int = 131_072, bytes_max: int = 256 * 1024 * 1024) -> None:
        self.native = _scanner.SeriesMemory(Series, series_max, bytes_max)

    def __len__(self) -> int:
        return len(self.native)


@dataclass(frozen=True, slots=True)
class Parsed:
    """The good lines as columns, and what is wrong with the others.

    A request with errors is refused whole; `batch` then still holds its good lines.
    """

    batch: PointBatch
    errors: tuple[LineError, ...]
    error_count: int

    @property
    def report(self) -> str:
        """The message for a refused request."""
        return report(self.errors, self.error_count)


def parse(
    body: bytes,
    *,
    precision: Precision,
    now_ns: int,
    limits: ParseLimits = DEFAULT_LIMITS,
    memory: SeriesMemory | None = None,
) -> Parsed:
    """Parse a write's body.

    Args:
        body: Lines, decompressed.
        precision: Unit of the timestamps in it.
        now_ns: Time of points without one, cut to the precision.
        limits: See there.
        memory: Kept by who parses many bodies; None for a fresh one. Changes no result.

    Returns:
        Columns that own their memory; `line` counts the good points from 0.

    Source: http-api.md §6.3, §6.4.
    """
    unit = precision.value
    parts, errors, count, generation = _scanner.scan(
        body,
        unit,
        now_ns // unit * unit,
        limits.line_bytes_max,
        limits.errors_max,
        limits.excerpt_bytes_max,
        (SeriesMemory() if memory is None else memory).native,
    )
    return Parsed(
        PointBatch(tuple(_batch(part, generation) for part in parts if len(part[3]))),
        tuple(make_error(*error) for error in errors),
        count,
    )


@dataclass(frozen=True, slots=True)
class ParsedTogether:
    """The good lines of several bodies as one batch: `ends[i]` counts those of the first i + 1 bodies."""

    batch: PointBatch
    ends: tuple[int, ...]


def parse_together(
    bodies: Sequence[tuple[bytes, int]], *, precision: Precision, memory: SeriesMemory | None = None
) -> ParsedTogether:
    """Parse bodies into one batch, in their order: small ones cost no more than a big one.

    Args:
        bodies: Lines, and the time of points without one, cut to the precision. What a body
            says does not depend on the others; bad lines are left out.
        precision: Unit of all timestamps.
        memory: See `parse`.
    """
    unit = precision.value
    parts, ends, generation = _scanner.scan_all(
        [body for body, _ in bodies],
        unit,
        [now_ns // unit * unit for _, now_ns in bodies],
        DEFAULT_LIMITS.line_bytes_max,
        (SeriesMemory() if memory is None else memory).native,
    )
    return ParsedTogether(PointBatch(tuple(_batch(part, generation) for part in parts if len(part[3]))), tuple(ends))


def _batch(part: _scanner.Part, generation: int) -> MeasurementBatch:
    measurement, series, numbers, series_index, time, line, columns = part
    fields = tuple(
        FieldColumn(name, FIELD_TYPES[code], Strings(*values) if isinstance(values, tuple) else values, valid)
        for name, code, values, valid in columns
    )
    known = KnownSeries(generation, numbers)
    return MeasurementBatch(measurement, series, series_index, time, line, fields, known)
