"""A server that starts in a tenth of a second, to be killed thousands of times.

A process imports the whole server once and forks for each life: the child runs
`server.run` as the command does, with small limits, so that a few writes fill a
memtable and make work for compaction. What a life is doing stands in a file
that both sides have mapped, and so does the number of the file-layer call at
which it is to kill itself: as `kill -9` does, between two system calls or in
the middle of a write.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import functools
import gc
import importlib
import json
import mmap
import os
import pkgutil
import random
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PHASES = ("start", "write", "delete", "flush", "compaction", "retention", "drop", "backup", "stop")
_SLOTS = ("calls", "kill_at", *(f"in {p}" for p in PHASES), *(f"done {p}" for p in PHASES))
_NUMBER = struct.Struct("<q")


class Board:
    """Numbers that two processes share."""

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(len(_SLOTS) * _NUMBER.size)
            self._map = mmap.mmap(file.fileno(), len(_SLOTS) * _NUMBER.size)

    def __getitem__(self, name: str) -> int:
        value: int = _NUMBER.unpack_from(self._map, _SLOTS.index(name) * _NUMBER.size)[0]
        return value

    def __setitem__(self, name: str, value: int) -> None:
        _NUMBER.pack_into(self._map, _SLOTS.index(name) * _NUMBER.size, value)

    def new_life(self) -> None:
        """Forget what the last life was at; what all lives have done stays."""
        for name in _SLOTS[: 2 + len(PHASES)]:
            self[name] = 0

    def active(self) -> list[str]:
        """What a life was at when it ended."""
        return [phase for phase in PHASES if self[f"in {phase}"] > 0]


class Zygote:
    """The driver's side: starts lives one after the other on any data folder."""

    def __init__(self, board: Path) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("INFLUX")}
        # A pool that is made by an import would not live through the fork.
        environ["OPENBLAS_NUM_THREADS"] = "1"
        self.board = Board(board)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.blackbox.zygote", str(board)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
        )
        self.pid = 0

    def start(self, folder: Path, port: int, kill_at: int = 0) -> None:
        """Begin a life; it may be killed before it listens."""
        self.board.new_life()
        self.board["kill_at"] = kill_at
        self.pid = self._ask({"start": str(folder), "port": port})

    def alive(self) -> bool:
        """Whether the life goes on."""
        return self.pid != 0 and self._ask({"alive": self.pid}) != 0

    def end(self, number: signal.Signals = signal.SIGKILL, seconds: float | None = None) -> int:
        """Send a signal and wait for the end, at most so long if that is said; gives the wait status or -1."""
        if self.pid == 0:
            return 0
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        status = self._ask({"wait": self.pid, "seconds": seconds})
        if status >= 0:
            self.pid = 0
        return status

    def close(self) -> None:
        """End the life and the zygote."""
        self.end()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _ask(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise AssertionError("the zygote has ended")
        return int(answer)


def main() -> None:
    """Import everything, then fork when told to."""
    import alembic.command  # noqa: F401 - the records import it when they need it
    import granian.server.embed  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import fluxkeep

    for module in pkgutil.walk_packages(fluxkeep.__path__, "fluxkeep."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    from fluxkeep import server

    gc.freeze()
    board = Path(sys.argv[1])
    for line in sys.stdin:
        order = json.loads(line)
        if "start" in order:
            pid = os.fork()
            if not pid:
                _live(server, Path(order["start"]), order["port"], Board(board))
            print(pid, flush=True)
        elif "alive" in order:
            # Only looked at: the end is waited for by whoever asks for it.
            gone = os.waitid(os.P_PID, order["alive"], os.WEXITED | os.WNOHANG | os.WNOWAIT)
            print(0 if gone else 1, flush=True)
        else:
            until = None if order["seconds"] is None else time.monotonic() + order["seconds"]
            while True:
                found, status = os.waitpid(order["wait"], os.WNOHANG if until is not None else 0)
                if found or until is None or time.monotonic() > until:
                    break
                time.sleep(0.001)
            print(status if found else -1, flush=True)


def _live(server: Any, folder: Path, port: int, board: Board) -> None:
    """A life; never returns."""
    status = 1
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(folder / "server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for target, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, target)
        # Where it hangs is written down on demand, also with the interpreter's lock held.
        faulthandler.register(signal.SIGUSR1)
        _small_limits(server)
        _watch(server, board)
        flags = {
            "http-bind-address": f"127.0.0.1:{port}",
            "bolt-path": str(folder / "influxd.bolt"),
            "sqlite-path": str(folder / "influxd.sqlite"),
            "engine-path": str(folder / "engine"),
            "storage-retention-check-interval": "60ms",
        }
        from fluxkeep.config.settings import load

        server.run(load(flags, {}, folder))
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        raise
    finally:
        os._exit(status)


def _small_limits(server: Any) -> None:
    from fluxkeep.storage import worker
    from fluxkeep.storage.settings import StorageOptions

    worker._TICK_SECONDS = 0.05
    server._DROP_SECONDS = 0.03
    server._storage_options = lambda settings: StorageOptions(
        wal_segment_bytes=48 << 10,
        memtable_flush_bytes=24 << 10,
        memtable_bytes_max=1 << 20,
        flush_idle_seconds=0.3,
        row_group_rows=256,
        file_bytes_max=256 << 10,
        compaction_files_min=3,
        scan_block_values=2000,
    )


def _watch(server: Any, board: Board) -> None:
    """Write onto the board what the engine is at, and die at the call that the board names."""
    from fluxkeep.storage import engine, files

    lock = threading.Lock()

    def enter(phase: str, by: int) -> None:
        with lock:
            board[f"in {phase}"] += by
            if by < 0:
                board[f"done {phase}"] += 1

    def phase(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(work)
        def watched(*arguments: Any, **named: Any) -> Any:
            enter(name, 1)
            result = work(*arguments, **named)
            enter(name, -1)
            return result

        return watched

    def due() -> bool:
        with lock:
            board["calls"] += 1
            return 0 < board["kill_at"] <= board["calls"]

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    class LogFile(files.SystemLogFile):
        def write_at(self, data: bytes, offset: int) -> None:
            if due():
                super().write_at(data[: random.randint(0, len(data))], offset)
                die()
            super().write_at(data, offset)

        def sync(self) -> None:
            if due():
                die()
            super().sync()

        def truncate(self, size: int) -> None:
            if due():
                die()
            super().truncate(size)

    class Files(files.SystemFiles):
        def create(self, path: Path, size: int) -> files.LogFile:
            made = super().create(path, size)
            assert isinstance(made, files.SystemLogFile)
            made.__class__ = LogFile
            if due():
                die()
            return made

        def write(self, path: Path, data: bytes | memoryview) -> None:
            if due():
                super().write(path, memoryview(data)[: random.randint(0, len(data))])
                die()
            super().write(path, data)

    def counted(work: Callable[..., None]) -> Callable[..., None]:
        def call(self: files.SystemFiles, *paths: Path) -> None:
            if due():
                die()
            work(self, *paths)

        return call

    for name in ("rename", "remove", "remove_folder", "make_directory", "sync_directory"):
        setattr(Files, name, counted(getattr(files.SystemFiles, name)))
    names = vars(engine)
    names["SystemFiles"] = Files
    names["compact"] = phase("compaction", names["compact"])
    one = engine.Engine
    # Only a pass that drops something counts as one.
    for name, method in (
        ("write", "write_all"),
        ("delete", "delete"),
        ("flush", "_flush_sealed"),
        ("drop", "drop_bucket"),
        ("backup", "export_shard"),
        ("stop", "close"),
    ):
        setattr(one, method, phase(name, getattr(one, method)))
    one.__init__ = phase("start", one.__init__)  # type: ignore[method-assign]
    drop_shards = one._drop_shards

    def dropping(self: engine.Engine, shards: Any, dropped_bucket: Any) -> None:
        work = drop_shards if dropped_bucket is not None or not shards else phase("retention", drop_shards)
        work(self, shards, dropped_bucket)

    one._drop_shards = dropping  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
