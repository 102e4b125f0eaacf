"""Text to statements.

`parse(text)` reads a whole query; every statement of the 1.x dialect parses,
those that 2.x does not carry out become `NotThere`.

Source: influxql.md §5, §13 to §15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from fluxkeep.influxql.syntax import lexemes as lx
from fluxkeep.influxql.syntax.ast import (
    Counted,
    Delete,
    DropMeasurement,
    Explain,
    Listing,
    Measurement,
    NotThere,
    Show,
    ShowCardinality,
    ShowDatabases,
    ShowMeasurements,
    ShowPolicies,
    Statement,
    TagKeyTest,
)
from fluxkeep.influxql.syntax.cursor import Cursor, Parameter
from fluxkeep.influxql.syntax.errors import ParseError, expected
from fluxkeep.influxql.syntax.expressions import SelectParser


def parse(text: str, parameters: Mapping[str, Parameter] | None = None) -> tuple[Statement, ...]:
    """The statements of a query.

    Raises:
        ParseError: With the reference's text.
    """
    return Parser(Cursor(text, parameters)).query()


Rule: TypeAlias = "Callable[[Parser], Statement]"
Grammar: TypeAlias = "dict[str, Rule | Grammar]"


class Parser(SelectParser):
    """Statements by their first words, which form a tree."""

    def query(self) -> tuple[Statement, ...]:
        """Statements parted by semicolons; empty ones are skipped."""
        statements: list[Statement] = []
        parted = True
        while (lexeme := self.cursor.next()).kind != lx.EOF:
            if lexeme.kind == ";":
                parted = True
                continue
            if not parted:
                raise expected(lexeme, ";", "EOF")
            self.cursor.back()
            statements.append(self.statement())
            parted = False
        return tuple(statements)

    def statement(self) -> Statement:
        """One statement, found by walking the tree of words."""
        node: Rule | Grammar = _GRAMMAR
        while isinstance(node, dict):
            lexeme = self.cursor.next()
            if lexeme.kind not in node:
                raise expected(lexeme, *(word for word in node if word))
            node = node[lexeme.kind]
        return node(self)

    def on(self) -> str:
        """ON and a database, if they come next."""
        return self.cursor.identifier() if self.cursor.take("ON") else ""

    def tag_keys(self) -> TagKeyTest:
        """WITH KEY and its test."""
        cursor = self.cursor
        cursor.require("WITH", "KEY")
        op = cursor.next()
        match op.kind:
            case "IN":
                cursor.require("(")
                keys = [cursor.identifier()]
                while cursor.take(","):
                    keys.append(cursor.identifier())
                cursor.require(")")
                return TagKeyTest("IN", tuple(keys))
            case "=" | "!=":
                return TagKeyTest(op.kind, (cursor.identifier(),))
            case "=~" | "!~":
                regex = cursor.regex()
                if regex is None:
                    raise expected(cursor.next(), "regex")
                return TagKeyTest(op.kind, regex=regex.pattern)
            case _:
                raise expected(op, "IN", "=", "=~")

    def word_or_string(self) -> str:
        """A string literal."""
        lexeme = self.cursor.next()
        if lexeme.kind != lx.STRING:
            raise expected(lexeme, "string")
        return lexeme.text


def _show_measurements(p: Parser) -> Statement:
    cursor = p.cursor
    database = policy = ""
    if cursor.take("ON"):
        database = "*" if cursor.take("*") else cursor.identifier()
        if cursor.scan().kind == ".":
            policy = "*" if cursor.take("*") else cursor.identifier()
        else:
            cursor.back()
    source = None
    if cursor.take("WITH"):
        cursor.require("MEASUREMENT")
        op = cursor.next()
        if op.kind == "=":
            found = p.sources(subqueries=False)[0]
            assert isinstance(found, Measurement)
            source = found
        elif op.kind == "=~":
            regex = cursor.regex()
            if regex is None:
                raise expected(cursor.next(), "regex")
            source = Measurement(regex=regex.pattern)
        else:
            raise expected(op, "=", "=~")
    condition = p.condition()
    p.order()
    return ShowMeasurements(database, policy, source, condition, p.limit("LIMIT"), p.limit("OFFSET"))


def _show(listing: Listing) -> Rule:
    def rule(p: Parser) -> Statement:
        database = p.on()
        sources = p.measurements()
        keys = None
        if listing is Listing.TAG_VALUES:
            keys = p.tag_keys()
        elif listing is Listing.TAG_KEYS and p.cursor.take("WITH"):
            p.cursor.back()
            keys = p.tag_keys()
        condition = None if listing is Listing.FIELD_KEYS else p.condition()
        p.order()
        limit, offset = p.limit("LIMIT"), p.limit("OFFSET")
        # Accepted and without effect, as recorded for SHOW TAG KEYS.
        p.limit("SLIMIT")
        p.limit("SOFFSET")
        return Show(listing, database, sources, keys, condition, limit, offset)

    return rule


def _cardinality(counted: Counted, *, exact: bool) -> Rule:
    def rule(p: Parser) -> Statement:
        if exact:
            p.cursor.require("CARDINALITY")
        database = p.on()
        sources = p.measurements()
        keys = p.tag_keys() if counted is Counted.TAG_VALUES else None
        condition = p.condition()
        dimensions = p.dimensions()
        limit, offset = p.limit("LIMIT"), p.limit("OFFSET")
        return ShowCardinality(counted, exact, database, sources, keys, condition, dimensions, limit, offset)

    return rule


def _either(counted: Counted, listing: Listing) -> Rule:
    """SHOW SERIES and SHOW TAG VALUES: a listing unless [EXACT] CARDINALITY follows."""

    def rule(p: Parser) -> Statement:
        if p.cursor.take("EXACT"):
            return _cardinality(counted, exact=True)(p)
        if p.cursor.take("CARDINALITY"):
            return _cardinality(counted, exact=False)(p)
        return _show(listing)(p)

    return rule


def _counting(counted: Counted) -> Grammar:
    return {"CARDINALITY": _cardinality(counted, exact=False), "EXACT": _cardinality(counted, exact=True)}


def _delete(p: Parser) -> Statement:
    lexeme = p.cursor.next()
    source = None
    if lexeme.kind == "FROM":
        found = p.sources(subqueries=False)[0]
        assert isinstance(found, Measurement)
        if found.database:
            raise ParseError("database not supported at line 1, char 1")
        source = found
    else:
        p.cursor.back()
    condition = p.condition()
    if source is None and condition is None:
        raise expected(lexeme, "FROM", "WHERE")
    return Delete(source, condition)


def _explain(p: Parser) -> Statement:
    analyze = p.cursor.take("ANALYZE")
    if not analyze:
        p.cursor.take("VERBOSE")
    p.cursor.require("SELECT")
    return Explain(p.select(), analyze)


def _not_there(name: str, body: Callable[[Parser], None] = lambda _: None) -> Rule:
    def rule(p: Parser) -> Statement:
        body(p)
        return NotThere(name)

    return rule


def _name(p: Parser) -> None:
    p.cursor.identifier()


def _number(p: Parser) -> None:
    p.cursor.integer()


def _name_on(p: Parser) -> None:
    p.cursor.identifier()
    p.cursor.require("ON")
    p.cursor.identifier()


def _duration(p: Parser) -> None:
    lexeme = p.cursor.next()
    if lexeme.kind not in (lx.DURATION, "INF"):
        raise expected(lexeme, "duration")
    if lexeme.kind == lx.DURATION:
        p.cursor.back()
        p.expression(99)


def _policy_options(p: Parser, *, words: tuple[str, ...]) -> None:
    while True:
        lexeme = p.cursor.next()
        if lexeme.kind not in words:
            p.cursor.back()
            return
        match lexeme.kind:
            case "DURATION":
                _duration(p)
            case "REPLICATION":
                p.cursor.integer()
            case "SHARD":
                p.cursor.require("DURATION")
                _duration(p)
            case "NAME":
                p.cursor.identifier()


def _create_database(p: Parser) -> None:
    p.cursor.identifier()
    if p.cursor.take("WITH"):
        lexeme = p.cursor.next()
        words = ("DURATION", "NAME", "REPLICATION", "SHARD")
        if lexeme.kind not in words:
            raise expected(lexeme, *words)
        p.cursor.back()
        _policy_options(p, words=words)


def _create_policy(p: Parser) -> None:
    _name_on(p)
    p.cursor.require("DURATION")
    _duration(p)
    p.cursor.require("REPLICATION")
    p.cursor.integer()
    _policy_options(p, words=("SHARD",))
    p.cursor.take("DEFAULT")


def _alter_policy(p: Parser) -> None:
    p.cursor.require("POLICY")
    _name_on(p)
    lexeme = p.cursor.next()
    words = ("DURATION", "REPLICATION", "SHARD", "DEFAULT")
    if lexeme.kind not in words:
        raise expected(lexeme, *words)
    p.cursor.back()
    _policy_options(p, words=words)


def _create_user(p: Parser) -> None:
    p.cursor.identifier()
    p.cursor.require("WITH", "PASSWORD")
    p.word_or_string()
    if p.cursor.take("WITH"):
        p.cursor.require("ALL", "PRIVILEGES")


def _create_subscription(p: Parser) -> None:
    p.cursor.identifier()
    p.cursor.require("ON")
    p.cursor.identifier()
    p.cursor.require(".")
    p.cursor.identifier()
    p.cursor.require("DESTINATIONS")
    lexeme = p.cursor.next()
    if lexeme.kind not in ("ALL", "ANY"):
        raise expected(lexeme, "ALL", "ANY")
    p.word_or_string()
    while p.cursor.take(","):
        p.word_or_string()


def _drop_subscription(p: Parser) -> None:
    _name_on(p)
    p.cursor.require(".")
    p.cursor.identifier()


def _continuous_query(p: Parser) -> None:
    _name_on(p)
    if p.cursor.take("RESAMPLE"):
        every = p.cursor.take("EVERY")
        if every:
            _duration(p)
        if p.cursor.take("FOR"):
            _duration(p)
        elif not every:
            raise expected(p.cursor.next(), "EVERY", "FOR")
    p.cursor.require("BEGIN", "SELECT")
    p.select(into_required=True)
    p.cursor.require("END")


def _privileges(word: str) -> Rule:
    preposition = "TO" if word == "GRANT" else "FROM"

    def rule(p: Parser) -> Statement:
        lexeme = p.cursor.next()
        if lexeme.kind not in ("READ", "WRITE", "ALL"):
            raise expected(lexeme, "READ", "WRITE", "ALL [PRIVILEGES]")
        everything = lexeme.kind == "ALL"
        if everything:
            p.cursor.take("PRIVILEGES")
        after = p.cursor.next()
        if after.kind == "ON":
            p.cursor.identifier()
            p.cursor.require(preposition)
            p.cursor.identifier()
            return NotThere(word)
        if after.kind == preposition and everything:
            p.cursor.identifier()
            return NotThere(f"{word} ALL")
        raise expected(after, *(("ON", preposition) if everything else ("ON",)))

    return rule


def _set_password(p: Parser) -> None:
    p.cursor.require("FOR")
    p.cursor.identifier()
    p.cursor.require("=")
    p.word_or_string()


def _drop_series(p: Parser) -> None:
    lexeme = p.cursor.next()
    p.cursor.back()
    if not p.measurements() and p.condition() is None:
        raise expected(lexeme, "FROM", "WHERE")
    p.condition()


def _kill(p: Parser) -> None:
    p.cursor.integer()
    if p.cursor.take("ON"):
        p.cursor.identifier()


def _stats(p: Parser) -> None:
    if p.cursor.take("FOR"):
        p.word_or_string()


# The words in the order in which error texts list them.
_GRAMMAR: Grammar = {
    "SELECT": lambda p: p.select(),
    "DELETE": _delete,
    "SHOW": {
        "CONTINUOUS": {"QUERIES": _not_there("SHOW CONTINUOUS QUERIES")},
        "DATABASES": lambda _: ShowDatabases(),
        "DIAGNOSTICS": _not_there("SHOW DIAGNOSTICS", _stats),
        "FIELD": {"KEY": _counting(Counted.FIELD_KEY), "KEYS": _show(Listing.FIELD_KEYS)},
        "GRANTS": {"FOR": _not_there("SHOW GRANTS", _name)},
        "MEASUREMENT": _counting(Counted.MEASUREMENT),
        "MEASUREMENTS": _show_measurements,
        "QUERIES": _not_there("SHOW QUERIES"),
        "RETENTION": {"POLICIES": lambda p: ShowPolicies(p.on())},
        "SERIES": _either(Counted.SERIES, Listing.SERIES),
        "SHARD": {"GROUPS": _not_there("SHOW SHARD GROUPS")},
        "SHARDS": _not_there("SHOW SHARDS"),
        "STATS": _not_there("SHOW STATS", _stats),
        "SUBSCRIPTIONS": _not_there("SHOW SUBSCRIPTIONS"),
        "TAG": {
            "KEY": _counting(Counted.TAG_KEY),
            "KEYS": _show(Listing.TAG_KEYS),
            "VALUES": _either(Counted.TAG_VALUES, Listing.TAG_VALUES),
        },
        "USERS": _not_there("SHOW USERS"),
    },
    "CREATE": {
        "CONTINUOUS": {"QUERY": _not_there("CREATE CONTINUOUS QUERY", _continuous_query)},
        "DATABASE": _not_there("CREATE DATABASE", _create_database),
        "USER": _not_there("CREATE USER", _create_user),
        "RETENTION": {"POLICY": _not_there("CREATE RETENTION POLICY", _create_policy)},
        "SUBSCRIPTION": _not_there("CREATE SUBSCRIPTION", _create_subscription),
    },
    "DROP": {
        "CONTINUOUS": {"QUERY": _not_there("DROP CONTINUOUS QUERY", _name_on)},
        "DATABASE": _not_there("DROP DATABASE", _name),
        "MEASUREMENT": lambda p: DropMeasurement(p.cursor.identifier()),
        "RETENTION": {"POLICY": _not_there("DROP RETENTION POLICY", _name_on)},
        "SERIES": _not_there("DROP SERIES", _drop_series),
        "SHARD": _not_there("DROP SHARD", _number),
        "SUBSCRIPTION": _not_there("DROP SUBSCRIPTION", _drop_subscription),
        "USER": _not_there("DROP USER", _name),
    },
    "EXPLAIN": _explain,
    "GRANT": _privileges("GRANT"),
    "REVOKE": _privileges("REVOKE"),
    "ALTER": {"RETENTION": _not_there("ALTER RETENTION POLICY", _alter_policy)},
    "SET": {"PASSWORD": _not_there("SET PASSWORD", _set_password)},
    "KILL": {"QUERY": _not_there("SHOW QUERIES", _kill)},
}
