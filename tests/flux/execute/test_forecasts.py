"""Forecasts of tables: what comes out, when, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from fluxkeep.datamodel.tables import Block, Column, ColumnType, make_block
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.forecasts import Outlook, holt_winters
from fluxkeep.instants import SECOND

COLUMNS = (Column("_time", ColumnType.TIME), Column("t", ColumnType.STRING), Column("_value", ColumnType.FLOAT))


def block(tables: Mapping[str, Sequence[tuple[int, float | None]]]) -> Block:
    rows = [(i, at * SECOND, value) for i, points in enumerate(tables.values()) for at, value in points]
    return make_block(
        COLUMNS,
        ("t",),
        [(name,) for name in tables],
        {"_time": [at for _, at, _ in rows], "_value": [value for _, _, value in rows]},
        [i for i, _, _ in rows],
    )


def test_the_future_of_each_table_and_none_of_short_ones() -> None:
    line = [(10 * i, 5.0) for i in range(6)]
    (found,) = holt_winters([block({"a": line, "b": [(0, 1.0)]})], Outlook(ahead=2, interval=10 * SECOND))
    assert found.labels == ("t", "_time", "_value")
    assert found.sizes().tolist() == [2, 0]
    assert found.rows["_time"].to_list() == [60 * SECOND, 70 * SECOND]
    assert found.rows["_value"].to_list() == pytest.approx([5.0, 5.0], abs=0.1)


def test_the_past_and_the_error_come_where_asked_for() -> None:
    points = [(0, 10.0), (10, 11.5), (14, 99.0), (20, 15.0), (30, None), (40, 26.0), (50, 18.5)]
    outlook = Outlook(ahead=1, interval=10 * SECOND, fit=True, error=True)
    (found,) = holt_winters([block({"a": points})], outlook)
    assert found.labels == ("t", "_time", "_value", "minSSE")
    assert found.rows["_time"].to_list() == [10 * i * SECOND for i in range(7)]
    fitted = found.rows["_value"].to_list()
    # Of a step the first value counts, and a null is a gap.
    past = {0: 10.0, 1: 11.5, 2: 15.0, 4: 26.0, 5: 18.5}
    errors = found.rows["minSSE"].to_list()
    assert errors == pytest.approx([sum((fitted[i] - v) ** 2 for i, v in past.items())] * 7)


def test_seasons_repeat() -> None:
    points = [(10 * i, float([1, 5, 9][i % 3])) for i in range(12)]
    (found,) = holt_winters([block({"a": points})], Outlook(ahead=3, interval=10 * SECOND, season=3))
    low, middle, high = found.rows["_value"].to_list()
    assert low < middle < high


def test_what_is_no_number_or_no_time_is_refused() -> None:
    given = [block({"a": [(0, 1.0), (10, 2.0)]})]
    with pytest.raises(InvalidInput, match="holtWinters can work only on numerical types, got string"):
        holt_winters(given, Outlook(ahead=1, interval=SECOND, column="t"))
    with pytest.raises(InvalidInput, match="cannot find column nope"):
        holt_winters(given, Outlook(ahead=1, interval=SECOND, column="nope"))
    with pytest.raises(InvalidInput, match="cannot find time column t"):
        holt_winters(given, Outlook(ahead=1, interval=SECOND, time="t"))
    far = [block({"a": [(0, 1.0), (10**6, 2.0)]})]
    with pytest.raises(InvalidInput, match="the interval cuts a table into more than 100000 steps"):
        holt_winters(far, Outlook(ahead=1, interval=SECOND))
