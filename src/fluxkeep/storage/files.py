"""The file layer: the only module that opens, syncs or renames a data file.

A protocol, so that tests put a layer in its place that tears, loses and
reorders what was not synced, and fails at the n-th call. What `OSError`s mean
to a client is decided here once.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from fluxkeep.errors import DeviceFull, Internal

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_STAYS = frozenset({errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})


class Locked(Exception):
    """Another process has the folder."""


class DeviceFailure(Internal):
    """The device refused a read, write or sync for another reason than space."""


@contextmanager
def device_errors(doing: str) -> Iterator[None]:
    """Turn `OSError` into an error of the tree; the message names the act, not the path.

    Raises:
        DeviceFull: No space left.
        DeviceFailure: Anything else.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise DeviceFull(f"no space left on device while {doing}", retry_after_seconds=10) from error
        raise DeviceFailure(f"device failure while {doing}: {os.strerror(error.errno or errno.EIO)}") from error


class LogFile(Protocol):
    """A file written in place; nothing is durable before `sync`."""

    def write_at(self, data: bytes, offset: int) -> None:
        """Write all of `data`; on an error any part of it may have been written."""
        ...

    def sync(self) -> None:
        """Make everything written so far durable."""
        ...

    def truncate(self, size: int) -> None:
        """Cut to `size` bytes."""
        ...

    def close(self) -> None:
        """Close; syncs nothing."""
        ...


class Files(Protocol):
    """What the store does to the file system. Every method raises `OSError`."""

    def create(self, path: Path, size: int) -> LogFile:
        """A new file of `size` zero bytes with blocks allocated; an existing one is emptied first."""
        ...

    def write(self, path: Path, data: bytes | memoryview) -> None:
        """A new synced file with this content; its name is durable after `sync_directory`."""
        ...

    def read(self, path: Path) -> bytes:
        """The whole content."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name in the same folder, atomically, replacing what has that name."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file; one that is not there is fine."""
        ...

    def remove_folder(self, path: Path) -> None:
        """Remove a folder if it is empty; one that is not, or is not there, is fine."""
        ...

    def make_directory(self, path: Path) -> None:
        """Make a folder and its parents, durably."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Make the names in a folder durable."""
        ...

    def names(self, path: Path) -> list[str]:
        """The names in a folder in byte order; none if there is no such folder."""
        ...

    def lock(self, path: Path) -> Callable[[], None]:
        """Claim a folder for this process; gives what releases it.

        Raises:
            Locked: Another process has it.
        """
        ...


class SystemLogFile:
    """A `LogFile` on the operating system's files."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write_at(self, data: bytes, offset: int) -> None:
        """Write all of `data`."""
        written = os.pwrite(self._descriptor, data, offset)
        while written < len(data):
            step = os.pwrite(self._descriptor, memoryview(data)[written:], offset + written)
            if step == 0:
                raise OSError(errno.EIO, "nothing written")
            written += step

    def sync(self) -> None:
        """Flush data and the size; times are not needed, which saves a journal commit."""
        os.fdatasync(self._descriptor)

    def truncate(self, size: int) -> None:
        """Cut to `size` bytes."""
        os.ftruncate(self._descriptor, size)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)


class SystemFiles:
    """The operating system's files; new ones can be read by their owner only."""

    def create(self, path: Path, size: int) -> LogFile:
        """A new preallocated file."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            if size:
                os.posix_fallocate(descriptor, 0, size)
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        return SystemLogFile(descriptor)

    def write(self, path: Path, data: bytes | memoryview) -> None:
        """A new synced file; a failure leaves none behind."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]
                os.fsync(descriptor)
        except OSError:
            path.unlink(missing_ok=True)
            raise

    def read(self, path: Path) -> bytes:
        """The whole content."""
        return path.read_bytes()

    def rename(self, source: Path, target: Path) -> None:
        """Rename atomically."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Remove a file if it is there."""
        path.unlink(missing_ok=True)

    def remove_folder(self, path: Path) -> None:
        """Remove a folder if it is empty."""
        try:
            path.rmdir()
        except OSError as error:
            if error.errno not in _STAYS:
                raise

    def make_directory(self, path: Path) -> None:
        """Make a folder and its parents, each name synced."""
        missing = [p for p in (path, *path.parents) if not p.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
            self.sync_directory(folder.parent)

    def sync_directory(self, path: Path) -> None:
        """Sync a folder."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def names(self, path: Path) -> list[str]:
        """The names in a folder."""
        return sorted(entry.name for entry in path.iterdir()) if path.is_dir() else []

    def lock(self, path: Path) -> Callable[[], None]:
        """Claim a folder by a lock on a file in it, which the system drops when the process dies."""
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise Locked from error
        except OSError:
            os.close(descriptor)
            raise
        return lambda: os.close(descriptor)
