"""A call of a library function: its arguments, checked and defaulted, and its surroundings."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter.values import (
    Builtin,
    Closure,
    Dictionary,
    Null,
    Regexp,
    StreamValue,
    TableValue,
    Time,
    UInt,
    Value,
    kind_of,
    nature_of,
)
from fluxkeep.flux.plan.graph import Node, Operation, Site
from fluxkeep.instants import Duration, add_months

if TYPE_CHECKING:
    from fluxkeep.flux.interpreter.evaluate import Evaluator

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """What a library function is given.

    Attributes:
        name: The function's name.
        arguments: By parameter name; what was not given is absent.
        site: The call in the user's script, to which the nodes made here belong.
        evaluator: Calls functions, knows the clock, the sources and the packages.
    """

    name: str
    arguments: Mapping[str, Value]
    site: Site
    evaluator: Evaluator

    def has(self, name: str) -> builtins.bool:
        """Whether the argument was given."""
        return name in self.arguments

    def value(self, name: str, default: Value | None = None) -> Value:
        """Any value.

        Raises:
            InvalidInput: Not given and without a default.
        """
        found = self.arguments.get(name, default)
        if found is None:
            raise InvalidInput(f'missing required keyword argument "{name}"')
        return found

    def _of(self, name: str, kind: type[T], word: str, default: T | None) -> T:
        found = self.arguments.get(name)
        if found is None:
            if default is None:
                raise InvalidInput(f'missing required keyword argument "{name}"')
            return default
        if not isinstance(found, kind) or (kind is builtins.int and isinstance(found, builtins.bool | UInt | Time)):
            raise InvalidInput(f'keyword argument "{name}" should be of kind {word}, but got {nature_of(found)}')
        return found

    def string(self, name: str, default: str | None = None) -> str:
        """A string."""
        return self._of(name, str, "string", default)

    def int(self, name: str, default: builtins.int | None = None) -> builtins.int:
        """An int."""
        return self._of(name, builtins.int, "int", default)

    def float(self, name: str, default: builtins.float | None = None) -> builtins.float:
        """A float."""
        return self._of(name, builtins.float, "float", default)

    def bool(self, name: str, default: builtins.bool | None = None) -> builtins.bool:
        """A bool."""
        return self._of(name, builtins.bool, "bool", default)

    def regexp(self, name: str) -> Regexp:
        """A regular expression."""
        return self._of(name, Regexp, "regexp", None)

    def duration(self, name: str, default: Duration | None = None) -> Duration:
        """A duration."""
        return self._of(name, Duration, "duration", default)

    def array(self, name: str, default: list[Value] | None = None) -> list[Value]:
        """An array."""
        return self._of(name, list, "array", default)

    def strings(self, name: str, default: list[str] | None = None) -> list[str]:
        """An array of strings."""
        found = self._of(name, list, "array", default)
        for item in found:
            if not isinstance(item, str):
                raise InvalidInput(f"expected string but found {kind_of(item)} (argument {name})")
        return found

    def record(self, name: str, default: dict[str, Value] | None = None) -> dict[str, Value]:
        """A record."""
        return self._of(name, dict, "object", default)

    def dictionary(self, name: str) -> Dictionary:
        """A dictionary."""
        return self._of(name, Dictionary, "dictionary", None)

    def function(self, name: str) -> Closure | Builtin:
        """A function."""
        found = self.value(name)
        if not isinstance(found, Closure | Builtin):
            raise InvalidInput(f'keyword argument "{name}" should be of kind function, but got {nature_of(found)}')
        return found

    def stream(self, name: str = "tables") -> Node:
        """A stream's node."""
        found = self.value(name)
        if not isinstance(found, StreamValue):
            raise InvalidInput(f'keyword argument "{name}" should be of kind stream, but got {nature_of(found)}')
        return found.node

    def table(self, name: str = "table") -> TableValue:
        """A table that was found."""
        found = self.value(name)
        if not isinstance(found, TableValue):
            raise InvalidInput(f'keyword argument "{name}" should be of kind table, but got {nature_of(found)}')
        return found

    def time(self, name: str, default: Value | None = None) -> builtins.int:
        """A time, or a duration from now, by the calendar."""
        found = self.value(name, default)
        if isinstance(found, Time):
            return int(found)
        if isinstance(found, Duration):
            return add_months(self.evaluator.now(), found.months) + found.ns
        raise InvalidInput(f"value is not a time, got {kind_of(found)}")

    def location(self) -> tuple[str, builtins.int]:
        """The zone and the fixed offset in ns of the argument `location`, else of the option."""
        return read_location(self.arguments.get("location") or self.evaluator.option("location"))

    def node(self, operation: Operation, *inputs: Node) -> StreamValue:
        """A new node at this call's site."""
        return StreamValue(Node(operation, inputs, self.site))

    def invoke(self, function: Value, **arguments: Value) -> Value:
        """Call a function value; the nodes it makes are this call's, unless the script's own calls make them."""
        return self.evaluator.invoke(function, arguments, self.site)


def read_location(record: Value | None) -> tuple[str, int]:
    """Zone and fixed offset of a location record."""
    if not isinstance(record, dict):
        return "UTC", 0
    zone, offset = record.get("zone"), record.get("offset")
    return zone if isinstance(zone, str) else "UTC", offset.ns if isinstance(offset, Duration) else 0


def given(value: Value | None) -> bool:
    """Whether an optional argument carries a value."""
    return value is not None and not isinstance(value, Null)
