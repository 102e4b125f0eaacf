"""Text, tree and JSON say the same, whichever way one goes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.syntax import ast
from fluxkeep.flux.syntax.ast_json import decode_file, decode_package, encode_file, encode_package
from fluxkeep.flux.syntax.formatter import format_file
from fluxkeep.flux.syntax.parser import parse, parse_recovering
from fluxkeep.flux.syntax.problems import find_problems, messages
from fluxkeep.flux.syntax.scanner import KEYWORDS

HELPERS = Path(__file__).parents[2] / "golden" / "http" / "query-helpers.jsonl"

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
names = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).filter(lambda name: name not in KEYWORDS | {"with"})
identifiers = names.map(ast.Identifier)
strings = texts.map(ast.StringLiteral)
units = st.sampled_from(["y", "mo", "w", "d", "h", "m", "s", "ms", "us", "ns"])
literals = st.one_of(
    identifiers,
    st.integers(0, 2**63 - 1).map(ast.IntegerLiteral),
    st.floats(0, allow_infinity=False, allow_nan=False).map(abs).map(ast.FloatLiteral),
    strings,
    st.lists(st.tuples(st.integers(0, 9999), units), min_size=1, max_size=3).map(
        lambda parts: ast.DurationLiteral(tuple(parts))
    ),
    st.integers(-(10**18), 4 * 10**18).map(ast.DateTimeLiteral),
    st.sampled_from(["a", "^/x$", r"\d+[/]", "(?i)ä"]).map(ast.RegexpLiteral),
)


BINARY = ["+", "-", "*", "/", "%", "^", "==", "!=", "<", "<=", ">", ">=", "=~", "!~"]


@st.composite
def properties(draw: st.DrawFn, depth: int) -> tuple[ast.Property, ...]:
    count = draw(st.integers(0, 3))
    if draw(st.booleans()):
        return tuple(ast.Property(draw(identifiers), None) for _ in range(count))
    return tuple(ast.Property(draw(identifiers | strings), draw(expressions(depth))) for _ in range(count))


@st.composite
def calls(draw: st.DrawFn, depth: int) -> ast.CallExpression:
    given = draw(properties(depth))
    return ast.CallExpression(draw(expressions(depth)), ast.ObjectExpression(given) if given else None)


@st.composite
def functions(draw: st.DrawFn, depth: int) -> ast.FunctionExpression:
    defaults = st.none() | expressions(depth) | st.just(ast.PipeLiteral())
    params = tuple(ast.Parameter(draw(identifiers), draw(defaults)) for _ in range(draw(st.integers(0, 3))))
    body: ast.Expression = draw(expressions(depth))
    if draw(st.booleans()):
        return ast.FunctionExpression(params, body)
    first = ast.VariableAssignment(draw(identifiers), draw(expressions(depth)))
    return ast.FunctionExpression(params, ast.Block((first, ast.ReturnStatement(body))))


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> ast.Expression:
    """Any expression; `depth` bounds how far it nests."""
    choice = draw(st.integers(0, 15)) if depth > 0 else 0
    inner = expressions(depth - 1)
    match choice:
        case 1:
            return ast.ArrayExpression(tuple(draw(st.lists(inner, max_size=3))))
        case 2:
            return ast.DictExpression(
                tuple(ast.DictItem(draw(inner), draw(inner)) for _ in range(draw(st.integers(0, 2))))
            )
        case 3:
            return ast.ObjectExpression(draw(properties(depth - 1)), draw(st.none() | identifiers))
        case 4:
            call: ast.CallExpression = draw(calls(depth - 1))
            return call
        case 5 | 6:
            return ast.PipeExpression(draw(inner), draw(calls(depth - 1)))
        case 7:
            return ast.MemberExpression(draw(inner), draw(identifiers | strings))
        case 8:
            index = draw(inner.filter(lambda node: not isinstance(node, ast.StringLiteral)))
            return ast.IndexExpression(draw(inner), index)
        case 9:
            return ast.UnaryExpression(draw(st.sampled_from(["+", "-", "not", "exists"])), draw(inner))
        case 10 | 11:
            return ast.BinaryExpression(draw(st.sampled_from(BINARY)), draw(inner), draw(inner))
        case 12:
            return ast.LogicalExpression(draw(st.sampled_from(["and", "or"])), draw(inner), draw(inner))
        case 13:
            return ast.ConditionalExpression(draw(inner), draw(inner), draw(inner))
        case 14:
            function: ast.FunctionExpression = draw(functions(depth - 1))
            return function
        case 15:
            return ast.StringExpression((ast.TextPart("a$"), ast.InterpolatedPart(draw(inner))))
    literal: ast.Expression = draw(literals)
    return literal


@st.composite
def files(draw: st.DrawFn) -> ast.File:
    body: list[ast.Statement] = []
    for _ in range(draw(st.integers(0, 3))):
        init = draw(expressions())
        plain = ast.VariableAssignment(draw(identifiers), init)
        member = ast.MemberAssignment(ast.MemberExpression(draw(identifiers), draw(identifiers)), init)
        choices: list[ast.Statement] = [plain, ast.OptionStatement(plain), ast.OptionStatement(member)]
        body.append(draw(st.sampled_from(choices)))
    imports = draw(st.lists(st.builds(ast.ImportDeclaration, strings, st.none() | identifiers), max_size=2))
    return ast.File(tuple(body), tuple(imports), draw(st.none() | identifiers.map(ast.PackageClause)))


def bare(node: Any) -> Any:
    """The tree without brackets and with the two spellings of a negative number made one."""
    if isinstance(node, ast.ParenExpression):
        return bare(node.expression)
    if isinstance(node, tuple):
        return tuple(map(bare, node))
    if isinstance(node, ast.Node):
        changed = {f.name: bare(getattr(node, f.name)) for f in dataclasses.fields(node)}
        return type(node)(**changed)
    return node


@given(files())
def test_formatted_text_parses_to_the_same_tree(file: ast.File) -> None:
    text = format_file(file)
    again = parse(text)
    assert bare(again) == bare(file)
    assert format_file(again) == text


@given(files())
def test_json_gives_the_tree_back(file: ast.File) -> None:
    assert decode_file(json.loads(json.dumps(encode_file(file)))) == file


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(sorted(KEYWORDS) + list('+-*/%^=<>()[]{}:,.?"@|x1 \n')), max_size=40).map("".join)
)
def test_any_text_gives_a_tree_and_what_has_no_fault_survives_formatting(text: str) -> None:
    file = parse_recovering(text)
    if not find_problems(file):
        assert parse(format_file(file)) == file


def test_every_recorded_query_survives_formatting_and_json(recorded_queries: list[tuple[str, str, int, str]]) -> None:
    for name, query, _, _ in recorded_queries:
        file = parse_recovering(query)
        if find_problems(file):
            continue
        text = format_file(file)
        assert parse(text) == file, name
        if not any(isinstance(node, ast.Attribute | ast.BuiltinStatement) for node in ast.walk(file)):
            assert decode_package(json.loads(json.dumps(encode_package(file, query)))) == file, name


def _helper_cases(prefix: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in HELPERS.read_text().splitlines()]
    return [
        line for line in lines if line.get("name", "").startswith(prefix) and "query" in line["request"].get("json", {})
    ]


def test_json_of_a_script_is_the_recorded_one() -> None:
    seen = 0
    for case in _helper_cases("ast: "):
        if case["response"]["status"] != 200:
            continue
        text = case["request"]["json"]["query"]
        expected = case["response"]["json"]["ast"]
        expected["files"][0]["metadata"] = "parser-type=fluxkeep"
        assert encode_package(parse_recovering(text), text) == expected
        seen += 1
    assert seen >= 3


def test_analyze_finds_the_recorded_faults() -> None:
    seen = 0
    for case in _helper_cases("analyze: "):
        if case["response"]["status"] != 200:
            continue
        found = messages(parse_recovering(case["request"]["json"]["query"]))
        assert [
            {
                "line": item.location.start.line,
                "column": item.location.start.column,
                "character": 0,
                "message": item.message,
            }
            for item in found
        ] == case["response"]["json"]["errors"]
        seen += 1
    assert seen >= 8


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"type": "File", "body": []}, "missing field `imports`"),
        ({"type": "Nonsense"}, "unexpected node type 'Nonsense'"),
        (7, "expected a node, found 7"),
        (
            {"type": "File", "imports": None, "body": [{"type": "Identifier", "name": "x"}]},
            "unexpected node type 'Identifier'",
        ),
        (
            {
                "type": "File",
                "imports": None,
                "body": [{"type": "ExpressionStatement", "expression": {"type": "IntegerLiteral", "value": "9" * 19}}],
            },
            "invalid value for field `value`: '" + "9" * 19 + "'",
        ),
    ],
)
def test_what_is_no_tree_is_refused(value: object, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_file(value)
    assert caught.value.message == f"compilation failed: extern json parse error: {reason}"


def test_a_tree_nested_too_deep_is_refused() -> None:
    node: dict[str, Any] = {"type": "Identifier", "name": "x"}
    for _ in range(500):
        node = {"type": "ParenExpression", "expression": node}
    with pytest.raises(InvalidInput, match="nested too deep"):
        decode_file({"type": "File", "imports": [], "body": [{"type": "ExpressionStatement", "expression": node}]})
