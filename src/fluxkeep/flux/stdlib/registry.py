"""How packages of the library are written and found.

A package is a module (or a folder) under `fluxkeep.flux.stdlib` at its import
path (hyphens as underscores), with a `PACKAGE`. Adding a package is adding a file; nothing lists them.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter.values import Builtin, PackageValue, Param, Value

if TYPE_CHECKING:
    from fluxkeep.flux.interpreter.calls import Call

_PATH = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*(/[a-zA-Z][a-zA-Z0-9-]*)*")
_ROOM = "fluxkeep.flux.stdlib."


class Package:
    """The definition of a package; each query gets its own instance.

    Attributes:
        path: The import path.
        values: Constants and options.
        functions: By name.
    """

    def __init__(self, path: str, name: str | None = None) -> None:
        self.path = path
        self.name = name or path.rsplit("/", 1)[-1]
        self.values: dict[str, Value] = {}
        self.functions: dict[str, Builtin] = {}

    def function(
        self, signature: str, name: str | None = None
    ) -> Callable[[Callable[[Call], Value]], Callable[[Call], Value]]:
        """Register a function.

        Args:
            signature: Parameter names parted by spaces; `<-` marks the piped one, `?` an optional one.
            name: Where it is not the Python function's.
        """

        def register(run: Callable[[Call], Value]) -> Callable[[Call], Value]:
            # A trailing underscore keeps a name clear of Python's own.
            label = name or run.__name__.rstrip("_")
            self.functions[label] = Builtin(label, self.path, _params(signature), run)
            return run

        return register

    def include(self, *others: Package) -> None:
        """Take over what other parts of the same package define."""
        for other in others:
            self.functions.update(other.functions)
            self.values.update(other.values)

    def instance(self) -> PackageValue:
        """A fresh instance whose options may be set."""
        return PackageValue(self.name, self.path, {**self.values, **self.functions})


def _params(signature: str) -> tuple[Param, ...]:
    return tuple(
        Param(word.lstrip("<-?"), required=not word.startswith("?"), pipe=word.startswith("<-"))
        for word in signature.split()
    )


def load_package(path: str) -> PackageValue:
    """A fresh instance of the package at an import path.

    Raises:
        InvalidInput: There is none.
    """
    return find_package(path).instance()


def find_package(path: str) -> Package:
    """The definition of the package at an import path.

    Raises:
        InvalidInput: There is none.
    """
    if _PATH.fullmatch(path):
        name = _ROOM + path.replace("/", ".").replace("-", "_")
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            # A package that exists and fails to find one of its own imports is our fault, not the script's.
            if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
                raise
        else:
            package = getattr(module, "PACKAGE", None)
            if isinstance(package, Package):
                return package
    raise InvalidInput(f"invalid import path {path}")
