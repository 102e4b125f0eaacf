"""Characters to lexemes, on demand, because only the parser knows where a regular expression may stand.

Quirks, all visible in error texts of the reference and reproduced here:
a string and a regular expression are reported one character early; the end of
the text is reported one character late when a word or a peek ran into it
before (recorded in golden/influxql/show-and-statements.txt, errors 0 to 42).
"""

from __future__ import annotations

from fluxkeep.influxql.syntax import lexemes as lx
from fluxkeep.influxql.syntax.lexemes import Lexeme, Place

_SPACES = frozenset(" \t\n")
_ESCAPES = {"n": "\n", "\\": "\\", '"': '"', "'": "'"}
_DOUBLE = frozenset(("=~", "!=", "!~", ">=", "<=", "<>", "::"))
_SINGLE = frozenset("+-*/%&|^=<>(),;:.")


def is_letter(char: str) -> bool:
    """ASCII letters only."""
    return "a" <= char <= "z" or "A" <= char <= "Z"


def is_digit(char: str) -> bool:
    """ASCII digits only."""
    return "0" <= char <= "9"


def is_word(char: str) -> bool:
    """What an identifier without quotes is made of."""
    return is_letter(char) or is_digit(char) or char == "_"


class Scanner:
    """Reads one text; carriage returns count as part of the line feed after them."""

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n").replace("\r", "\n")
        self._at = 0
        self._end_seen = False

    @property
    def text(self) -> str:
        """The text as it is scanned."""
        return self._text

    def peek(self) -> str:
        """The next character, or an empty text at the end, which counts as having run into it."""
        if self._at >= len(self._text):
            self._end_seen = True
            return ""
        return self._text[self._at]

    def _char(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._text[at] if at < len(self._text) else ""

    def _place(self, offset: int) -> Place:
        if offset < 0:
            return Place(0, 0)
        line = self._text.count("\n", 0, offset)
        return Place(line, offset - (self._text.rfind("\n", 0, offset) + 1))

    def _lexeme(self, kind: str, text: str, start: int, place: Place | None = None) -> Lexeme:
        return Lexeme(kind, text, place or self._place(start), start, self._at)

    def scan(self) -> Lexeme:
        """The next lexeme, white space and comments included."""
        start, char = self._at, self._char()
        if not char:
            place = self._place(start)
            if self._end_seen:
                place = Place(place.line, place.char + 1)
            self._end_seen = True
            return self._lexeme(lx.EOF, "", start, place)
        if char in _SPACES:
            while self._char() and self._char() in _SPACES:
                self._at += 1
            return self._lexeme(lx.SPACE, self._text[start : self._at], start)
        if is_letter(char) or char == "_":
            return self._word(start)
        if char == '"':
            return self._quoted(start)
        if char == "'":
            return self._string(start)
        if is_digit(char) or (char == "." and is_digit(self._char(1))):
            return self._number(start)
        if char == "$":
            return self._parameter(start)
        return self._operator(start, char)

    def _word(self, start: int) -> Lexeme:
        while self._char() and is_word(self._char()):
            self._at += 1
        if self._at >= len(self._text):
            self._end_seen = True
        word = self._text[start : self._at]
        if word.upper() in lx.KEYWORDS:
            return self._lexeme(word.upper(), "", start)
        return self._lexeme(lx.IDENT, word, start)

    def _body(self, quote: str) -> tuple[str, str]:
        """What stands between quotes; the first quote is the current character."""
        self._at += 1
        parts: list[str] = []
        while True:
            char = self._char()
            if not char or char == "\n":
                if not char:
                    self._end_seen = True
                return lx.BAD_STRING, "".join(parts)
            self._at += 1
            if char == quote:
                return lx.STRING, "".join(parts)
            if char == "\\":
                escaped = self._char()
                self._at += 1 if escaped else 0
                if escaped not in _ESCAPES or not escaped:
                    return lx.BAD_ESCAPE, char + escaped
                char = _ESCAPES[escaped]
            parts.append(char)

    def _string(self, start: int) -> Lexeme:
        kind, text = self._body("'")
        # Quirk: reported one character early; golden errors 13, 15 and 38.
        place = self._place(self._at - 1 if kind == lx.BAD_ESCAPE else start - 1)
        return self._lexeme(kind, text, start, place)

    def _quoted(self, start: int) -> Lexeme:
        kind, text = self._body('"')
        if kind == lx.STRING:
            return self._lexeme(lx.IDENT, text, start)
        return self._lexeme(kind, text, start, self._place(start))

    def _number(self, start: int) -> Lexeme:
        decimal = False
        self._digits()
        if self._char() == ".":
            decimal = True
            self._at += 1
            self._digits()
        if not decimal and (is_letter(self._char()) or self._char() == "µ"):
            while is_letter(self._char()) or is_digit(self._char()) or self._char() == "µ":
                self._at += 1
            return self._lexeme(lx.DURATION, self._text[start : self._at], start)
        return self._lexeme(lx.NUMBER if decimal else lx.INTEGER, self._text[start : self._at], start)

    def _digits(self) -> None:
        while is_digit(self._char()):
            self._at += 1

    def _parameter(self, start: int) -> Lexeme:
        self._at += 1
        if self._char() == '"':
            kind, text = self._body('"')
            if kind != lx.STRING:
                return self._lexeme(kind, "$" + text, start)
            return self._lexeme(lx.BOUND_PARAMETER, "$" + text, start)
        first = self._at
        while self._char() and is_word(self._char()):
            self._at += 1
        if self._at >= len(self._text):
            self._end_seen = True
        return self._lexeme(lx.BOUND_PARAMETER, "$" + self._text[first : self._at], start)

    def _operator(self, start: int, char: str) -> Lexeme:
        pair = self._text[start : start + 2]
        if pair == "--":
            end = self._text.find("\n", start)
            self._at = len(self._text) if end < 0 else end + 1
            self._end_seen = self._end_seen or end < 0
            return self._lexeme(lx.COMMENT, "", start)
        if pair == "/*":
            end = self._text.find("*/", start + 2)
            self._at = len(self._text) if end < 0 else end + 2
            return self._lexeme(lx.ILLEGAL if end < 0 else lx.COMMENT, "", start)
        if pair in _DOUBLE:
            self._at += 2
            return self._lexeme("!=" if pair == "<>" else pair, "", start)
        self._at += 1
        if char in _SINGLE:
            return self._lexeme(char, "", start)
        return self._lexeme(lx.ILLEGAL, char, start)

    def scan_regex(self) -> Lexeme:
        """The regular expression that begins at the current `/`; `\\/` stands for a slash in it."""
        start = self._at
        self._at += 1
        parts: list[str] = []
        # Quirk: reported one character early; golden error 16.
        place = self._place(start - 1)
        while True:
            char = self._char()
            if not char or char == "\n":
                return self._lexeme(lx.BAD_STRING, "".join(parts), start, place)
            self._at += 1
            if char == "/":
                return self._lexeme(lx.REGEX, "".join(parts), start, place)
            if char == "\\" and self._char() == "/":
                self._at += 1
                char = "/"
            parts.append(char)
