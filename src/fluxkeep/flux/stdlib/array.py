"""`array`: arrays and tables from them.

Source: flux.md §13.
"""

from __future__ import annotations

from fluxkeep.datamodel.tables import Block, make_block
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.failures import PlacedError
from fluxkeep.flux.execute.mapping import columns_of_records
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Null, Value, kind_of
from fluxkeep.flux.plan.graph import Effect
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("array")


@PACKAGE.function("<-rows")
def from_(call: Call) -> Value:
    """Records as one table."""
    rows = call.array("rows")
    if not rows:
        raise InvalidInput("rows must be non-empty")
    records: list[dict[str, Value]] = []
    for row in rows:
        if not isinstance(row, dict):
            raise InvalidInput(f"{kind_of(row)} is not Record (argument rows)")
        records.append(row)
    return call.node(Effect("array.from", lambda _, __: [_table(records)]))


def _table(records: list[dict[str, Value]]) -> Block:
    def refuse(label: str, value: Value) -> InvalidInput:  # noqa: ARG001 - the label is not told
        return PlacedError(f"cannot represent the type {kind_of(value)} as column data")

    for record in records:
        for value in record.values():
            if isinstance(value, Null) and not value.kind:
                raise PlacedError("cannot represent the type null as column data")
    made = columns_of_records(records, refuse)
    columns = tuple(c for c, _ in made.values())
    return make_block(columns, (), [()], {k: v for k, (_, v) in made.items()}, [0] * len(records))


@PACKAGE.function("<-arr v")
def concat(call: Call) -> Value:
    """Two arrays as one."""
    return [*call.array("arr"), *call.array("v")]


@PACKAGE.function("<-arr fn")
def map_(call: Call) -> Value:
    """Each element anew."""
    function = call.function("fn")
    return [call.invoke(function, x=item) for item in call.array("arr")]


@PACKAGE.function("<-arr fn")
def filter_(call: Call) -> Value:
    """The elements for which a predicate holds."""
    function = call.function("fn")
    return [item for item in call.array("arr") if call.invoke(function, x=item) is True]
