"""Lexemes with steps back, bound parameters put in, and the words that clauses share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias

from fluxkeep.influxql.syntax import lexemes as lx
from fluxkeep.influxql.syntax.ast import Regex, Span
from fluxkeep.influxql.syntax.durations import format_duration
from fluxkeep.influxql.syntax.errors import ParseError, expected, told
from fluxkeep.influxql.syntax.lexemes import Lexeme
from fluxkeep.influxql.syntax.regex import RegexError, compile_regex
from fluxkeep.influxql.syntax.scanner import Scanner

Parameter: TypeAlias = "tuple[str, str]"
"""A lexeme's kind and text that stand for a bound parameter."""


class Cursor:
    """What the parsers read from.

    Regular expressions are not scanned with the rest: a `/` is one only where
    a grammar rule asks for it and nothing was put back before.
    """

    def __init__(self, text: str, parameters: Mapping[str, Parameter] | None = None) -> None:
        self._scanner = Scanner(text)
        self._parameters = parameters or {}
        self._read: list[Lexeme] = []
        self._back = 0

    def scan(self) -> Lexeme:
        """The next lexeme, white space included."""
        if self._back:
            self._back -= 1
            return self._read[-1 - self._back]
        lexeme = self._bound(self._scanner.scan())
        self._read.append(lexeme)
        return lexeme

    def next(self) -> Lexeme:
        """The next lexeme that is neither white space nor a comment."""
        while (lexeme := self.scan()).kind in (lx.SPACE, lx.COMMENT):
            pass
        return lexeme

    def back(self) -> None:
        """Put the last lexeme back."""
        self._back += 1

    def take(self, kind: str) -> bool:
        """Whether the next lexeme is of that kind; it is consumed if so."""
        if self.next().kind == kind:
            return True
        self.back()
        return False

    def require(self, *kinds: str) -> None:
        """Consume lexemes of these kinds in this order.

        Raises:
            ParseError: The first that differs.
        """
        for kind in kinds:
            lexeme = self.next()
            if lexeme.kind != kind:
                raise expected(lexeme, kind)

    def skip_space(self) -> None:
        """Consume white space, if it comes next."""
        if self.scan().kind != lx.SPACE:
            self.back()

    @property
    def offset(self) -> int:
        """End of the last lexeme consumed."""
        at = len(self._read) - self._back
        return self._read[at - 1].end if at > 0 else 0

    def span(self, start: Lexeme) -> Span:
        """From a lexeme to the last one consumed."""
        return Span(start.start, self.offset)

    def peek_char(self) -> str:
        """The character after the last lexeme; nothing when lexemes were put back."""
        return "" if self._back else self._scanner.peek()

    def identifier(self) -> str:
        """A name.

        Raises:
            ParseError: Something else comes next.
        """
        lexeme = self.next()
        if lexeme.kind != lx.IDENT:
            raise expected(lexeme, "identifier")
        return lexeme.text

    def integer(self) -> int:
        """An integer without a sign."""
        lexeme = self.next()
        if lexeme.kind != lx.INTEGER:
            raise expected(lexeme, "integer")
        return min(int(lexeme.text), (1 << 63) - 1)

    def regex(self) -> Regex | None:
        """A regular expression, if one comes next.

        Raises:
            ParseError: It is not closed or does not compile.
        """
        if self._back:
            return self._parameter_regex()
        if self._scanner.peek() in (" ", "\t", "\n"):
            self.skip_space()
        char = self._scanner.peek()
        if char == "$":
            return self._parameter_regex()
        if char != "/":
            return None
        lexeme = self._scanner.scan_regex()
        self._read.append(lexeme)
        if lexeme.kind != lx.REGEX:
            raise told("bad regex: " + lexeme.text, lexeme.place)
        return self._compiled(lexeme)

    def _parameter_regex(self) -> Regex | None:
        lexeme = self.next()
        if lexeme.kind == lx.REGEX:
            return self._compiled(lexeme)
        self.back()
        return None

    def _compiled(self, lexeme: Lexeme) -> Regex:
        try:
            compile_regex(lexeme.text)
        except RegexError as error:
            raise told(str(error), lexeme.place) from None
        return Regex(lexeme.text, span=Span(lexeme.start, lexeme.end))

    def _bound(self, lexeme: Lexeme) -> Lexeme:
        if lexeme.kind != lx.BOUND_PARAMETER:
            return lexeme
        name = lexeme.text[1:]
        if not name:
            raise ParseError("empty bound parameter")
        if name not in self._parameters:
            raise ParseError(f"missing parameter: {name}")
        kind, text = self._parameters[name]
        return Lexeme(kind, text, lexeme.place, lexeme.start, lexeme.end)


def bind_parameters(text: str) -> dict[str, Parameter]:
    """The lexemes that the JSON object of the request's `params` stands for.

    Raises:
        ParseError: A value that cannot be bound.
        ValueError: Not a JSON object; the text says where, loosely as the reference does.

    Source: influxql.md §1.
    """
    try:
        values = json.loads(text, parse_float=_Float)
    except json.JSONDecodeError as error:
        char = error.doc[error.pos : error.pos + 1]
        if not char:
            raise ValueError("unexpected end of JSON input") from None
        where = "looking for beginning of value"
        if "property name" in error.msg:
            where = "looking for beginning of object key string"
        raise ValueError(f"invalid character '{char}' {where}") from None
    if not isinstance(values, dict):
        raise ValueError(f"json: cannot unmarshal {_kind_of(values)} into Go value of type map[string]interface {{}}")
    return {name: _parameter(value) for name, value in values.items()}


class _Float(str):
    """A JSON number with a point, its digits kept."""

    __slots__ = ()


def _kind_of(value: object) -> str:
    match value:
        case bool():
            return "bool"
        case _Float() | int():
            return "number"
        case str():
            return "string"
        case _:
            return "array"


def _parameter(value: object) -> Parameter:
    match value:
        case bool():
            return ("TRUE" if value else "FALSE", "")
        case _Float():
            return (lx.NUMBER, f"{float(value):f}")
        case int():
            return (lx.INTEGER, str(value))
        case str():
            return (lx.STRING, value)
        case dict() if len(value) == 1:
            return _typed_parameter(*next(iter(value.items())))
        case dict():
            raise ParseError("bound object parameter value must have exactly one entry")
        case _:
            raise ParseError(f"unable to bind parameter with type {_go_type(value)}")


def _go_type(value: object) -> str:
    return "<nil>" if value is None else "[]interface {}"


def _typed_parameter(kind: str, value: object) -> Parameter:
    match kind.lower(), value:
        case "ident" | "identifier", str():
            return (lx.IDENT, value)
        case "regex", str():
            return (lx.REGEX, value)
        case "string", str():
            return (lx.STRING, value)
        case "float" | "number", _Float() | int():
            return (lx.NUMBER, str(float(value)))
        case "int" | "integer", int() | _Float():
            return (lx.INTEGER, str(int(float(value)) if isinstance(value, _Float) else value))
        case "duration", int():
            return (lx.DURATION, format_duration(value))
        case "duration", str():
            return (lx.DURATION, str(value))
        case _:
            raise ParseError(f"unable to bind parameter: {kind}")
