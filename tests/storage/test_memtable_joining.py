"""Chunks of a partition: joined however writers interleave, in order, and never across one that waits."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.ids import BucketID
from fluxkeep.storage.columns import Column, Rows
from fluxkeep.storage.memtable import Chunk, Partition
from fluxkeep.storage.series_index import SeriesIndex
from fluxkeep.storage.shards import Shard


def _partition() -> Partition:
    return Partition(Shard(1, BucketID("0" * 15 + "1"), 0, 1 << 40), SeriesIndex("m"))


def _add(partition: Partition, number: int) -> Chunk:
    column = Column(FieldType.INTEGER, np.array([number], np.int64), None)
    return partition.add(Rows(np.zeros(1, np.uint32), np.array([number], np.int64), {"v": column}), pending=True)


def _values(partition: Partition) -> list[int]:
    return [int(v) for rows in partition.visible() for v in np.asarray(rows.columns["v"].values)]


@given(order=st.lists(st.integers(0, 15), min_size=1, max_size=400), lost=st.sets(st.integers(0, 400), max_size=20))
def test_visible_rows_are_the_durable_ones_in_order(order: list[int], lost: set[int]) -> None:
    partition = _partition()
    waiting: list[tuple[int, Chunk]] = []
    durable: list[int] = []
    for number, pick in enumerate(order):
        waiting.append((number, _add(partition, number)))
        if len(waiting) > pick:
            settled, chunk = waiting.pop(pick)
            partition.settle(chunk, durable=settled not in lost)
            durable += [] if settled in lost else [settled]
        assert _values(partition) == sorted(durable)


def test_writers_side_by_side_leave_few_chunks() -> None:
    partition = _partition()
    waiting = [_add(partition, number) for number in range(16)]
    for number in range(16, 5_000):
        partition.settle(waiting.pop(0), durable=True)
        waiting.append(_add(partition, number))
    assert len(partition.visible()) < 150
    assert _values(partition) == list(range(5_000 - 16))
