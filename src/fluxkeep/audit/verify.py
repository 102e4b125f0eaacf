"""Verifying an audit log: every line's hash, every link, and that the end is where it was."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from pathlib import Path

from fluxkeep.audit.chain import GENESIS, VERSION, line_hash
from fluxkeep.audit.writer import head_path


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    Attributes:
        lines: How many lines hold.
        fault: What is wrong with the first that doesn't; none if all hold.
        line: Its number, counted from 1.
    """

    lines: int
    fault: str | None = None
    line: int | None = None


def verify(path: Path, *, key: bytes | None = None) -> Verdict:
    """Read the whole log and check it; nothing is written.

    Raises:
        OSError: It cannot be read.
    """
    previous, count = GENESIS, 0
    hashes_end: str = GENESIS
    head = _read_head(path)
    head_seen = head is None or head[0] == 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            fault = _check(raw, number, previous, key)
            if fault is not None:
                return Verdict(count, fault, number)
            previous = hashes_end = str(json.loads(raw)["hash"])
            count = number
            if head is not None and head[0] == number:
                if head[1] != hashes_end:
                    return Verdict(count - 1, "the line differs from what the head remembers", number)
                head_seen = True
    if head is None and count:
        return Verdict(count, "the head is missing", count)
    if not head_seen:
        assert head is not None
        return Verdict(count, f"lines are missing at the end: the head remembers {head[0]}", count + 1)
    return Verdict(count)


def _check(raw: bytes, number: int, previous: str, key: bytes | None) -> str | None:
    try:
        members = json.loads(raw)
    except ValueError:
        return "the line is not JSON"
    if not isinstance(members, dict) or not raw.endswith(b"\n"):
        return "the line is not whole"
    if members.get("v") != VERSION:
        return "the line is of an unknown version"
    if members.get("seq") != number:
        return f"the line has the number {members.get('seq')}"
    if members.get("previous") != previous:
        return "the line does not follow the one before"
    if not hmac.compare_digest(str(members.get("hash")), line_hash(members, key)):
        return "the line was changed, or the key is another"
    return None


def _read_head(path: Path) -> tuple[int, str] | None:
    head = head_path(path)
    if not head.exists():
        return None
    try:
        members = json.loads(head.read_bytes())
        return int(members["seq"]), str(members["hash"])
    except (ValueError, KeyError, TypeError):
        return None
