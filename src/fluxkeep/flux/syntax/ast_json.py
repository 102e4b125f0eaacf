"""The tree as the JSON that `/api/v2/query/ast` answers and the `extern` and `ast` of a query carry.

`encode_*` makes the reference's shape: `type` first, then `location` with the
source it covers, then the members. `decode_*` reads it, also without locations,
and refuses what is no tree; what it accepts is as safe to walk as a parsed one.

Integers travel as decimal texts, times as RFC 3339, durations as lists of
magnitude and unit. An argument list is a list of at most one record. What could
not be read is `null`.

Source: http-api.md §10.5; recorded answers in tests/golden/http/query-helpers.jsonl.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias, get_args

from fluxkeep import instants
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.syntax import ast
from fluxkeep.flux.syntax.literals import regexp_problem
from fluxkeep.flux.syntax.problems import NESTING_MAX

JSON: TypeAlias = dict[str, Any]

_EXPRESSION = get_args(ast.Expression)
_KEY = (ast.Identifier, ast.StringLiteral)
_STATEMENT = (
    ast.VariableAssignment,
    ast.OptionStatement,
    ast.ExpressionStatement,
    ast.ReturnStatement,
    ast.TestCaseStatement,
    ast.ImportDeclaration,
    ast.BuiltinStatement,
    ast.BadStatement,
)
_UNARY = frozenset({"+", "-", "not", "exists"})
_LOGICAL = frozenset({"and", "or"})
_BINARY = frozenset({"+", "-", "*", "/", "%", "^", "==", "!=", "<", "<=", ">", ">=", "=~", "!~"})
_UNITS = frozenset({"y", "mo", "w", "d", "h", "m", "s", "ms", "us", "µs", "ns"})
_NO_OPERATOR = "<INVALID_OP>"


@dataclass(frozen=True, slots=True)
class _Member:
    """How one field of a node travels: under which name, in which form, which nodes it may hold."""

    field: str
    name: str
    form: str
    kinds: tuple[type, ...] = ()


def _value(form: str, field: str = "value") -> _Member:
    return _Member(field, field, form)


def _one(field: str, kinds: tuple[type, ...] = _EXPRESSION, name: str = "") -> _Member:
    return _Member(field, name or field, "node", kinds)


def _maybe(field: str, kinds: tuple[type, ...] = _EXPRESSION, name: str = "", form: str = "maybe") -> _Member:
    return _Member(field, name or field, form, kinds)


def _many(field: str, kinds: tuple[type, ...] = _EXPRESSION, form: str = "nodes") -> _Member:
    return _Member(field, field, form, kinds)


_SHAPES: dict[type[ast.Node], tuple[_Member, ...]] = {
    ast.Identifier: (_value("text", "name"),),
    ast.IntegerLiteral: (_value("int64"),),
    ast.UnsignedIntegerLiteral: (_value("uint64"),),
    ast.FloatLiteral: (_value("float"),),
    ast.BooleanLiteral: (_value("bool"),),
    ast.StringLiteral: (_value("text"),),
    ast.DurationLiteral: (_value("duration", "values"),),
    ast.DateTimeLiteral: (_value("time"),),
    ast.RegexpLiteral: (_value("regexp"),),
    ast.PipeLiteral: (),
    ast.LabelLiteral: (_value("text"),),
    ast.TextPart: (_value("text"),),
    ast.InterpolatedPart: (_one("expression"),),
    ast.StringExpression: (_many("parts", (ast.TextPart, ast.InterpolatedPart)),),
    ast.ArrayExpression: (_many("elements"),),
    ast.DictItem: (_one("key"), _one("value", name="val")),
    ast.DictExpression: (_many("elements", (ast.DictItem,)),),
    ast.Property: (_one("key", _KEY), _maybe("value")),
    ast.ObjectExpression: (
        _maybe("base", (ast.Identifier,), "with", "left out"),
        _many("properties", (ast.Property,)),
    ),
    ast.Parameter: (_one("key", (ast.Identifier,)), _maybe("default", name="value")),
    ast.FunctionExpression: (
        _many("params", (ast.Parameter,)),
        _one("body", (*_EXPRESSION, ast.Block)),
    ),
    ast.CallExpression: (_one("callee"), _maybe("arguments", (ast.ObjectExpression,), form="arguments")),
    ast.PipeExpression: (_one("argument"), _one("call", (ast.CallExpression,))),
    ast.MemberExpression: (_one("object"), _one("key", _KEY, "property")),
    ast.IndexExpression: (_one("array"), _one("index")),
    ast.UnaryExpression: (_value("unary", "operator"), _one("argument")),
    ast.BinaryExpression: (_value("binary", "operator"), _one("left"), _one("right")),
    ast.LogicalExpression: (_value("logical", "operator"), _one("left"), _one("right")),
    ast.ConditionalExpression: (_one("test"), _one("consequent"), _one("alternate")),
    ast.ParenExpression: (_one("expression"),),
    ast.VariableAssignment: (_one("id", (ast.Identifier,)), _one("init")),
    ast.MemberAssignment: (_one("member", (ast.MemberExpression,)), _one("init")),
    ast.OptionStatement: (_one("assignment", (ast.VariableAssignment, ast.MemberAssignment)),),
    ast.ExpressionStatement: (_one("expression"),),
    ast.ReturnStatement: (_one("argument"),),
    ast.Block: (_many("body", _STATEMENT),),
    ast.TestCaseStatement: (
        _one("id", (ast.Identifier,)),
        _maybe("extends", (ast.StringLiteral,)),
        _one("block", (ast.Block,)),
    ),
    ast.BuiltinStatement: (_one("id", (ast.Identifier,)),),
    ast.BadStatement: (_value("text", "text"),),
    ast.ImportDeclaration: (_maybe("alias", (ast.Identifier,), "as"), _one("path", (ast.StringLiteral,))),
    ast.PackageClause: (_one("id", (ast.Identifier,), "name"),),
    ast.File: (
        _maybe("package", (ast.PackageClause,)),
        _many("imports", (ast.ImportDeclaration,), "nodes or null"),
        _many("body", _STATEMENT),
    ),
}
_KINDS = {kind.__name__: kind for kind in _SHAPES} | {"Property": ast.Property}


def encode_package(file: ast.File, text: str) -> JSON:
    """A script as a package of one file, as `/api/v2/query/ast` answers it; `text` is what it was parsed from."""
    name = file.package.id.name if file.package else "main"
    return {"type": "Package", "package": name, "files": [encode_file(file, text)]}


def encode_file(file: ast.File, text: str = "") -> JSON:
    """A file; with the text it was parsed from each node also tells its source."""
    return _Encoder(text).node(file)


def decode_file(value: object, *, what: str = "extern") -> ast.File:
    """The file that a request carries as its `extern`.

    Raises:
        InvalidInput: `compilation failed: extern json parse error: …`.
    """
    try:
        decoded = _Decoder().node(value, (ast.File,), 0)
    except _NotATree as error:
        raise InvalidInput(f"compilation failed: {what} json parse error: {error}") from None
    assert isinstance(decoded, ast.File)
    return decoded


def decode_package(value: object) -> ast.File:
    """The script that a request carries as its `ast`: a package of exactly one file, or the file itself.

    Raises:
        InvalidInput: Neither.
    """
    if isinstance(value, dict) and value.get("type") == "Package":
        files = value.get("files")
        if not isinstance(files, list) or len(files) != 1:
            raise InvalidInput("compilation failed: ast json parse error: a package of one file is expected")
        value = files[0]
    return decode_file(value, what="ast")


class _Encoder:
    def __init__(self, text: str) -> None:
        self._lines = [line.encode("utf-8", "surrogatepass") for line in text.split("\n")] if text else []

    def node(self, node: ast.Node) -> JSON:
        kind = "Property" if isinstance(node, ast.Parameter) else type(node).__name__
        made: JSON = {"type": kind}
        if node.location != ast.NOWHERE:
            start, end = node.location.start, node.location.end
            made["location"] = {
                "start": {"line": start.line, "column": start.column},
                "end": {"line": end.line, "column": end.column},
                "source": self._source(start, end),
            }
        if node.comments:
            made["comments"] = [{"text": comment + "\n"} for comment in node.comments]
        if node.errors:
            made["errors"] = [{"msg": message} for message in node.errors]
        if isinstance(node, ast.File):
            made["metadata"] = "parser-type=fluxkeep"
        for member in _SHAPES[type(node)]:
            value = getattr(node, member.field)
            if member.form in ("left out", "arguments") and value is None:
                continue
            made[member.name] = self._member(member.form, value)
        return made

    def _member(self, form: str, value: Any) -> object:
        match form:
            case "node" | "maybe" | "left out":
                return None if value is None or isinstance(value, ast.BadExpression) else self.node(value)
            case "nodes":
                return [None if isinstance(item, ast.BadExpression) else self.node(item) for item in value]
            case "nodes or null":
                return [self.node(item) for item in value] or None
            case "arguments":
                return [self.node(value)]
            case "int64" | "uint64":
                return str(value)
            case "duration":
                return [{"magnitude": magnitude, "unit": unit} for magnitude, unit in value]
            case "time":
                return instants.format_rfc3339(value)
            case "binary":
                return value or _NO_OPERATOR
            case _:
                return value

    def _source(self, start: ast.Position, end: ast.Position) -> str:
        lines = self._lines[start.line - 1 : end.line]
        if not lines:
            return ""
        lines[-1] = lines[-1][: end.column - 1]
        lines[0] = lines[0][start.column - 1 :]
        return b"\n".join(lines).decode("utf-8", "replace")


class _NotATree(Exception):
    """What the JSON lacks or has wrongly, in a few words."""


class _Decoder:
    def node(self, value: object, kinds: tuple[type, ...], depth: int) -> Any:
        if depth > NESTING_MAX:
            raise _NotATree("Program is nested too deep")
        if not isinstance(value, dict):
            raise _NotATree(f"expected a node, found {_describe(value)}")
        name = value.get("type")
        if name is None:
            raise _NotATree("missing field `type`")
        kind = _KINDS.get(name) if isinstance(name, str) else None
        if kind is ast.Property and ast.Parameter in kinds:
            kind = ast.Parameter
        if kind is None or kind not in kinds or kind is ast.BadStatement:
            raise _NotATree(f"unexpected node type {str(name)[:64]!r}")
        members: dict[str, Any] = {
            member.field: self._member(member, value.get(member.name, _MISSING), depth + 1) for member in _SHAPES[kind]
        }
        if kind is ast.BuiltinStatement:
            members["type"] = ast.TypeExpression(ast.NamedType("dynamic"))
        return kind(**members, location=_location(value.get("location")))

    def _member(self, member: _Member, value: object, depth: int) -> object:
        match member.form:
            case "maybe" | "left out":
                return None if value is None or value is _MISSING else self.node(value, member.kinds, depth)
            case "arguments":
                given = _list(member, [] if value is _MISSING or value is None else value)
                if len(given) > 1:
                    raise _NotATree("a call has at most one record of arguments")
                return self.node(given[0], member.kinds, depth) if given else None
        if value is _MISSING:
            raise _NotATree(f"missing field `{member.name}`")
        match member.form:
            case "node":
                return self.node(value, member.kinds, depth)
            case "nodes" | "nodes or null":
                if value is None:
                    return ()
                return tuple(self.node(item, member.kinds, depth) for item in _list(member, value))
            case "int64":
                return _integer(member, value, -(2**63), 2**63 - 1)
            case "uint64":
                return _integer(member, value, 0, 2**64 - 1)
            case "float":
                if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                    raise _wrong(member, value)
                return float(value)
            case "bool":
                if not isinstance(value, bool):
                    raise _wrong(member, value)
                return value
            case "duration":
                return tuple(_magnitude(item) for item in _list(member, value))
        if not isinstance(value, str):
            raise _wrong(member, value)
        return _text(member, value)


_MISSING = object()


def _text(member: _Member, value: str) -> str | int:
    match member.form:
        case "time":
            try:
                return instants.parse_rfc3339(value)
            except ValueError as error:
                raise _NotATree(str(error)) from None
        case "regexp":
            problem = regexp_problem(value)
            if problem:
                raise _NotATree(problem)
        case "unary" | "binary" | "logical" as form:
            if value not in {"unary": _UNARY, "binary": _BINARY, "logical": _LOGICAL}[form]:
                raise _wrong(member, value)
    return value


def _list(member: _Member, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(member, value)
    return value


def _integer(member: _Member, value: object, smallest: int, largest: int) -> int:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or len(text) > 20 or not text.removeprefix("-").isdecimal() or not text.isascii():
        raise _wrong(member, value)
    if not smallest <= int(text) <= largest:
        raise _wrong(member, value)
    return int(text)


def _magnitude(item: object) -> tuple[int, str]:
    magnitude, unit = (item.get("magnitude"), item.get("unit")) if isinstance(item, dict) else (None, None)
    if isinstance(magnitude, bool) or not isinstance(magnitude, int) or unit not in _UNITS or abs(magnitude) >= 2**63:
        raise _NotATree("invalid duration literal")
    return magnitude, "us" if unit == "µs" else str(unit)


def _location(value: object) -> ast.SourceLocation:
    """The place a client says; one that is malformed counts as none, it only serves messages."""
    try:
        start, end = value["start"], value["end"]  # type: ignore[index]  # refused below when it is no record
        places = [int(place[key]) for place in (start, end) for key in ("line", "column")]
    except (TypeError, KeyError, ValueError, OverflowError):
        return ast.NOWHERE
    return ast.SourceLocation(ast.Position(places[0], places[1]), ast.Position(places[2], places[3]))


def _wrong(member: _Member, value: object) -> _NotATree:
    return _NotATree(f"invalid value for field `{member.name}`: {_describe(value)}")


def _describe(value: object) -> str:
    """A value's kind, or a short value itself."""
    if isinstance(value, dict | list):
        return "a record" if isinstance(value, dict) else "a list"
    return "null" if value is None else repr(value)[:64]
