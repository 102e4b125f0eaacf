"""`regexp`: RE2 on texts.

Source: flux.md §13.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Regexp, Value
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.strings import text_of

PACKAGE = Package("regexp")


class Match(Protocol):
    """What the library's matches have."""

    def start(self) -> int:
        """Where it begins."""
        ...

    def end(self) -> int:
        """Where it ends."""
        ...

    def group(self, name: int | str) -> str | None:
        """A part of it."""
        ...


_TEMPLATE = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)


@PACKAGE.function("v")
def compile_(call: Call) -> Value:
    """A text as a pattern."""
    return Regexp(text_of(call))


@PACKAGE.function("v")
def quoteMeta(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A text that matches itself."""
    return re.sub(r"[\\.+*?()|\[\]{}^$]", lambda m: "\\" + m[0], text_of(call))


@PACKAGE.function("r v")
def findString(call: Call) -> Value:  # noqa: N802 - Flux's name
    """The first match, or nothing."""
    found = call.regexp("r").compiled.search(text_of(call))
    return str(found[0]) if found else ""


@PACKAGE.function("r v")
def findStringIndex(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Where the first match lies, in bytes."""
    text = text_of(call)
    found = call.regexp("r").compiled.search(text)
    if not found:
        return []
    return [len(text[: found.start()].encode()), len(text[: found.end()].encode())]


@PACKAGE.function("r v")
def matchRegexpString(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Whether there is a match."""
    return call.regexp("r").search(text_of(call))


@PACKAGE.function("r v t")
def replaceAllString(call: Call) -> Value:  # noqa: N802 - Flux's name
    """All matches by a template with `$1` and `${name}`."""
    pattern, text, template = call.regexp("r"), text_of(call), text_of(call, "t")
    out: list[str] = []
    at = 0
    for found in _matches(pattern, text):
        out.append(text[at : found.start()])
        out.append(_expanded(template, found))
        at = found.end()
    return "".join(out) + text[at:]


def _expanded(template: str, found: Match) -> str:
    def group(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        try:
            return found.group(int(name) if name.isdigit() else name) or ""
        except (IndexError, KeyError):
            return ""

    return _TEMPLATE.sub(group, template)


@PACKAGE.function("r v i")
def splitRegexp(call: Call) -> Value:  # noqa: N802 - Flux's name
    """At most i parts between matches, all for a negative i."""
    text, limit = text_of(call), call.int("i")
    if limit == 0:
        return []
    parts: list[str] = []
    begin, end = 0, 0
    for found in _matches(call.regexp("r"), text):
        if limit > 0 and len(parts) == limit - 1:
            break
        end = found.start()
        if found.end() != 0:
            parts.append(text[begin:end])
        begin = found.end()
    if end != len(text):
        parts.append(text[begin:])
    return parts


def _matches(pattern: Regexp, text: str) -> Iterator[Match]:
    """All matches but empty ones right behind another, which do not count in Go."""
    last = -1
    for found in pattern.compiled.finditer(text):
        if found.start() == found.end() == last:
            continue
        last = found.end()
        yield found


@PACKAGE.function("r")
def getString(call: Call) -> Value:  # noqa: N802 - Flux's name
    """The pattern as a text."""
    return call.regexp("r").pattern
