"""`generate`: made up series.

Source: flux.md §13.
"""

from __future__ import annotations

from fluxkeep.datamodel.tables import Column, ColumnType, make_block
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value, kind_of
from fluxkeep.flux.plan.graph import Effect
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("generate")


@PACKAGE.function("start stop count fn")
def from_(call: Call) -> Value:
    """Evenly spaced times, a value of each from its number."""
    start, stop, count = call.time("start"), call.time("stop"), call.int("count")
    function = call.function("fn")
    step = (stop - start) // count if count else 0
    values: list[int] = []
    for n in range(count):
        value = call.invoke(function, n=n)
        if not isinstance(value, int):
            raise InvalidInput(f"expected int but found {kind_of(value)}")
        values.append(value)
    time = ColumnType.TIME
    columns = (
        Column("_time", time),
        Column("_value", ColumnType.INT),
    )
    data = {
        "_time": [start + i * step for i in range(count)],
        "_value": values,
    }
    block = make_block(columns, (), [()], data, [0] * count)
    return call.node(Effect("generate.from", lambda _, __: [block]))
