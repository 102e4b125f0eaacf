"""Framed logs: what was synced is found, what was not is dropped, damage is told from a torn end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.errors import Corruption
from fluxkeep.ids import BucketID
from fluxkeep.storage.files import SystemFiles
from fluxkeep.storage.frames import HEADER, SEAL, Frame, LogWriter, header, pack_frame, read_log
from fluxkeep.storage.wal import pack_payload, pack_record, unpack_record

MAGIC = b"fkeepXYZ"
PAYLOADS = st.lists(st.binary(max_size=40), max_size=6)


def _log(payloads: list[bytes], *, sealed: bool = False, synced: bool = True) -> tuple[bytes, list[int]]:
    """A log's bytes and where each frame ends."""
    raw = header(MAGIC, 1)
    ends = []
    for number, payload in enumerate(payloads):
        raw += pack_frame(7, number, len(raw) if synced else HEADER.size, payload)
        ends.append(len(raw))
    return raw + (pack_frame(SEAL, 0, len(raw), b"") if sealed else b""), ends


def _payloads(frames: object) -> list[bytes]:
    assert isinstance(frames, list | tuple)
    return [frame.payload for frame in frames if isinstance(frame, Frame)]


@given(payloads=PAYLOADS, sealed=st.booleans(), zeros=st.integers(0, 100))
def test_round_trip(payloads: list[bytes], sealed: bool, zeros: int) -> None:
    raw, ends = _log(payloads, sealed=sealed)
    content = read_log(raw + bytes(zeros), MAGIC, (1,), file="x")
    assert _payloads(content.frames) == payloads
    assert (content.sealed, list(content.damage)) == (sealed, [])
    assert [frame.sequence for frame in content.frames] == list(range(len(payloads)))
    if not sealed:
        assert content.end == (ends[-1] if ends else HEADER.size)


@given(payloads=PAYLOADS, data=st.data())
def test_any_prefix_yields_the_frames_that_fit(payloads: list[bytes], data: st.DataObject) -> None:
    raw, ends = _log(payloads)
    cut = data.draw(st.integers(0, len(raw)))
    content = read_log(raw[:cut] + bytes(64), MAGIC, (1,), file="x") if cut >= HEADER.size else None
    if content is not None:
        # Padding is zeros, so a frame is whole once its payload is.
        whole = [
            p for p, end in zip(payloads, ends, strict=True) if end - (-len(p) % 8) <= cut or not any(raw[cut:end])
        ]
        assert _payloads(content.frames) == whole
        assert not content.damage


@given(payloads=st.lists(st.binary(min_size=1, max_size=40), min_size=2, max_size=6), data=st.data())
def test_a_flipped_byte_is_damage_where_a_later_frame_swears_it_was_synced(
    payloads: list[bytes], data: st.DataObject
) -> None:
    raw, ends = _log(payloads)
    at = data.draw(st.integers(HEADER.size, ends[-2] - 1))
    broken = next(i for i, end in enumerate(ends) if at < end)
    if at >= ends[broken] - (-len(payloads[broken]) % 8):
        return  # padding carries nothing
    flipped = bytearray(raw)
    flipped[at] ^= data.draw(st.integers(1, 255))
    content = read_log(bytes(flipped), MAGIC, (1,), file="x")
    start = ends[broken - 1] if broken else HEADER.size
    assert [d.offset for d in content.damage] == [start]
    assert _payloads(content.frames) == payloads[:broken] + payloads[broken + 1 :]


def test_two_unacknowledged_frames_of_which_the_first_is_lost_are_both_dropped() -> None:
    raw, ends = _log([b"acknowledged", b"lost", b"arrived"], synced=False)
    torn = raw[: ends[0]] + bytes(ends[1] - ends[0]) + raw[ends[1] :]
    content = read_log(torn, MAGIC, (1,), file="x")
    assert _payloads(content.frames) == [b"acknowledged"]
    assert (content.end, list(content.damage)) == (ends[0], [])


def test_before_a_seal_everything_was_synced() -> None:
    raw, ends = _log([b"one", b"two"], sealed=True, synced=False)
    torn = raw[: ends[0]] + bytes(ends[1] - ends[0]) + raw[ends[1] :]
    assert [d.offset for d in read_log(torn, MAGIC, (1,), file="x").damage] == [ends[0]]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (header(b"otherXYZ", 1), "does not begin as a file of its kind does"),
        (header(MAGIC, 2), "format version 2, which is not known here"),
        (header(MAGIC, 1)[:-1] + b"\xff", "does not begin as"),
    ],
)
def test_another_kind_of_file_is_corruption(raw: bytes, text: str) -> None:
    with pytest.raises(Corruption, match=text):
        read_log(raw + bytes(50), MAGIC, (1,), file="x")


@given(raw=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    content = read_log(header(MAGIC, 1) + raw, MAGIC, (1,), file="x")
    assert HEADER.size <= content.end <= HEADER.size + len(raw) + 8
    assert all(frame.offset < content.end for frame in content.frames)


def test_a_writer_makes_what_a_reader_reads(tmp_path: Path) -> None:
    log = LogWriter.create(SystemFiles(), tmp_path / "log", MAGIC, 1, 4096)
    log.sync(log.append(7, 1, b"first"))
    assert log.durable == log.end
    log.append(7, 2, b"second")
    assert log.durable < log.end
    log.seal()
    log.close()
    raw = (tmp_path / "log").read_bytes()
    assert len(raw) == 4096
    content = read_log(raw, MAGIC, (1,), file="log")
    assert _payloads(content.frames) == [b"first", b"second"]
    assert content.sealed


@given(
    payload=st.binary(max_size=600) | st.binary(max_size=20).map(lambda b: b * 40),
    refused=st.lists(st.integers(0, 2**32 - 1), max_size=5),
    now=st.integers(-(2**63), 2**63 - 1),
)
def test_records_come_back(payload: bytes, refused: list[int], now: int) -> None:
    bucket = BucketID("00000000000000aa")
    raw = pack_record(bucket, 1000, now, np.array(refused, np.uint32), pack_payload(payload, 1))
    record = unpack_record(raw)
    assert (record.bucket, record.precision_ns, record.arrival_ns) == (bucket, 1000, now)
    assert (record.refused.tolist(), record.payload) == (refused, payload)


@given(raw=st.binary(max_size=120))
def test_any_bytes_are_a_record_or_not(raw: bytes) -> None:
    try:
        record = unpack_record(raw)
    except ValueError:
        return
    assert len(record.payload) <= 2**32


def test_a_frame_inside_a_damaged_payload_is_not_taken_for_one() -> None:
    """Whoever writes points chooses a payload's bytes: an older number or a false oath gives a copy away."""
    raw, _ = _log([b"a", b"b", b"c"])
    forged = pack_frame(7, 1, 0, b"forged"), pack_frame(7, 9, 1 << 40, b"forged")
    for copy in forged:
        start = len(raw)
        log = raw + pack_frame(7, 3, start, bytes(8) + copy)
        damaged = bytearray(log + pack_frame(7, 4, len(log), b"e"))
        damaged[start + 4] ^= 1
        content = read_log(bytes(damaged), MAGIC, (1,), file="x")
        assert _payloads(content.frames) == [b"a", b"b", b"c", b"e"]
        assert [one.offset for one in content.damage] == [start]
