"""The predicate of a delete request: equality rules joined by AND.

The reference scans with InfluxQL's scanner and checks first with its
expression parser, whose errors read differently; both are told apart here.
Positions count characters from 0, the parser's columns from 1.

    expr  := term { AND term }
    term  := rule | '(' expr ')'
    rule  := key ('=' | '!=') value

Source: http-api.md §9, §27.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fluxkeep.datamodel.predicates import FIELD, TIME, VALUE, And, Compare, Op, Or, Predicate
from fluxkeep.errors import InvalidInput, Unsupported

NESTING_MAX = 100

_LEXEME = re.compile(
    r"""(?P<blank>\s+)
      | (?P<number>\d+\.\d*|\.\d+)
      | (?P<duration>\d+(?:ns|u|µ|ms|s|m|h|d|w)(?:\d+(?:ns|u|µ|ms|s|m|h|d|w))*)
      | (?P<integer>\d+)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<quoted>"(?:[^"\\\n]|\\.)*")
      | (?P<single>'(?:[^'\\\n]|\\.)*')
      | (?P<bad>["'](?:[^\n]*))
      | (?P<operator>=~|!~|!=|<>|<=|>=|=|<|>|\(|\)|,|;|\+|-|\*|/|%|&|\||\^|::|:|\.)
      | (?P<illegal>.)""",
    re.VERBOSE | re.DOTALL,
)
# Words that the reference's scanner does not take for names.
_KEYWORDS = frozenset(
    (
        "ALL",
        "ALTER",
        "ANALYZE",
        "ANY",
        "AS",
        "ASC",
        "BEGIN",
        "BY",
        "CARDINALITY",
        "CREATE",
        "CONTINUOUS",
        "DATABASE",
        "DATABASES",
        "DEFAULT",
        "DELETE",
        "DESC",
        "DESTINATIONS",
        "DIAGNOSTICS",
        "DISTINCT",
        "DROP",
        "DURATION",
        "END",
        "EVERY",
        "EXACT",
        "EXPLAIN",
        "FIELD",
        "FOR",
        "FROM",
        "FUTURE",
        "GRANT",
        "GRANTS",
        "GROUP",
        "GROUPS",
        "IN",
        "INF",
        "INSERT",
        "INTO",
        "KEY",
        "KEYS",
        "KILL",
        "LIMIT",
        "MEASUREMENT",
        "MEASUREMENTS",
        "NAME",
        "OFFSET",
        "OLD",
        "ON",
        "ORDER",
        "PASSWORD",
        "PAST",
        "POLICY",
        "POLICIES",
        "PRIVILEGES",
        "QUERIES",
        "QUERY",
        "READ",
        "REPLICATION",
        "RESAMPLE",
        "RETENTION",
        "REVOKE",
        "SELECT",
        "SERIES",
        "SET",
        "SHARD",
        "SHARDS",
        "SHOW",
        "SLIMIT",
        "SOFFSET",
        "STATS",
        "SUBSCRIPTION",
        "SUBSCRIPTIONS",
        "TAG",
        "TO",
        "USER",
        "USERS",
        "VALUES",
        "WHERE",
        "WITH",
        "WRITE",
    )
)


_VALUES = ("word", "quoted", "number", "duration", "integer", "boolean")
# Scanned up to the first character that does not belong, so that the end of the text is read once already.
_OPEN_ENDED = ("word", "keyword", "logic", "boolean", "number", "duration", "integer", "blank")

_NOTHING: Predicate = Or(())
_EVERYTHING: Predicate = And(())


@dataclass(frozen=True, slots=True)
class _Lexeme:
    """A piece of the text; `at` is where the reference says it is."""

    kind: str
    text: str
    value: str
    at: int


class PredicateUnreadable(InvalidInput):
    """What the reference's expression parser refuses after its rules were found good."""


def parse_predicate(text: str) -> Predicate | None:
    """The predicate of a text; none of an empty one, which matches everything.

    An absent tag is meant to compare as the empty string.

    Raises:
        InvalidInput: A text that the reference shows behind `error decoding json body: `.
        PredicateUnreadable: One that it shows as it is.
        Unsupported: A rule `_field = …`.
    """
    if not text:
        return None
    lexemes = _scan(text)
    predicate = _Rules(lexemes).read()
    _check_expression(lexemes)
    return predicate


def _scan(text: str) -> list[_Lexeme]:
    lexemes: list[_Lexeme] = []
    kind = ""
    for match in _LEXEME.finditer(text):
        kind, word, at = match.lastgroup or "illegal", match[0], match.start()
        value = word
        if kind == "blank":
            continue
        if kind in ("quoted", "single"):
            value = re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], word[1:-1])
        elif kind == "bad":
            value = word[1:]
        elif kind == "word":
            upper = word.upper()
            if upper in ("AND", "OR"):
                kind, value = "logic", upper
            elif upper in ("TRUE", "FALSE"):
                kind, value = "boolean", upper.lower()
            elif upper in _KEYWORDS:
                kind, value = "keyword", upper
        # Quirk: a string is reported where the character before it stands.
        lexemes.append(_Lexeme(kind, word, value, at - 1 if kind in ("single", "bad") else at))
    end = len(text) + (1 if kind in _OPEN_ENDED else 0)
    lexemes.append(_Lexeme("end", "EOF", "EOF", end))
    return lexemes


class _Rules:
    """Reads rules, AND and parentheses from lexemes."""

    def __init__(self, lexemes: list[_Lexeme]) -> None:
        self._lexemes = lexemes
        self._next = 0

    def read(self) -> Predicate | None:
        """All of the text."""
        return self._group(depth=0)

    def _group(self, depth: int) -> Predicate | None:
        if depth > NESTING_MAX:
            raise InvalidInput(f"parentheses nest deeper than {NESTING_MAX}")
        terms: list[Predicate] = []
        joined = False
        while True:
            lexeme = self._take()
            match lexeme.kind, lexeme.text:
                case ("number" | "integer" | "word" | "quoted", _):
                    terms.append(self._rule(lexeme))
                case ("keyword", _) if lexeme.value == "NAME":
                    terms.append(self._rule(lexeme))
                case ("logic", _) if lexeme.value == "AND":
                    joined = True
                case ("logic", _):
                    raise InvalidInput(f"the logical operator OR is not supported yet at position {lexeme.at}")
                case (_, "("):
                    inner = self._group(depth + 1)
                    terms += [inner] if inner is not None else []
                case (_, ")") if depth == 0:
                    raise InvalidInput("extra ) seen")
                case ("end", _) if depth > 0:
                    raise InvalidInput("extra ( seen")
                case (_, ")") | ("end", _):
                    break
                case _:
                    raise InvalidInput(f"bad logical expression, at position {lexeme.at}")
        if len(terms) > 1 and not joined:
            raise InvalidInput("the logical operator '\\x00' is invalid")
        if len(terms) > 1:
            return And(tuple(terms))
        return terms[0] if terms else None

    def _rule(self, key: _Lexeme) -> Predicate:
        if key.kind not in ("word", "quoted", "keyword"):
            raise InvalidInput(f"bad tag key, at position {key.at}")
        name = "name" if key.kind == "keyword" else key.value
        operator = self._take()
        if operator.text in ("=~", "!~"):
            raise InvalidInput(f'operator: "{operator.text}" at position: {operator.at} is not supported yet')
        if operator.text not in ("=", "!=", "<>"):
            raise InvalidInput(f'invalid operator "{_operator_name(operator)}" at position: {operator.at}')
        literal = self._value()
        op = Op.EQ if operator.text == "=" else Op.NE
        if name == FIELD and op is Op.EQ:
            raise Unsupported("delete by field is not supported")
        if name in (VALUE, TIME):
            # Tags of these names do not exist, and an absent tag is the empty string.
            return _EVERYTHING if (literal == "") is (op is Op.EQ) else _NOTHING
        return Compare(name, op, literal)

    def _value(self) -> str:
        sign = ""
        lexeme = self._take()
        while lexeme.text == "-":
            sign = "-"
            lexeme = self._take()
        if lexeme.kind not in _VALUES:
            shown = lexeme.value if lexeme.kind in ("single", "bad") else ""
            raise InvalidInput(f'bad tag value: "{shown}", at position {lexeme.at}')
        return sign + lexeme.value

    def _take(self) -> _Lexeme:
        lexeme = self._lexemes[self._next]
        self._next = min(self._next + 1, len(self._lexemes) - 1)
        return lexeme


def _check_expression(lexemes: list[_Lexeme]) -> None:
    """Refuse AND at an end, an empty group and a keyword in place of a name."""
    operand_due = True
    for lexeme in lexemes:
        if operand_due and (lexeme.kind in ("logic", "keyword", "end") or lexeme.text == ")"):
            raise PredicateUnreadable(
                f"invalid request; error parsing predicate: found {lexeme.value}, "
                f"expected identifier, string, number, bool at line 1, char {lexeme.at + 1}"
            )
        operand_due = lexeme.kind == "logic" or lexeme.text in ("(", "-", "=", "!=", "<>")


def _operator_name(lexeme: _Lexeme) -> str:
    match lexeme.kind:
        case "word" | "quoted":
            return "IDENT"
        case "number" | "integer" | "duration" | "single":
            return {"single": "STRING", "duration": "DURATIONVAL"}.get(lexeme.kind, lexeme.kind.upper())
        case _:
            return lexeme.value.upper()
