"""The audit log: what it says, that its chain holds, and that any tampering is found."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxkeep.audit.chain import GENESIS, AuditKeyMissing, ChainKeys, pseudonym, seal
from fluxkeep.audit.head import Head, head_path
from fluxkeep.audit.records import Act, Outcome
from fluxkeep.audit.verify import lines_about, verify
from fluxkeep.audit.writer import AuditLog, AuditUnavailable
from fluxkeep.clock import ManualClock
from fluxkeep.credentials.hashing import KeyRing
from fluxkeep.errors import Corruption
from fluxkeep.ids import ID, AuthorizationID, UserID
from fluxkeep.secret import Secret

KEY = bytes(range(32))
KEYS = ChainKeys({"a": KEY})
TWO_KEYS = ChainKeys({"a": KEY, "b": b"b" * 32})
USER, TOKEN = UserID("0f1e2d3c4b5a6000"), AuthorizationID("0c00000000000001")


def act(action: str = "authorization.create", outcome: Outcome = Outcome.GRANTED) -> Act:
    return Act(
        action=action, outcome=outcome, user_id=USER, authorization_id=TOKEN, address="10.0.0.1", target=ID(TOKEN)
    )


def written(path: Path, count: int, keys: ChainKeys | None = None) -> list[bytes]:
    log = AuditLog(path, ManualClock(), keys=keys)
    for number in range(count):
        log.record(act(f"act.{number}"))
    log.close()
    return path.read_bytes().splitlines(keepends=True)


def test_a_line_says_who_did_what_from_where(tmp_path: Path) -> None:
    path = tmp_path / "audit" / "audit.jsonl"
    log = AuditLog(path, ManualClock())
    log.record(act())
    log.record(Act(action="recovery.create", outcome=Outcome.REFUSED, detail={"reason": "no such user"}))
    log.close()
    log.close()
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert {
        name: first[name] for name in ("time", "action", "outcome", "user", "authorization", "address", "target")
    } == {
        "time": "2023-11-14T22:13:20Z",
        "action": "authorization.create",
        "outcome": "granted",
        "user": USER,
        "authorization": TOKEN,
        "address": "10.0.0.1",
        "target": TOKEN,
    }
    assert second["detail"] == {"reason": "no such user"}
    assert "user" not in second
    assert second["previous"] == first["hash"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert head_path(path).stat().st_mode & 0o777 == 0o600


def test_the_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, 2)
    written(path, 3)
    assert verify(path).lines == 5
    assert verify(path).fault is None


@pytest.mark.parametrize("keys", [None, KEYS])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(data=st.data())
def test_any_tampering_is_found(tmp_path: Path, keys: ChainKeys | None, data: st.DataObject) -> None:
    path = tmp_path / "audit.jsonl"
    path.unlink(missing_ok=True)
    head_path(path).unlink(missing_ok=True)
    lines = written(path, 6, keys)
    assert verify(path, keys=keys).fault is None
    kind = data.draw(st.sampled_from(["remove", "change", "swap", "cut", "repeat"]))
    at = data.draw(st.integers(0, 5))
    if kind == "remove":
        del lines[at]
    elif kind == "change":
        offset = data.draw(st.integers(0, len(lines[at]) - 2))
        byte = bytes([lines[at][offset] ^ data.draw(st.integers(1, 127))])
        lines[at] = lines[at][:offset] + byte + lines[at][offset + 1 :]
    elif kind == "swap":
        other = (at + 1) % 6
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == "cut":
        lines = lines[:at]
    else:
        lines.insert(at, lines[at])
    path.write_bytes(b"".join(lines))
    assert verify(path, keys=keys).fault is not None


def forged(lines: list[bytes], path: Path, keys: ChainKeys | None = None) -> None:
    """Write a log and a head that are consistent throughout, as whoever can write both files can, given these keys."""
    clean = [
        {name: value for name, value in json.loads(line).items() if name not in ("hash", "previous", "seq", "kid", "v")}
        for line in lines
    ]
    out, previous = [], GENESIS
    for number, members in enumerate(clean, 1):
        line, previous = seal(members, seq=number, previous=previous, keys=keys)
        out.append(line.encode() + b"\n")
    path.write_bytes(b"".join(out))
    head_path(path).write_bytes(Head.of(len(out), previous, keys).encode())


def test_without_a_key_a_whole_chain_can_be_forged(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    lines = written(path, 4)
    forged([lines[0], *lines[2:]], path)
    assert verify(path).fault is None


@pytest.mark.parametrize("plain", [0, 2])
@pytest.mark.parametrize("known", [None, ChainKeys({"a": b"guessed" * 5}), ChainKeys({"other": b"o" * 32})])
def test_a_chain_forged_throughout_is_found_where_there_is_a_key(
    tmp_path: Path, plain: int, known: ChainKeys | None
) -> None:
    path = tmp_path / "audit.jsonl"
    if plain:
        written(path, plain)
    lines = written(path, 4, KEYS)
    assert verify(path, keys=KEYS).fault is None
    forged([lines[0], *lines[2:]], path, known)
    assert verify(path, keys=KEYS).fault is not None


def test_a_log_that_leaked_key_rewrites_is_found_by_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, 3, KEYS)
    lines = written(path, 3, TWO_KEYS)
    forged(lines[:2], path, KEYS)
    assert "newest key, 'b'" in str(verify(path, keys=TWO_KEYS).fault)


def test_lines_under_a_leaked_key_cannot_follow_newer_ones(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    lines = written(path, 2, TWO_KEYS)
    previous = json.loads(lines[-1])["hash"]
    line, digest = seal({"action": "forged"}, seq=3, previous=previous, keys=KEYS)
    path.write_bytes(b"".join(lines) + line.encode() + b"\n")
    head_path(path).write_bytes(Head.of(3, digest, KEYS).encode())
    assert verify(path, keys=TWO_KEYS).fault == (
        "the line was made with the key 'a', which is older than that of the line before"
    )


def test_the_lines_before_a_key_are_sealed_by_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, 3)
    lines = written(path, 2, KEYS)
    assert [json.loads(line).get("kid") for line in lines] == [None, None, None, "a", "a", "a"]
    changeover = json.loads(lines[3])
    assert (changeover["action"], changeover["detail"]) == ("audit.key", {"kid": "a", "before": "-"})
    verdict = verify(path, keys=KEYS)
    assert verdict.fault is None
    assert [(span.kid, span.first, span.lines) for span in verdict.spans] == [("", 1, 3), ("a", 4, 3)]
    # The plain part made anew, consistent in itself, no longer fits what the key has sealed.
    forged(lines[1:3], path)
    path.write_bytes(path.read_bytes() + b"".join(lines[3:]))
    verdict = verify(path, keys=KEYS)
    assert (verdict.fault, verdict.line) == ("the line has the number 4", 3)


def test_a_line_without_a_key_cannot_follow_one_with(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    lines = written(path, 2, KEYS)
    line, digest = seal({"action": "forged"}, seq=3, previous=json.loads(lines[-1])["hash"], keys=None)
    path.write_bytes(b"".join(lines) + line.encode() + b"\n")
    head_path(path).write_bytes(Head.of(3, digest, None).encode())
    assert verify(path, keys=KEYS).fault == "the line has no key, and the one before has"


def test_a_shortened_log_needs_a_head_that_only_the_key_can_make(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    lines = written(path, 4, KEYS)
    path.write_bytes(b"".join(lines[:3]))
    third = json.loads(lines[2])["hash"]
    for head in (Head.of(3, third, None), Head(3, third, "a", "0" * 64), Head(3, third, "unknown", "0" * 64)):
        head_path(path).write_bytes(head.encode())
        assert verify(path, keys=KEYS).fault is not None


def test_keys_change_and_the_older_ones_still_verify(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, 2, KEYS)
    lines = written(path, 1, TWO_KEYS)
    assert json.loads(lines[2])["detail"] == {"kid": "b", "before": "a"}
    verdict = verify(path, keys=TWO_KEYS)
    assert verdict.fault is None
    assert [span.kid for span in verdict.spans] == ["a", "b"]
    assert verify(path, keys=ChainKeys({"b": b"b" * 32})).fault == (
        "the line was made with the key 'a', which is not in the key file"
    )
    assert "name its file" in str(verify(path).fault)


def test_a_log_under_a_key_is_not_continued_without_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, 2, KEYS)
    before = path.read_bytes()
    for keys in (None, ChainKeys({"b": b"b" * 32})):
        with pytest.raises(AuditKeyMissing, match="'a'"):
            AuditLog(path, ManualClock(), keys=keys)
    assert path.read_bytes() == before
    assert verify(path, keys=KEYS).fault is None


@pytest.mark.parametrize("keys", [None, KEYS])
def test_lines_cut_off_while_nobody_watched_stay_noticed(tmp_path: Path, keys: ChainKeys | None) -> None:
    path = tmp_path / "audit.jsonl"
    lines = written(path, 4, keys)
    path.write_bytes(b"".join(lines[:2]))
    lines = written(path, 2, keys)
    assert json.loads(lines[2])["action"] == "audit.damaged"
    verdict = verify(path, keys=keys)
    assert verdict.line == 3
    assert verdict.fault == (
        "the log had been damaged when it was opened: lines are missing at the end: the head remembers 4, there are 2"
    )


@pytest.mark.parametrize("keys", [None, KEYS])
@pytest.mark.parametrize("damage", ["gone", "empty", "other"])
def test_a_damaged_head_stays_noticed(tmp_path: Path, keys: ChainKeys | None, damage: str) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, 2, keys)
    head = head_path(path)
    if damage == "gone":
        head.unlink()
    else:
        head.write_bytes(b"" if damage == "empty" else Head.of(2, "1" * 64, keys).encode())
    written(path, 1, keys)
    assert "damaged when it was opened" in str(verify(path, keys=keys).fault)


def test_a_kill_between_opening_and_the_change_of_keys_harms_nothing(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    lines = written(path, 1, KEYS)
    # The head under the newest key, the log still under the one before.
    head_path(path).write_bytes(Head.of(1, json.loads(lines[0])["hash"], TWO_KEYS).encode())
    written(path, 1, TWO_KEYS)
    assert verify(path, keys=TWO_KEYS).fault is None


def test_the_head_never_says_more_than_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", ManualClock())
    log.record(act())
    before = head_path(log.path).read_bytes()

    def lost(_: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", lost)
        log.record(act())
    assert head_path(log.path).read_bytes() == before
    log.record(act())
    assert b'"seq": 3' in head_path(log.path).read_bytes()
    log.close()


def test_lines_from_many_threads_are_all_in_the_chain(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", ManualClock(), keys=KEYS)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log.record(act(f"act.{number}")), range(200)))
    log.close()
    verdict = verify(log.path, keys=KEYS)
    assert (verdict.lines, verdict.fault) == (200, None)
    assert b'"seq": 200' in head_path(log.path).read_bytes()


def test_lines_about_a_secret_are_found_by_whoever_has_it_and_the_key(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for keys in (KEYS, TWO_KEYS):
        log = AuditLog(path, ManualClock(), keys=keys)
        for text in ("one", "two"):
            log.record(
                Act(action="made", outcome=Outcome.GRANTED, detail={"secret": log.pseudonym(Secret(text)) or ""})
            )
        log.close()
    lines = path.read_text().splitlines(keepends=True)
    assert len(list(lines_about(lines, Secret("one"), TWO_KEYS))) == 2
    assert len(list(lines_about(lines, Secret("one"), KEYS))) == 1
    assert list(lines_about(lines, Secret("three"), TWO_KEYS)) == []
    assert AuditLog(tmp_path / "plain.jsonl", ManualClock()).pseudonym(Secret("one")) is None


def test_lines_and_head_are_what_the_page_of_the_format_says(tmp_path: Path) -> None:
    """Made here from the words of `docs/formats/audit.md` alone."""
    master = b"m" * 32
    key = hmac.new(master, b"fluxkeep\0audit", hashlib.sha256).digest()
    ring = KeyRing({"k": master})
    lines = written(tmp_path / "audit.log", 2, ChainKeys(ring.derived("audit")))
    previous = "0" * 64
    for number, raw in enumerate(lines, 1):
        members = json.loads(raw)
        assert (members["seq"], members["previous"], members["kid"], members["v"]) == (number, previous, "k", 1)
        previous = members.pop("hash")
        text = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
        assert hmac.new(key, text, hashlib.sha256).hexdigest() == previous
    raw = head_path(tmp_path / "audit.log").read_bytes()
    head = json.loads(raw)
    assert len(raw) == 320
    assert head["seal"] == hmac.new(key, f"head\0{2}\0{previous}".encode(), hashlib.sha256).hexdigest()
    assert (head["seq"], head["hash"], head["kid"]) == (2, previous, "k")


def test_keys_show_their_names_only() -> None:
    assert repr(TWO_KEYS) == "ChainKeys(a, b)"
    assert TWO_KEYS.get(None) is None


def test_a_lost_head_is_found(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, 2)
    head_path(path).unlink()
    assert verify(path).fault == "the head is missing"
    head_path(path).write_text("nonsense")
    assert verify(path).fault == "the head is missing"


def test_a_head_one_line_behind_is_what_a_crash_leaves(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, 1)
    behind = head_path(path).read_bytes()
    written(path, 1)
    head_path(path).write_bytes(behind)
    assert verify(path).fault is None


def test_a_torn_line_is_cut_off_and_the_cut_recorded(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, 2)
    with path.open("ab") as file:
        file.write(b'{"v":1,"seq":3,"act')
    lines = written(path, 1)
    assert json.loads(lines[2])["action"] == "audit.recover"
    assert json.loads(lines[2])["detail"] == {"bytes": "19"}
    assert verify(path).lines == 4
    assert verify(path).fault is None


def test_a_file_that_is_no_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text("hello\n")
    with pytest.raises(Corruption):
        AuditLog(path, ManualClock())
    assert verify(path).fault == "the line is not JSON"
    assert path.read_text() == "hello\n"


@pytest.mark.parametrize("fail_closed", [False, True])
def test_what_happens_when_it_cannot_be_written(tmp_path: Path, fail_closed: bool) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", ManualClock(), fail_closed=fail_closed)
    # A descriptor that only reads stands in for a device that takes nothing.
    reader = os.open(log.path, os.O_RDONLY)
    os.dup2(reader, log._file)
    os.close(reader)
    if fail_closed:
        with pytest.raises(AuditUnavailable, match="administrative acts are refused"):
            log.begin(act(outcome=Outcome.BEGUN))
    else:
        log.begin(act(outcome=Outcome.BEGUN))
        log.record(act())
    assert log.path.read_bytes() == b""
    log.close()


def test_begin_writes_only_where_acts_must_not_go_unrecorded(tmp_path: Path) -> None:
    for fail_closed, count in ((False, 0), (True, 1)):
        log = AuditLog(tmp_path / f"{fail_closed}.jsonl", ManualClock(), fail_closed=fail_closed)
        log.begin(act(outcome=Outcome.BEGUN))
        log.close()
        assert len(log.path.read_bytes().splitlines()) == count


def test_a_pseudonym_needs_the_key() -> None:
    assert pseudonym(Secret("s"), KEY) == pseudonym(Secret("s"), KEY)
    assert pseudonym(Secret("s"), KEY) != pseudonym(Secret("s"), b"x" * 32)
    assert pseudonym(Secret("s"), KEY) != pseudonym(Secret("t"), KEY)
