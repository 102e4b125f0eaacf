"""Appending to the audit log: one file, each line durable before the act is answered.

Beside the log lies `<log>.head`, the number and hash of the newest line, so
that cutting lines off the end is noticed as well. It is written after each
line; a crash may leave it behind the log, which `verify` accepts.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from fluxkeep.audit.chain import GENESIS, seal
from fluxkeep.audit.records import Act, Outcome
from fluxkeep.clock import Clock
from fluxkeep.errors import Corruption, Unavailable
from fluxkeep.instants import format_rfc3339
from fluxkeep.logs import get_logger

# A line is far shorter; more than this before a newline is not one of ours.
_LINE_BYTES_MAX = 1 << 20
_HEAD_BYTES = 128


class AuditUnavailable(Unavailable):
    """An act cannot be recorded, and the server was told to refuse such acts."""

    def __init__(self) -> None:
        super().__init__("the audit log cannot be written; administrative acts are refused", retry_after_seconds=30)


class AuditLog:
    """The open log; safe from any thread."""

    def __init__(self, path: Path, clock: Clock, *, key: bytes | None = None, fail_closed: bool = False) -> None:
        """Open or make the log and continue its chain.

        A last line without a newline was never acknowledged; it is cut off and
        the cut is recorded.

        Raises:
            Corruption: The last line is not one of the chain's.
            OSError: The file cannot be opened.
        """
        self._clock = clock
        self._key = key
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._synced = 0
        self._log = get_logger("audit")
        self.fail_closed = fail_closed
        self.path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._head = os.open(head_path(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            torn = self._cut_torn_line()
            self._seq, self._previous = self._newest()
        except BaseException:
            self.close()
            raise
        if torn:
            self.record(Act(action="audit.recover", outcome=Outcome.GRANTED, detail={"bytes": str(torn)}))

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

    def _append(self, act: Act) -> int:
        members = {"time": format_rfc3339(self._clock.now_ns()), **act.members()}
        line, digest = seal(members, seq=self._seq + 1, previous=self._previous, key=self._key)
        raw = line.encode() + b"\n"
        start = os.lseek(self._file, 0, os.SEEK_END)
        try:
            if os.write(self._file, raw) != len(raw):
                raise OSError("short write")
        except OSError:
            os.ftruncate(self._file, start)
            raise
        self._seq, self._previous = self._seq + 1, digest
        self._write_head()
        return self._seq

    def _sync(self, seq: int) -> None:
        # One sync serves all lines that were appended before it began.
        with self._sync_lock:
            if self._synced < seq:
                reached = self._seq
                os.fdatasync(self._file)
                self._synced = reached

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        with self._sync_lock, self._lock:
            if self._file >= 0:
                os.close(self._file)
                os.close(self._head)
                self._file = -1

    def _write_head(self) -> None:
        # Of one size and in place, so that no crash can leave half of it; not synced, since one that lags
        # behind the log is as good: it still notices every line that was there when it was written.
        head = json.dumps({"seq": self._seq, "hash": self._previous}).ljust(_HEAD_BYTES - 1) + "\n"
        os.pwrite(self._head, head.encode(), 0)

    def _cut_torn_line(self) -> int:
        size = os.lseek(self._file, 0, os.SEEK_END)
        tail = os.pread(self._file, _LINE_BYTES_MAX, max(0, size - _LINE_BYTES_MAX))
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        if torn:
            os.ftruncate(self._file, size - torn)
            os.fsync(self._file)
        return torn

    def _newest(self) -> tuple[int, str]:
        size = os.lseek(self._file, 0, os.SEEK_END)
        if not size:
            return 0, GENESIS
        tail = os.pread(self._file, _LINE_BYTES_MAX, max(0, size - _LINE_BYTES_MAX))
        last = tail[:-1].rpartition(b"\n")[2]
        try:
            members = json.loads(last)
            return int(members["seq"]), str(members["hash"])
        except (ValueError, KeyError, TypeError):
            raise Corruption("the last line of the audit log is not one of its chain", file=str(self.path)) from None


def head_path(path: Path) -> Path:
    """Where the newest line's number and hash are kept."""
    return path.with_name(path.name + ".head")
