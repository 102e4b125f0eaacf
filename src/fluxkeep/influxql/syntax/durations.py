"""Durations as InfluxQL spells them: read and printed.

Source: influxql.md §4.
"""

from __future__ import annotations

import re

from fluxkeep.instants import DAY, HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND, WEEK

_UNITS = {
    "ns": 1,
    "u": MICROSECOND,
    "µ": MICROSECOND,
    "ms": MILLISECOND,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
    "d": DAY,
    "w": WEEK,
}
_PART = re.compile(r"([0-9]+)(ns|ms|u|µ|s|m|h|d|w)")
_PRINTED = (("w", WEEK), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", MILLISECOND), ("u", MICROSECOND))


def parse_duration(text: str) -> int:
    """Nanoseconds of `1h30m`.

    Raises:
        ValueError: `invalid duration`, or too long for 64 bits.
    """
    total = at = 0
    while match := _PART.match(text, at):
        total += int(match[1]) * _UNITS[match[2]]
        at = match.end()
        if total >= 1 << 63:
            raise ValueError(f"overflowed duration {match[1]}{match[2]}: choose a smaller duration or INF")
    if not at or at != len(text):
        raise ValueError("invalid duration")
    return total


def format_duration(ns: int) -> str:
    """The whole amount in its largest exact unit: `90m`, `1500ms`, `0s`."""
    if ns == 0:
        return "0s"
    for unit, size in _PRINTED:
        if ns % size == 0:
            return f"{ns // size}{unit}"
    return f"{ns}ns"
