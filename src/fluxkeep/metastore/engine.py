"""MetaStore: the one relational file, opened safely and written by one at a time.

It promises that a file which is not ours is left untouched, that a second
process is refused, that nobody else on the machine may read the file, that a
commit is on disk when `begin` returns, and that listeners have seen its events
by then. What the rows mean belongs to the rooms that own them.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

from fluxkeep.clock import Clock
from fluxkeep.errors import Corruption, DeviceFull, FluxkeepError, Internal
from fluxkeep.metastore import schema
from fluxkeep.metastore.events import RecordsReplaced
from fluxkeep.metastore.tables import metadata
from fluxkeep.metastore.unit_of_work import Event, Listener, UnitOfWork

# "FLXK": tells our files from any other SQLite database, InfluxDB's own among them.
APPLICATION_ID = 0x464C584B

# Where bbolt keeps its magic: after the 16-byte header of its two meta pages (4, 8, 16 or 64 KiB apart).
_BOLT_MAGIC = struct.pack("<I", 0xED0CDAED)
_BOLT_OFFSETS = (16, 4096 + 16, 8192 + 16, 16384 + 16, 65536 + 16)
_SQLITE_MAGIC = b"SQLite format 3\x00"

# Rows of one statement when a whole store is copied.
_COPIED_ROWS = 1_000

# How long a reader or a checkpoint may wait for another connection's lock.
_BUSY_TIMEOUT_MS = 5_000


class StoreRefused(FluxkeepError):
    """The file at the store's path cannot be used; nothing was changed."""


class StoreInUse(StoreRefused):
    """Another process has the store open."""


class MetaStore:
    """The store on SQLite.

    Any number of threads may read; writers wait for each other. Close it at
    the end: that folds the write-ahead log into the file and frees the lock.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open or make the file and bring its tables to this release's revision.

        Raises:
            StoreRefused: Something else is at the path: a bolt file, another database, a newer revision.
            StoreInUse: Another process holds it.
        """
        self.path = path
        self.clock = clock
        self._listeners: list[Listener] = []
        self._write_lock = threading.Lock()
        self._writer: int | None = None
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_foreign(path)
        self._lock_file = _lock(path)
        try:
            _make_private(path)
            self._engine = _engine(path)
            self._open()
        except BaseException:
            os.close(self._lock_file)
            raise

    @property
    def engine(self) -> Engine:
        """The pool underneath, for schema tools and tests."""
        return self._engine

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with the events of every commit that has any.

        It runs in the writer's thread under the write lock: it must be quick,
        must not write, and must not fail.
        """
        self._listeners.append(listener)

    @contextmanager
    def begin(self) -> Iterator[UnitOfWork]:
        """One write transaction: committed at the end, rolled back by any exception.

        Raises:
            DeviceFull: No space for the commit; nothing was changed.
            Internal: The thread is inside a write transaction already.
        """
        me = threading.get_ident()
        if self._writer == me:
            raise Internal("a write transaction cannot be nested")
        with self._write_lock:
            self._writer = me
            try:
                with self._writing() as connection:
                    work = UnitOfWork(connection=connection, now_ns=self.clock.now_ns())
                    yield work
                self._publish(tuple(work.events))
            except OperationalError as error:
                if "full" in str(error.orig):
                    raise DeviceFull("no space is left for the metadata store") from error
                raise
            finally:
                self._writer = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one consistent state; nothing it changes is kept."""
        with self._engine.connect() as connection:
            yield connection

    def scrub(self) -> None:
        """Rewrite the file so that no deleted value remains in it or in its log.

        Rows are zeroed when deleted (`secure_delete`), but earlier pages can
        survive in the log until it is folded in. Takes the time of copying
        the file; other writers wait.
        """
        with self._write_lock:
            raw = self._engine.raw_connection()
            try:
                cursor = raw.cursor()
                for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                    cursor.execute(statement).fetchall()
                cursor.close()
            finally:
                raw.close()

    def backup(self, target: Path) -> None:
        """Write a consistent copy to a new file of mode 0600 while readers and writers go on.

        Raises:
            FileExistsError: The target is there already.
        """
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        raw = self._engine.raw_connection()
        try:
            copy = sqlite3.connect(target)
            try:
                source = raw.driver_connection
                assert isinstance(source, sqlite3.Connection)
                source.backup(copy)
            finally:
                copy.close()
        finally:
            raw.close()

    def replace_with(self, source: MetaStore) -> None:
        """Put another open store's rows in the place of all of this one's, in one transaction.

        A crash leaves either the old rows or the new ones. Listeners hear `RecordsReplaced`.

        Args:
            source: Of this release's revision; it is only read.
        """
        with source.read() as copy, self.begin() as work:
            # Rows refer to rows of earlier tables only, so they go in reverse order and come in order.
            for table in reversed(metadata.sorted_tables):
                work.connection.execute(table.delete())
            for table in metadata.sorted_tables:
                for rows in copy.execute(table.select()).mappings().partitions(_COPIED_ROWS):
                    work.connection.execute(table.insert(), [dict(row) for row in rows])
            work.emit(RecordsReplaced())

    def close(self) -> None:
        """Fold the log into the file and let go of it. Closing twice is harmless."""
        if self._lock_file < 0:
            return
        with self._write_lock:
            self._engine.dispose()
            os.close(self._lock_file)
            self._lock_file = -1

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        # IMMEDIATE takes the write lock at once: a transaction that began by reading could find it taken.
        with self._engine.connect().execution_options(fluxkeep_begin="IMMEDIATE") as connection, connection.begin():
            yield connection

    def _open(self) -> None:
        try:
            with self._writing() as connection:
                mine = connection.execute(text("PRAGMA application_id")).scalar_one()
                empty = not connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar_one()
                if not empty and mine != APPLICATION_ID:
                    raise StoreRefused(f"{self.path} is an SQLite database of another program; it was left as it is")
                if empty:
                    connection.execute(text(f"PRAGMA application_id = {APPLICATION_ID}"))
                    schema.create(connection)
                else:
                    schema.migrate(connection)
        except schema.UnknownRevision as error:
            raise StoreRefused(
                f"{self.path} was written by another release (revision {error.revision}); it was left as it is"
            ) from error
        except OperationalError as error:
            raise StoreRefused(f"{self.path} cannot be opened: {error.orig}") from error

    def _publish(self, events: tuple[Event, ...]) -> None:
        if not events:
            return
        for listener in self._listeners:
            listener(events)


def step_back(path: Path, target: str, before: Callable[[Connection], None]) -> bool:
    """Bring the tables of a stopped server's file back to an older revision, in one transaction, and erase the traces.

    Args:
        path: The file.
        target: The revision.
        before: Called with the file's state before anything changes; what it raises leaves the file as it is.

    Returns:
        False where the file is at that revision or an older one already.

    Raises:
        StoreRefused: The file is none of ours, or of an unknown revision.
        StoreInUse: Another process holds it.
    """
    refuse_foreign(path)
    lock = _lock(path)
    try:
        engine = _engine(path)
        try:
            with engine.connect().execution_options(fluxkeep_begin="IMMEDIATE") as connection, connection.begin():
                if connection.execute(text("PRAGMA application_id")).scalar_one() != APPLICATION_ID:
                    raise StoreRefused(f"{path} is not a metadata store; it was left as it is")
                if not schema.is_newer(connection, target):
                    return False
                before(connection)
                schema.migrate(connection, target)
            raw = engine.raw_connection()
            for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                raw.cursor().execute(statement).fetchall()
            raw.close()
        except schema.UnknownRevision as error:
            raise StoreRefused(f"{path} was written by another release (revision {error.revision})") from error
        finally:
            engine.dispose()
    finally:
        os.close(lock)
    return True


def refuse_foreign(path: Path) -> None:
    """Raise if the file at `path` is there and not SQLite's; it is only read.

    Raises:
        StoreRefused: With a text that names a bolt file for what it is.
    """
    if not path.exists():
        return
    if not path.is_file():
        raise StoreRefused(f"{path} is not a file")
    with path.open("rb") as file:
        head = file.read(_BOLT_OFFSETS[-1] + 4)
    if any(head[offset : offset + 4] == _BOLT_MAGIC for offset in _BOLT_OFFSETS):
        raise StoreRefused(
            f"{path} is a bolt file of InfluxDB, which fluxkeep does not write to; it was left as it is. "
            "Give another --bolt-path"
        )
    if head and not head.startswith(_SQLITE_MAGIC):
        raise StoreRefused(f"{path} is not a metadata store; it was left as it is")


def _lock(path: Path) -> int:
    """Hold `<path>.lock` for this process; the number is the open file's.

    A file of its own, because closing any descriptor of a database drops the
    POSIX locks that SQLite holds on it.
    """
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreInUse(f"{path} is in use by another process; is influxd running already?") from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _make_private(path: Path) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def _engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"check_same_thread": False},
        pool_size=8,
        max_overflow=24,
        # An error's text would quote the values of its statement, and these are digests and tokens.
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling commits before DDL; ours begins explicitly below.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout = {_BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",
            "trusted_schema = OFF",
        ):
            cursor.execute(f"PRAGMA {pragma}").fetchall()
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("fluxkeep_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def check(store: MetaStore) -> None:
    """Have SQLite verify every page and reference of the file.

    Raises:
        Corruption: With the first thing it found.
    """
    with store.read() as connection:
        found = connection.execute(text("PRAGMA integrity_check(1)")).scalar_one()
        if found != "ok":
            raise Corruption(f"metadata store: {found}", file=str(store.path))
        dangling = connection.execute(text("PRAGMA foreign_key_check")).first()
        if dangling is not None:
            raise Corruption(f"metadata store: a row of {dangling[0]} points nowhere", file=str(store.path))
