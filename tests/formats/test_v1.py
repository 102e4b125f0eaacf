"""Answers of the v1 endpoint to the byte."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from fluxkeep.formats.v1 import (
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
