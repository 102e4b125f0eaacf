r"""Flux text to lexemes, one at a time and on demand.

The parser says what may follow, because two things cannot be told apart from
the text alone: `/` begins a regular expression where an operand may start and
divides elsewhere, and inside quotes everything is text up to `${`, `"` or a
backslash that begins no known escape.

The scanner keeps no state but the text: `scan(at)` may be called for any offset.

Source: flux.md §1.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

from fluxkeep.flux.syntax.ast import Position

_ESCAPE = r'\\(?:[nrt"\\]|\$\{|x[0-9A-Fa-f]{2})'
# Characters are eaten possessively and alternatives share no first character, so no input costs more than linear
# time. Repeated groups are not possessive: Python before 3.11.5 loses matches in those (its issue 106052).
_TEXT = rf'(?:[^"\\$]++|{_ESCAPE}|\$(?!\{{))'
_IDENT = r"[^\W\d]\w*+"

_SPACE = re.compile(r"(?:[ \t\r\n]++|//[^\n]*+)*")
_COMMENT = re.compile(r"//[^\n]*")

_NORMAL = re.compile(
    "|".join(
        f"(?P<{name}>{pattern})"
        for name, pattern in (
            ("IDENT", _IDENT),
            (
                "TIME",
                r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?",
            ),
            ("DURATION", r"(?:[0-9]+(?:mo|ms|us|µs|μs|ns|y|w|d|h|m|s))+"),
            ("FLOAT", r"[0-9]++\.[0-9]*+|\.[0-9]++"),
            ("INT", r"[0-9]++"),
            ("STRING", rf'"{_TEXT}*"'),
            ("QUOTE", r'"'),
            ("ATTRIBUTE", rf"@{_IDENT}"),
            ("PIPE_FORWARD", r"\|>"),
            ("PIPE_RECEIVE", r"<-"),
            ("REGEXEQ", r"=~"),
            ("REGEXNEQ", r"!~"),
            ("ARROW", r"=>"),
            ("EQ", r"=="),
            ("NEQ", r"!="),
            ("LTE", r"<="),
            ("GTE", r">="),
            ("LT", r"<"),
            ("GT", r">"),
            ("ASSIGN", r"="),
            ("ADD", r"\+"),
            ("SUB", r"-"),
            ("MUL", r"\*"),
            ("DIV", r"/"),
            ("MOD", r"%"),
            ("POW", r"\^"),
            ("LPAREN", r"\("),
            ("RPAREN", r"\)"),
            ("LBRACK", r"\["),
            ("RBRACK", r"\]"),
            ("LBRACE", r"\{"),
            ("RBRACE", r"\}"),
            ("COMMA", r","),
            ("DOT", r"\."),
            ("COLON", r":"),
            ("QUESTION_MARK", r"\?"),
            ("ILLEGAL", r"(?s:.)"),
        )
    ),
)
_REGEX = re.compile(r"/(?:[^/\\\n]++|\\[^\n])+/")
_IN_STRING = re.compile(rf'(?P<TEXT>{_TEXT}+)|(?P<STRINGEXPR>\$\{{)|(?P<QUOTE>")|(?P<ILLEGAL>(?s:.))')

_BLOCK = 1024

KEYWORDS = frozenset(
    "and or not import package return option builtin testcase if then else exists".split()  # noqa: SIM905
)


class Lexeme(NamedTuple):
    """One lexeme: its kind as error texts name it, its text, where it starts and ends (offsets in characters)."""

    kind: str
    text: str
    start: int
    end: int


class Scanner:
    """Reads lexemes of one text; kinds are the names that error texts use, keywords are their own upper case."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = [0]
        at = text.find("\n")
        while at >= 0:
            self._lines.append(at + 1)
            at = text.find("\n", at + 1)
        # Bytes before each block of characters; with them a column costs the same anywhere in a long line.
        self._bytes = [0]
        self._ascii = text.isascii()
        for at in range(0, 0 if self._ascii else len(text), _BLOCK):
            self._bytes.append(self._bytes[-1] + len(_utf8(text[at : at + _BLOCK])))

    def scan(self, at: int) -> Lexeme:
        """The lexeme after white space and comments from `at` on; a `/` divides."""
        start = self.skip(at)
        match = _NORMAL.match(self.text, start)
        if match is None:
            return Lexeme("EOF", "", len(self.text), len(self.text))
        kind, text = match.lastgroup or "ILLEGAL", match.group()
        if kind == "IDENT" and text in KEYWORDS:
            kind = text.upper()
        return Lexeme(kind, text, start, match.end())

    def scan_operand(self, at: int) -> Lexeme:
        """As `scan`, but a `/` begins a regular expression if one ends on the same line."""
        start = self.skip(at)
        match = _REGEX.match(self.text, start)
        return self.scan(start) if match is None else Lexeme("REGEX", match.group(), start, match.end())

    def scan_string(self, at: int) -> Lexeme:
        """The next piece inside quotes: TEXT, STRINGEXPR (`${`), QUOTE, EOF or ILLEGAL; white space counts."""
        match = _IN_STRING.match(self.text, at)
        if match is None:
            return Lexeme("EOF", "", len(self.text), len(self.text))
        return Lexeme(match.lastgroup or "ILLEGAL", match.group(), at, match.end())

    def skip(self, at: int) -> int:
        """The offset of the first character that is neither white space nor comment."""
        match = _SPACE.match(self.text, at)
        return match.end() if match else at

    def comments(self, start: int, end: int) -> tuple[str, ...]:
        """The comments in a stretch that holds nothing else but white space."""
        return tuple(match.group() for match in _COMMENT.finditer(self.text, start, end))

    def position(self, offset: int) -> Position:
        """Line and byte column of an offset in characters."""
        line = bisect_right(self._lines, offset)
        start = self._lines[line - 1]
        column = offset - start if self._ascii else self._bytes_before(offset) - self._bytes_before(start)
        return Position(line, column + 1)

    def _bytes_before(self, offset: int) -> int:
        block = offset // _BLOCK
        return self._bytes[block] + len(_utf8(self.text[block * _BLOCK : offset]))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
