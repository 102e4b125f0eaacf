"""Made-up Flux trees for property tests: every node of the grammar, brackets left out."""

from __future__ import annotations

from hypothesis import strategies as st

from fluxkeep.flux.syntax import ast
from fluxkeep.flux.syntax.scanner import KEYWORDS

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
# Few names, so that they meet; any others as well.
names = st.sampled_from(["a", "b", "r", "true", "now", "length", "map", "filter"]) | st.from_regex(
    r"[a-z_][a-z0-9_]{0,5}", fullmatch=True
).filter(lambda name: name not in KEYWORDS | {"with"})
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
