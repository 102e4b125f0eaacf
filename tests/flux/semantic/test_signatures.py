"""The descriptions of the library: all sound, and the same names as the library itself."""

from __future__ import annotations

import pytest

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.semantic import signatures, types
from fluxkeep.flux.stdlib.registry import find_package


@pytest.mark.parametrize("path", signatures.packages())
def test_all_types_of_a_package_can_be_read(path: str) -> None:
    package = signatures.find_package(path)
    assert package is not None
    assert package.names or package.opaque
    for name in package.names:
        assert package.find(name) is not None


@pytest.mark.parametrize("path", signatures.packages())
def test_the_library_offers_only_what_is_described_with_the_same_parameters(path: str) -> None:
    described = signatures.find_package(path)
    assert described is not None
    try:
        offered = find_package(path)
    except InvalidInput:
        return  # not built yet; using it says so
    wrong = []
    for name, function in offered.functions.items():
        kind = described.find(name)
        if name.startswith("_") or (path == "universe" and name in ("from", "to", "buckets", "cardinality", "wideTo")):
            continue
        if not isinstance(kind, types.Function):
            wrong.append(f"{name} is described as {types.show(kind) if kind else 'nothing'}")
            continue
        required = set(kind.required) | ({kind.pipe[0]} if kind.pipe else set())
        described_names = required | set(kind.optional)
        offered_names = {param.name for param in function.params}
        if offered_names != described_names:
            wrong.append(f"{name}: {sorted(offered_names ^ described_names)} differ")
    assert wrong == []


def test_names_that_need_no_import() -> None:
    assert signatures.find_predeclared("from") is not None
    assert signatures.find_predeclared("filter") is not None
    assert signatures.find_predeclared("v") is None


@pytest.mark.parametrize("path", ["", "/etc/passwd", "..", "../library/universe", "array/", "no/such"])
def test_paths_that_name_no_package(path: str) -> None:
    assert signatures.find_package(path) is None


@pytest.mark.parametrize("text", ["(a: int) =>", "[int", "A where A: Flying", "number", "int int"])
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        signatures.parse_type(text)


def test_suggestions_are_as_recorded() -> None:
    found = signatures.suggestions()
    assert list(found) == sorted(found)
    assert found["filter"] == {"fn": "function", "onEmpty": "string", "tables": "stream"}
    assert found["sum"] == {"column": "string", "tables": "stream"}
    assert found["last"] == {"column": "string", "tables": "stream"}
    assert found["range"] == {"start": "invalid", "stop": "invalid", "tables": "stream"}
    assert found["from"] == dict.fromkeys(("bucket", "bucketID", "host", "org", "orgID", "token"), "string")
