"""Annotated CSV both ways: schema blocks, empty tables, quoting, spelling of values, refusals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.datamodel.tables import Block, Column, ColumnType, Result, Value, make_block
from fluxkeep.errors import InvalidInput
from fluxkeep.formats.annotated_csv import Dialect, decode, decode_raw, encode, encode_error, format_float


def text(results: list[Result], dialect: Dialect | None = None) -> str:
    chosen = Dialect(annotations=("datatype", "group", "default")) if dialect is None else dialect
    return b"".join(encode(results, chosen)).decode()


def one_column(kind: ColumnType, values: list[Value]) -> Block:
    return make_block((Column("_value", kind),), (), [()], {"_value": values}, [0] * len(values))


CPU = (Column("host", ColumnType.STRING), Column("_time", ColumnType.TIME), Column("_value", ColumnType.FLOAT))


def test_tables_of_one_shape_share_a_header_and_empty_tables_stand_alone() -> None:
    block = make_block(
        CPU,
        ("host",),
        [("a",), ("b",), ("c",)],
        {"_time": [0, 1_500_000_000, 0], "_value": [1.0, None, 2.5]},
        [0, 0, 2],
    )
    assert text([Result("_result", [block])]).split("\r\n") == [
        "#datatype,string,long,string,dateTime:RFC3339,double",
        "#group,false,false,true,false,false",
        "#default,_result,,,,",
        ",result,table,host,_time,_value",
        ",,0,a,1970-01-01T00:00:00Z,1",
        ",,0,a,1970-01-01T00:00:01.5Z,",
        "",
        "#datatype,string,long,string,dateTime:RFC3339,double",
        "#group,false,false,true,false,false",
        "#default,_result,1,b,,",
        ",result,table,host,_time,_value",
        "",
        "#datatype,string,long,string,dateTime:RFC3339,double",
        "#group,false,false,true,false,false",
        "#default,_result,,,,",
        ",result,table,host,_time,_value",
        ",,2,c,1970-01-01T00:00:00Z,2.5",
        "",
        "",
    ]


def test_interleaved_shapes_change_the_header_each_time() -> None:
    ints = make_block((Column("v", ColumnType.INT),), (), [(), ()], {"v": [1, 3]}, [0, 1], [0, 2])
    words = make_block((Column("v", ColumnType.STRING),), (), [()], {"v": ["two"]}, [0], [1])
    lines = text([Result("r", [ints, words])], Dialect()).split("\r\n")
    assert lines == [
        ",result,table,v",
        ",r,0,1",
        "",
        ",result,table,v",
        ",r,1,two",
        "",
        ",result,table,v",
        ",r,2,3",
        "",
        "",
    ]


def test_a_result_without_tables_is_an_empty_line() -> None:
    assert text([Result("a", []), Result("b", [])]) == "\r\n\r\n"


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        (ColumnType.FLOAT, 1e21, "1000000000000000000000"),
        (ColumnType.FLOAT, 1e-7, "0.0000001"),
        (ColumnType.FLOAT, math.nan, "NaN"),
        (ColumnType.FLOAT, math.inf, "+Inf"),
        (ColumnType.FLOAT, -math.inf, "-Inf"),
        (ColumnType.FLOAT, -0.0, "-0"),
        (ColumnType.INT, -(2**63), "-9223372036854775808"),
        (ColumnType.UINT, 2**64 - 1, "18446744073709551615"),
        (ColumnType.BOOL, True, "true"),
        (ColumnType.TIME, -5, "1969-12-31T23:59:59.999999995Z"),
        (ColumnType.STRING, 'say "hi"', '"say ""hi"""'),
        (ColumnType.STRING, "a,b", '"a,b"'),
        (ColumnType.STRING, "a\nb", '"a\r\nb"'),
        (ColumnType.STRING, " lead", '" lead"'),
        (ColumnType.STRING, "trail ", "trail "),
        (ColumnType.STRING, "\\.", '"\\."'),
        (ColumnType.STRING, "", ""),
    ],
)
def test_spelling_of_values(kind: ColumnType, value: Value, cell: str) -> None:
    body = text([Result("", [one_column(kind, [value])])], Dialect(header=False))
    assert body == f",,0,{cell}\r\n\r\n"


def test_another_delimiter_is_what_needs_quotes() -> None:
    body = text([Result("", [one_column(ColumnType.STRING, ["a,b", "a;b"])])], Dialect(header=False, delimiter=";"))
    assert body == ';;0;a,b\r\n;;0;"a;b"\r\n\r\n'


def test_error_tables() -> None:
    assert encode_error("it broke, badly", Dialect(annotations=("group",)), after_tables=True) == (
        b'\r\n#group,true,true\r\n,error,reference\r\n,"it broke, badly",\r\n'
    )
    assert encode_error("x", Dialect(), after_tables=False) == b",error,reference\r\n,x,\r\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (",result,table,v\n,,0,1\n", "missing expected annotation datatype. consider using the mode"),
        ("#datatype,string,long,long\n#default,,,\n,result,table,v\n,,0,1\n", "missing expected annotation group"),
        (
            "#datatype,string,long,thing\n#group,false,false,false\n#default,,,\n,result,table,v\n,,0,1\n",
            'column "v" has invalid datatype: unsupported data type "thing"',
        ),
        ("#datatype,string,long,long\n#group,false,false,false\n#default,,,\n", "missing expected header row"),
        ("#datatype,string,string\n#group,true,true\n#default,,\n,error,reference\n,it broke,1\n", "it broke"),
    ],
)
def test_refusals(source: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        decode(source)


def test_raw_text_is_one_table_of_strings() -> None:
    blocks = decode_raw("a,b\n1,\n2,x\n")
    assert [b.frame(["a", "b"]).rows() for b in blocks] == [[(0, "1", None), (0, "2", "x")]]


CELLS: dict[ColumnType, st.SearchStrategy[Value]] = {
    ColumnType.BOOL: st.booleans(),
    ColumnType.INT: st.integers(-(2**63), 2**63 - 1),
    ColumnType.UINT: st.integers(0, 2**64 - 1),
    ColumnType.FLOAT: st.floats(allow_nan=False),
    # An empty text reads back as null, a carriage return is dropped: both on purpose.
    ColumnType.STRING: st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), min_size=1),
    ColumnType.TIME: st.integers(-(2**63) + 10**10, 2**63 - 10**10),
}


@given(st.data(), st.sampled_from(list(ColumnType)), st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_what_is_written_reads_back(data: st.DataObject, kind: ColumnType, sizes: list[int]) -> None:
    ids = [i for i, size in enumerate(sizes) for _ in range(size)]
    values = data.draw(st.lists(st.none() | CELLS[kind], min_size=len(ids), max_size=len(ids)))
    columns = (Column("k", ColumnType.INT), Column("v", kind))
    block = make_block(columns, ("k",), [(i,) for i in range(len(sizes))], {"v": values}, ids)
    (result,) = decode(text([Result("r", [block])]))
    assert result.name == "r"
    (back,) = result.blocks
    assert back.columns == columns
    assert back.keys["k"].to_list() == list(range(len(sizes)))
    assert back.rows.rows() == block.rows.rows()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_have_no_exponent_and_read_back(value: float) -> None:
    spelled = format_float(value)
    assert "e" not in spelled
    assert float(spelled) == value
