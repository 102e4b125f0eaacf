"""A house that was set up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.credentials.house import House

from fluxkeep.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def house(tmp_path: Path, clock: ManualClock) -> Iterator[House]:
    house = House(tmp_path / "data", clock)
    house.set_up()
    yield house
    house.close()
