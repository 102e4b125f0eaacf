"""Instants, precisions and durations.

An instant is an `int`: nanoseconds since the Unix epoch, UTC. A duration has
two parts that do not convert into each other, months and nanoseconds, because
a month has no fixed length.

Source: flux.md §10, http-api.md §1.1.
"""

from __future__ import annotations

import calendar
import datetime as dt
import enum
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from fluxkeep.errors import InvalidInput

NANOSECOND = 1
MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

# What a point's time may be; source: http-api.md §6.3.6.
MIN_TIME_NS = -9_223_372_036_854_775_806
MAX_TIME_NS = 9_223_372_036_854_775_806

_EPOCH = dt.date(1970, 1, 1).toordinal()
_RFC3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?(?:([Zz])|([+-])(\d{2}):(\d{2}))", re.ASCII
)


class Precision(enum.Enum):
    """Units of a written timestamp; the value is nanoseconds per unit."""

    NS = 1
    US = MICROSECOND
    MS = MILLISECOND
    S = SECOND
    M = MINUTE
    H = HOUR

    @classmethod
    def parse(cls, text: str) -> Precision:
        """Read `ns`, `us`, `ms` or `s`; an empty text is `ns`.

        Raises:
            InvalidInput: Anything else. Source: http-api.md §6.1.
        """
        found = {"": cls.NS, "ns": cls.NS, "us": cls.US, "ms": cls.MS, "s": cls.S}.get(text)
        if found is None:
            raise InvalidInput("invalid precision; valid precision units are ns, us, ms, and s")
        return found


def parse_rfc3339(text: str) -> int:
    """The instant of an RFC 3339 time with an offset, to the nanosecond; further digits are cut.

    Raises:
        ValueError: Not such a time, or a date that does not exist.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"not an RFC 3339 time: {text[:64]}")
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"not an RFC 3339 time: {text[:64]}")
    # The years 0000 and 0001 have meaning to Go clients and none to Python's calendar.
    days = (dt.date(year, month, day).toordinal() if year else dt.date(4, month, day).toordinal() - 1461) - _EPOCH
    ns = int((match[7] or "0")[:9].ljust(9, "0"))
    offset = 0
    if match[8] is None:
        if int(match[10]) > 23 or int(match[11]) > 59:
            raise ValueError(f"not an RFC 3339 time: {text[:64]}")
        offset = (int(match[10]) * 60 + int(match[11])) * (-60 if match[9] == "-" else 60)
    return (days * 86_400 + hour * 3_600 + minute * 60 + second - offset) * SECOND + ns


def format_rfc3339(ns: int) -> str:
    """An instant as RFC 3339 in UTC with the shortest fraction.

    Instants before the year 1 print as Go's zero time does.
    """
    seconds, fraction = divmod(ns, SECOND)
    days, rest = divmod(seconds, 86_400)
    text = f"{_date_text(days)}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    if fraction:
        text += f".{fraction:09d}".rstrip("0")
    return text + "Z"


@lru_cache(maxsize=4_096)
def _date_text(days: int) -> str:
    date = dt.date.fromordinal(_EPOCH + days)
    return f"{date.year:04d}-{date.month:02d}-{date.day:02d}"


def format_go_duration(ns: int) -> str:
    """Nanoseconds as Go prints a `time.Duration`: `1h2m3.4s`, `1.5ms`, `0s`."""
    if ns == 0:
        return "0s"
    sign, ns = ("-", -ns) if ns < 0 else ("", ns)
    if ns < SECOND:
        for unit, size in (("ms", MILLISECOND), ("µs", MICROSECOND), ("ns", 1)):
            if ns >= size:
                return f"{sign}{_decimal(ns, size)}{unit}"
    hours, rest = divmod(ns, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    text = f"{_decimal(rest, SECOND)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    if hours:
        text = f"{hours}h{text}"
    return sign + text


def _decimal(ns: int, size: int) -> str:
    whole, part = divmod(ns, size)
    digits = f"{part:0{len(str(size)) - 1}d}".rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)


_UNITS: tuple[tuple[str, int, int], ...] = (
    # unit, months, nanoseconds; longest spelling first where one is a prefix of another.
    ("mo", 1, 0),
    ("ms", 0, MILLISECOND),
    ("us", 0, MICROSECOND),
    ("µs", 0, MICROSECOND),
    ("μs", 0, MICROSECOND),
    ("ns", 0, 1),
    ("y", 12, 0),
    ("w", 0, WEEK),
    ("d", 0, DAY),
    ("h", 0, HOUR),
    ("m", 0, MINUTE),
    ("s", 0, SECOND),
)
_DURATION_PART = re.compile(r"(\d+)(" + "|".join(unit for unit, _, _ in _UNITS) + ")", re.ASCII)
_BY_UNIT = {unit: (months, ns) for unit, months, ns in _UNITS}


@dataclass(frozen=True, slots=True)
class Duration:
    """Months and nanoseconds, both with the duration's sign."""

    months: int = 0
    ns: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1h30m`, `-1mo`, `1y2d`; magnitudes are summed.

        Raises:
            ValueError: Not a duration.
        """
        body = text[1:] if text.startswith("-") else text
        at = months = ns = 0
        while at < len(body):
            match = _DURATION_PART.match(body, at)
            if match is None:
                break
            unit_months, unit_ns = _BY_UNIT[match[2]]
            months += int(match[1]) * unit_months
            ns += int(match[1]) * unit_ns
            at = match.end()
        if not body or at != len(body):
            raise ValueError(f"invalid duration {text[:64]}")
        return cls(-months, -ns) if text.startswith("-") else cls(months, ns)

    def __str__(self) -> str:
        """Flux's spelling: `1y2mo3w4d5h6m7s8ms9us10ns`, `0ns` for nothing."""
        if not self.months and not self.ns:
            return "0ns"
        sign = "-" if self.months < 0 or self.ns < 0 else ""
        parts: list[str] = []
        years, months = divmod(abs(self.months), 12)
        rest = abs(self.ns)
        amounts = [(years, "y"), (months, "mo")]
        for size, unit in (
            (WEEK, "w"),
            (DAY, "d"),
            (HOUR, "h"),
            (MINUTE, "m"),
            (SECOND, "s"),
            (MILLISECOND, "ms"),
            (MICROSECOND, "us"),
            (1, "ns"),
        ):
            amount, rest = divmod(rest, size)
            amounts.append((amount, unit))
        parts = [f"{amount}{unit}" for amount, unit in amounts if amount]
        return sign + "".join(parts)

    def __neg__(self) -> Duration:
        return Duration(-self.months, -self.ns)

    @property
    def is_zero(self) -> bool:
        """Neither months nor nanoseconds."""
        return not self.months and not self.ns


def add_months(ns: int, months: int) -> int:
    """Move an instant by calendar months in UTC; a day past the month's end becomes its last day.

    Source: flux.md §10.
    """
    days, rest = divmod(ns, DAY)
    date = dt.date.fromordinal(_EPOCH + days)
    index = date.year * 12 + date.month - 1 + months
    year, month = divmod(index, 12)
    day = min(date.day, calendar.monthrange(year, month + 1)[1])
    return (dt.date(year, month + 1, day).toordinal() - _EPOCH) * DAY + rest
