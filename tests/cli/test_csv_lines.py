"""CSV to line protocol: every row of cli.md §2.8."""

from __future__ import annotations

import pytest

from fluxkeep.cli.csv_lines import CsvToLines, RowError, parse_go_layout


def convert(text: str) -> tuple[list[str], list[str], list[str]]:
    warnings: list[str] = []
    lines: list[str] = []
    errors: list[str] = []
    for made in CsvToLines(warnings.append).convert(text.splitlines(keepends=True)):
        if isinstance(made, RowError):
            errors.append(str(made))
        else:
            lines.append(made)
    return lines, errors, warnings


def test_the_example_of_the_documentation() -> None:
    lines, errors, _ = convert(
        "#constant measurement,cpu\n#constant tag,dc,eu\n#timezone +0100\n"
        "v|long:strict,t|dateTime:2006-01-02 15:04\n5,2020-01-01 12:00\n"
    )
    assert (lines, errors) == (["cpu,dc=eu v=5i 1577876400000000000"], [])


@pytest.mark.parametrize(
    ("kind", "cell", "shown"),
    [
        ("double", "1.5", "1.5"),
        ("double:,.", '"1.234,5"', "1234.5"),
        ("long", "7", "7i"),
        ("unsignedLong", "7", "7u"),
        ("boolean", "yes", "true"),
        ("boolean", "0", "false"),
        ("boolean:on:off", "on", "true"),
        ("string", '"say ""hi"""', '"say \\"hi\\""'),
        ("duration", "1m", "60000000000i"),
        ("field", "2", "2"),
        ("", "2", "2"),
    ],
)
def test_types(kind: str, cell: str, shown: str) -> None:
    lines, errors, _ = convert(f'#datatype measurement,"{kind}"\nm,f\ncpu,{cell}\n')
    assert errors == []
    assert lines == [f"cpu f={shown}"]


def test_a_fraction_is_cut_with_a_warning_unless_strict() -> None:
    lines, errors, warnings = convert("#datatype measurement,long\nm,l\ncpu,1.9\n")
    assert lines == ["cpu l=1i"]
    assert errors == []
    assert warnings == ["WARNING: line 3: column 'l': '1.9' truncated to '1' to fit into long data type"]
    _, errors, _ = convert("m|measurement,l|long:strict\ncpu,1.9\n")
    assert errors == ["line 2: column 'l': strconv.ParseInt: parsing \"1.9\": invalid syntax"]


def test_errors_name_line_and_column() -> None:
    _, errors, _ = convert("#datatype measurement,long\nm,v\ncpu,zz\n")
    assert errors == ["line 3: column 'v': strconv.ParseInt: parsing \"zz\": invalid syntax"]
    _, errors, _ = convert("a,b\n1,2\n")
    assert errors == ["line 2: no measurement column found"]
    _, errors, _ = convert("m|measurement,b|boolean\ncpu,x\n")
    assert errors == [
        "line 2: column 'b': Unsupported boolean value 'x' , first character is expected to be 't','f','0','1','y','n'"
    ]


def test_flux_answers_keep_grouped_tags() -> None:
    lines, _, _ = convert(
        "#group,false,false,true,true,false,false,true\n"
        "#datatype,string,long,dateTime:RFC3339,string,dateTime:RFC3339,double,string\n#default,_result,,,,,,\n"
        ",result,table,_start,_measurement,_time,_value,_field\n"
        ",,0,2020-01-01T00:00:00Z,cpu,2020-01-01T00:00:01Z,1.5,user\n"
    )
    assert lines == ["cpu user=1.5 1577836801000000000"]


def test_concat_defaults_separator_and_sorted_escaped_tags() -> None:
    lines, _, _ = convert("sep=;\n#concat measurement;m_${kind}\nkind;z tag|tag;a|tag|none;f|double\nx;1 2;;3\n")
    assert lines == ["m_x,a=none,z\\ tag=1\\ 2 kind=x,f=3"]


def test_go_layouts() -> None:
    import datetime as dt

    assert parse_go_layout("02/Jan/2006:15:04:05 -0700", "10/Oct/2000:13:55:36 -0700", dt.UTC) == 971211336000000000
    assert parse_go_layout("3:04 PM 2.1.2006", "1:05 PM 3.2.2021", dt.UTC) == 1612357500000000000
    with pytest.raises(ValueError, match="cannot parse"):
        parse_go_layout("2006-01-02", "yesterday", dt.UTC)
