"""Windows without points."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxkeep.influxql.execute.fill import fill_windows
from fluxkeep.influxql.execute.windows import Windows
from fluxkeep.influxql.syntax.ast import Fill

EVERY = 10


def values(rows: list[tuple[int, int, object]], dtype: pl.DataType) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"g": pl.UInt32(), "time": pl.Int64(), "v": dtype}, orient="row")


def filled(
    frame: pl.DataFrame, fill: Fill, value: float | None = None, *, counting: bool = False, descending: bool = False
) -> list[tuple[object, ...]]:
    windows = Windows(EVERY, 0, None, 0, 49)
    return fill_windows(frame, windows, fill, value, counting=counting, descending=descending).rows()


@pytest.mark.parametrize(
    ("fill", "value", "expected"),
    [
        (Fill.NULL, None, [None, 4, None, 9, None]),
        (Fill.NUMBER, 7.9, [7, 4, 7, 9, 7]),
        (Fill.PREVIOUS, None, [None, 4, 4, 9, 9]),
        (Fill.LINEAR, None, [None, 4, 6, 9, None]),
    ],
)
def test_integers(fill: Fill, value: float | None, expected: list[int | None]) -> None:
    frame = values([(0, 10, 4), (0, 30, 9)], pl.Int64())
    assert [v for _, _, v in filled(frame, fill, value)] == expected


def test_counts_are_zero_where_nothing_is() -> None:
    frame = values([(0, 10, 4)], pl.Int64())
    assert [v for _, _, v in filled(frame, Fill.NULL, counting=True)] == [0, 4, 0, 0, 0]


def test_numbers_in_other_types() -> None:
    assert [v for *_, v in filled(values([(0, 0, "a")], pl.String()), Fill.NUMBER, 3)][1:] == [""] * 4
    assert [v for *_, v in filled(values([(0, 0, True)], pl.Boolean()), Fill.NUMBER, 3)][1:] == [False] * 4
    unsigned = filled(values([(0, 0, 1)], pl.UInt64()), Fill.NUMBER, -1)
    assert unsigned[1] == (0, 10, (1 << 64) - 1)


def test_a_group_without_rows_stays_without() -> None:
    assert filled(values([], pl.Float64()), Fill.NUMBER, 1) == []
    frame = values([(3, 10, 1.0)], pl.Float64())
    assert {g for g, _, _ in filled(frame, Fill.NULL)} == {3}


def test_descending_looks_at_what_was_later() -> None:
    frame = values([(0, 30, 9), (0, 10, 4)], pl.Int64())
    found = filled(frame, Fill.PREVIOUS, descending=True)
    assert [(t, v) for _, t, v in found] == [(40, None), (30, 9), (20, 9), (10, 4), (0, 4)]


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 2), st.integers(0, 9)), st.floats(-9, 9, width=32), min_size=1, max_size=12
    ),
    st.sampled_from([Fill.NULL, Fill.PREVIOUS, Fill.LINEAR]),
    st.booleans(),
)
@settings(deadline=None)
def test_stepping_window_by_window_gives_the_same(
    points: dict[tuple[int, int], float], fill: Fill, descending: bool
) -> None:
    rows = sorted(
        ((g, at * EVERY, v) for (g, at), v in points.items()), key=lambda r: (r[0], -r[1] if descending else r[1])
    )
    frame = values(list(rows), pl.Float64())
    spaced = Windows(EVERY, 0, None, 0, 99)
    # A zone with clock changes, though none near these instants, makes the windows be walked.
    walked = Windows(EVERY, 0, "Europe/Berlin", 0, 99)
    answers = [
        fill_windows(frame, w, fill, None, counting=False, descending=descending).rows() for w in (spaced, walked)
    ]
    assert answers[0] == answers[1]
