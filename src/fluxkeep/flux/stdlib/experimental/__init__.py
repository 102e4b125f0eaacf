"""`experimental`: functions on their way into the library, and typed forms of others.

Source: flux.md §14.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from fluxkeep.datamodel.tables import ORDER, Block, Column, ColumnType
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute import shape
from fluxkeep.flux.execute.regroup import piece_of, piece_of_rows, rebuild
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Builtin, Time, UInt, Value, kind_of
from fluxkeep.flux.plan.graph import Transform
from fluxkeep.flux.stdlib import date, universe
from fluxkeep.flux.stdlib.influxdata.influxdb import writing
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("experimental")


def _typed(name: str, signature: str) -> None:
    """The universe's function with its column fixed to `_value`."""
    builtin: Builtin = universe.PACKAGE.functions[name]
    PACKAGE.function(signature, name)(builtin.run)


for _name in ("count", "sum", "mean", "min", "max", "first", "last", "distinct", "unique", "mode", "skew", "spread"):
    _typed(_name, "<-tables")
_typed("stddev", "<-tables ?mode")
_typed("quantile", "<-tables q ?compression ?method")
_typed("histogram", "<-tables bins ?normalize")
_typed("histogramQuantile", "<-tables ?quantile ?minValue")
_typed("integral", "<-tables ?unit ?interpolate")
_typed("fill", "<-tables ?value ?usePrevious")
_typed("kaufmansAMA", "<-tables n")
_typed("window", "<-tables ?every ?period ?offset ?location ?createEmpty")


PACKAGE.function("<-tables ?bucket ?bucketID ?org ?orgID ?host ?token", "to")(writing.PART.functions["wideTo"].run)


@PACKAGE.function("<-tables columns mode")
def group(call: Call) -> Value:
    """More columns in the key."""
    mode, columns = call.string("mode"), call.strings("columns")
    if mode != "extend":
        raise InvalidInput(f'invalid group mode "{mode}"; experimental.group requires mode "extend"')

    def extended(blocks: Sequence[Block]) -> list[Block]:
        pieces = []
        for block in blocks:
            for label in columns:
                if block.find(label) is None:
                    raise InvalidInput(f'unknown column "{label}"')
            pieces.append(piece_of(block, tuple(dict.fromkeys([*block.key, *columns]))))
        return rebuild(pieces)

    return call.node(Transform("group", extended), call.stream())


@PACKAGE.function("<-tables o")
def set_(call: Call) -> Value:
    """Several columns with one value each."""
    values = call.record("o")

    def changed(blocks: Sequence[Block]) -> list[Block]:
        out = []
        for block in blocks:
            for label, value in values.items():
                block = _with_constant(block, label, value)
            out.append(block)
        return shape.merge_equal_keys(out)

    return call.node(Transform("set", changed), call.stream())


def _with_constant(block: Block, label: str, value: Value) -> Block:
    kind = next((t for t in ColumnType if t.value == kind_of(value)), None)
    if kind is None:
        raise InvalidInput(f"cannot set column {label} to a value of type {kind_of(value)}")
    plain = int(value) if isinstance(value, UInt | Time) else value
    constant = pl.Series(label, [plain], dtype=kind.polars)
    if label in block.key:
        columns = tuple(Column(label, kind) if c.label == label else c for c in block.columns)
        keys = block.keys.with_columns(constant.new_from_index(0, block.keys.height))
        return Block(columns, block.key, keys, block.rows)
    return shape.set_column(block, Column(label, kind), constant.new_from_index(0, block.rows.height))


@PACKAGE.function("o")
def objectKeys(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A record's labels."""
    return list(call.record("o"))


PACKAGE.function("d to ?location", "addDuration")(date.PACKAGE.functions["add"].run)
PACKAGE.function("d from ?location", "subDuration")(date.PACKAGE.functions["sub"].run)


@PACKAGE.function("<-tables ?alignTo")
def alignTime(call: Call) -> Value:  # noqa: N802 - Flux's name
    """Each table's first time moved to one instant, the others along."""
    target = call.time("alignTo", Time(0))

    def aligned(blocks: Sequence[Block]) -> list[Block]:
        out = []
        for block in blocks:
            filled = block.non_empty()
            starts = filled.rows.group_by(filled.rows.columns[0], maintain_order=True).agg(pl.col("_time").min())[
                "_time"
            ]
            times = filled.rows["_time"] + (target - starts).gather(filled.ids)
            rows = filled.rows.with_columns(times.alias("_time"))
            columns = tuple(sorted(filled.columns, key=lambda c: c.label))
            out.append(Block(columns, filled.key, filled.keys, rows))
        return out

    return call.node(Transform("alignTime", aligned), call.stream())


@PACKAGE.function("first second")
def chain(call: Call) -> Value:
    """The first stream run to its end, then the second."""
    call.evaluator.demand(call.stream("first"))
    return call.value("second")


@PACKAGE.function("<-tables ?nrows ?ntables")
def preview(call: Call) -> Value:
    """The first rows of the first tables."""
    rows, tables = call.int("nrows", 5), call.int("ntables", 5)

    def previewed(blocks: Sequence[Block]) -> list[Block]:
        first = []
        for block in blocks:
            near = block.keys[ORDER].to_numpy() < tables
            if near.any():
                first.append(block.select_tables(near))
        return shape.limit(first, rows, 0)

    return call.node(Transform("preview", previewed), call.stream())


@PACKAGE.function("<-tables ?otherColumns")
def unpivot(call: Call) -> Value:
    """A table for each value column; nulls left out."""
    others = call.strings("otherColumns", ["_time"])
    return call.node(Transform("unpivot", lambda blocks: _unpivoted(blocks, others)), call.stream())


def _unpivoted(blocks: Sequence[Block], others: Sequence[str]) -> list[Block]:
    pieces = []
    for block in blocks:
        fixed = [c for c in block.columns if c.label in block.key or c.label in others]
        for number, column in enumerate(c for c in block.columns if c not in fixed):
            values = block.rows[column.label]
            known = np.flatnonzero(values.is_not_null().to_numpy())
            frame = pl.DataFrame(
                [
                    block.keys[ORDER].gather(block.ids) * 1024 + number,
                    *(block.series(c.label).alias(c.label) for c in fixed),
                    pl.Series("_field", [column.label], dtype=pl.String).new_from_index(0, len(values)),
                    values.alias("_value"),
                ]
            )[known]
            key = tuple(c for c in fixed if c.label in block.key)
            rest = tuple(c for c in fixed if c not in key)
            columns = (*key, Column("_field", ColumnType.STRING), *rest, Column("_value", column.type))
            pieces.append(piece_of_rows(columns, (*block.key, "_field"), frame))
    return rebuild(pieces)
