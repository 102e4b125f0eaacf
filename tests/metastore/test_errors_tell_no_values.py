"""What goes wrong in a statement is told without the values that it was given."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from fluxkeep.clock import ManualClock
from fluxkeep.metastore.engine import MetaStore


@pytest.mark.parametrize("statement", ["INSERT INTO nowhere VALUES (:value)", "SELECT :value FROM nowhere"])
def test_an_error_of_the_driver_quotes_no_value(tmp_path: Path, statement: str) -> None:
    store = MetaStore(tmp_path / "influxd.bolt", ManualClock())
    try:
        with pytest.raises(DBAPIError) as caught, store.begin() as work:
            work.connection.execute(text(statement), {"value": "planted-secret"})
        told = f"{caught.value!r} {caught.value}"
        assert "nowhere" in told
        assert "planted-secret" not in told
    finally:
        store.close()
