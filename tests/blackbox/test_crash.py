"""Rounds of writing and killing; see `crash.py`, which runs any number of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.blackbox.crash import CrashTest

ROUNDS = int(os.environ.get("FLUXKEEP_CRASH_ROUNDS", "25"))
SEED = int(os.environ.get("FLUXKEEP_CRASH_SEED", "1"))


@pytest.mark.slow
@pytest.mark.timeout(60 + 20 * ROUNDS)
def test_what_was_acknowledged_survives_and_nothing_is_invented(tmp_path: Path) -> None:
    test = CrashTest(tmp_path / "data", SEED)
    try:
        test.run(ROUNDS, (1.0, 3.0))
        assert test.lines > 10 * ROUNDS
        assert len(test.tokens.acknowledged) + len(test.tokens.deleted) > ROUNDS // 2
    finally:
        test.server.kill()
