"""Joins are made slice by slice, so that what is too large can be stopped."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxkeep.datamodel.memory_account import MemoryAccount
from fluxkeep.datamodel.tables import Block, Column, ColumnType, make_block
from fluxkeep.errors import Abandoned, InvalidInput
from fluxkeep.flux.execute import joins

COLUMNS = (Column("k", ColumnType.INT), Column("v", ColumnType.INT))
KEYS = st.lists(st.none() | st.integers(0, 3), max_size=12)


def table(keys: list[int | None]) -> list[Block]:
    return [make_block(COLUMNS, (), [()], {"k": keys, "v": range(len(keys))}, [0] * len(keys))]


def rows(blocks: list[Block]) -> list[tuple[object, ...]]:
    return [row for block in blocks for row in block.frame(sorted(block.labels)).drop("\0table").iter_rows()]


@given(KEYS, KEYS, st.integers(1, 5))
@settings(deadline=None)
def test_slices_make_no_difference(left: list[int | None], right: list[int | None], size: int) -> None:
    whole = rows(joins.join(table(left), table(right), "l", "r", ["k"], lambda _: None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joins, "_SLICE_ROWS", size)
        sliced = rows(joins.join(table(left), table(right), "l", "r", ["k"], lambda _: None))
    assert sliced == whole
    assert len(whole) == sum(1 for a in left for b in right if a is not None and a == b)


def test_a_client_that_leaves_stops_a_join_between_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "_SLICE_ROWS", 100)
    told: list[int] = []

    def leave(held: int) -> None:
        told.append(held)
        if len(told) == 3:
            raise Abandoned

    with pytest.raises(Abandoned):
        joins.join(table([1] * 50), table([1] * 50), "l", "r", ["k"], leave)
    assert 0 < told[0] < told[1] < told[2]


def test_a_join_is_refused_before_all_of_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "_SLICE_ROWS", 1_000)
    account = MemoryAccount(50_000)
    with pytest.raises(InvalidInput, match="memory allocation limit reached: limit 50000 bytes, allocated: 0"):
        joins.join(table([1] * 1_000), table([1] * 1_000), "l", "r", ["k"], account.require)
    assert account.used_bytes == 0


def test_slices_hold_about_as_many_pairs_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "_SLICE_ROWS", 10)
    left, right = pl.DataFrame({"k": [1, 1, 2, 3, 1, 1]}), pl.DataFrame({"k": [1] * 6 + [2]})
    slices = joins._slices(left, right, ["k"])
    assert [a for a, _ in slices][1:] == [b for _, b in slices][:-1]
    assert slices[0][0] == 0
    assert slices[-1][1] == left.height
    assert len(slices) > 1
