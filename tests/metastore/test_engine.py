"""What the store on SQLite promises about its file."""

from __future__ import annotations

import sqlite3
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from fluxkeep.clock import ManualClock
from fluxkeep.errors import Corruption, DeviceFull
from fluxkeep.metastore.engine import MetaStore, StoreInUse, StoreRefused, check
from fluxkeep.metastore.tables.tenancy import organizations


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "influxd.bolt"


@pytest.fixture
def store(path: Path) -> Iterator[MetaStore]:
    store = MetaStore(path, ManualClock())
    yield store
    store.close()


def bolt_file(page_size: int) -> bytes:
    meta = struct.pack("<QHHIIIII", 0, 4, 0, 0, 0xED0CDAED, 2, page_size, 0)
    page = meta.ljust(page_size, b"\0")
    return page + page + b"\0" * 2 * page_size


def add(store: MetaStore, name: str) -> None:
    with store.begin() as work:
        work.connection.execute(
            organizations.insert().values(
                id=f"{abs(hash(name)) % (1 << 60) + 1:016x}", name=name, description="", created_at=0, updated_at=0
            )
        )


@pytest.mark.parametrize("page_size", [4096, 16384])
@pytest.mark.parametrize("torn", [False, True])
def test_a_bolt_file_is_refused_and_left_as_it_is(path: Path, page_size: int, torn: bool) -> None:
    content = bolt_file(page_size)
    if torn:
        content = b"\0" * page_size + content[page_size:]
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o644)
    with pytest.raises(StoreRefused, match="bolt file of InfluxDB"):
        MetaStore(path, ManualClock())
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_another_file_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"just some notes")
    with pytest.raises(StoreRefused, match="not a metadata store"):
        MetaStore(path, ManualClock())
    assert path.read_bytes() == b"just some notes"


def test_another_programs_database_is_refused_and_keeps_its_tables(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE migrations (id INTEGER)")
    other.commit()
    other.close()
    with pytest.raises(StoreRefused, match="another program"):
        MetaStore(path, ManualClock())
    other = sqlite3.connect(path)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("migrations",)]
    other.close()


def test_a_folder_at_the_path_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreRefused, match="not a file"):
        MetaStore(path, ManualClock())


def test_a_newer_revision_is_refused(path: Path) -> None:
    MetaStore(path, ManualClock()).close()
    raw = sqlite3.connect(path)
    raw.execute("UPDATE alembic_version SET version_num = '99.0'")
    raw.commit()
    raw.close()
    with pytest.raises(StoreRefused, match=r"revision 99\.0"):
        MetaStore(path, ManualClock())


def test_only_the_owner_may_look(store: MetaStore, path: Path) -> None:
    add(store, "x")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("influxd.bolt", "influxd.bolt.lock", "influxd.bolt-wal", "influxd.bolt-shm"), 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_may_read_is_closed_to_them(path: Path) -> None:
    MetaStore(path, ManualClock()).close()
    path.chmod(0o644)
    MetaStore(path, ManualClock()).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_opening_is_refused_until_the_first_is_closed(store: MetaStore, path: Path) -> None:
    with pytest.raises(StoreInUse, match="in use by another process"):
        MetaStore(path, ManualClock())
    add(store, "still works")
    store.close()
    MetaStore(path, ManualClock()).close()


def test_a_second_process_is_refused(store: MetaStore, path: Path) -> None:
    script = (
        "import sys, pathlib; from fluxkeep.clock import SystemClock; from fluxkeep.metastore.engine import *\n"
        "try: MetaStore(pathlib.Path(sys.argv[1]), SystemClock())\n"
        "except StoreInUse as error: print(error); sys.exit(7)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    assert "in use by another process" in done.stdout


def test_a_commit_survives_the_loss_of_the_process(path: Path) -> None:
    script = (
        "import os, sys, pathlib; from fluxkeep.clock import SystemClock; from fluxkeep.metastore.engine import *\n"
        "store = MetaStore(pathlib.Path(sys.argv[1]), SystemClock())\n"
        "from fluxkeep.metastore.tables.tenancy import organizations as o\n"
        "row = dict(id='00000000000000a1', name='kept', description='', created_at=0, updated_at=0)\n"
        "with store.begin() as work: work.connection.execute(o.insert().values(row))\n"
        "with store.begin() as work:\n"
        "    work.connection.execute(o.update().values(name='lost'))\n"
        "    os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    store = MetaStore(path, ManualClock())
    try:
        with store.read() as connection:
            assert connection.execute(text("SELECT name FROM organizations")).scalars().all() == ["kept"]
    finally:
        store.close()


def test_safety_settings_hold_on_every_connection(store: MetaStore) -> None:
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    with store.read() as one, store.read() as two, store.begin() as work:
        for connection in (one, two, work.connection):
            seen = {name: connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in expected}
            assert seen == expected


def test_nothing_deleted_is_left_in_the_files_after_scrub(store: MetaStore, path: Path) -> None:
    planted = "planted-secret-" * 40
    add(store, planted)
    with store.begin() as work:
        work.connection.execute(organizations.delete())
    store.scrub()
    for file in path.parent.iterdir():
        assert b"planted-secret" not in file.read_bytes(), file.name


def test_the_planted_text_would_be_found_before_scrub(store: MetaStore, path: Path) -> None:
    add(store, "planted-secret")
    assert any(b"planted-secret" in file.read_bytes() for file in path.parent.iterdir())


def test_a_backup_is_private_complete_and_never_overwrites(store: MetaStore, tmp_path: Path) -> None:
    add(store, "copied")
    target = tmp_path / "copy"
    store.backup(target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        store.backup(target)
    copy = MetaStore(target, ManualClock())
    try:
        with copy.read() as connection:
            assert connection.execute(text("SELECT name FROM organizations")).scalars().all() == ["copied"]
    finally:
        copy.close()


def test_a_full_device_is_said_and_changes_nothing(store: MetaStore) -> None:
    add(store, "before")
    with store.read() as connection:
        # The pool hands the same connection to the writer.
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DeviceFull, match="no space"):
        add(store, "too much" * 10_000)
    with store.read() as connection:
        assert connection.execute(text("SELECT name FROM organizations")).scalars().all() == ["before"]
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 100}")
    add(store, "too much" * 10_000)


def test_check_passes_a_sound_file_and_names_a_damaged_one(path: Path) -> None:
    store = MetaStore(path, ManualClock())
    for number in range(200):
        add(store, f"organization number {number}")
    check(store)
    store.close()
    content = bytearray(path.read_bytes())
    at = content.index(b"organization number 7")
    content[at - 200 : at] = b"\xff" * 200
    path.write_bytes(content)
    store = MetaStore(path, ManualClock())
    try:
        with pytest.raises(Corruption, match="metadata store"):
            check(store)
    finally:
        store.close()
