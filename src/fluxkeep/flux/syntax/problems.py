"""The faults of a tree, in the order of the text, and how they are told.

Source: flux.md §2, §9; recorded answers in tests/golden/flux/language.txt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fluxkeep.flux.syntax import ast

NESTING_MAX = 180
"""Levels of nodes within each other, so that what walks a tree may recurse. Source: flux.md §1."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One message and the stretch of text it is about."""

    location: ast.SourceLocation
    message: str

    def __str__(self) -> str:
        return f"error @{self.location}: {self.message}"


def render(problems: Iterable[Problem]) -> str:
    """All problems as one text, a paragraph each."""
    return "\n\n".join(map(str, problems))


def find_problems(file: ast.File) -> list[Problem]:
    """What is wrong with a tree as a text: syntax, mixed properties, nesting."""
    problems: list[Problem] = []
    stack: list[tuple[ast.Node, int]] = [(file, 0)]
    while stack:
        node, depth = stack.pop()
        if depth > NESTING_MAX:
            return [*problems, Problem(node.location, "Program is nested too deep")]
        problems += [Problem(node.location, message) for message in node.errors]
        match node:
            case ast.BadStatement(text=text) if text:
                problems.append(Problem(node.location, f"invalid statement: {text}"))
            case ast.BadExpression(text=text) if text:
                problems.append(Problem(node.location, f"invalid expression: {text}"))
            case ast.ObjectExpression():
                problems += _check_properties(node)
        stack += [(child, depth + 1) for child in reversed(tuple(ast.children(node)))]
    return problems


def type_problems(expression: ast.TypeExpression) -> list[Problem]:
    """What is wrong with a type as a text."""
    return [Problem(node.location, message) for node in ast.walk(expression) for message in node.errors]


def _check_properties(node: ast.ObjectExpression) -> list[Problem]:
    found: list[Problem] = []
    implicit = explicit = False
    for item in node.properties:
        if item.value is not None:
            explicit = True
        elif isinstance(item.key, ast.Identifier):
            implicit = True
        elif item.key.value != "<invalid>":
            found.append(Problem(item.location, f'string literal key "{item.key.value}" must have a value'))
    if implicit and explicit:
        found.append(Problem(node.location, "cannot mix implicit and explicit properties"))
    return found


def messages(file: ast.File) -> list[Problem]:
    """Only the messages that hang at nodes, which is all that `/api/v2/query/analyze` reports.

    Quirk: a statement or expression that could not be read at all is not among them.
    Source: recorded answers, `analyze: second line`.
    """
    return [Problem(node.location, message) for node in ast.walk(file) for message in node.errors]
