"""What is wrong with a line, in the reference's words.

The reference reports every bad line of a request in one message. So that one
bad request cannot become a report of its own size many times over, only so
many lines are spelled out, and only so much of each.

Source: http-api.md §6.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LineError:
    """One line that cannot be parsed.

    Attributes:
        line: Counted from 1 by the newlines before it.
        excerpt: The line without leading blanks and without its newline, clipped to the limit;
            bytes that are no UTF-8 as U+FFFD.
        reason: As the reference words it.
    """

    line: int
    excerpt: str
    reason: str

    def __str__(self) -> str:
        return f"unable to parse '{self.excerpt}': {self.reason}"


def make_error(line: int, excerpt: bytes, clipped: bool, reason: bytes) -> LineError:
    """An error from the bytes that the scanners give."""
    text = excerpt.decode("utf-8", "replace") + ("…" if clipped else "")
    return LineError(line, text, reason.decode("utf-8", "replace"))


def report(errors: Sequence[LineError], count: int) -> str:
    """The message of a refused request: a line of text per bad line, in input order.

    `count` is how many there are; those that `errors` leaves out are summed up in a last line.
    """
    texts = [str(error) for error in errors]
    if count > len(errors):
        texts.append(f"and {count - len(errors)} more lines that cannot be parsed")
    return "\n".join(texts)
