"""How far long work is: one line on standard error that is drawn over, on a terminal only.

Source: cli.md §1.1.
"""

from __future__ import annotations

import sys
import time

import click

# Drawing more often than anybody can read would cost.
_INTERVAL_SECONDS = 0.1
_CLEAR = "\r\x1b[K"


class Progress:
    """The line of one piece of work; leave it before anything else is printed.

    Args:
        what: Begins the line.
        bytes_total: How much there is; None where nobody knows.
    """

    def __init__(self, what: str, bytes_total: int | None = None) -> None:
        self._what = what
        self._bytes_total = bytes_total
        self._bytes = self._lines = 0
        self._on = sys.stderr.isatty()
        self._drawn_at = -_INTERVAL_SECONDS

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn_at >= 0:
            click.echo(_CLEAR, nl=False, err=True)

    def add(self, size: int, lines: int = 0) -> None:
        """So many bytes, and lines where those are counted, are done."""
        self._bytes += size
        self._lines += lines
        now = time.monotonic()
        if self._on and now - self._drawn_at >= _INTERVAL_SECONDS:
            self._drawn_at = now
            click.echo(_CLEAR + self.text, nl=False, err=True)

    @property
    def text(self) -> str:
        """The line."""
        text = f"{self._what}: {self._bytes / 1e6:.1f} MB"
        if self._bytes_total:
            share = min(self._bytes * 100 // self._bytes_total, 100)
            text += f" of {self._bytes_total / 1e6:.1f} MB ({share} %)"
        if self._lines:
            text += f", {self._lines} lines"
        return text
