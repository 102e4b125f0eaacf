"""Which revision a store has, and the way to this release's.

A fresh file gets its tables straight from their definitions; Alembic, which
takes a third of a second to import, is loaded only for a file whose revision
is another. That both ways lead to the same tables is tested.

Revisions are named after the product version that introduced them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from fluxkeep.metastore.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

REVISION = "0.1"
# The newest one that keeps no digests of tokens.
BEFORE_HASHED_TOKENS = "2.4"
MIGRATIONS = Path(__file__).parent / "migrations"


class UnknownRevision(Exception):
    """The store's revision is none that this release knows the way from."""

    def __init__(self, revision: str) -> None:
        super().__init__(revision)
        self.revision = revision


def create(connection: Connection) -> None:
    """Make every table in an empty database and note the revision."""
    metadata.create_all(connection)
    # Alembic's own table, as it would make it.
    connection.execute(
        text(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
            "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:revision)"), {"revision": REVISION})


def migrate(connection: Connection, target: str = REVISION) -> None:
    """Bring the database to `target`, forward or back, inside the caller's transaction.

    Raises:
        UnknownRevision: There is no way from where it is.
    """
    stored = revision(connection)
    if stored == target:
        return
    from alembic import command

    configuration = alembic_config(connection)
    if is_newer(connection, target):
        command.downgrade(configuration, target)
    else:
        command.upgrade(configuration, target)


def is_newer(connection: Connection, target: str) -> bool:
    """Whether the database's revision is newer than `target`.

    Raises:
        UnknownRevision: The stored one is none of ours.
    """
    from alembic.script import ScriptDirectory

    stored = revision(connection)
    # walk_revisions goes from the newest to the oldest.
    scripts = ScriptDirectory.from_config(alembic_config(connection)).walk_revisions()
    known = [script.revision for script in scripts]
    if stored is None:
        return False
    if stored not in known:
        raise UnknownRevision(stored)
    return known.index(stored) < known.index(target)


def revision(connection: Connection) -> str | None:
    """The revision that the database notes; none for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    stored: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return stored


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration, without a file, bound to an open connection."""
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    configuration.attributes["connection"] = connection
    return configuration
