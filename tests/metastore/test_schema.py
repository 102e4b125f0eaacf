"""Both ways to the tables lead to the same ones, and the quick way is quick."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, text

from fluxkeep.metastore import schema
from fluxkeep.metastore.tables import metadata


def shape(connection: Connection) -> dict[str, object]:
    inspector = inspect(connection)
    found: dict[str, object] = {}
    for table in inspector.get_table_names():
        found[table] = {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(table)
            ],
            "key": inspector.get_pk_constraint(table),
            "foreign": sorted(map(repr, inspector.get_foreign_keys(table))),
            "unique": sorted(map(repr, inspector.get_unique_constraints(table))),
            "indexes": sorted(map(repr, inspector.get_indexes(table))),
            "checks": sorted(map(repr, inspector.get_check_constraints(table))),
        }
    return found


def test_migrations_from_nothing_equal_the_tables_as_defined() -> None:
    made = create_engine("sqlite://")
    migrated = create_engine("sqlite://")
    with made.connect() as one, migrated.connect() as two:
        schema.create(one)
        schema.migrate(two)
        assert schema.revision(one) == schema.revision(two) == schema.REVISION
        assert shape(one) == shape(two)
        assert set(shape(one)) == {table.name for table in metadata.sorted_tables} | {"alembic_version"}
    made.dispose()
    migrated.dispose()


def test_stepping_back_to_nothing_leaves_nothing() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        schema.create(connection)
        from alembic import command

        command.downgrade(schema.alembic_config(connection), "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_the_newest_revision_is_the_one_this_release_stamps() -> None:
    from alembic.script import ScriptDirectory

    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        assert ScriptDirectory.from_config(schema.alembic_config(connection)).get_heads() == [schema.REVISION]
    engine.dispose()


def test_an_unknown_revision_is_named() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        schema.create(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '9.9'"))
        with pytest.raises(schema.UnknownRevision, match=r"9\.9"):
            schema.migrate(connection)
    engine.dispose()


def test_a_fresh_store_does_not_load_alembic(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from fluxkeep.clock import SystemClock; from fluxkeep.metastore.engine import MetaStore\n"
        "for _ in range(2): MetaStore(pathlib.Path(sys.argv[1]), SystemClock()).close()\n"
        "sys.exit('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "x")], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_step_back_and_forth_keeps_the_rows_but_not_the_digests() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        schema.create(connection)
        before = shape(connection)
        connection.execute(text("INSERT INTO organizations VALUES ('o', 'o', '', 1, 1)"))
        connection.execute(text("INSERT INTO users VALUES ('u', 'u', 'active', '', 1, 1)"))
        insert = (
            "INSERT INTO authorizations (id, token, digest, status, description, org_id, user_id, permissions, "
            "created_at, updated_at, previous_digest, grace_ns, previous_until) VALUES "
            "(:id, :token, :digest, 'active', 'kept', 'o', 'u', '[]', 1, 1, :previous, 5, 6)"
        )
        connection.execute(text(insert), {"id": "a", "token": None, "digest": "d", "previous": "p"})
        connection.execute(text(insert), {"id": "b", "token": "t", "digest": None, "previous": None})
        schema.migrate(connection, schema.BEFORE_HASHED_TOKENS)
        names = [column["name"] for column in inspect(connection).get_columns("authorizations")]
        assert not [name for name in names if "digest" in name]
        schema.migrate(connection)
        assert shape(connection) == before
        rows = connection.execute(
            text("SELECT id, token, digest, previous_digest, description, grace_ns FROM authorizations ORDER BY id")
        ).fetchall()
        assert [tuple(row) for row in rows] == [
            ("a", None, None, None, "kept", None), ("b", "t", None, None, "kept", None)
        ]  # fmt: skip
    engine.dispose()
