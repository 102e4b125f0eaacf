"""Packages are found by their path, and match the signatures that the checker knows."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from fluxkeep.errors import InvalidInput
from fluxkeep.flux import stdlib
from fluxkeep.flux.stdlib.registry import Package, find_package


def packages() -> list[Package]:
    found = []
    prefix = stdlib.__name__ + "."
    for module in pkgutil.walk_packages(stdlib.__path__, prefix):
        path = module.name.removeprefix(prefix).replace(".", "/")
        loaded = importlib.import_module(module.name)
        if path == "registry" or hasattr(loaded, "PART"):
            continue
        if hasattr(loaded, "PACKAGE"):
            found.append(find_package(loaded.PACKAGE.path))
        else:
            assert module.ispkg, "a module of the library is a package, a part of one, or a folder"
    return found


@pytest.mark.parametrize("package", packages(), ids=lambda p: p.path)
def test_a_package_is_found_at_its_path(package: Package) -> None:
    assert find_package(package.path) is package
    assert package.functions or package.values
    for function in package.functions.values():
        assert sum(p.pipe for p in function.params) <= 1


@pytest.mark.parametrize("path", ["nope", "universe/shape", "../engine", "os", "registry", "", "math.floor"])
def test_what_is_no_package_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="invalid import path"):
        find_package(path)


def test_instances_do_not_share_options() -> None:
    one, other = find_package("universe").instance(), find_package("universe").instance()
    one.members["location"] = {"zone": "Europe/Paris"}
    assert other.members["location"] != one.members["location"]
