r"""The values of literal lexemes.

Every function here takes the text of one lexeme and raises `ValueError` with
the reference's wording when the text has no value.

Source: flux.md §1.
"""

from __future__ import annotations

import re
from functools import lru_cache

from fluxkeep import instants

_ESCAPE = re.compile(r'\\(?:([nrt"\\])|(\$\{)|x([0-9A-Fa-f]{2}))')
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_REGEX_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.))")
_PART = re.compile(r"([0-9]+)([^0-9]+)")

_INT_MAX = 2**63 - 1


def unescape(text: str) -> str:
    r"""A stretch of string text with its escapes resolved; `\xHH` are bytes that must make UTF-8."""
    if "\\" not in text:
        return text
    out = bytearray()
    at = 0
    for match in _ESCAPE.finditer(text):
        out += text[at : match.start()].encode("utf-8", "surrogatepass")
        if match[1]:
            out += _SIMPLE[match[1]].encode()
        elif match[2]:
            out += b"${"
        else:
            out.append(int(match[3], 16))
        at = match.end()
    out += text[at:].encode("utf-8", "surrogatepass")
    try:
        return out.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise ValueError("invalid byte sequence in string literal") from None


def integer(text: str) -> int:
    """An int64 without sign."""
    if len(text) > 1 and text[0] == "0":
        raise ValueError(f'invalid integer literal "{text}": nonzero value cannot start with 0')
    # A longer text is out of range anyway, and turning digits into numbers costs their square.
    if len(text) > 19 or int(text) > _INT_MAX:
        raise ValueError(f'invalid integer literal "{text}": value out of range')
    return int(text)


def floating(text: str) -> float:
    """A finite float."""
    value = float(text)
    if value == float("inf"):
        raise ValueError(f'invalid float literal "{text}": value out of range')
    return value


def duration(text: str) -> tuple[tuple[int, str], ...]:
    """Magnitudes and units in the order written."""
    parts = []
    for match in _PART.finditer(text):
        if len(match[1]) > 19 or int(match[1]) > _INT_MAX:
            raise ValueError(f'invalid duration literal "{text}": value out of range')
        parts.append((int(match[1]), "us" if match[2] in ("µs", "μs") else match[2]))
    return tuple(parts)


def date_time(text: str) -> int:
    """The instant in ns of `2021-01-01` or of an RFC 3339 time."""
    if len(text) == 10:
        text += "T00:00:00Z"
    elif text[-1] != "Z" and text[-6] not in "+-":
        raise ValueError("invalid date time literal, missing time offset")
    try:
        return instants.parse_rfc3339(text)
    except ValueError:
        raise ValueError(f'invalid date time literal "{text}"') from None


def regexp(text: str) -> str:
    r"""The pattern of `/…/`: `\/` is a slash, `\xHH` a byte; the rest is RE2's to read."""

    def resolve(match: re.Match[str]) -> str:
        if match[2] is not None:
            return "/" if match[2] == "/" else match[0]
        value = int(match[1], 16)
        # Beyond ASCII, and where the byte would be an operator, RE2's own escape keeps its meaning.
        return match[0] if value > 0x7F or not chr(value).isalnum() else chr(value)

    pattern = _REGEX_ESCAPE.sub(resolve, text[1:-1])
    problem = regexp_problem(pattern)
    if problem:
        raise ValueError(problem)
    return pattern


# RE2's words and those of the reference's own engine for the same faults.
_WORDING = (
    ("missing ): ", "unclosed group"),
    ("unexpected ): ", "unopened group"),
    ("missing ]: ", "unclosed character class"),
    ("no argument for repetition operator: ", "repetition operator missing expression"),
    ("invalid character class range: ", "invalid character class range, the start must be <= the end"),
    ("invalid escape sequence: ", "unrecognized escape sequence"),
    ("invalid perl operator: (?=", "look-around, including look-ahead and look-behind, is not supported"),
    ("invalid perl operator: (?!", "look-around, including look-ahead and look-behind, is not supported"),
    ("invalid perl operator: (?<", "look-around, including look-ahead and look-behind, is not supported"),
)


@lru_cache(maxsize=1024)
def regexp_problem(pattern: str) -> str:
    """What is wrong with an RE2 pattern, in the reference's words; an empty text if nothing is.

    Source: the recorded answer to `/(/`; other faults follow its form.
    """
    import re2  # a native module that only scripts with a regular expression need

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        cause = error.args[0] if error.args else ""
        text = cause.decode("utf-8", "replace") if isinstance(cause, bytes) else str(cause)
        for theirs, ours in _WORDING:
            if text.startswith(theirs):
                return f"regex parse error: {pattern} error: {ours}"
        return f"regex parse error: {pattern} error: {text}"
    return ""
