"""Verifying an audit log: every line's hash, every link, every key, and that the end is where it was."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fluxkeep.audit.chain import GENESIS, VERSION, ChainKeys, line_hash, pseudonym
from fluxkeep.audit.head import head_path, parse_head
from fluxkeep.audit.records import DAMAGED
from fluxkeep.secret import Secret


@dataclass(frozen=True, slots=True)
class Span:
    """Lines that follow each other and were made in one way.

    Attributes:
        kid: The name of their key; empty for none.
        first: Number of the first, counted from 1.
        since: Its time as it stands in the log.
        lines: How many.
    """

    kid: str
    first: int
    since: str
    lines: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    Attributes:
        lines: How many lines hold.
        fault: What is wrong with the first that doesn't; none if all hold.
        line: Its number, counted from 1.
        spans: The lines that hold, by key.
    """

    lines: int
    fault: str | None = None
    line: int | None = None
    spans: tuple[Span, ...] = ()


@dataclass(slots=True)
class _Reading:
    keys: ChainKeys | None
    lines: int = 0
    previous: str = GENESIS
    spans: list[Span] = field(default_factory=list)

    @property
    def kid(self) -> str:
        """The name of the newest line's key; empty for none."""
        return self.spans[-1].kid if self.spans else ""

    def fault(self, fault: str, line: int) -> Verdict:
        return Verdict(self.lines, fault, line, tuple(self.spans))

    def take(self, members: Mapping[str, Any]) -> None:
        """Count a line that holds."""
        self.lines += 1
        self.previous = str(members["hash"])
        kid = str(members.get("kid", ""))
        if self.spans and self.spans[-1].kid == kid:
            last = self.spans[-1]
            self.spans[-1] = Span(kid, last.first, last.since, last.lines + 1)
        else:
            self.spans.append(Span(kid, self.lines, str(members.get("time")), 1))


def verify(path: Path, *, keys: ChainKeys | None = None) -> Verdict:
    """Read the whole log and check it; nothing is written.

    With keys the log must end under the newest of them: whoever replaced it
    by one without a key, or under an older key that leaked, is found.

    Raises:
        OSError: It cannot be read.
    """
    reading = _Reading(keys)
    # Before the lines: a server that is running appends lines first and writes the head after.
    head = parse_head(head_path(path).read_bytes()) if head_path(path).exists() else None
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            fault = _check(raw, number, reading)
            if fault is not None:
                return reading.fault(fault, number)
            reading.take(json.loads(raw))
            # A head may be sealed under a key where its line is not yet, never the other way round.
            differs = head is not None and (head.hash != reading.previous or (reading.kid and not head.kid))
            if head is not None and head.seq == number and differs:
                return reading.fault("the line differs from what the head remembers", number)
    count = reading.lines
    if head is None and count:
        return reading.fault("the head is missing", count)
    if head is not None and head.seq > count:
        return reading.fault(f"lines are missing at the end: the head remembers {head.seq}", count + 1)
    if head is not None and not head.is_genuine(keys):
        return reading.fault("the head was changed", count)
    if keys is not None and count and reading.kid != keys.newest:
        return reading.fault(
            f"no line is protected by the newest key, {keys.newest!r}: either nothing was ever started with it, "
            "or the log was replaced",
            count,
        )
    return Verdict(count, spans=tuple(reading.spans))


def lines_about(lines: Iterable[str], secret: Secret, keys: ChainKeys) -> Iterator[str]:
    """The lines of the acts that made a secret, without their newlines; the chain is not checked."""
    names = [pseudonym(secret, key) for kid in keys.kids if (key := keys.get(kid)) is not None]
    for line in lines:
        if any(name in line for name in names):
            yield line.rstrip("\n")


def _check(raw: bytes, number: int, reading: _Reading) -> str | None:
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
    if members.get("previous") != reading.previous:
        return "the line does not follow the one before"
    fault = _check_key(members, reading)
    if fault is not None:
        return fault
    key = reading.keys.get(members.get("kid")) if reading.keys is not None else None
    if not hmac.compare_digest(str(members.get("hash")), line_hash(members, key)):
        return "the line was changed, or the key is another"
    if members.get("action") == DAMAGED:
        detail = members.get("detail")
        return f"the log had been damaged when it was opened: {detail.get('fault') if isinstance(detail, dict) else ''}"
    return None


def _check_key(members: Mapping[str, Any], reading: _Reading) -> str | None:
    """Whether the line's key is given, and no step back from that of the line before."""
    if "kid" not in members:
        return "the line has no key, and the one before has" if reading.kid else None
    kid = members["kid"]
    if reading.keys is None:
        return f"the line was made with the key {kid!r}; name its file with --token-hash-key-file"
    kids = reading.keys.kids
    if kid not in kids:
        return f"the line was made with the key {kid!r}, which is not in the key file"
    if reading.kid and kids.index(kid) < kids.index(reading.kid):
        return f"the line was made with the key {kid!r}, which is older than that of the line before"
    return None
