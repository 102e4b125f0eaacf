"""ParseError: why a text is no query."""

from __future__ import annotations

from fluxkeep.errors import InvalidInput
from fluxkeep.influxql.syntax.lexemes import Lexeme, Place


class ParseError(InvalidInput):
    """The parser's own words, without the endpoint's `failed to parse query: `."""


def expected(found: Lexeme, *what: str) -> ParseError:
    """`found X, expected A, B at line L, char C`."""
    return ParseError(_at(f"found {found.found}, expected {', '.join(what)}", found.place))


def told(message: str, place: Place) -> ParseError:
    """`message at line L, char C`."""
    return ParseError(_at(message, place))


def _at(message: str, place: Place) -> str:
    return f"{message} at line {place.line + 1}, char {place.char + 1}"
