"""`experimental/array`: the functions of `array`, and conversions of whole arrays.

Source: flux.md §13.
"""

from __future__ import annotations

from collections.abc import Callable

from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.stdlib import array
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.universe.scalars import CONVERSIONS

PACKAGE = Package("experimental/array")
PACKAGE.include(array.PACKAGE)


def _converted(kind: str) -> Callable[[Call], Value]:
    convert = CONVERSIONS[kind]
    return lambda call: [convert(item) for item in call.array("arr")]


for _name, _kind in (
    ("toString", "string"),
    ("toInt", "int"),
    ("toUInt", "uint"),
    ("toFloat", "float"),
    ("toBool", "bool"),
    ("toTime", "time"),
    ("toDuration", "duration"),
):
    PACKAGE.function("<-arr", _name)(_converted(_kind))
