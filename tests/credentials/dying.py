"""Work done in a child process that dies in the middle of it, at a moment that can be named and met again.

    Moment("tick", n)   SIGKILL when SQLite begins its n-th statement or piece of one
    Moment("byte", n)   killed by the system at the write that would pass n bytes beyond the records' log, which may
                        leave half a page written

A process that is killed leaves what it wrote with the system, so the files are what the next start would find.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import os
import resource
import secrets
import signal
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

# A child that hangs is a failure, not a hang of the tests.
_SECONDS_MAX = 60


@dataclass(frozen=True)
class Moment:
    """When the child dies, counted from where its work begins."""

    kind: Literal["tick", "byte"]
    at: int


@dataclass
class Death:
    """How it went.

    Attributes:
        done: The work had ended and would have been acknowledged.
        tokens: Secrets that the child minted, whether or not anybody was told.
        said: What the work returned.
    """

    done: bool = False
    tokens: list[str] = field(default_factory=list)
    said: str = ""


def die_inside(work: Callable[[Callable[[], None]], str], log: Path, moment: Moment) -> Death:
    """Do work in a child that dies at the moment, or right after its end.

    Args:
        work: Given a function to call where the moments begin to count; its result is reported.
        log: The records' write-ahead log, from whose size bytes are counted.
        moment: When.

    Raises:
        AssertionError: The work raised, with its traceback.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _live_and_die(work, log, moment, writer)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as told:
        lines = told.read().split("\0")[:-1]
    _, status = os.waitpid(child, 0)
    death = Death()
    for line in lines:
        what, _, text = line.partition(" ")
        if what == "token":
            death.tokens.append(text)
        elif what == "done":
            death.done, death.said = True, text
        else:
            raise AssertionError(text)
    assert os.WIFSIGNALED(status), f"the child ended with {status}"
    assert os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGXFSZ), f"signal {os.WTERMSIG(status)}"
    return death


def _live_and_die(work: Callable[[Callable[[], None]], str], log: Path, moment: Moment, writer: int) -> NoReturn:
    def tell(what: str, text: str = "") -> None:
        os.write(writer, f"{what} {text}\0".encode())

    try:
        signal.alarm(_SECONDS_MAX)
        # Nothing of the parent's is to be finalized here: its connections are not ours.
        gc.disable()
        token_bytes = secrets.token_bytes

        def minting(nbytes: int | None = None) -> bytes:
            raw = token_bytes(nbytes)
            if nbytes == 64:
                tell("token", base64.urlsafe_b64encode(raw).decode())
            return raw

        secrets.token_bytes = minting
        with _watched(moment) as arm:
            said = work(lambda: arm(log))
            tell("done", said)
    except BaseException:  # noqa: BLE001 - the parent raises it
        tell("error", traceback.format_exc())
    finally:
        os.kill(os.getpid(), signal.SIGKILL)
        os._exit(1)


@contextlib.contextmanager
def _watched(moment: Moment) -> Iterator[Callable[[Path], None]]:
    """Count what SQLite does on every connection made from now on, once armed."""
    armed = False
    ticks = 0
    connect = sqlite3.connect

    def tick(*_: object) -> int:
        nonlocal ticks
        if armed and moment.kind == "tick":
            if ticks == moment.at:
                os.kill(os.getpid(), signal.SIGKILL)
            ticks += 1
        return 0

    def connecting(*given: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*given, **named)
        connection.set_trace_callback(tick)
        # SQLite asks at jumps only, so one is as often as it can be.
        connection.set_progress_handler(tick, 1)
        return connection

    def arm(log: Path) -> None:
        nonlocal armed
        armed = True
        if moment.kind == "byte":
            size = log.stat().st_size if log.exists() else 0
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            # Python ignores the signal; by default it ends the process like a kill.
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + moment.at, hard))

    sqlite3.connect = sqlite3.dbapi2.connect = connecting  # type: ignore[assignment]
    yield arm
