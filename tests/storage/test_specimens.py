"""Data folders that former versions wrote are read for ever.

`tests/golden/storage/v1`: four points flushed (all types, a negative zero, absent
tags and fields), one deleted, then a write with an overwrite and a refused point
that only the WAL has; the process was killed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.storage.kit import BUCKET, answer, open_engine

SPECIMENS = Path(__file__).parent.parent / "golden" / "storage"

V1 = [
    ("m", (), "f", 4000, "-0.0"),
    ("m", (("host", "a"),), "b", 1000, "True"),
    ("m", (("host", "a"),), "f", 1000, "2.5"),
    ("m", (("host", "a"),), "i", 1000, "-3"),
    ("m", (("host", "a"),), "s", 1000, "'text é'"),
    ("m", (("host", "a"),), "u", 1000, "7"),
    ("m", (("host", "c"),), "f", 3000, "1e+300"),
    ("n", (), "x", 5000, "1"),
]


def test_version_1(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    shutil.copytree(SPECIMENS / "v1", folder)
    engine = open_engine(folder)
    found = answer(engine.reader(BUCKET.id))
    assert [(s.measurement, s.tags, s.field, row[0], repr(row[1])) for s, row in found] == V1
    engine.close()
    again = answer(open_engine(folder).reader(BUCKET.id))
    assert repr(again) == repr(found)
