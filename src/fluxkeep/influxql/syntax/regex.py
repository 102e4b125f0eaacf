"""Regular expressions: RE2, with the reference's error texts.

Source: influxql.md §4; the reference's engine is RE2's syntax in another library,
whose wording differs, so the library's words are translated.
"""

from __future__ import annotations

import functools
from typing import Any

import re2

_WORDS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "trailing \\": "trailing backslash at end of expression",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
    "unexpected )": "unexpected )",
}


class RegexError(ValueError):
    """A pattern that does not compile; the text is the reference's."""


@functools.lru_cache(maxsize=512)
def compile_regex(pattern: str) -> Any:
    """The compiled pattern.

    Raises:
        RegexError: `error parsing regexp: …`.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        text = error.args[0] if error.args else ""
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        what, _, where = text.partition(": ")
        words = _WORDS.get(what, what)
        raise RegexError(f"error parsing regexp: {words}" + (f": `{where}`" if where else "")) from None


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern occurs anywhere in the text."""
    return compile_regex(pattern).search(text) is not None
