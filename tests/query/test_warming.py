"""Warming up imports what the first query needs, in the background."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from fluxkeep.query import warming
from fluxkeep.query.warming import WarmUp

_PROGRAM = """
import sys
from fluxkeep.query.warming import warm_up
assert "polars" not in sys.modules
warm_up()
assert {"polars", "fluxkeep.influxql.execute.select", "fluxkeep.formats.csv_rows"} <= set(sys.modules)
"""


def test_what_queries_need_is_there_afterwards_and_not_before() -> None:
    subprocess.run([sys.executable, "-c", _PROGRAM], check=True, timeout=60)


def test_it_is_given_up_when_the_server_stops_first(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[bool] = []
    monkeypatch.setattr(warming, "warm_up", lambda: ran.append(True))
    early, late = WarmUp(delay_seconds=60), WarmUp(delay_seconds=0)
    for one in (early, late):
        one.start()
    early.stop()
    assert ran in ([], [True])
    for _ in range(1_000):
        if ran:
            break
        time.sleep(0.01)
    late.stop()
    assert ran == [True]
