"""The SQL of a snapshot of the records: what a copy carries besides the store's own tables.

A snapshot is a copy of the metadata store with one table more, the shard groups
that existed when it was made, so that a full restore can make them again.
"""

from __future__ import annotations

import glob
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from fluxkeep.errors import InvalidInput
from fluxkeep.ids import BucketID
from fluxkeep.storage.shards import Shard

_TABLE = "backup_shard_groups"


def scratch(store: Path, what: str) -> tempfile.TemporaryDirectory[str]:
    """A folder beside the store for one backup or restore, gone when it is left."""
    return tempfile.TemporaryDirectory(dir=store.parent, prefix=f".{store.name}.{what}-")


def remove_leftovers(store: Path) -> None:
    """Remove scratch folders of a process that was killed; they hold copies of the records.

    Call it while the store's lock is held, so that no other process has any.
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
