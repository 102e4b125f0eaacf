"""Servers for the tests of this folder; none survives its test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.blackbox.process import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server that nobody has set up."""
    made = Server(tmp_path / "data")
    made.start()
    try:
        yield made
    finally:
        made.kill()
