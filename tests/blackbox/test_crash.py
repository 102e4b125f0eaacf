"""Cycles of working and killing; see `crash.py`, which runs any number of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.blackbox.crash import CrashTest

CYCLES = int(os.environ.get("FLUXKEEP_CRASH_CYCLES", "100"))
SEED = int(os.environ.get("FLUXKEEP_CRASH_SEED", "1"))


@pytest.mark.slow
@pytest.mark.timeout(300 + 10 * CYCLES)
def test_what_was_acknowledged_survives_and_nothing_else(tmp_path: Path) -> None:
    # Of the 100 lives 25 last 1 to 3 seconds.
    test = CrashTest(tmp_path, SEED, long_every=4)
    try:
        test.run(CYCLES)
    finally:
        test.close()
    done = {phase: test.zygote.board[f"done {phase}"] for phase in ("write", "delete", "flush", "compaction", "backup")}
    assert all(count > CYCLES // 10 for count in done.values()), done
    assert len(test.phases) > 4, test.phases
