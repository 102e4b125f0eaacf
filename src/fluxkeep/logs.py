"""Structured logs: events with fields, in the reference's form, secrets redacted.

Levels are InfluxDB's: debug, info, warn, error. An event is a dotted name and
typed fields (`wal.segment.rotated segment=12`); never a token, password,
digest, query literal or line body. `redact` is the last net below that rule.

Source of the form: cli.md §5.3.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog

from fluxkeep.secret import Secret

# What happens to every request while a disk is full is told so often.
_SELDOM_SECONDS = 10.0
_KINDS_MAX = 1000

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}

# Where structlog's word for a level is not the reference's.
_SHORT = {"warning": "warn"}

# Keys whose values are never shown, whatever they hold.
_SENSITIVE = re.compile(r"token$|password|secret|authorization$|cookie|digest|hash$", re.IGNORECASE)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what could be a secret, by key and by type."""
    for key, value in event.items():
        if isinstance(value, Secret) or (isinstance(value, str | bytes) and _SENSITIVE.search(key)):
            event[key] = "***"
    return event


def _as_the_reference(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Names and levels that scripts for the reference look for; an event is one line whatever a text holds."""
    level = event.pop("level")
    named = {"ts": event.pop("timestamp"), "lvl": _SHORT.get(level, level), "msg": event.pop("event"), **event}
    return {key: _one_line(value) if isinstance(value, str) else value for key, value in named.items()}


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def configure(level: str, stream: TextIO | None = None, *, json: bool = False) -> None:
    """Set up logging for the process; called once by the server or a command.

    Args:
        level: One of `LEVELS`.
        stream: Where lines go; standard error by default.
        json: JSON lines rather than logfmt.
    """
    render: list[Any] = (
        [structlog.processors.JSONRenderer()]
        if json
        else [_as_the_reference, structlog.processors.LogfmtRenderer(bool_as_flag=False)]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.format_exc_info,
            *render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


class Seldom:
    """Lets one event of a kind through now and then and counts the rest. Safe from any thread."""

    def __init__(self, seconds: float = _SELDOM_SECONDS, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._lock = threading.Lock()
        # When the last of a kind was let through, and how many were held back since.
        self._kinds: dict[str, tuple[float, int]] = {}

    def held_back(self, kind: str) -> int | None:
        """How many of a kind were held back since the last; None if this one is held back too."""
        now = self._now()
        with self._lock:
            last, held = self._kinds.get(kind, (-self._seconds, 0))
            if now - last < self._seconds:
                self._kinds[kind] = (last, held + 1)
                return None
            if len(self._kinds) >= _KINDS_MAX:
                self._kinds.clear()
            self._kinds[kind] = (now, 0)
            return held


def get_logger(room: str) -> Any:
    """A logger bound to its room."""
    return structlog.get_logger().bind(room=room)
