"""Few cells are formatted one by one, many by expressions; both give the same text."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.datamodel.tables import ColumnType
from fluxkeep.formats.annotated_csv import _few_cells, _quote, format_column
from fluxkeep.instants import MAX_TIME_NS, MIN_TIME_NS

VALUES: dict[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.BOOL: st.booleans(),
    ColumnType.INT: st.integers(-(1 << 63), (1 << 63) - 1),
    ColumnType.UINT: st.integers(0, (1 << 64) - 1),
    ColumnType.FLOAT: st.floats(),
    ColumnType.STRING: st.text(st.sampled_from('a ,;"\r\n\t\\.é漢'), max_size=6),
    ColumnType.TIME: st.integers(MIN_TIME_NS, MAX_TIME_NS),
}


@pytest.mark.parametrize("kind", ColumnType)
@given(data=st.data(), delimiter=st.sampled_from(",;|\t"))
def test_both_ways_agree(kind: ColumnType, data: st.DataObject, delimiter: str) -> None:
    values = data.draw(st.lists(st.none() | VALUES[kind], max_size=20))
    column = pl.Series(values, dtype=kind.polars)
    text = format_column(column, kind).fill_null("")
    many = (_quote(text, delimiter) if kind is ColumnType.STRING else text).to_list()
    assert _few_cells(column.to_list(), kind, delimiter) == many
