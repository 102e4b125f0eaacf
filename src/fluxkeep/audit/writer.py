"""Appending to the audit log: one file, each line durable before the act is answered.

Opening it looks at its end: whether the head still fits, and whether the key
is another than before. What is found is a line of the log itself.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from fluxkeep.audit.chain import GENESIS, AuditKeyMissing, ChainKeys, pseudonym, seal
from fluxkeep.audit.head import HEAD_BYTES, Head, head_path, parse_head
from fluxkeep.audit.records import DAMAGED, KEYED, RECOVERED, Act, Outcome
from fluxkeep.clock import Clock
from fluxkeep.errors import Corruption, Unavailable
from fluxkeep.instants import format_rfc3339
from fluxkeep.logs import get_logger
from fluxkeep.secret import Secret

# A line is far shorter; more than this before a newline is not one of ours.
_LINE_BYTES_MAX = 1 << 20


class AuditUnavailable(Unavailable):
    """An act cannot be recorded, and the server was told to refuse such acts."""

    def __init__(self) -> None:
        super().__init__("the audit log cannot be written; administrative acts are refused", retry_after_seconds=30)


class AuditLog:
    """The open log; safe from any thread."""

    def __init__(self, path: Path, clock: Clock, *, keys: ChainKeys | None = None, fail_closed: bool = False) -> None:
        """Open or make the log and continue its chain.

        A last line without a newline was never acknowledged; it is cut off and
        the cut is recorded. So is an end that is not the one the head
        remembers, and the change to another key.

        Raises:
            AuditKeyMissing: The log is kept under a key that is not among these.
            Corruption: The last line is not one of the chain's.
            OSError: The file cannot be opened.
        """
        self._clock = clock
        self._keys = keys
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._synced = 0
        self._log = get_logger("audit")
        self.fail_closed = fail_closed
        self.path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._head = os.open(head_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            torn = self._cut_torn_line()
            self._seq, self._previous, kid = self._newest()
            if kid and (keys is None or keys.get(kid) is None):
                raise AuditKeyMissing(kid)
            fault = self._fault_of_head(kid)
            if fault is not None or parse_head(os.pread(self._head, HEAD_BYTES, 0)) is None:
                self._write_head(self._seq, self._previous)
                os.fsync(self._head)
        except BaseException:
            self.close()
            raise
        if torn:
            self.record(Act(action=RECOVERED, outcome=Outcome.GRANTED, detail={"bytes": str(torn)}))
        if fault is not None:
            self._log.error("audit.damaged", path=str(path), fault=fault)
            self.record(Act(action=DAMAGED, outcome=Outcome.FAILED, detail={"fault": fault}))
        if keys is not None and self._seq and kid != keys.newest:
            self.record(Act(action=KEYED, outcome=Outcome.GRANTED, detail={"kid": keys.newest, "before": kid or "-"}))

    def begin(self, act: Act) -> None:
        """Note that an act is about to happen, where the server must not act unrecorded.

        Raises:
            AuditUnavailable: It cannot be noted.
        """
        if self.fail_closed:
            self.record(act)

    def record(self, act: Act) -> None:
        """Append a line and have it on disk.

        Raises:
            AuditUnavailable: It cannot be written and `fail_closed` is set; otherwise the log says so.
        """
        try:
            with self._lock:
                seq = self._append(act)
            self._sync(seq)
        except OSError as error:
            self._log.error("audit.write.failed", reason=error.strerror or str(error))
            if self.fail_closed:
                raise AuditUnavailable from error

    def pseudonym(self, secret: Secret) -> str | None:
        """What stands for a secret in this log; none without a key, since it could be guessed then."""
        key = self._keys.get(self._keys.newest) if self._keys is not None else None
        return None if key is None else pseudonym(secret, key)

    def _append(self, act: Act) -> int:
        members = {"time": format_rfc3339(self._clock.now_ns()), **act.members()}
        line, digest = seal(members, seq=self._seq + 1, previous=self._previous, keys=self._keys)
        raw = line.encode() + b"\n"
        start = os.lseek(self._file, 0, os.SEEK_END)
        try:
            if os.write(self._file, raw) != len(raw):
                raise OSError("short write")
        except OSError:
            os.ftruncate(self._file, start)
            raise
        self._seq, self._previous = self._seq + 1, digest
        return self._seq

    def _sync(self, seq: int) -> None:
        # One sync serves all lines that were appended before it began.
        with self._sync_lock:
            if self._synced < seq:
                with self._lock:
                    reached, digest = self._seq, self._previous
                os.fdatasync(self._file)
                self._synced = reached
                # Only now: a head that is ahead of the log after a power cut would look like lines cut off.
                # It is not synced itself, since one that lags still tells of every line up to it.
                self._write_head(reached, digest)

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        with self._sync_lock, self._lock:
            if self._file >= 0:
                os.close(self._file)
                os.close(self._head)
                self._file = -1

    def _write_head(self, seq: int, digest: str) -> None:
        os.pwrite(self._head, Head.of(seq, digest, self._keys).encode(), 0)

    def _fault_of_head(self, kid: str) -> str | None:
        """What is wrong between the head and the log's end, for `kid` its key; none if they fit or the log is new."""
        head = parse_head(os.pread(self._head, HEAD_BYTES, 0))
        if not self._seq and (head is None or not head.seq):
            return None
        if head is None:
            return "the head is missing"
        if not head.is_genuine(self._keys):
            return "the head was changed"
        if head.seq > self._seq:
            return f"lines are missing at the end: the head remembers {head.seq}, there are {self._seq}"
        if head.seq == self._seq and (head.hash != self._previous or (kid and not head.kid)):
            return "the last line differs from what the head remembers"
        return None

    def _cut_torn_line(self) -> int:
        size = os.lseek(self._file, 0, os.SEEK_END)
        tail = os.pread(self._file, _LINE_BYTES_MAX, max(0, size - _LINE_BYTES_MAX))
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        if torn:
            os.ftruncate(self._file, size - torn)
            os.fsync(self._file)
        return torn

    def _newest(self) -> tuple[int, str, str]:
        """Number, hash and key of the last line."""
        size = os.lseek(self._file, 0, os.SEEK_END)
        if not size:
            return 0, GENESIS, ""
        tail = os.pread(self._file, _LINE_BYTES_MAX, max(0, size - _LINE_BYTES_MAX))
        last = tail[:-1].rpartition(b"\n")[2]
        try:
            members = json.loads(last)
            return int(members["seq"]), str(members["hash"]), str(members.get("kid", ""))
        except (ValueError, KeyError, TypeError):
            raise Corruption("the last line of the audit log is not one of its chain", file=str(self.path)) from None
