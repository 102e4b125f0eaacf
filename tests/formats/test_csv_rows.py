"""The native encoder of rows agrees with cells that are spelled one by one."""

from __future__ import annotations

import csv
import io
import itertools
import struct
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fluxkeep.datamodel.tables import Block, Column, ColumnType, Result, Value, make_block
from fluxkeep.formats import _csv_rows
from fluxkeep.formats.annotated_csv import Dialect, encode, format_column, format_float
from fluxkeep.formats.csv_rows import BlockRows
from fluxkeep.instants import MAX_TIME_NS, MIN_TIME_NS

VALUES: dict[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.BOOL: st.booleans(),
    ColumnType.INT: st.integers(-(1 << 63), (1 << 63) - 1),
    ColumnType.UINT: st.integers(0, (1 << 64) - 1),
    ColumnType.FLOAT: st.floats()
    | st.integers(0, (1 << 64) - 1).map(lambda bits: struct.unpack("d", struct.pack("Q", bits))[0]),
    ColumnType.STRING: st.text(st.sampled_from('a ,;"\r\n\t\\.é漢\u00a0\u0085\u2003\u3000'), max_size=6),
    ColumnType.TIME: st.integers(MIN_TIME_NS, MAX_TIME_NS),
}
# Characters that Unicode calls White_Space; Python's isspace has four more.
_SPACES = frozenset("\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000") | {
    chr(c) for c in range(0x2000, 0x200B)
}


def cell(value: Value, kind: ColumnType, delimiter: str) -> str:
    """One cell, plainly."""
    if value is None:
        return ""
    if kind is ColumnType.STRING:
        assert isinstance(value, str)
        if value and (value == "\\." or value[0] in _SPACES or any(c in value for c in f'{delimiter}"\r\n')):
            return '"' + value.replace('"', '""').replace("\r", "").replace("\n", "\r\n") + '"'
        return value
    if kind is ColumnType.FLOAT:
        return format_float(float(value))
    text: str = format_column(pl.Series([value], dtype=kind.polars), kind)[0]
    return text


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    """Some tables of a few rows, key columns anywhere among the others."""
    kinds = draw(st.lists(st.sampled_from(list(ColumnType)), min_size=1, max_size=5))
    columns = tuple(Column(f"c{i}", kind) for i, kind in enumerate(kinds))
    key = tuple(c.label for c in columns if draw(st.booleans()))
    sizes = draw(st.lists(st.integers(0, 3), max_size=5))
    ids = [table for table, size in enumerate(sizes) for _ in range(size)]
    of = {c.label: st.none() | VALUES[c.type] for c in columns}
    keys = [tuple(draw(of[label]) for label in key) for _ in sizes]
    values = {c.label: [draw(of[c.label]) for _ in ids] for c in columns}
    return make_block(columns, key, keys, values, ids)


@given(blocks(), st.sampled_from(",;|\t"), st.sampled_from(["", "_result", 'a"b']))
@settings(deadline=None)
def test_rows_are_what_cells_one_by_one_are(block: Block, delimiter: str, name: str) -> None:
    sizes = block.sizes()
    cuts = np.unique(np.concatenate(([0], np.cumsum(sizes)))).astype(np.int64)
    numbers = np.arange(block.table_count, dtype=np.int64) + 7
    rows = BlockRows(block, numbers, cuts, name, delimiter)
    found = [b"".join(rows.lines(int(a), int(b))) for a, b in itertools.pairwise(cuts)]
    expected = []
    for a, b in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        lines = [
            delimiter.join(
                [
                    name,
                    str(numbers[block.ids[row]]),
                    *(cell(block.series(c.label)[row], c.type, delimiter) for c in block.columns),
                ]
            )
            for row in range(a, b)
        ]
        expected.append("".join(line + "\r\n" for line in lines).encode())
    assert found == expected


@given(st.lists(VALUES[ColumnType.FLOAT], min_size=1))
@example([5e-324, 1.7976931348623157e308, -0.0, 1e23, 9007199254740993.0, 1e-5, 123456.789e-9, 0.1 + 0.2])
@settings(deadline=None)
def test_floats_come_back(values: list[float]) -> None:
    text, _ = _csv_rows.encode(
        [(False, 0, np.array(values), None)],
        np.zeros(len(values), np.int32),
        np.zeros(1, np.int64),
        b"",
        ",",
        0,
        len(values),
        np.empty(0, np.int64),
    )
    cells = [row[2] for row in csv.reader(io.StringIO(text.decode(), newline=""))]
    assert cells == [format_float(v) for v in values]
    assert [repr(float(c)) for c in cells] == [repr(v) for v in values]


def test_blocks_of_many_rows_are_cut_where_chunks_end() -> None:
    count = 150_000
    ids = np.repeat(np.arange(3), count // 3).tolist()
    one = make_block((Column("v", ColumnType.INT),), (), [()] * 3, {"v": range(count)}, ids, [0, 2, 4])
    other = make_block((Column("w", ColumnType.FLOAT),), (), [()] * 2, {"w": [0.5, 1.5]}, [0, 1], [1, 3])
    text = b"".join(encode([Result("_result", [one, other])], Dialect(header=False))).decode()
    lines = [line for line in text.split("\r\n") if line]
    third = count // 3
    expected = [f",_result,0,{i}" for i in range(third)] + [",_result,1,0.5"]
    expected += [f",_result,2,{i}" for i in range(third, 2 * third)] + [",_result,3,1.5"]
    expected += [f",_result,4,{i}" for i in range(2 * third, count)]
    assert lines == expected


@pytest.mark.parametrize(
    "broken",
    [
        {"tables": np.array([1], np.int32)},
        {"tables": np.array([-1], np.int32)},
        {"last": 2},
        {"delimiter": "ab"},
        {"columns": [(False, 0, np.empty(0), None)]},
        {"columns": [(False, 5, (np.array([0, 5], np.int64), np.zeros(2, np.uint8)), None)]},
        {"columns": [(False, 5, (np.array([3, 0], np.int64), np.zeros(9, np.uint8)), None)]},
        {"columns": [(False, 9, np.zeros(1), None)]},
    ],
)
def test_what_does_not_fit_together_is_refused(broken: dict[str, Any]) -> None:
    sound: dict[str, Any] = {
        "columns": [(False, 0, np.zeros(1), None)],
        "tables": np.zeros(1, np.int32),
        "numbers": np.zeros(1, np.int64),
        "lead": b"",
        "delimiter": ",",
        "first": 0,
        "last": 1,
        "cuts": np.empty(0, np.int64),
    }
    assert _csv_rows.encode(**sound) == (b",0,0\r\n", [])
    with pytest.raises(ValueError, match=r"."):
        _csv_rows.encode(**{**sound, **broken})
