"""What is refused before a script runs, and in which words."""

from __future__ import annotations

import pytest

from fluxkeep.errors import FluxkeepError, InvalidInput
from fluxkeep.flux.semantic.check import check
from fluxkeep.flux.semantic.types import show
from fluxkeep.flux.syntax import ast
from fluxkeep.flux.syntax.ast_json import decode_file
from fluxkeep.flux.syntax.parser import parse

_BEFORE_RUNNING = ("compilation failed: ", "error @", "could not marshal")


def faults(text: str, *, externs: ast.File | None = None) -> list[str]:
    try:
        check(parse(text), externs=externs)
    except FluxkeepError as error:
        return error.message.split("\n\n")
    return []


def type_of(text: str, name: str = "x") -> str:
    return show(check(parse(text)).types[name])


def test_every_recorded_query_is_accepted_or_refused_as_recorded(
    recorded_queries: list[tuple[str, str, int, str]],
) -> None:
    wrong = []
    for name, query, _, recorded in recorded_queries:
        expected = recorded if recorded.startswith(_BEFORE_RUNNING) else ""
        try:
            check(parse(query))
            got = ""
        except FluxkeepError as error:
            got = error.message
        if got != expected:
            wrong.append((name, expected, got))
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = (a) => a", "(a: A) => A"),
        ("x = (a, b=1) => a + b", "(a: int, ?b: int) => int"),
        ("x = (t=<-, n) => t", "(<-t: A, n: B) => A"),
        ("x = (r) => r.a + r.b", "(r: {A with a: B, b: B}) => B"),
        ("x = (r) => ({r with a: 1})", "(r: A) => {A with a: int}"),
        ('x = {a: 1, "b c": [1.0], f: (x) => true}', "{a: int, b c: [float], f: (x: A) => bool}"),
        ("x = []", "[A]"),
        ('x = ["a": 1]', "[string: int]"),
        ("x = if true then 1 else 2", "int"),
        ("id = (a) => a\nx = {a: id(a: 1), b: id(a: true)}", "{a: int, b: bool}"),
        (
            "compose = (f, g) => (v) => f(v: g(v: v))\nx = compose(f: (v) => v + 1, g: (v) => length(arr: v))",
            "(v: [A]) => int",
        ),
        ("f = (x) => { y = x\n return y + 1 }\nx = f(x: 2)", "int"),
        ('x = 1 |> ((v=<-) => "${v}")()', "string"),
        ('import m "math"\nx = m.floor(x: m.pi)', "float"),
        ("x = [1][0] ^ 2", "int"),
        ("x = {a: {b: 1}}.a.b", "int"),
        ("x = -1h", "duration"),
        ("x = now()", "time"),
        ("r = {a: 1}\nx = {r with a: true}.a", "bool"),
    ],
)
def test_types_are_inferred(text: str, expected: str) -> None:
    assert type_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f = (a) => a + 1\nx = f(a: true)", ["error @2:10-2:14: expected int but found bool (argument a)"]),
        ("f = (a, b) => a + b\nx = f(a: true, b: true)", ["error @2:10-2:14: bool is not Addable (argument a)"]),
        ("f = (a) => ({a with b: 1})\nx = f(a: 1)", ["error @2:10-2:11: int is not Record (argument a)"]),
        (
            "x = 1 |> ((v) => v)()",
            [
                "error @1:10-1:22: missing pipe argument",
            ],
        ),
        ("f = (a) => a(a: a)", ["error @1:12-1:13: recursive types not supported A != (a: A) => B"]),
        ("x = 1(a: 2)", ["error @1:5-1:6: expected int but found (a: int) => A (function)"]),
        ("x = {a: 1}.b", ["error @1:5-1:11: record is missing label b"]),
        ('import "strings"\nx = strings.nope(v: 1)', ["error @2:5-2:12: record is missing label nope"]),
        ('import "no/such"\nx = such.y', ["error @1:1-1:17: invalid import path no/such"]),
        ('import "../secrets"', ["error @1:1-1:20: invalid import path ../secrets"]),
        ("f = (x) => {\n y = 1\n y = 2\n return y }", ['error @3:2-3:7: variable "y" reassigned']),
        ("x = 1\nx = 2", ['error @2:1-2:6: variable "x" reassigned']),
        ("option task = 1\noption task = 2", ['error @2:1-2:16: option "task" reassigned']),
        ("option x = 1\nx = 2", ['error @2:1-2:6: variable "x" conflicts with option of same name']),
        ("option now = 5", ["error @1:14-1:15: expected () => time (function) but found int"]),
        ("f = () => {}", ["error @1:11-1:13: missing return statement in block"]),
        (
            "f = (a=<-, b=<-) => a",
            ["error @1:5-1:22: function types can have at most one pipe parameter"],
        ),
        (
            "x = <-",
            [
                (
                    "error @1:5-1:7: a pipe literal may only be used as the default value for an argument "
                    "in function expression"
                )
            ],
        ),
        (
            "x = time(v: 1) + 1h",
            ["error @1:18-1:20: expected time but found duration", "error @1:5-1:20: time is not Addable"],
        ),
    ],
)
def test_faults(text: str, expected: list[str]) -> None:
    assert faults(text) == expected


READ = 'from(bucket: "b") |> range(start: -1h)'
SOUND = {
    "one source at two types": f"""
a = {READ} |> filter(fn: (r) => r._value > 1)
b = {READ} |> filter(fn: (r) => r._value =~ /x/)
union(tables: [a, b])""",
    "a lambda as aggregate": f"""
{READ} |> aggregateWindow(every: 1m, fn: (column, tables=<-) => tables |> quantile(q: 0.9, column: column))""",
    "a column computed anew": f"""
{READ} |> map(fn: (r) => ({{r with _value: float(v: r._value) * 2.0}})) |> keep(columns: ["_value"])""",
    "a builtin passed on": f"""
each = (tables=<-, f) => tables |> f(column: "_value")
{READ} |> each(f: mean)""",
    "options": """
option now = () => 2020-01-01T00:00:00Z
option location = {zone: "UTC", offset: 0h}
option task = {name: "t", every: 1h}
x = task.name""",
    "records by row": """
pick = (r, name) => if name == "a" then r.a else r.b
x = pick(r: {a: 1, b: 2, c: 3}, name: "a")""",
    "a closure over a record": """
rec = {a: 1}
f = (x) => ({rec with b: x})""",
    "a library name shadowed": "int = 5\nx = int + 1",
    "true shadowed": "true = 1\nx = true + 1",
    "a package not described": """
import "contrib/sranka/telegram"
x = telegram.message(url: "u", anything: 1)""",
}


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_sound_scripts_pass(text: str) -> None:
    assert faults(text) == []


def test_externs_come_first() -> None:
    externs = decode_file(
        {
            "type": "File",
            "imports": [{"type": "ImportDeclaration", "path": {"type": "StringLiteral", "value": "strings"}}],
            "body": [
                {
                    "type": "OptionStatement",
                    "assignment": {
                        "type": "VariableAssignment",
                        "id": {"type": "Identifier", "name": "v"},
                        "init": {
                            "type": "ObjectExpression",
                            "properties": [
                                {
                                    "type": "Property",
                                    "key": {"type": "Identifier", "name": "bucket"},
                                    "value": {"type": "StringLiteral", "value": "b"},
                                }
                            ],
                        },
                    },
                }
            ],
        }
    )
    assert faults("x = strings.toUpper(v: v.bucket)", externs=externs) == []
    assert faults("x = v.bucket + 1", externs=externs) == ["error @1:16-1:17: expected string but found int"]
    assert faults("x = v.nope", externs=externs) == ["error @1:5-1:6: record is missing label nope"]


def test_a_tree_that_came_as_json_is_checked_for_syntax_too() -> None:
    mixed = ast.ObjectExpression(
        (
            ast.Property(ast.Identifier("a"), None),
            ast.Property(ast.Identifier("b"), ast.IntegerLiteral(1)),
        )
    )
    file = ast.File((ast.ExpressionStatement(mixed),))
    with pytest.raises(InvalidInput, match="cannot mix implicit and explicit properties"):
        check(file)


@pytest.mark.timeout(20)
def test_wide_and_long_scripts_are_checked_in_little_time() -> None:
    record = "{" + ", ".join(f"c{n}: {n}" for n in range(2000)) + "}"
    reads = "\n".join(f"v{n} = x.c{n} + 1" for n in range(100))
    assert faults(f"r = {record}\nx = {{r with z: 1}}\n{reads}") == []
    long = 'from(bucket: "b") |> range(start: -1h)' + " |> map(fn: (r) => ({r with a: 1}))" * 100
    assert faults(long) == []
    many = "\n".join(f"f{n} = (a) => f{n - 1}(a: a)" if n else "f0 = (a) => a" for n in range(500))
    assert faults(many) == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        "d = (x) => ({l: x, r: x})\n"
        + "\n".join(
            f"d{n} = (x) => {'d' if n == 0 else f'd{n - 1}'}(x: {'d' if n == 0 else f'd{n - 1}'}(x: x))"
            for n in range(12)
        ),
        "d = (x) => [[x: x]: [x: x]]\nx = " + "d(x: " * 30 + "1" + ")" * 30,
        "d = (x) => ({l: x, r: x})\nx = " + "d(x: " * 30 + "1" + ")" * 30 + "\ny = x.nope",
        "d = (x) => ({l: x, r: x})\nx = "
        + "d(x: " * 30
        + "1"
        + ")" * 30
        + "\ny = "
        + "d(x: " * 30
        + "1"
        + ")" * 30
        + "\nz = [x, y]",
        "d = (x) => ({l: x, r: x})\nx = " + "d(x: " * 30 + "1" + ")" * 30 + "\ny = x == x",
    ],
)
def test_types_that_explode_are_refused_or_checked_in_time(text: str) -> None:
    assert all(len(fault) < 100_000 for fault in faults(text))
