"""Equality of what two parsers made, to the bit."""

from __future__ import annotations

import numpy as np

from fluxkeep.datamodel.points import PointBatch, Strings
from fluxkeep.lineprotocol import Parsed


def assert_same(a: Parsed, b: Parsed) -> None:
    assert a.error_count == b.error_count
    assert a.errors == b.errors
    assert_same_batch(a.batch, b.batch)


def assert_same_batch(a: PointBatch, b: PointBatch) -> None:
    assert [m.measurement for m in a.measurements] == [m.measurement for m in b.measurements]
    for m, n in zip(a.measurements, b.measurements, strict=True):
        assert m.series == n.series
        for left, right in ((m.series_index, n.series_index), (m.time, n.time), (m.line, n.line)):
            assert left.dtype == right.dtype
            assert left.tolist() == right.tolist()
        assert [(f.name, f.type) for f in m.fields] == [(f.name, f.type) for f in n.fields]
        for f, g in zip(m.fields, n.fields, strict=True):
            assert (f.valid is None) == (g.valid is None)
            if f.valid is not None and g.valid is not None:
                assert f.valid.tolist() == g.valid.tolist()
            if isinstance(f.values, Strings):
                assert isinstance(g.values, Strings)
                assert f.values.offsets.tolist() == g.values.offsets.tolist()
                assert f.values.data == g.values.data
                f.values.data.decode()
            else:
                assert isinstance(f.values, np.ndarray)
                assert isinstance(g.values, np.ndarray)
                assert f.values.dtype == g.values.dtype
                assert f.values.tobytes() == g.values.tobytes()
