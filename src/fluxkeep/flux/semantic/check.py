"""A parsed script to a checked one: everything that can be refused before it runs.

Passes, in order; a pass that finds something ends the check with all it found:
syntax (also of trees that came as JSON), structure, names and types, names bound
twice.

Source: flux.md §6, §9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fluxkeep.errors import Internal, InvalidInput
from fluxkeep.flux.semantic.infer import Inference
from fluxkeep.flux.semantic.signatures import Package
from fluxkeep.flux.semantic.structure import find_binding_problems, find_structure_problems
from fluxkeep.flux.semantic.types import Type
from fluxkeep.flux.semantic.unify import TOO_LARGE
from fluxkeep.flux.syntax import ast
from fluxkeep.flux.syntax.problems import Problem, find_problems, render


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedProgram:
    """A script that may run.

    Attributes:
        file: The script.
        externs: What runs before it.
        types: Of the names that both bind, packages left out.
    """

    file: ast.File
    externs: ast.File | None = None
    types: Mapping[str, Type] = field(default_factory=dict, compare=False, repr=False)


def check(file: ast.File, *, externs: ast.File | None = None) -> CheckedProgram:
    """Refuse a script that cannot run.

    Args:
        file: The script.
        externs: Definitions that come before it and whose names and imports it sees.

    Raises:
        InvalidInput: All faults of the first pass that has any, joined by an empty line; those of
            syntax begin with `compilation failed: `.
        Internal: It holds a test case. Source: recorded answer.
    """
    files = [externs, file] if externs else [file]
    syntax = [problem for each in files for problem in find_problems(each)]
    if syntax:
        raise InvalidInput("compilation failed: " + render(syntax))
    _refuse([problem for each in files for problem in find_structure_problems(each)])
    inference = Inference()
    try:
        for each in files:
            inference.file(each)
        types_and_names = [Problem(location, fault.text()) for location, fault in inference.faults]
    except RecursionError:
        # The tree's depth is bounded and safe to walk; types may nest deeper than any tree, in a few lines.
        raise InvalidInput(TOO_LARGE) from None
    _refuse(types_and_names)
    _refuse([problem for each in files for problem in find_binding_problems(each)])
    if any(isinstance(statement, ast.TestCaseStatement) for each in files for statement in each.body):
        raise Internal(
            "could not marshal semantic graph to FlatBuffer: TestCaseStmt is not supported in semantic analysis."
        )
    types = {name: t for name, t in inference.names.items() if not isinstance(t, Package)}
    return CheckedProgram(file=file, externs=externs, types=types)


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise InvalidInput(render(problems))
