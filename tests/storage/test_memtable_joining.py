"""Chunks of a partition: joined and sorted however writers and readers interleave, never across one that waits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.ids import BucketID
from fluxkeep.storage import memtable
from fluxkeep.storage.columns import Column, Rows
from fluxkeep.storage.memtable import Chunk, Partition
from fluxkeep.storage.series_index import SeriesIndex
from fluxkeep.storage.shards import Shard


def _partition() -> Partition:
    index = SeriesIndex("m")
    index.ids([()])
    return Partition(Shard(1, BucketID("0" * 15 + "1"), 0, 1 << 40), index)


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


@given(
    order=st.lists(st.integers(0, 9), min_size=1, max_size=300),
    lost=st.sets(st.integers(0, 300), max_size=20),
    arranged=st.sets(st.integers(0, 300), max_size=60),
    deleted=st.sets(st.integers(0, 300), max_size=3),
)
def test_sorting_changes_nothing_visible(
    order: list[int], lost: set[int], arranged: set[int], deleted: set[int]
) -> None:
    partition = _partition()
    waiting: list[tuple[int, Chunk]] = []
    durable: list[int] = []

    def settle(pick: int) -> None:
        settled, chunk = waiting.pop(pick)
        partition.settle(chunk, durable=settled not in lost)
        durable.extend([] if settled in lost else [settled])

    for number, pick in enumerate(order):
        waiting.append((number, _add(partition, number)))
        if len(waiting) > pick:
            settle(pick)
        if number in arranged:
            partition.arrange(1)
        if number in deleted:
            # Deletes wait until nothing is pending.
            while waiting:
                settle(0)
            partition.filter(np.ones(1, np.bool_), number // 2, number)
            durable = [n for n in durable if not number // 2 <= n < number]
        assert _values(partition) == sorted(durable)
        runs, loose = partition.snapshot()
        assert sum(map(len, runs)) + sum(map(len, loose)) == len(durable)


def test_runs_stay_few_and_big() -> None:
    partition = _partition()
    for number in range(5_000):
        partition.settle(_add(partition, number), durable=True)
        if number % 7 == 0:
            partition.arrange(4)
    runs, _ = partition.snapshot()
    sizes = [len(run) for run in runs]
    assert len(sizes) < 12
    assert sizes == sorted(sizes, reverse=True)
    assert _values(partition) == list(range(5_000))


def test_a_delete_during_sorting_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    partition = _partition()
    for number in range(8):
        partition.settle(_add(partition, number), durable=True)
    sorted_ = memtable._sorted

    def delete_meanwhile(chunks: Sequence[Chunk], index: SeriesIndex) -> Chunk:
        made = sorted_(chunks, index)
        partition.filter(np.ones(1, np.bool_), 0, 4)
        return made

    monkeypatch.setattr(memtable, "_sorted", delete_meanwhile)
    partition.arrange(1)
    assert _values(partition) == [4, 5, 6, 7]
