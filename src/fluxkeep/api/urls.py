"""Query strings as the reference reads them.

A pair with a malformed escape or a literal semicolon is dropped, the rest
stays; `+` is a blank.

Source: http-api.md §7.2, §27.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

_HEX = frozenset("0123456789abcdefABCDEF")


def parse_query(text: str) -> dict[str, list[str]]:
    """All values of each name, in order."""
    values: dict[str, list[str]] = {}
    if not text:
        return values
    for pair in text.split("&"):
        if not pair or ";" in pair:
            continue
        name, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            if not _well_formed(pair):
                continue
            name, value = _unescape(name), _unescape(value)
        values.setdefault(name, []).append(value)
    return values


def _unescape(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "replace")


def _well_formed(text: str) -> bool:
    at = text.find("%")
    while at >= 0:
        if len(text) < at + 3 or text[at + 1] not in _HEX or text[at + 2] not in _HEX:
            return False
        at = text.find("%", at + 3)
    return True
