"""Expressions survive being printed and read; any text is read or refused, never crashed on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.influxql.syntax.ast import (
    Binary,
    BooleanLiteral,
    Call,
    DurationLiteral,
    Expr,
    IntegerLiteral,
    NumberLiteral,
    Paren,
    Select,
    StringLiteral,
    VarRef,
)
from fluxkeep.influxql.syntax.errors import ParseError
from fluxkeep.influxql.syntax.parser import parse
from fluxkeep.influxql.syntax.printer import render
from fluxkeep.influxql.types import DataType

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1, max_size=8)
LEAVES: st.SearchStrategy[Expr] = st.one_of(
    st.builds(VarRef, TEXTS, st.sampled_from([DataType.UNKNOWN, DataType.FLOAT, DataType.TAG, DataType.ANY_FIELD])),
    st.builds(IntegerLiteral, st.integers(0, (1 << 63) - 1)),
    st.builds(NumberLiteral, st.integers(0, 999_999).map(lambda n: n / 8)),
    st.builds(StringLiteral, TEXTS),
    st.builds(BooleanLiteral, st.booleans()),
    st.builds(DurationLiteral, st.integers(0, (1 << 62))),
)


def _extend(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    bracketed = st.builds(Paren, inner)
    return st.one_of(
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/", "%", "&", "|", "^"]), bracketed, bracketed),
        st.builds(Call, st.sampled_from(["mean", "top", "f1"]), st.lists(inner, min_size=1, max_size=3).map(tuple)),
    )


EXPRESSIONS = st.recursive(LEAVES, _extend, max_leaves=8)


@given(EXPRESSIONS)
def test_what_is_printed_reads_back(expr: Expr) -> None:
    (statement,) = parse(f"SELECT {render(expr)} FROM m")
    assert isinstance(statement, Select)
    assert statement.fields[0].expr == expr


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, f"SELECT {text} FROM m", f"SELECT v FROM m WHERE {text}", f"SHOW {text}"):
        assert isinstance(outcome(candidate), tuple | ParseError)


def outcome(text: str) -> object:
    try:
        return parse(text)
    except ParseError as error:
        return error
