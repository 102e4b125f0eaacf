"""`testing`: comparisons of streams, for the language's test corpus.

Source: flux.md §13; recorded answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fluxkeep.datamodel.tables import Block, Column, ColumnType, make_block
from fluxkeep.flux.execute.failures import PlacedError
from fluxkeep.flux.execute.mapping import columns_of_records
from fluxkeep.flux.execute.regroup import sort_tables
from fluxkeep.flux.execute.rows import rows_of
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.operators import same
from fluxkeep.flux.interpreter.values import Null, Value
from fluxkeep.flux.plan.graph import Effect, Yield
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("testing")
PACKAGE.values["tags"] = []
_OUTPUT = "errorOutput"

Rows = list[dict[str, Value]]


@PACKAGE.function("<-tables")
def load(call: Call) -> Value:
    """The stream itself; a test may set another source."""
    return call.value("tables")


def _equal(one: Value, other: Value, epsilon: float, nans: bool) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        if math.isnan(one) and math.isnan(other):
            return nans
        return one == other or abs(one - other) <= epsilon
    return same(one, other)


def _tables(blocks: Sequence[Block]) -> dict[tuple[Any, ...], tuple[tuple[Column, ...], Rows]]:
    """Rows by group key, key columns told by label."""
    found: dict[tuple[Any, ...], tuple[tuple[Column, ...], Rows]] = {}
    for block in blocks:
        types = {c.label: c for c in block.columns}
        identities = []
        for table in range(block.table_count):
            pairs = sorted(zip(block.key, block.key_values(table), strict=True))
            identities.append(tuple((k, types[k].type, v) for k, v in pairs))
            found.setdefault(identities[-1], (tuple(types[k] for k in block.key), []))
        for table, row in zip(block.ids.to_list(), rows_of(block), strict=True):
            found[identities[table]][1].append(row)
    return found


def _difference(
    got: Sequence[Block], want: Sequence[Block], *, verbose: bool, epsilon: float, nans: bool
) -> list[Block]:
    """The tables that differ, row by row: `-` what was wanted, `+` what came, nothing where both agree."""
    ours, theirs = _tables(got), _tables(want)
    out = []
    for identity in dict.fromkeys([*theirs, *ours]):
        key = (theirs.get(identity) or ours[identity])[0]
        mine, wanted = ours.get(identity, (key, []))[1], theirs.get(identity, (key, []))[1]
        lines: list[tuple[str, dict[str, Value]]] = []
        for i in range(max(len(mine), len(wanted))):
            left = wanted[i] if i < len(wanted) else None
            right = mine[i] if i < len(mine) else None
            if left is not None and right is not None and _same_row(left, right, epsilon, nans):
                lines.append(("", left))
                continue
            lines += [(sign, row) for sign, row in (("-", left), ("+", right)) if row is not None]
        if any(sign for sign, _ in lines) or (verbose and lines):
            out.append(_output(lines, key))
    return sort_tables(out)


def _same_row(one: dict[str, Value], other: dict[str, Value], epsilon: float, nans: bool) -> bool:
    return all(_equal(one.get(label, Null()), other.get(label, Null()), epsilon, nans) for label in {**one, **other})


def _output(lines: list[tuple[str, dict[str, Value]]], key: tuple[Column, ...]) -> Block:
    def refuse(label: str, value: Value) -> PlacedError:
        return PlacedError(f"testing: column {label} cannot hold {value!r}")

    made = columns_of_records([row for _, row in lines], refuse)
    names = [c.label for c in key]
    rest = tuple(c for c, _ in made.values() if c.label not in names)
    columns = (Column("_diff", ColumnType.STRING), *key, *rest)
    values = {c.label: made[c.label][1] for c in rest}
    key_row = [made[k][1][0] if k in made else None for k in names]
    data: dict[str, Any] = {"_diff": [sign for sign, _ in lines], **values}
    return make_block(columns, tuple(names), [key_row], data, [0] * len(lines))


@PACKAGE.function("<-got want ?verbose ?epsilon ?nansEqual")
def diff(call: Call) -> Value:
    """What differs, as a result of its own."""
    verbose, epsilon = call.bool("verbose", default=False), call.float("epsilon", 1e-6)
    nans = call.bool("nansEqual", default=False)

    def compared(inputs: Sequence[Sequence[Block]], _: object) -> Sequence[Block]:
        return _difference(inputs[0], inputs[1], verbose=verbose, epsilon=epsilon, nans=nans)

    node = call.node(Effect("diff", compared), call.stream("got"), call.stream("want"))
    named = call.node(Yield(_OUTPUT), node.node)
    call.evaluator.add_result(_OUTPUT, named.node)
    return named


@PACKAGE.function("got want")
def assertEqualValues(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Two values, as a difference where they are not equal."""
    got, want = call.value("got"), call.value("want")
    lines: list[tuple[str, dict[str, Value]]] = []
    if not same(got, want):
        lines = [("-", {"v": want}), ("+", {"v": got})]
    blocks = [_output(lines, ())] if lines else []
    named = call.node(Yield(_OUTPUT), call.node(Effect("assertEqualValues", lambda _, __: blocks)).node)
    call.evaluator.add_result(_OUTPUT, named.node)
    return named


@PACKAGE.function("<-got name want")
def assertEquals(call: Call) -> Value:  # noqa: N802 - Flux's name
    """The stream itself, which must equal another."""

    def checked(inputs: Sequence[Sequence[Block]], _: object) -> Sequence[Block]:
        if _difference(inputs[0], inputs[1], verbose=False, epsilon=1e-6, nans=False):
            raise PlacedError(f"test {call.string('name')}: tables are not equal")
        return inputs[0]

    return call.node(Effect("assertEquals", checked), call.stream("got"), call.stream("want"))


@PACKAGE.function("<-tables")
def assertEmpty(call: Call) -> Value:  # noqa: N802 - Flux's name
    """The stream itself, which must have no rows."""

    def checked(inputs: Sequence[Sequence[Block]], _: object) -> Sequence[Block]:
        if any(b.rows.height for b in inputs[0]):
            raise PlacedError("found tables that were not empty")
        return inputs[0]

    return call.node(Effect("assertEmpty", checked), call.stream())
