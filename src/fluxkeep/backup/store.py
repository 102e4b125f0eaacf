"""The SQL of a snapshot of the records: what a copy carries besides the store's own tables.

A snapshot is a copy of the metadata store with two tables more: the shard groups
that existed when it was made, so that a full restore can make them again, and
the key of the secrets, wrapped.

A restore has a folder beside the store. As soon as `decision.json` is in it, the
restore has happened, whatever is killed then: the next start applies it.
"""

from __future__ import annotations

import glob
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import msgspec

from fluxkeep.errors import InvalidInput
from fluxkeep.ids import BucketID
from fluxkeep.storage.files import device_errors
from fluxkeep.storage.shards import Shard
from fluxkeep.storage.transfer import Replacement

_TABLE = "backup_shard_groups"
_DECISION = "decision.json"
_RECORDS = "records"


def scratch(store: Path, what: str) -> tempfile.TemporaryDirectory[str]:
    """A folder beside the store for one backup or restore, gone when it is left."""
    return tempfile.TemporaryDirectory(dir=store.parent, prefix=f".{store.name}.{what}-")


def make_restore_folder(store: Path) -> Path:
    """A folder for one restore, to be removed by the caller.

    Raises:
        DeviceFull, DeviceFailure: The device.
    """
    with device_errors("making a folder for a restore"):
        return Path(tempfile.mkdtemp(dir=store.parent, prefix=f".{store.name}.restore-"))


def records_in(folder: Path) -> Path:
    """Where a restore's folder has the received records."""
    return folder / _RECORDS


def decide(folder: Path, replacement: Replacement) -> None:
    """Make it durable that the restore of a folder happens.

    Raises:
        DeviceFull, DeviceFailure: It doesn't.
    """
    draft = folder / f"{_DECISION}.draft"
    with device_errors("deciding on a restore"):
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(replacement))
            file.flush()
            os.fsync(file.fileno())
        _sync(records_in(folder))
        draft.replace(folder / _DECISION)
        _sync(folder)
        _sync(folder.parent)


def forget_decision(folder: Path) -> None:
    """The restore of a folder has been applied, or is not to happen."""
    (folder / _DECISION).unlink(missing_ok=True)
    _sync(folder)


def is_decided(folder: Path) -> bool:
    """Whether the restore of a folder happens, come what may."""
    return (folder / _DECISION).exists()


def decided(store: Path) -> tuple[Path, Replacement] | None:
    """The folder of a restore that was decided on and perhaps not applied, and what replaces the series."""
    for folder in store.parent.glob(f".{glob.escape(store.name)}.restore-*"):
        path = folder / _DECISION
        if path.is_file():
            return folder, msgspec.json.decode(path.read_bytes(), type=Replacement)
    return None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(store: Path) -> None:
    """Remove scratch folders of a process that was killed; they hold copies of the records.

    Call it while the store's lock is held, so that no other process has any, and after what was
    decided has been applied.
    """
    for what in ("backup", "restore"):
        for folder in store.parent.glob(f".{glob.escape(store.name)}.{what}-*"):
            shutil.rmtree(folder, ignore_errors=True)


def note_shards(snapshot: Path, shards: Iterable[Shard]) -> None:
    """Write the shard groups into a snapshot."""
    with closing(sqlite3.connect(snapshot)) as connection, connection:
        connection.execute(
            f"CREATE TABLE {_TABLE} (id INTEGER PRIMARY KEY, bucket TEXT NOT NULL, start INTEGER NOT NULL, "
            "stop INTEGER NOT NULL)"
        )
        connection.executemany(
            f"INSERT INTO {_TABLE} VALUES (?, ?, ?, ?)",  # noqa: S608 - a constant name
            [(shard.id, str(shard.bucket), shard.start, shard.stop - 1) for shard in shards],
        )


def noted_shards(snapshot: Path) -> list[Shard]:
    """The shard groups of a snapshot.

    Raises:
        InvalidInput: It is a metadata store, but no snapshot of one.
    """
    with closing(sqlite3.connect(f"file:{snapshot}?mode=ro", uri=True)) as connection:
        try:
            rows = connection.execute(f"SELECT id, bucket, start, stop FROM {_TABLE}").fetchall()  # noqa: S608
        except sqlite3.DatabaseError as error:
            raise InvalidInput("the body is a metadata store, but no backup of one; nothing was replaced") from error
    return [Shard(identifier, BucketID.parse(bucket), start, stop + 1) for identifier, bucket, start, stop in rows]


def empty_database() -> bytes:
    """A valid SQLite file without tables: what stands for the reference's second store."""
    with closing(sqlite3.connect(":memory:")) as connection:
        # The header is written with the first page; a version number makes one.
        connection.execute("PRAGMA user_version = 1")
        return bytes(connection.serialize())
