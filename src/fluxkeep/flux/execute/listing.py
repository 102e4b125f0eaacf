"""Tables about tables: labels, keys, samples, hours.

Source: flux.md §11.1, §11.2.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import polars as pl

from fluxkeep.compute.windows import zone_clock
from fluxkeep.datamodel.tables import TABLE, Block, Column, ColumnType, Stream
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute import shape
from fluxkeep.flux.execute.regroup import by_order
from fluxkeep.instants import HOUR


def _texts(block: Block, label: str, texts: Sequence[str]) -> Block:
    """The key and a string column with the same texts in every table."""
    key = tuple(c for k in block.key for c in block.columns if c.label == k and k != label)
    ids = np.repeat(np.arange(block.table_count, dtype=np.int32), len(texts))
    rows = pl.DataFrame([pl.Series(TABLE, ids), pl.Series(label, list(texts) * block.table_count, dtype=pl.String)])
    keys = block.keys.drop(label, strict=False)
    return Block((*key, Column(label, ColumnType.STRING)), tuple(c.label for c in key), keys, rows)


def columns(blocks: Stream, label: str) -> list[Block]:
    """All labels, a row each."""
    return [_texts(b, label, b.labels) for b in blocks]


def keys(blocks: Stream, label: str) -> list[Block]:
    """The key's labels, a row each."""
    return [_texts(b, label, b.key) for b in blocks]


def key_values(blocks: Stream, labels: Sequence[str]) -> list[Block]:
    """Distinct pairs of a label and its values, row by row."""
    out = []
    for block in blocks:
        found = [c for label in labels for c in block.columns if c.label == label]
        if not found:
            raise InvalidInput(
                f"received table with columns [{' '.join(block.labels)}] not having key columns [{' '.join(labels)}]"
            )
        if len({c.type for c in found}) > 1:
            raise InvalidInput("keyColumns must all be the same type")
        key = tuple(c for k in block.key for c in block.columns if c.label == k)
        parts = [
            pl.DataFrame([block.ids, block.series(c.label).alias("_value")])
            .with_row_index("\0at")
            .with_columns(pl.lit(c.label).alias("_key"), pl.lit(i).alias("\0n"))
            for i, c in enumerate(found)
        ]
        rows = pl.concat(parts).sort(["\0at", "\0n"]).select(TABLE, "_key", "_value").unique(maintain_order=True)
        out.append(
            Block(
                (*key, Column("_key", ColumnType.STRING), Column("_value", found[0].type)), block.key, block.keys, rows
            )
        )
    return out


def best(blocks: Stream, n: int, labels: Sequence[str], *, descending: bool) -> list[Block]:
    """The first n rows in order; tables left empty leave the stream."""
    limited = shape.limit(shape.sort(blocks, labels, descending=descending), n, 0)
    return by_order([b for b in (block.non_empty() for block in limited) if b.table_count])


def sample(blocks: Stream, n: int, position: int, label: str) -> list[Block]:
    """Every n-th row from a position; a random one below n for -1."""
    out = []
    for block in blocks:
        if block.find(label) is None:
            raise InvalidInput(f'no column "{label}" exists')
        start = random.randrange(n) if position < 0 else position  # noqa: S311 - not a secret
        out.append(shape.take_rows(block, shape.position_in_table(block) % n == start))
    return out


def hours(blocks: Stream, start: int, stop: int, zone: str, fixed_ns: int, time: str) -> list[Block]:
    """Rows whose wall clock shows an hour of first..last, over midnight where first is the later."""
    clock = zone_clock(zone)
    out = []
    for block in blocks:
        column = block.find(time)
        if column is None:
            raise InvalidInput(f"invalid time column: {time}")
        times = block.series(time)
        known = times.is_not_null()
        local = clock.local(times.fill_null(0).to_numpy()) + fixed_ns
        hour = (local // HOUR) % 24
        inside = (hour >= start) & (hour <= stop) if start <= stop else (hour >= start) | (hour <= stop)
        out.append(shape.take_rows(block, pl.Series(inside) & known))
    return out
