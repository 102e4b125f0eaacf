"""`strings`: functions on texts. Lengths and positions count code points or bytes as noted.

Source: flux.md §13.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from fluxkeep.errors import Internal, InvalidInput
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Null, Value, kind_of
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("strings")


def text_of(call: Call, name: str = "v", what: str = "") -> str:
    """A text argument.

    Raises:
        InvalidInput: Null or no text.
    """
    value = call.value(name)
    if isinstance(value, str):
        return value
    if not isinstance(value, Null):
        raise InvalidInput(f"type conflict: string != {kind_of(value)}")
    kind, shown = ("string", "<nil>") if value.kind else ("invalid", "{}")
    raise InvalidInput(f"cannot convert argument of type {kind} value {shown}" + (f" to {what}" if what else ""))


def _changing(name: str, what: str, change: Callable[[str], str]) -> None:
    def run(call: Call) -> Value:
        return change(text_of(call, what=what))

    PACKAGE.function("v", name)(run)


def _title(text: str) -> str:
    out, start = [], True
    for c in text:
        out.append(_titled(c) if start and c.isalpha() else c)
        start = not (c.isalnum() or c in "_'")
    return "".join(out)


def _titled(character: str) -> str:
    other = character.title()
    return other if len(other) == 1 else character


def _each(text: str, change: Callable[[str], str]) -> str:
    """Character by character, as Go does: a letter never becomes two."""
    return "".join(n if len(n := change(c)) == 1 else c for c in text)


_GO_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)

_changing("title", "title case", _title)
_changing("toTitle", "title case", lambda v: _each(v, str.title))
_changing("toUpper", "upper case", lambda v: _each(v, str.upper))
_changing("toLower", "lower case", lambda v: _each(v, str.lower))
_changing("trimSpace", "trim space", lambda v: v.strip(_GO_SPACE))


def _with(name: str, parameters: str, run: Callable[..., Value]) -> None:
    names = parameters.split()

    def called(call: Call) -> Value:
        return run(*(text_of(call, n) for n in names))

    PACKAGE.function(parameters, name)(called)


def _index(text: str, part: str) -> int:
    return text.encode().find(part.encode())


def _last_index(text: str, part: str) -> int:
    return text.encode().rfind(part.encode())


def _index_any(text: str, characters: str) -> int:
    at = 0
    for c in text:
        if c in characters:
            return at
        at += len(c.encode())
    return -1


def _last_index_any(text: str, characters: str) -> int:
    found, at = -1, 0
    for c in text:
        if c in characters:
            found = at
        at += len(c.encode())
    return found


def _compare(one: str, other: str) -> int:
    a, b = one.encode(), other.encode()
    return (a > b) - (a < b)


def _split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else list(text)


def _split_n(text: str, separator: str, n: int, *, keep: bool) -> list[str]:
    if n == 0:
        return []
    if separator:
        parts = text.split(separator, n - 1 if n > 0 else -1)
    else:
        parts = list(text) if n < 0 or n >= len(text) else [*text[: n - 1], text[n - 1 :]]
    if keep and separator:
        parts = [p + separator for p in parts[:-1]] + parts[-1:]
    return parts


_with("trim", "v cutset", lambda v, c: v.strip(c) if c else v)
_with("trimLeft", "v cutset", lambda v, c: v.lstrip(c) if c else v)
_with("trimRight", "v cutset", lambda v, c: v.rstrip(c) if c else v)
_with("trimPrefix", "v prefix", str.removeprefix)
_with("trimSuffix", "v suffix", str.removesuffix)
_with("hasPrefix", "v prefix", lambda v, p: v.startswith(p))
_with("hasSuffix", "v suffix", lambda v, p: v.endswith(p))
_with("containsStr", "v substr", lambda v, s: s in v)
_with("containsAny", "v chars", lambda v, cs: any(c in v for c in cs))
_with("equalFold", "v t", lambda v, t: v.casefold() == t.casefold())
_with("compare", "v t", _compare)
_with("countStr", "v substr", lambda v, s: v.count(s) if s else len(v) + 1)
_with("index", "v substr", _index)
_with("indexAny", "v chars", _index_any)
_with("lastIndex", "v substr", _last_index)
_with("lastIndexAny", "v chars", _last_index_any)
_with("split", "v t", _split)
_with("splitAfter", "v t", lambda v, t: _split_n(v, t, -1, keep=True))
_with("replaceAll", "v t u", lambda v, t, u: v.replace(t, u))
_with("strlen", "v", len)


@PACKAGE.function("v t i")
def splitN(call: Call) -> Value:  # noqa: N802 - Flux's name
    """At most n parts."""
    return _split_n(text_of(call), text_of(call, "t"), call.int("i"), keep=False)


@PACKAGE.function("v t i")
def splitAfterN(call: Call) -> Value:  # noqa: N802 - Flux's name
    """At most n parts, separators kept."""
    return _split_n(text_of(call), text_of(call, "t"), call.int("i"), keep=True)


@PACKAGE.function("v t u i")
def replace(call: Call) -> Value:
    """The first i occurrences replaced, all for a negative i."""
    return text_of(call).replace(text_of(call, "t"), text_of(call, "u"), call.int("i"))


@PACKAGE.function("arr v")
def joinStr(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Texts with a separator between them."""
    return text_of(call, "v").join(call.strings("arr"))


@PACKAGE.function("v i")
def repeat(call: Call) -> Value:
    """A text i times."""
    count = call.int("i")
    if count < 0:
        raise InvalidInput(f"negative repeat count {count}")
    return text_of(call) * count


@PACKAGE.function("v start end")
def substring(call: Call) -> Value:
    """Code points from start to before end; what lies outside is not there."""
    text, start, end = text_of(call), call.int("start"), call.int("end")
    return text[max(start, 0) : max(end, 0)]


def _kind(name: str, test: Callable[[str], bool]) -> None:
    def run(call: Call) -> Value:
        value = text_of(call)
        if len(value.encode()) != 1:
            raise Internal('"v" is not a valid argument: argument length is not equal to 1')
        return test(value)

    PACKAGE.function("v", name)(run)


_kind("isDigit", lambda c: unicodedata.category(c) == "Nd")
_kind("isLetter", str.isalpha)
_kind("isLower", lambda c: unicodedata.category(c) == "Ll")
_kind("isUpper", lambda c: unicodedata.category(c) == "Lu")
