"""Texts to trees: shapes, spans, and the texts of refusals."""

from __future__ import annotations

import pytest

from fluxkeep.influxql.syntax.ast import (
    Binary,
    Call,
    Delete,
    DurationLiteral,
    Explain,
    Fill,
    IntegerLiteral,
    Listing,
    Measurement,
    NotThere,
    NumberLiteral,
    Paren,
    Regex,
    Select,
    Show,
    ShowCardinality,
    ShowMeasurements,
    StringLiteral,
    SubQuery,
    UnsignedLiteral,
    VarRef,
    Wildcard,
)
from fluxkeep.influxql.syntax.cursor import bind_parameters
from fluxkeep.influxql.syntax.errors import ParseError
from fluxkeep.influxql.syntax.parser import parse
from fluxkeep.influxql.syntax.printer import render
from fluxkeep.influxql.types import DataType


def select(text: str) -> Select:
    (statement,) = parse(text)
    assert isinstance(statement, Select)
    return statement


def expression(text: str) -> object:
    return select(f"SELECT {text} FROM m").fields[0].expr


def test_all_clauses_of_select() -> None:
    found = select(
        "SELECT mean(v) AS x FROM db.rp.m WHERE host = 'a' GROUP BY time(1h30m, 5m), host, /^r/, * fill(-2.5)"
        " ORDER BY time DESC LIMIT 1 OFFSET 2 SLIMIT 3 SOFFSET 4 tz('Europe/Berlin')"
    )
    assert found.fields[0].alias == "x"
    assert found.sources == (Measurement("db", "rp", "m"),)
    assert found.condition == Binary("=", VarRef("host"), StringLiteral("a"))
    assert found.dimensions == (
        Call("time", (DurationLiteral(5_400_000_000_000), DurationLiteral(300_000_000_000))),
        VarRef("host"),
        Regex("^r"),
        Wildcard(),
    )
    assert (found.fill, found.fill_value) == (Fill.NUMBER, -2.5)
    assert (found.ordered, found.descending) == (True, True)
    assert (found.limit, found.offset, found.slimit, found.soffset) == (1, 2, 3, 4)
    assert found.location == "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("a + b * c", "a + (b * c)"),
        ("a * b + c", "(a * b) + c"),
        ("a - b - c", "(a - b) - c"),
        ("a & b | c", "(a & b) | c"),
    ],
)
def test_precedence(text: str, shape: str) -> None:
    def bracketed(expr: object) -> str:
        if isinstance(expr, Binary):
            sides = [f"({bracketed(s)})" if isinstance(s, Binary) else bracketed(s) for s in (expr.lhs, expr.rhs)]
            return f"{sides[0]} {expr.op} {sides[1]}"
        assert isinstance(expr, VarRef)
        return expr.name

    assert bracketed(expression(text)) == shape


def test_and_binds_tighter_than_or_and_comparisons_than_both() -> None:
    condition = select("SELECT v FROM m WHERE a = 1 OR b = 2 AND c = 3").condition
    assert isinstance(condition, Binary)
    assert condition.op == "OR"
    assert isinstance(condition.rhs, Binary)
    assert condition.rhs.op == "AND"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", IntegerLiteral(1)),
        ("-9223372036854775808", IntegerLiteral(-9223372036854775808)),
        ("9223372036854775808", UnsignedLiteral(9223372036854775808)),
        ("1.5", NumberLiteral(1.5)),
        (".5", NumberLiteral(0.5)),
        ("'it\\'s'", StringLiteral("it's")),
        ("10s", DurationLiteral(10_000_000_000)),
        ("1w2d", DurationLiteral(777_600_000_000_000)),
        ("5µ", DurationLiteral(5_000)),
        ("(1)", Paren(IntegerLiteral(1))),
        ('"a b"', VarRef("a b")),
        ("a.b", VarRef("a.b")),
        ("v::integer", VarRef("v", DataType.INTEGER)),
        ("v::tag", VarRef("v", DataType.TAG)),
        ("*::field", Wildcard("field")),
        ("-v", Binary("*", IntegerLiteral(-1), VarRef("v"))),
        ("MEAN(v)", Call("mean", (VarRef("v"),))),
        ("mean(/a\\/b/)", Call("mean", (Regex("a/b"),))),
    ],
)
def test_operands(text: str, expected: object) -> None:
    assert expression(text) == expected


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("m", Measurement(name="m")),
        ("rp.m", Measurement(policy="rp", name="m")),
        ("db..m", Measurement(database="db", name="m")),
        ("/^a/", Measurement(regex="^a")),
        ("db.rp./^a/", Measurement(database="db", policy="rp", regex="^a")),
    ],
)
def test_sources(text: str, source: Measurement) -> None:
    assert select(f"SELECT v FROM {text}").sources == (source,)


def test_subqueries_nest() -> None:
    found = select("SELECT x FROM (SELECT v AS x FROM (SELECT v FROM m)), n")
    assert isinstance(found.sources[0], SubQuery)
    assert isinstance(found.sources[0].select.sources[0], SubQuery)
    assert found.sources[1] == Measurement(name="n")


def test_spans_cover_what_was_written() -> None:
    text = "SELECT mean(v) + 1 FROM m"
    (field,) = select(text).fields
    assert text[field.span.start : field.span.stop].strip() == "mean(v) + 1"
    assert isinstance(field.expr, Binary)
    assert text[field.expr.lhs.span.start : field.expr.lhs.span.stop] == "mean(v)"


def test_comments_and_case() -> None:
    assert len(parse("select v -- to the end\nfrom m /* between */ where a = 1; ; show databases")) == 2


def test_statements() -> None:
    assert parse("DELETE FROM m WHERE a = 'x'")[0] == Delete(
        Measurement(name="m"), Binary("=", VarRef("a"), StringLiteral("x"))
    )
    found = parse("SHOW TAG VALUES ON db FROM m WITH KEY IN (a, b) WHERE c = 'd' LIMIT 3")[0]
    assert isinstance(found, Show)
    assert (found.listing, found.database, found.limit) == (Listing.TAG_VALUES, "db", 3)
    assert found.keys is not None
    assert found.keys.keys == ("a", "b")
    assert isinstance(parse("SHOW SERIES EXACT CARDINALITY ON db FROM m")[0], ShowCardinality)
    assert parse("SHOW MEASUREMENTS ON *.*")[0] == ShowMeasurements("*", "*")
    assert isinstance(parse("EXPLAIN ANALYZE SELECT v FROM m")[0], Explain)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("GRANT ALL PRIVILEGES TO u", "GRANT ALL"),
        ("GRANT READ ON db TO u", "GRANT"),
        ("ALTER RETENTION POLICY p ON db DURATION 1h SHARD DURATION 30m DEFAULT", "ALTER RETENTION POLICY"),
        ("CREATE DATABASE x WITH DURATION INF REPLICATION 1 NAME p", "CREATE DATABASE"),
        ("KILL QUERY 3", "SHOW QUERIES"),
        ("SHOW SHARD GROUPS", "SHOW SHARD GROUPS"),
        ("DROP SHARD 3", "DROP SHARD"),
    ],
)
def test_statements_that_are_not_there(text: str, name: str) -> None:
    assert parse(text) == (NotThere(name),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT v = 1 FROM m", "invalid operator = in SELECT field"),
        (
            "SELECT v::foo FROM m",
            "found foo, expected float, integer, unsigned, string, boolean, field, tag at line 1, char 11",
        ),
        ("SELECT v FROM m\nWHERE", "found EOF, expected identifier, string, number, bool at line 2, char 7"),
        (
            "SELECT v FROM m GROUP BY time(1h) fill()",
            "fill requires an argument, e.g.: 0, null, none, previous, linear",
        ),
        ("SELECT v FROM a.b.c.d", "too many segments in a.b.c.d at line 1, char 1"),
        ("DELETE", "found EOF, expected FROM, WHERE at line 1, char 8"),
        ("SELECT v FROM m SELECT v FROM m", "found SELECT, expected ;, EOF at line 1, char 17"),
        ("SELECT -$x FROM m", "missing parameter: x"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(ParseError) as refused:
        parse(text)
    assert refused.value.message == message


def test_nesting_is_bounded() -> None:
    for text in ("(" * 5000 + "v" + ")" * 5000, "-" * 1 + "(-" * 3000 + "v" + ")" * 3000):
        with pytest.raises(ParseError, match="nested too deeply"):
            parse(f"SELECT {text} FROM m")
    deep = "(SELECT v FROM " * 1000 + "m" + ")" * 1000
    with pytest.raises(ParseError, match="nested too deeply"):
        parse(f"SELECT v FROM {deep}")


def test_bound_parameters() -> None:
    bound = bind_parameters('{"a": "x", "b": 1, "c": 1.5, "d": {"duration": "90s"}, "i": {"identifier": "f"}}')
    found = parse("SELECT $i FROM m WHERE a = $a AND b = $b AND c = $c GROUP BY time($d)", bound)[0]
    assert isinstance(found, Select)
    assert found.fields[0].expr == VarRef("f")
    assert found.condition is not None
    assert render(found.condition) == "a = 'x' AND b = 1 AND c = 1.5"
    assert found.dimensions == (Call("time", (DurationLiteral(90_000_000_000),)),)


@pytest.mark.parametrize("text", ["nojson", "[1]", "{x", ""])
def test_bad_parameters(text: str) -> None:
    with pytest.raises(ValueError):
        bind_parameters(text)
