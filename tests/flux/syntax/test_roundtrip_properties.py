"""Text, tree and JSON say the same, whichever way one goes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flux.trees import files

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.syntax import ast
from fluxkeep.flux.syntax.ast_json import decode_file, decode_package, encode_file, encode_package
from fluxkeep.flux.syntax.formatter import format_file
from fluxkeep.flux.syntax.parser import parse, parse_recovering
from fluxkeep.flux.syntax.problems import find_problems, messages
from fluxkeep.flux.syntax.scanner import KEYWORDS

HELPERS = Path(__file__).parents[2] / "golden" / "http" / "query-helpers.jsonl"


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
