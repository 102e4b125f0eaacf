"""`dict`: dictionaries, which never change in place.

Source: flux.md §13.
"""

from __future__ import annotations

from typing import Any

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.evaluate import make_dictionary
from fluxkeep.flux.interpreter.values import Null, Value
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("dict")


def _key(value: Value) -> Value:
    if isinstance(value, Null):
        raise InvalidInput("null value cannot be used as a dictionary key")
    return value


@PACKAGE.function("pairs")
def fromList(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A dictionary of records with a key and a value."""
    entries: dict[Any, Value] = {}
    for pair in call.array("pairs"):
        if isinstance(pair, dict):
            entries[_key(pair["key"])] = pair["value"]
    return make_dictionary(entries)


@PACKAGE.function("dict key default")
def get(call: Call) -> Value:
    """The value of a key, or the default."""
    found: Value = call.dictionary("dict").as_mapping().get(_key(call.value("key")), call.value("default"))
    return found


@PACKAGE.function("dict key value")
def insert(call: Call) -> Value:
    """With one entry more, or changed."""
    entries = call.dictionary("dict").as_mapping()
    entries[_key(call.value("key"))] = call.value("value")
    return make_dictionary(entries)


@PACKAGE.function("dict key")
def remove(call: Call) -> Value:
    """Without one entry."""
    entries = call.dictionary("dict").as_mapping()
    entries.pop(_key(call.value("key")), None)
    return make_dictionary(entries)
