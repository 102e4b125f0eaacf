"""What is wrong with a script that parses, before any types: returns, labels, names bound twice.

Source: flux.md §2, §6; recorded answers in tests/golden/flux/language.txt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fluxkeep.flux.syntax import ast
from fluxkeep.flux.syntax.problems import Problem

_LABELS = "Labels are currently experimental. (See the labelPolymorphism feature)"
_PIPE_PLACE = "a pipe literal may only be used as the default value for an argument in function expression"


def find_structure_problems(file: ast.File) -> list[Problem]:
    """All of them, in the order of the text but for a block's, which are told from its end."""
    problems = [
        Problem(statement.location, "return not valid in file block")
        for statement in file.body
        if isinstance(statement, ast.ReturnStatement)
    ]
    piped: set[int] = set()
    for node in ast.walk(file):
        match node:
            case ast.FunctionExpression(params=params, body=body):
                defaults = [item.default for item in params if isinstance(item.default, ast.PipeLiteral)]
                piped.update(map(id, defaults))
                if len(defaults) > 1:
                    problems.append(Problem(node.location, "function types can have at most one pipe parameter"))
                problems += _duplicates(params)
                if isinstance(body, ast.Block):
                    problems += _check_function_block(body)
            case ast.LabelLiteral():
                problems.append(Problem(node.location, _LABELS))
            case ast.PipeLiteral() if id(node) not in piped:
                problems.append(Problem(node.location, _PIPE_PLACE))
    return problems


def find_binding_problems(file: ast.File) -> list[Problem]:
    """Names bound twice in one scope, options set twice, names that are both. Source: flux.md §6."""
    problems: list[Problem] = []
    options: set[str] = set()
    for statement in file.body:
        if isinstance(statement, ast.OptionStatement):
            name = option_name(statement)
            if name in options:
                problems.append(Problem(statement.location, f'option "{name}" reassigned'))
            options.add(name)
    for name, statement in _rebound(file.body):
        problems.append(Problem(statement.location, f'variable "{name}" reassigned'))
    for statement in file.body:
        if isinstance(statement, ast.VariableAssignment) and statement.id.name in options:
            message = f'variable "{statement.id.name}" conflicts with option of same name'
            problems.append(Problem(statement.location, message))
    for node in ast.walk(file):
        if isinstance(node, ast.FunctionExpression) and isinstance(node.body, ast.Block):
            for name, statement in _rebound(node.body.body):
                problems.append(Problem(statement.location, f'variable "{name}" reassigned'))
    return problems


def option_name(statement: ast.OptionStatement) -> str:
    """`name`, or `package.name`."""
    match statement.assignment:
        case ast.VariableAssignment(id=name):
            return name.name
        case ast.MemberAssignment(member=ast.MemberExpression(object=ast.Identifier(name=package)) as member):
            return f"{package}.{member.label}"
        case ast.MemberAssignment(member=member):
            return member.label


def _rebound(statements: Iterable[ast.Statement]) -> Iterator[tuple[str, ast.VariableAssignment]]:
    seen: set[str] = set()
    for statement in statements:
        if isinstance(statement, ast.VariableAssignment):
            if statement.id.name in seen:
                yield statement.id.name, statement
            seen.add(statement.id.name)


def _duplicates(params: tuple[ast.Parameter, ...]) -> list[Problem]:
    seen: set[str] = set()
    problems = []
    for item in params:
        if item.name in seen:
            problems.append(Problem(item.location, f'function parameter "{item.name}" is declared more than once'))
        seen.add(item.name)
    return problems


def _check_function_block(block: ast.Block) -> list[Problem]:
    """A block ends with its only return."""
    if not block.body:
        return [Problem(block.location, "missing return statement in block")]
    problems = []
    *before, last = block.body
    if not isinstance(last, ast.ReturnStatement):
        problems.append(Problem(last.location, "missing return statement in block"))
    for statement in reversed(before):
        match statement:
            case ast.ReturnStatement():
                kind = "return"
            case ast.BuiltinStatement():
                kind = "builtin"
            case ast.TestCaseStatement():
                kind = "testcase"
            case _:
                continue
        problems.append(Problem(statement.location, f"invalid {kind} statement in function block"))
    return problems
