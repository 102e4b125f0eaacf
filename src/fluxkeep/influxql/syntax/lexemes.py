"""Kinds of lexemes, keywords and operators with their precedence.

Source: influxql.md §4.
"""

from __future__ import annotations

from dataclasses import dataclass

# Kinds that are no keyword and no operator.
EOF = "EOF"
SPACE = "WS"
COMMENT = "COMMENT"
ILLEGAL = "ILLEGAL"
IDENT = "IDENT"
STRING = "STRING"
BAD_STRING = "BADSTRING"
BAD_ESCAPE = "BADESCAPE"
NUMBER = "NUMBER"
INTEGER = "INTEGER"
DURATION = "DURATIONVAL"
BOUND_PARAMETER = "BOUNDPARAM"
REGEX = "REGEX"

# Binding power of the binary operators, loosest first.
PRECEDENCE: dict[str, int] = {
    "OR": 1,
    "AND": 2,
    **dict.fromkeys(("=", "!=", "=~", "!~", "<", "<=", ">", ">="), 3),
    **dict.fromkeys(("+", "-", "|", "^"), 4),
    **dict.fromkeys(("*", "/", "%", "&"), 5),
}
REGEX_OPERATORS = frozenset(("=~", "!~"))
COMPARISONS = frozenset(("=", "!=", "=~", "!~", "<", "<=", ">", ">="))

KEYWORDS = frozenset(
    word
    for line in (
        "ALL ALTER ANALYZE ANY AS ASC BEGIN BY CARDINALITY CREATE CONTINUOUS DATABASE DATABASES DEFAULT DELETE DESC",
        "DESTINATIONS DIAGNOSTICS DISTINCT DROP DURATION END EVERY EXACT EXPLAIN FIELD FOR FROM GRANT GRANTS GROUP",
        "GROUPS IN INF INSERT INTO KEY KEYS KILL LIMIT MEASUREMENT MEASUREMENTS NAME OFFSET ON ORDER PASSWORD POLICY",
        "POLICIES PRIVILEGES QUERIES QUERY READ REPLICATION RESAMPLE RETENTION REVOKE SELECT SERIES SET SHOW SHARD",
        "SHARDS SLIMIT SOFFSET STATS SUBSCRIPTION SUBSCRIPTIONS TAG TO USER USERS VALUES VERBOSE WHERE WITH WRITE",
        "AND OR TRUE FALSE",
    )
    for word in line.split()
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lexeme is reported to begin, counted from zero."""

    line: int
    char: int


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A kind, its text and where it is.

    Attributes:
        kind: One of the constants above, a keyword in upper case, or the operator itself.
        text: What was written, unescaped; empty for keywords and operators.
        place: As error texts report it.
        start: Offset of its first character.
        end: Offset past its last one.
    """

    kind: str
    text: str
    place: Place
    start: int
    end: int

    @property
    def found(self) -> str:
        """How error texts name it."""
        return self.text or self.kind
