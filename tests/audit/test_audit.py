"""The audit log: what it says, that its chain holds, and that any tampering is found."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluxkeep.audit.chain import pseudonym
from fluxkeep.audit.records import Act, Outcome
from fluxkeep.audit.verify import verify
from fluxkeep.audit.writer import AuditLog, AuditUnavailable, head_path
from fluxkeep.clock import ManualClock
from fluxkeep.errors import Corruption
from fluxkeep.ids import ID, AuthorizationID, UserID
from fluxkeep.secret import Secret

KEY = bytes(range(32))
USER, TOKEN = UserID("0f1e2d3c4b5a6000"), AuthorizationID("0c00000000000001")


def act(action: str = "authorization.create", outcome: Outcome = Outcome.GRANTED) -> Act:
    return Act(
        action=action, outcome=outcome, user_id=USER, authorization_id=TOKEN, address="10.0.0.1", target=ID(TOKEN)
    )


def written(path: Path, count: int, key: bytes | None = None) -> list[bytes]:
    log = AuditLog(path, ManualClock(), key=key)
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


@pytest.mark.parametrize("key", [None, KEY])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(data=st.data())
def test_any_tampering_is_found(tmp_path: Path, key: bytes | None, data: st.DataObject) -> None:
    path = tmp_path / "audit.jsonl"
    path.unlink(missing_ok=True)
    head_path(path).unlink(missing_ok=True)
    lines = written(path, 6, key)
    assert verify(path, key=key).fault is None
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
    assert verify(path, key=key).fault is not None


def test_a_forged_chain_needs_the_key(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    written(path, 3, key=b"x" * 32)
    verdict = verify(path, key=KEY)
    assert verdict.fault == "the line was changed, or the key is another"
    assert verdict.line == 1


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
