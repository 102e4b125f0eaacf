"""Reading option values as the reference's flags do: booleans, sizes, durations, words.

Every reader takes a text (flags, environment) or what a file's parser made of
the value, and refuses what it cannot read: a value that is silently replaced
by the default may turn a protection off.

Source: cli.md §5.2; tokens.md §3.2, W32.
"""

from __future__ import annotations

import enum
import re

from fluxkeep.errors import InvalidInput
from fluxkeep.instants import HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND

Value = str | bool | int | dict[str, str] | None


class Kind(enum.Enum):
    """What an option's value is."""

    TEXT = "string"
    BOOLEAN = "boolean"
    NUMBER = "integer"
    SIZE = "size"  # bytes; decimal suffixes
    DURATION = "duration"  # ns; shown by the API as a number
    SPAN = "span"  # ns; shown by the API as a text such as 10m0s
    MAP = "name=value,…"


_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))
_SIZE = re.compile(r"(\d+)\s*([kmgt]?)b?", re.ASCII | re.IGNORECASE)
_SCALE = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNIT = {
    "ns": 1,
    "us": MICROSECOND,
    "µs": MICROSECOND,
    "μs": MICROSECOND,
    "ms": MILLISECOND,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
}


def read_value(kind: Kind, raw: object) -> Value:
    """The value of a kind.

    Raises:
        InvalidInput: Its message says what was expected, without the option's name.
    """
    match kind:
        case Kind.BOOLEAN:
            return _boolean(raw)
        case Kind.NUMBER:
            return _number(raw)
        case Kind.SIZE:
            return _size(raw)
        case Kind.DURATION | Kind.SPAN:
            return _duration(raw)
        case Kind.MAP:
            return _map(raw)
        case Kind.TEXT:
            if not isinstance(raw, str):
                raise InvalidInput("expected a text")
            return raw


def _boolean(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    text = str(raw) if isinstance(raw, str | int) else ""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidInput("expected true or false")


def _number(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and re.fullmatch(r"[-+]?\d{1,18}", raw, re.ASCII):
        return int(raw)
    raise InvalidInput("expected an integer")


def _size(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    match = _SIZE.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if match is None:
        raise InvalidInput("expected a size such as 1024, 2m or 1g")
    return int(match[1]) * _SCALE[match[2].lower()]


def _duration(raw: object) -> int:
    """Nanoseconds; a bare number counts them."""
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    if isinstance(raw, str):
        text = raw.strip().removeprefix("+")
        if text == "0":
            return 0
        total = 0.0
        at = 0
        while (match := _PART.match(text, at)) is not None:
            total += float(match[1]) * _UNIT[match[2]]
            at = match.end()
        if at and at == len(text):
            return round(total)
    raise InvalidInput("expected a duration such as 10s or 1h30m")


def _map(raw: object) -> dict[str, str]:
    if isinstance(raw, dict):
        return {str(name): str(value) for name, value in raw.items()}
    if not isinstance(raw, str):
        raise InvalidInput("expected name=value,…")
    pairs = [pair.partition("=") for pair in raw.split(",") if pair]
    if any(not name or not equals for name, equals, _ in pairs):
        raise InvalidInput("expected name=value,…")
    return {name: value for name, _, value in pairs}
