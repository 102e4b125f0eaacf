"""The types of what the library offers, package by package.

Each package is a text file under `library/` at its import path. An entry is a
name and its type as Flux writes types, `name : type`, one a line; lines that are
indented go on. `option` before a name marks what scripts may set, `//` begins a
comment. A package that is known but not described says `opaque`: it may be
imported and whatever is taken from it has any type.

The library itself (`flux.stdlib`) registers its functions under the same names.
A name that has a type here and no function there exists in Flux and not yet in
fluxkeep, and says so when it is used.

Types are parsed when a name is first looked up, so a script pays for what it uses.

Source: flux.md §11 to §15.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from fluxkeep.flux.semantic import types
from fluxkeep.flux.semantic.types import GENERIC, Type, Var
from fluxkeep.flux.syntax import ast
from fluxkeep.flux.syntax.problems import render, type_problems
from fluxkeep.flux.syntax.scanner import Scanner
from fluxkeep.flux.syntax.types import TypeParser

_LIBRARY = Path(__file__).parent / "library"
_PATH = re.compile(r"[A-Za-z0-9_\-]+(/[A-Za-z0-9_\-]+)*")
_ENTRY = re.compile(r"^(option )?(\w+) : (.*(?:\n[ \t]+.*)*)", re.M)

_PRELUDE = (("universe", None), ("influxdata/influxdb", frozenset({"from", "to", "buckets", "cardinality", "wideTo"})))

CONSTRAINTS = frozenset().union(*types.KINDS.values()) | {"Record"}
"""The kinds that a signature may ask for."""


class Package:
    """The names of one package and their types."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.opaque = bool(re.search(r"^opaque$", text, re.M))
        self._texts = {match[2]: match[3] for match in _ENTRY.finditer(text)}
        self.options = frozenset(match[2] for match in _ENTRY.finditer(text) if match[1])
        self._types: dict[str, Type] = {}

    @property
    def names(self) -> list[str]:
        """All names, in the order described."""
        return list(self._texts)

    def find(self, name: str) -> Type | None:
        """The type of a name, its generic variables ready to be instantiated."""
        found = self._types.get(name)
        if found is None:
            text = self._texts.get(name)
            if text is None:
                return Var(GENERIC) if self.opaque else None
            found = self._types[name] = parse_type(text)
        return found


@cache
def find_package(path: str) -> Package | None:
    """The package at an import path."""
    if not _PATH.fullmatch(path):
        return None
    file = _LIBRARY / f"{path}.types"
    return Package(path, file.read_text(encoding="utf-8")) if file.is_file() else None


def packages() -> list[str]:
    """The import paths of all packages that are described."""
    return sorted(str(file.relative_to(_LIBRARY).with_suffix("")) for file in _LIBRARY.rglob("*.types"))


def find_predeclared(name: str) -> Type | None:
    """The type of a name that needs no import."""
    found = predeclared_package(name)
    return found.find(name) if found else None


def predeclared_package(name: str) -> Package | None:
    """The package that a name needing no import comes from."""
    for path, only in _PRELUDE:
        package = find_package(path)
        assert package is not None, f"the package {path} is not described"
        if (only is None or name in only) and package.find(name) is not None:
            return package
    return None


def suggestions() -> dict[str, dict[str, str]]:
    """The functions that need no import: name, then argument, then the argument's type in one word; sorted.

    Source: http-api.md §10.5.
    """
    names: set[str] = set()
    for path, only in _PRELUDE:
        package = find_package(path)
        assert package is not None, f"the package {path} is not described"
        names.update(package.names if only is None else only)
    found = {}
    for name in sorted(names):
        kind = find_predeclared(name)
        if isinstance(kind, types.Function):
            given = {**kind.required, **kind.optional} | ({kind.pipe[0]: kind.pipe[1]} if kind.pipe else {})
            found[name] = {argument: _word(item) for argument, item in sorted(given.items())}
    return found


def _word(t: Type) -> str:
    match types.resolve(t):
        case types.Basic(name=name):
            return name
        case types.Collection(kind=kind):
            return kind
        case types.Record():
            return "object"
        case types.Function():
            return "function"
        case types.Dictionary():
            return "dictionary"
        case _:
            return "invalid"


def parse_type(text: str) -> Type:
    """The type that a text describes; its variables are generic.

    Raises:
        ValueError: The text is no type.
    """
    parser = TypeParser(Scanner(text))
    expression = parser.whole()
    problems = type_problems(expression)
    if problems:
        raise ValueError(f"{text[:80]}: {render(problems)}")
    kinds = {item.variable: frozenset(item.kinds) for item in expression.constraints}
    unknown = frozenset().union(*kinds.values()) - CONSTRAINTS
    if unknown:
        raise ValueError(f"{text[:80]}: no such kind: {', '.join(sorted(unknown))}")
    return _Builder(kinds).mono(expression.type)


class _Builder:
    def __init__(self, kinds: dict[str, frozenset[str]]) -> None:
        self._kinds = kinds
        self._variables: dict[str, Var] = {}

    def variable(self, name: str) -> Var:
        return self._variables.setdefault(name, Var(GENERIC, self._kinds.get(name, frozenset())))

    def mono(self, node: ast.MonoType) -> Type:
        match node:
            case ast.NamedType(name=name):
                if name not in types.BASIC:
                    raise ValueError(f"no such type: {name}")
                return types.BASIC[name]
            case ast.VariableType(name=name):
                return self.variable(name)
            case ast.ArrayType(element=element):
                return types.Collection("array", self.mono(element))
            case ast.StreamType(element=element):
                return types.Collection("stream", self.mono(element))
            case ast.VectorType(element=element):
                return types.Collection("vector", self.mono(element))
            case ast.DictType(key=key, value=value):
                return types.Dictionary(self.mono(key), self.mono(value))
            case ast.LabelType():
                # Labels are strings as long as the language feature is off, which it is.
                return types.STRING
            case ast.RecordType(properties=properties, base=base):
                fields = tuple((item.name, self.mono(item.type)) for item in properties)
                return types.Record(fields, self.variable(base) if base else None)
            case ast.FunctionType():
                return self._function(node)

    def _function(self, node: ast.FunctionType) -> Type:
        by_kind: dict[str, dict[str, Type]] = {"": {}, "?": {}, "<-": {}}
        for item in node.params:
            by_kind[item.kind][item.name or "<-"] = self.mono(item.type)
        piped = next(iter(by_kind["<-"].items()), None)
        return types.Function(by_kind[""], self.mono(node.result), by_kind["?"], piped)
