"""What editors ask about Flux: the faults of a text, its tree, the functions there are.

None of these runs anything or needs a permission.

Source: http-api.md §10.5; recorded answers in tests/golden/http/query-helpers.jsonl.
"""

from __future__ import annotations

from fluxkeep.errors import InvalidInput, NotFound
from fluxkeep.flux.syntax.ast_json import JSON, encode_package
from fluxkeep.flux.syntax.parser import parse_recovering
from fluxkeep.flux.syntax.problems import Problem, messages


def analyze(text: str) -> list[Problem]:
    """The faults of a text as the parser sees them; names and types are not looked at."""
    return messages(parse_recovering(text))


def tree(text: str) -> JSON:
    """The text as a package of one file.

    Raises:
        InvalidInput: `invalid AST: loc 1:1-1:6: expected RPAREN, got EOF`, for the first fault.
    """
    file = parse_recovering(text)
    for problem in messages(file):
        raise InvalidInput(f"invalid AST: loc {problem.location}: {problem.message}")
    return encode_package(file, text)


def suggestions() -> list[tuple[str, dict[str, str]]]:
    """The functions that need no import, sorted: name, and each argument's type in one word."""
    from fluxkeep.flux.semantic import signatures

    return list(signatures.suggestions().items())


def suggestion(name: str) -> dict[str, str]:
    """The arguments of one function that needs no import.

    Raises:
        NotFound: There is none of that name.
    """
    found = dict(suggestions()).get(name)
    if found is None:
        raise NotFound(f"function {name[:64]} not found")
    return found
