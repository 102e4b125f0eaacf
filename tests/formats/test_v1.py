"""Answers of the v1 endpoint to the byte."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxkeep.formats.v1 import (
    Cut,
    Result,
    Series,
    encode_csv,
    encode_json,
    encode_json_chunks,
    encode_msgpack,
    format_times,
    merge,
    scale_times,
)

SECOND = 1_000_000_000


def series(*, partial: bool = False, times: tuple[int, ...] = (SECOND, 2 * SECOND), **more: Any) -> Series:
    data: list[list[Any]] = [list(times), [1.0, 2.5][: len(times)]]
    return Series(name="m", columns=["time", "v"], data=data, timed=True, partial=partial, **more)


def test_json_document() -> None:
    results = [
        Result(statement_id=0, series=[series(tags={"host": "a"})]),
        Result(statement_id=1),
        Result(statement_id=2, error="no"),
    ]
    assert encode_json(results, "") == (
        b'{"results":[{"statement_id":0,"series":[{"name":"m","tags":{"host":"a"},"columns":["time","v"],'
        b'"values":[["1970-01-01T00:00:01Z",1],["1970-01-01T00:00:02Z",2.5]]}]},'
        b'{"statement_id":1},{"statement_id":2,"error":"no"}]}\n'
    )


def test_json_without_statements_that_answer() -> None:
    assert encode_json([], "") == b"{}\n"
    assert list(encode_json_chunks([], "")) == [b"{}\n"]


def test_series_without_name_and_without_rows() -> None:
    empty = Series(columns=["name"], data=[])
    assert json.loads(encode_json([Result(statement_id=0, series=[empty])], "")) == {
        "results": [{"statement_id": 0, "series": [{"columns": ["name"]}]}]
    }


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.0, "1"),
        (-0.5, "-0.5"),
        (1e21, "1e21"),
        (1e-7, "1e-7"),
        (123456789012345680.0, "123456789012345680"),
        (float("nan"), "null"),
        (None, "null"),
    ],
)
def test_floats_in_json(value: float | None, written: str) -> None:
    column = Series(name="m", columns=["v"], data=[[0.5, value]])
    body = encode_json([Result(statement_id=0, series=[column])], "").decode()
    assert f"[[0.5],[{written}]]" in body


@pytest.mark.parametrize(("value", "sign"), [(float("inf"), "+"), (float("-inf"), "-")])
def test_an_infinity_turns_the_statement_into_an_error(value: float, sign: str) -> None:
    column = Series(name="m", columns=["v"], data=[[value]])
    body = encode_json([Result(statement_id=3, series=[column])], "")
    assert json.loads(body) == {"results": [{"statement_id": 3, "error": f"json: unsupported value: {sign}Inf"}]}


def test_what_a_browser_could_take_for_html_is_escaped() -> None:
    column = Series(name="m", columns=["s"], data=[["<a&b>\u2028"]])
    body = encode_json([Result(statement_id=0, series=[column])], "")
    assert b'"\\u003ca\\u0026b\\u003e\\u2028"' in body
    assert json.loads(body)["results"][0]["series"][0]["values"] == [["<a&b>\u2028"]]


def test_times() -> None:
    assert format_times([0, 1, SECOND // 2, -1], None) == [
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.000000001Z",
        "1970-01-01T00:00:00.5Z",
        "1969-12-31T23:59:59.999999999Z",
    ]
    assert format_times([1_679_785_200 * SECOND], "Europe/Berlin") == ["2023-03-26T00:00:00+01:00"]
    assert format_times([1_679_785_200 * SECOND], "America/St_Johns") == ["2023-03-25T20:30:00-02:30"]
    assert format_times([0], "Africa/Abidjan") == ["1970-01-01T00:00:00Z"]


def test_scaled_times_are_cut_towards_zero() -> None:
    assert scale_times([1_999_999_999, -1_999_999_999], "s") == [1, -1]
    assert scale_times([1_999_999_999], "ms") == [1999]
    assert scale_times([1_999_999_999], "x") == [1_999_999_999]


def test_chunks_are_documents_and_merge_joins_them() -> None:
    parts = [
        Result(statement_id=0, series=[series(times=(SECOND,), partial=True)], partial=True),
        Result(statement_id=0, series=[series(times=(2 * SECOND,))], partial=True),
        Result(statement_id=0, series=[series(times=(3 * SECOND,), tags={"a": "b"})]),
        Result(statement_id=1),
    ]
    documents = [json.loads(d) for d in encode_json_chunks(parts, "s")]
    assert [d["results"][0].get("partial") for d in documents] == [True, True, None, None]
    assert documents[0]["results"][0]["series"][0]["partial"] is True
    whole = json.loads(encode_json(merge(parts), "s"))
    assert [r["statement_id"] for r in whole["results"]] == [0, 1]
    assert [s["values"] for s in whole["results"][0]["series"]] == [[[1, 1], [2, 1]], [[3, 1]]]
    assert "partial" not in str(whole)


def test_csv() -> None:
    results = [
        Result(statement_id=0, series=[series(tags={"host": "a", "z z": "b,c"})]),
        Result(statement_id=1),
        Result(statement_id=2, error="no"),
        Result(
            statement_id=3,
            series=[
                Series(name="n", columns=["k", "x"], data=[['say "hi"', None, " lead"], [True, False, None]]),
                Series(name="n", columns=["k"], data=[["two\nlines"]]),
            ],
        ),
    ]
    assert b"".join(encode_csv(results, "")).decode() == (
        "name,tags,time,v\n"
        'm,"host=a,z\\ z=b\\,c",1000000000,1\n'
        'm,"host=a,z\\ z=b\\,c",2000000000,2.5\n'
        "\n"
        "name,tags,k,x\n"
        'n,,"say ""hi""",true\n'
        "n,,,false\n"
        'n,," lead",\n'
        "\n"
        "name,tags,k\n"
        'n,,"two\nlines"\n'
    )


@pytest.mark.parametrize(
    ("value", "written"), [(1e21, "1000000000000000000000"), (1e-7, "0.0000001"), (float("nan"), "NaN"), (3, "3")]
)
def test_numbers_in_csv(value: float, written: str) -> None:
    column = Series(name="m", columns=["v"], data=[[value]])
    assert b"".join(encode_csv([Result(statement_id=0, series=[column])], "")).decode().endswith(f"m,,{written}\n")


def test_msgpack() -> None:
    body = encode_msgpack(
        [Result(statement_id=0, series=[series(times=(SECOND + 5,))]), Result(statement_id=1, error="no")], ""
    )
    decoded = msgspec.msgpack.decode(body)
    time = decoded["results"][0]["series"][0]["values"][0][0]
    assert (time.code, bytes(time.data)) == (5, (1).to_bytes(8, "big") + (5).to_bytes(4, "big"))
    assert decoded["results"][1] == {"error": "no"}
    assert msgspec.msgpack.decode(encode_msgpack([Result(statement_id=0, series=[series()])], "s"))["results"][0][
        "series"
    ][0]["values"] == [[1, 1.0], [2, 2.5]]


# --- series cut from common columns -----------------------------------------------------------------------------

FLOATS = st.none() | st.floats(allow_infinity=False) | st.integers(-(1 << 70), 1 << 70).map(float)
COLUMNS = st.lists(
    st.tuples(
        st.integers(-(1 << 62), 1 << 62),
        FLOATS,
        st.none() | st.integers(-(1 << 63), (1 << 63) - 1),
        st.none() | st.booleans(),
        st.none() | st.text(max_size=3),
    ),
    min_size=1,
    max_size=12,
)
DTYPES = (pl.Int64, pl.Float64, pl.Int64, pl.Boolean, pl.String)


@settings(deadline=None)
@given(
    rows=COLUMNS,
    edges=st.lists(st.integers(0, 12), max_size=3),
    epoch=st.sampled_from(["", "ns", "u", "s", "h"]),
    location=st.sampled_from([None, "Europe/Berlin"]),
)
def test_series_cut_from_common_columns_are_written_as_those_that_have_their_own(
    rows: list[tuple[Any, ...]], edges: list[int], epoch: str, location: str | None
) -> None:
    common = [pl.Series(values, dtype=dtype) for values, dtype in zip(zip(*rows, strict=True), DTYPES, strict=True)]
    bounds = sorted({0, len(rows), *(edge for edge in edges if edge < len(rows))})
    cuts: list[Series] = []
    own: list[Series] = []
    for start, stop in itertools.pairwise(bounds):
        lists = [list(values) for values in zip(*rows[start:stop], strict=True)]
        one = Series(name=f"m{start}", columns=list("tfibs"), data=lists, timed=True, location=location)
        own.append(one)
        cuts.append(replace(one, data=Cut(common, start, stop)))
    # As texts, in which a NaN equals itself.
    assert str([one.lists() for one in cuts]) == str([one.lists() for one in own])
    for encode in (
        encode_json,
        encode_msgpack,
        lambda results, epoch: b"".join(encode_csv(results, epoch)),
        lambda results, epoch: b"".join(encode_json_chunks(results, epoch)),
    ):
        written = [encode([Result(statement_id=0, series=series)], epoch) for series in (cuts, own)]
        assert written[0] == written[1]


def test_an_infinity_refuses_the_part_that_it_is_in_and_no_other() -> None:
    common = [pl.Series([1, 2, 3]), pl.Series([1.0, float("-inf"), 3.0]), pl.Series([1.0, 2.0, float("inf")])]
    parts = [
        Result(statement_id=0, series=[Series(name="m", columns=["time", "a", "b"], data=Cut(common, at, at + 1))])
        for at in range(3)
    ]
    assert [json.loads(document)["results"][0].get("error") for document in encode_json_chunks(parts, "ns")] == [
        None,
        "json: unsupported value: -Inf",
        "json: unsupported value: +Inf",
    ]


def test_parts_of_common_columns_that_follow_each_other_are_joined_without_looking_at_values() -> None:
    common = [pl.Series([1, 2, 3]), pl.Series([1.5, 2.5, 3.5])]

    def part(start: int, stop: int, *, partial: bool) -> Result:
        series = Series(name="m", columns=["time", "v"], data=Cut(common, start, stop), partial=partial)
        return Result(statement_id=0, series=[series], partial=partial)

    (whole,) = merge([part(0, 1, partial=True), part(1, 3, partial=False)])
    assert whole.series[0].data == Cut(common, 0, 3)
    assert whole.series[0].row_count == 3
    (apart,) = merge([part(0, 1, partial=True), part(2, 3, partial=False)])
    assert apart.series[0].lists() == [[1, 3], [1.5, 3.5]]
