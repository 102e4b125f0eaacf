"""A short run of the fuzzer over each reader; `tests/fuzz/readers.py` runs as many inputs as wanted."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tests.fuzz.readers import SHARES, run

from fluxkeep.ids import BucketID
from fluxkeep.storage.wal import PackedPayload, pack_payload, pack_record, unpack_record

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
    good = pack_record(BucketID("00000000000000aa"), 1, 2, np.empty(0, np.uint32), pack_payload(b"m v=1 1\n", 1))
    with pytest.raises(ValueError, match="bucket"):
        unpack_record(bytes(8) + good[8:])


def test_a_record_that_claims_more_than_it_says_is_refused_before_room_is_made() -> None:
    """Found by the fuzzer: a frame of zstd that claims exabytes ended in MemoryError, which no start survived."""
    payload = pack_payload(b"m v=1 1\n" * 100, 1)
    assert payload.codec == 1
    good = pack_record(BucketID("00000000000000aa"), 1, 2, np.empty(0, np.uint32), payload)
    body = bytes.fromhex("28b52ffde0") + (1 << 60).to_bytes(8, "little") + payload.body[7:]
    for size in (payload.size, (1 << 32) - 1):
        lying = pack_record(
            BucketID("00000000000000aa"), 1, 2, np.empty(0, np.uint32), PackedPayload(size, payload.codec, body)
        )
        with pytest.raises(ValueError, match="lengths do not agree"):
            unpack_record(lying)
    assert unpack_record(good).payload == b"m v=1 1\n" * 100
