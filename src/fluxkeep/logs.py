"""Structured logs on standard error: events with fields, secrets redacted.

Levels are InfluxDB's: debug, info, warn, error. An event is a dotted name and
typed fields (`wal.segment.rotated segment=12`); never a token, password,
digest, query literal or line body. `redact` is the last net below that rule.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from fluxkeep.secret import Secret

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}

# Keys whose values are never shown, whatever they hold.
_SENSITIVE = re.compile(r"token$|password|secret|authorization$|cookie|digest|hash$", re.IGNORECASE)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what could be a secret, by key and by type."""
    for key, value in event.items():
        if isinstance(value, Secret) or (isinstance(value, str | bytes) and _SENSITIVE.search(key)):
            event[key] = "***"
    return event


def configure(level: str, stream: TextIO | None = None, *, json: bool = False) -> None:
    """Set up logging for the process; called once by the server or a command.

    Args:
        level: One of `LEVELS`.
        stream: Where lines go; standard error by default.
        json: JSON lines rather than `key=value`.
    """
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"], drop_missing=True)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def get_logger(room: str) -> Any:
    """A logger bound to its room."""
    return structlog.get_logger().bind(room=room)
