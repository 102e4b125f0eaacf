"""Row functions on columns give what the row interpreter gives."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.flux.golden.runner import MemorySources

from fluxkeep.datamodel.tables import Block, Column, ColumnType, Value, make_block
from fluxkeep.errors import FluxkeepError
from fluxkeep.flux.execute.mapping import map_
from fluxkeep.flux.execute.rows import RowFunction, predicate
from fluxkeep.flux.interpreter.evaluate import Evaluator
from fluxkeep.flux.interpreter.values import Closure
from fluxkeep.flux.syntax import ast
from fluxkeep.flux.syntax.parser import parse

COLUMNS = (
    Column("k", ColumnType.STRING),
    Column("i", ColumnType.INT),
    Column("j", ColumnType.INT),
    Column("f", ColumnType.FLOAT),
    Column("s", ColumnType.STRING),
    Column("b", ColumnType.BOOL),
    Column("u", ColumnType.UINT),
)

NUMBERS = st.sampled_from(["r.i", "r.j", "1", "-3", "2"])
FLOATS = st.sampled_from(["r.f", "0.5", "-2.0", "float(v: r.i)", "r.missing"])
TEXTS = st.sampled_from(["r.s", '"a"', "r.k", '"b"'])
COMPARE = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


def _binary(operand: st.SearchStrategy[str], operators: list[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        operand,
        lambda inner: st.tuples(inner, st.sampled_from(operators), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        max_leaves=4,
    )


INTS = _binary(NUMBERS, ["+", "-", "*"]) | NUMBERS.map(lambda n: f"({n} / 3)") | NUMBERS.map(lambda n: f"({n} % 2)")
REALS = _binary(FLOATS, ["+", "-", "*", "/"])
STRINGS = _binary(TEXTS, ["+"])
ATOMS = st.one_of(
    st.tuples(INTS, COMPARE, INTS).map(" ".join),
    st.tuples(REALS, COMPARE, REALS).map(" ".join),
    st.tuples(STRINGS, COMPARE, STRINGS).map(" ".join),
    st.tuples(st.sampled_from(["r.u", "r.f"]), COMPARE, st.sampled_from(["r.i", "r.f"])).map(" ".join),
    st.sampled_from(["r.b", "not r.b", "exists r.f", "exists r.missing", "r.s =~ /a/", "r.s !~ /^b/", "r.missing"]),
    st.just('contains(value: r.s, set: ["a", "c"])'),
    st.sampled_from(
        [
            'exists r.s and strings.hasPrefix(v: r.s, prefix: "a")',
            'strings.toUpper(v: if exists r.s then r.s else "x") == "A"',
            "math.floor(x: r.f) > 0.0",
            "int(v: r.f) > 1",
            'string(v: r.f) == "1"',
            "exists r.u and uint(v: r.u) > uint(v: 2)",
            "date.hour(t: time(v: r.j)) > 11",
        ]
    ),
)
BOOLEANS = st.recursive(
    ATOMS.map(lambda a: f"({a})"),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda a: f"(not {a})"),
        st.tuples(inner, inner, inner).map(lambda t: f"(if {t[0]} then {t[1]} else {t[2]})"),
    ),
    max_leaves=5,
)
ROW = st.tuples(
    st.none() | st.integers(-5, 5),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(-4, 4) | st.sampled_from([math.nan, math.inf, -math.inf]),
    st.none() | st.sampled_from(["", "a", "ab", "b", "ä"]),
    st.none() | st.booleans(),
    st.none() | st.integers(0, 6),
)
ROWS = st.lists(ROW, min_size=1, max_size=6)


def table(rows: list[tuple[Value, ...]]) -> Block:
    values = {c.label: [row[n] for row in rows] for n, c in enumerate(COLUMNS[1:])}
    return make_block(COLUMNS, ("k",), [("key",)], values, [0] * len(rows))


def functions(body: str) -> tuple[RowFunction, RowFunction]:
    """The same function to run on columns and row by row."""
    statement = parse(f"f = (r) => {body}").body[0]
    assert isinstance(statement, ast.VariableAssignment)
    evaluator = Evaluator(now_ns=0, sources=MemorySources({}))
    evaluator.scope.names.update({path: evaluator.package(path) for path in ("strings", "math", "date")})
    closure = evaluator.evaluate(statement.init, evaluator.scope)
    assert isinstance(closure, Closure)
    return RowFunction(closure, evaluator), RowFunction(closure, evaluator, columnar=False)


@settings(max_examples=150, deadline=None)
@given(BOOLEANS, ROWS)
def test_predicates(body: str, rows: list[tuple[Value, ...]]) -> None:
    columnar, interpreted = functions(body)
    block = table(rows)
    assert outcome(block, columnar) == outcome(block, interpreted)


def outcome(block: Block, function: RowFunction) -> list[bool] | str:
    try:
        return predicate(block, function, "filter").to_list()
    except FluxkeepError as error:
        return error.message


@settings(max_examples=150, deadline=None)
@given(INTS, REALS, STRINGS, ROWS)
def test_maps(number: str, real: str, text: str, rows: list[tuple[Value, ...]]) -> None:
    columnar, interpreted = functions(f"({{r with n: {number}, x: {real}, t: {text}, g: string(v: r.i)}})")
    block = table(rows)
    (one,), (other,) = map_([block], columnar), map_([block], interpreted)
    # A column that is null in every row shows only where its type was known beforehand.
    shared = [c for c in one.columns if c in other.columns]
    assert set(other.columns) <= set(one.columns)
    for column in shared:
        assert one.series(column.label).equals(other.series(column.label), null_equal=True, check_names=False)
    for column in set(one.columns) - set(other.columns):
        assert one.series(column.label).null_count() == len(rows)


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(
        st.sampled_from(["r.i", "r.f", "r.s", "r.b", "r.u"]),
        st.sampled_from(["+", "-", "<", "=="]),
        st.sampled_from(["r.i", "r.f", "r.s", "r.b"]),
    ).map(" ".join),
    ROWS,
)
def test_what_one_refuses_the_other_refuses(body: str, rows: list[tuple[Value, ...]]) -> None:
    full = [row for row in rows if None not in row]
    columnar, interpreted = functions(f"({{v: {body}}})")
    outcomes = []
    for function in (columnar, interpreted):
        try:
            map_([table(full)], function)
            outcomes.append(True)
        except FluxkeepError:
            outcomes.append(False)
    # Without rows nothing fails row by row, and nothing is mapped on columns either.
    assert outcomes[0] == outcomes[1]
