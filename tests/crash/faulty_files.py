"""A file layer that fails, and that loses power.

It writes through to a real folder, so that what reads by path sees what a
running process would see, and keeps beside it what a device would have: bytes
that were synced, names whose folder was synced. `lose_power` makes the folder
what a device could hold after a power cut: each unsynced write is there, lost
or torn into sectors, independently; unsynced names are there up to some point.
"""

from __future__ import annotations

import errno
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fluxkeep.storage.files import LogFile, SystemFiles

SECTOR = 512


class PowerCutError(BaseException):
    """The process is gone from here on; nothing may catch this but the test."""


@dataclass
class _Node:
    """What one file's bytes are on the device."""

    synced: bytearray = field(default_factory=bytearray)
    # (offset, data) or (size, None) for a truncation, in order.
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)


class FaultyFiles:
    """A `Files` over a real folder; single-threaded."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.random = random.Random(seed)
        self.calls = 0
        self.cut_at: int | None = None
        self.fail_at: int | None = None
        self.failure = errno.EIO
        self.full = False
        # Full from one call up to another.
        self.full_between = (0, 0)
        # Bytes that the device holds; None is no limit.
        self.capacity: int | None = None
        self._dead = False
        self._real = SystemFiles()
        # Names as on the device, and what has happened to names since, in order.
        self._names: dict[Path, _Node] = {}
        self._pending: list[tuple[str, Path, Path | _Node | None]] = []
        # Names as the process sees them.
        self._live: dict[Path, _Node] = {}

    # --- faults ------------------------------------------------------------------------------

    def call(self, writes: bool = True) -> None:
        """Count a call; fail or cut power if its turn has come."""
        if self._dead:
            raise PowerCutError
        self.calls += 1
        if self.cut_at is not None and self.calls >= self.cut_at:
            self._dead = True
            raise PowerCutError
        if self.fail_at is not None and self.calls == self.fail_at:
            raise OSError(self.failure, "injected")
        first, last = self.full_between
        if writes and (self.full or first <= self.calls < last):
            raise OSError(errno.ENOSPC, "injected")

    def need(self, size: int) -> None:
        """Fail if the device has no room for so many more bytes."""
        if self.capacity is not None:
            used = sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())
            if used + size > self.capacity:
                raise OSError(errno.ENOSPC, "injected")

    def lose_power(self) -> FaultyFiles:
        """Make the folder what the device holds after a power cut; gives the layer of the next life.

        This one is dead: what still refers to it does nothing any more.
        """
        self._dead = True
        done = self.random.randint(0, len(self._pending))
        for kind, path, what in self._pending[:done]:
            self._apply(kind, path, what)
        contents = {path: self._survivor(node) for path, node in self._names.items()}
        for child in self.root.iterdir():
            shutil.rmtree(child) if child.is_dir() else child.unlink()
        next_life = FaultyFiles(self.root, self.random.randrange(1 << 30))
        next_life.failure = self.failure
        for path, data in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            next_life._live[path] = _Node(bytearray(data))
        next_life._names = dict(next_life._live)
        return next_life

    def _survivor(self, node: _Node) -> bytes:
        data = bytearray(node.synced)
        for offset, change in node.unsynced:
            if change is None:
                if self.random.random() < 0.5:
                    data = data[:offset]
                continue
            fate = self.random.random()
            for start in range(0, len(change), SECTOR):
                if fate < 0.3 or (fate < 0.7 and self.random.random() < 0.5):
                    continue
                piece = change[start : start + SECTOR]
                data.extend(bytes(max(0, offset + start + len(piece) - len(data))))
                data[offset + start : offset + start + len(piece)] = piece
        return bytes(data)

    def _apply(self, kind: str, path: Path, what: Path | _Node | None) -> None:
        if kind == "name":
            assert isinstance(what, _Node)
            self._names[path] = what
        elif kind == "rename":
            assert isinstance(what, Path)
            if path in self._names:
                self._names[what] = self._names.pop(path)
        else:
            self._names.pop(path, None)

    def _note(self, kind: str, path: Path, what: Path | _Node | None) -> None:
        self._pending.append((kind, path, what))

    # --- Files -------------------------------------------------------------------------------

    def create(self, path: Path, size: int) -> LogFile:
        self.call()
        self.need(size)
        file = self._real.create(path, size)
        node = _Node()
        node.unsynced.append((0, bytes(size)))
        self._live[path] = node
        self._note("name", path, node)
        return _FaultyFile(self, file, node, size)

    def write(self, path: Path, data: bytes | memoryview) -> None:
        node = _Node()
        self._live[path] = node
        self._note("name", path, node)
        node.unsynced.append((0, bytes(data)))
        try:
            self.call()
            self.need(len(data))
            self._real.write(path, data)
            self.call()
        except OSError:
            path.unlink(missing_ok=True)
            self._live.pop(path, None)
            self._note("remove", path, None)
            raise
        node.synced, node.unsynced = bytearray(data), []

    def read(self, path: Path) -> bytes:
        self.call(writes=False)
        return self._real.read(path)

    def rename(self, source: Path, target: Path) -> None:
        self.call()
        self._real.rename(source, target)
        self._live[target] = self._live.pop(source)
        self._note("rename", source, target)

    def remove(self, path: Path) -> None:
        if self._dead:
            # Files whose last reader goes away after the end of the process stay.
            return
        try:
            self.call(writes=False)
        except PowerCutError:
            # A finalizer may be calling, and what it raises is lost: the next call raises again.
            return
        self._real.remove(path)
        if self._live.pop(path, None) is not None:
            self._note("remove", path, None)

    def remove_folder(self, path: Path) -> None:
        self.call(writes=False)
        self._real.remove_folder(path)

    def make_directory(self, path: Path) -> None:
        self.call()
        path.mkdir(parents=True, exist_ok=True)

    def sync_directory(self, path: Path) -> None:
        self.call()
        # A journal keeps order: what happened before in any folder is durable as well.
        for kind, name, what in self._pending:
            self._apply(kind, name, what)
        self._pending = []

    def names(self, path: Path) -> list[str]:
        self.call(writes=False)
        return self._real.names(path)

    def lock(self, path: Path) -> Callable[[], None]:
        self.call(writes=False)
        return lambda: None


class _FaultyFile:
    def __init__(self, files: FaultyFiles, real: LogFile, node: _Node, size: int) -> None:
        self._files = files
        self._size = size
        self._real = real
        self._node = node

    def write_at(self, data: bytes, offset: int) -> None:
        try:
            self._files.call()
            if offset + len(data) > self._size:
                self._files.need(offset + len(data) - self._size)
                self._size = offset + len(data)
        except OSError:
            # A part may have been written before it failed.
            part = data[: self._files.random.randint(0, len(data))]
            self._real.write_at(part, offset)
            self._node.unsynced.append((offset, part))
            raise
        except PowerCutError:
            self._node.unsynced.append((offset, data))
            raise
        self._real.write_at(data, offset)
        self._node.unsynced.append((offset, bytes(data)))

    def sync(self) -> None:
        try:
            self._files.call()
        except OSError:
            # The system marks pages clean whose write-back failed: some never reach the device.
            self._node.unsynced = [w for w in self._node.unsynced if self._files.random.random() < 0.5]
            raise
        data = self._node.synced
        for offset, change in self._node.unsynced:
            if change is None:
                del data[offset:]
            else:
                data.extend(bytes(max(0, offset + len(change) - len(data))))
                data[offset : offset + len(change)] = change
        self._node.unsynced = []

    def truncate(self, size: int) -> None:
        self._files.call()
        self._real.truncate(size)
        self._node.unsynced.append((size, None))

    def close(self) -> None:
        self._real.close()
