"""A short run of the fuzzer over each reader; `tests/fuzz/readers.py` runs as many inputs as wanted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.fuzz.readers import SHARES, run

from fluxkeep.ids import BucketID
from fluxkeep.storage.wal import pack_payload, pack_record, unpack_record

RUNS = int(os.environ.get("FLUXKEEP_FUZZ_RUNS", "30000"))


@pytest.mark.slow
@pytest.mark.parametrize("target", SHARES)
def test_a_reader_survives_any_bytes(target: str, tmp_path: Path) -> None:
    runs = RUNS * SHARES[target] // 100
    taken, wrong = run(target, runs, 1, tmp_path)
    assert not wrong
    assert taken >= runs


def test_a_record_without_a_bucket_is_none() -> None:
    """Found by the fuzzer: it was refused with an error that replay does not know."""
    import numpy as np

    good = pack_record(BucketID("00000000000000aa"), 1, 2, np.empty(0, np.uint32), pack_payload(b"m v=1 1\n", 1))
    with pytest.raises(ValueError, match="bucket"):
        unpack_record(bytes(8) + good[8:])
