"""Text to tree: what is read, and what is said about what cannot be."""

from __future__ import annotations

import pytest

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.syntax import ast
from fluxkeep.flux.syntax.parser import parse, parse_recovering
from fluxkeep.flux.syntax.problems import find_problems
from fluxkeep.instants import Duration


def expression(text: str) -> ast.Expression:
    statement = parse(text).body[0]
    assert isinstance(statement, ast.ExpressionStatement)
    return statement.expression


def shape(node: ast.Expression) -> str:
    """The tree with every operation in brackets."""
    match node:
        case ast.Identifier(name=name):
            return name
        case ast.IntegerLiteral(value=value):
            return str(value)
        case ast.UnaryExpression(operator=operator, argument=argument):
            return f"({operator} {shape(argument)})"
        case (
            ast.BinaryExpression(operator=operator, left=left, right=right)
            | ast.LogicalExpression(operator=operator, left=left, right=right)
        ):
            return f"({shape(left)} {operator} {shape(right)})"
        case ast.PipeExpression(argument=argument, call=call):
            return f"({shape(argument)} |> {shape(call)})"
        case ast.CallExpression(callee=callee):
            return f"{shape(callee)}()"
        case ast.MemberExpression(object=owner, key=ast.Identifier(name=label)):
            return f"{shape(owner)}.{label}"
        case ast.ParenExpression(expression=inner):
            return shape(inner)
        case ast.FunctionExpression(body=body) if not isinstance(body, ast.Block):
            return f"fn({shape(body)})"
        case ast.ConditionalExpression(test=test, consequent=consequent, alternate=alternate):
            return f"if({shape(test)}, {shape(consequent)}, {shape(alternate)})"
    raise AssertionError(node)


def message(text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse(text)
    return caught.value.message.removeprefix("compilation failed: ")


def test_every_recorded_query_parses_or_fails_as_recorded(
    recorded_queries: list[tuple[str, str, int, str]],
) -> None:
    assert len(recorded_queries) > 1200
    wrong = []
    for name, query, _, recorded in recorded_queries:
        try:
            parse(query)
            got = ""
        except InvalidInput as error:
            got = error.message
        if got != (recorded if recorded.startswith("compilation failed") else ""):
            wrong.append((name, recorded, got))
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-2 ^ 2", "((- 2) ^ 2)"),
        ("2 ^ 3 ^ 4", "((2 ^ 3) ^ 4)"),
        ("1 + 2 * 3 - 4 / 5 % 6", "((1 + (2 * 3)) - ((4 / 5) % 6))"),
        ("not a == b", "(not (a == b))"),
        ("exists r.a and exists r.b", "((exists r.a) and (exists r.b))"),
        ("a or b and c or d", "((a or (b and c)) or d)"),
        ("a |> f() + 1", "((a |> f()) + 1)"),
        ("a |> f() |> g() ^ 2", "(((a |> f()) |> g()) ^ 2)"),
        ("a < b < c", "((a < b) < c)"),
        ("not not a", "(not (not a))"),
        ("- -a", "(- (- a))"),
        ("-a.b()", "(- a.b())"),
        ("(a) + (b)", "(a + b)"),
        ("(r) => r.a or r.b", "fn((r.a or r.b))"),
        ("if a then b else c or d", "if(a, b, (c or d))"),
        ("x or (if c then a else b)", "(x or if(c, a, b))"),
        ("a - b", "(a - b)"),
        ("a -1", "(a - 1)"),
    ],
)
def test_precedence(text: str, expected: str) -> None:
    assert shape(expression(text)) == expected


def test_literals() -> None:
    assert expression("9223372036854775807") == ast.IntegerLiteral(2**63 - 1)
    assert expression("072.4") == ast.FloatLiteral(72.4)
    assert expression(".5") == ast.FloatLiteral(0.5)
    assert expression("1.") == ast.FloatLiteral(1.0)
    assert expression("2021-01-01") == ast.DateTimeLiteral(1_609_459_200_000_000_000)
    assert expression("2021-01-01T01:00:00.5+01:00") == ast.DateTimeLiteral(1_609_459_200_500_000_000)
    assert expression('"a\\x41\\xc3\\xa9\\n\\${$5 $"') == ast.StringLiteral("aAé\n${$5 $")
    assert expression(r"/a\/b\x41\d/") == ast.RegexpLiteral(r"a/bA\d")
    duration = expression("1y2mo1m1s1s3µs")
    assert isinstance(duration, ast.DurationLiteral)
    assert duration.values == ((1, "y"), (2, "mo"), (1, "m"), (1, "s"), (1, "s"), (3, "us"))
    assert duration.duration == Duration(14, 62_000_003_000)


def test_a_slash_divides_after_an_operand_and_opens_a_pattern_before_one() -> None:
    assert shape(expression("a / b / c")) == "((a / b) / c)"
    assert expression("a =~ /b/") == ast.BinaryExpression("=~", ast.Identifier("a"), ast.RegexpLiteral("b"))


def test_interpolation_nests() -> None:
    found = expression('"a${"b${1}"}c"')
    inner = ast.StringExpression((ast.TextPart("b"), ast.InterpolatedPart(ast.IntegerLiteral(1))))
    assert found == ast.StringExpression((ast.TextPart("a"), ast.InterpolatedPart(inner), ast.TextPart("c")))


def test_index_with_a_plain_text_is_member_access() -> None:
    assert expression('x["a b"]') == ast.MemberExpression(ast.Identifier("x"), ast.StringLiteral("a b"))
    assert expression("x[0]") == ast.IndexExpression(ast.Identifier("x"), ast.IntegerLiteral(0))


@pytest.mark.parametrize(
    ("text", "names", "defaults"),
    [
        ("() => 1", [], []),
        ("(a) => 1", ["a"], [None]),
        ("(a, b=2, t=<-,) => 1", ["a", "b", "t"], [None, ast.IntegerLiteral(2), ast.PipeLiteral()]),
        ("(t=<-, a) => 1", ["t", "a"], [ast.PipeLiteral(), None]),
    ],
)
def test_parameters(text: str, names: list[str], defaults: list[ast.Expression | None]) -> None:
    function = expression(text)
    assert isinstance(function, ast.FunctionExpression)
    assert [item.name for item in function.params] == names
    assert [item.default for item in function.params] == defaults


def test_records_and_dictionaries() -> None:
    one = ast.Property(ast.Identifier("a"), ast.IntegerLiteral(1))
    quoted = ast.Property(ast.StringLiteral("b c"), ast.IntegerLiteral(2))
    assert expression('{a: 1, "b c": 2,}') == ast.ObjectExpression((one, quoted))
    assert expression("{r with a: 1}") == ast.ObjectExpression((one,), ast.Identifier("r"))
    assert expression("{with: 1}") == ast.ObjectExpression(
        (ast.Property(ast.Identifier("with"), ast.IntegerLiteral(1)),)
    )
    assert expression("{a, b}") == ast.ObjectExpression(
        (ast.Property(ast.Identifier("a"), None), ast.Property(ast.Identifier("b"), None))
    )
    assert expression("[:]") == ast.DictExpression(())
    assert expression('["k": 1]') == ast.DictExpression((ast.DictItem(ast.StringLiteral("k"), ast.IntegerLiteral(1)),))


def test_statements_and_their_places() -> None:
    file = parse('package main\nimport x "a/b"\n@tag("v")\noption y.z = 1\nbuiltin f : (<-t: A) => [A]\n')
    assert file.package is not None
    assert file.imports[0].name == "x"
    option, builtin = file.body
    assert isinstance(option, ast.OptionStatement)
    assert isinstance(option.assignment, ast.MemberAssignment)
    assert option.attributes == (ast.Attribute("tag", (ast.StringLiteral("v"),)),)
    assert str(option.assignment.location) == "4:8-4:15"
    assert isinstance(builtin, ast.BuiltinStatement)
    assert str(file.location) == "1:1-5:28"


def test_columns_count_bytes() -> None:
    statement = parse('x = "é" + y').body[0]
    assert isinstance(statement, ast.VariableAssignment)
    assert str(statement.init.location) == "1:5-1:13"


def test_comments_stay_with_the_statement_they_precede() -> None:
    file = parse("// one\n// two\nx = 1\n// end\n")
    assert file.body[0].comments == ("// one", "// two")
    assert file.comments == ("// end",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0123", 'error @1:1-1:5: invalid integer literal "0123": nonzero value cannot start with 0'),
        (
            "9223372036854775808",
            'error @1:1-1:20: invalid integer literal "9223372036854775808": value out of range',
        ),
        (
            "2021-01-01T00:00:00",
            "error @1:1-1:20: invalid date time literal, missing time offset",
        ),
        ("x = /[/", "error @1:5-1:8: regex parse error: [ error: unclosed character class"),
        ('x = "\\xff"', "error @1:5-1:11: invalid byte sequence in string literal"),
        ("f(1)", "error @1:3-1:4: unexpected token for property key: INT (1)"),
    ],
)
def test_messages(text: str, expected: str) -> None:
    assert message(text) == expected


def test_nesting_is_bounded_however_it_is_made() -> None:
    for text in ("(" * 5000, "[" * 5000, "-" * 5000, "not " * 5000, "f(a:" * 5000, "() => {" * 5000, '"${' * 5000):
        assert "Program is nested too deep" in message("x = " + text)
    for text in ("[" * 5000, "(a: " * 5000, "{a: " * 5000, "stream[" * 5000):
        assert "Program is nested too deep" in message("builtin x : " + text)
    assert "Program is nested too deep" in message("x = " + "1 + " * 5000 + "1")
    parse("x = " + "(" * 70 + "1" + ")" * 70)


@pytest.mark.timeout(20)
def test_long_texts_cost_linear_time() -> None:
    for text in ('"' + "a" * 300_000, '"' + "\\n" * 150_000, "/" + "a" * 300_000, "// " * 100_000, "1." * 100_000):
        find_problems(parse_recovering(text))
    # Columns count bytes, also far out in a line.
    last = parse("é = 1 " + "é = 1 " * 30_000).body[-1]
    assert str(last.location) == "1:210001-1:210007"


def test_columns_are_those_of_the_encoded_text() -> None:
    for before in (1020, 1023, 1024, 1025, 2047, 5000):
        file = parse(f'x = "{"é" * before}" y = 1\nz = 2')
        assert str(file.body[1].location) == f"1:{2 * before + 8}-1:{2 * before + 13}"
        assert str(file.body[2].location) == "2:1-2:6"


@pytest.mark.parametrize("text", ["@a", "x = 1\n@a", "f = () => { @a }", "package main\n@a"])
def test_an_attribute_needs_a_statement(text: str) -> None:
    assert "an attribute must precede a statement" in message(text)
