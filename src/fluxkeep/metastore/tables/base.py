"""The metadata that all table modules share, and the column types they speak in.

Instants are int64 nanoseconds, durations too; ids are their 16 hex digits, so
that a row read by hand says what the API says. Names sort by code point in
memory, never by a collation of the database.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from sqlalchemy import BigInteger, Column, Dialect, MetaData, Text
from sqlalchemy.types import TypeDecorator

from fluxkeep.ids import ID

K = TypeVar("K", bound=ID)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Identifier(TypeDecorator[K], Generic[K]):
    """An id column: 16 hex digits in the file, the id's own type in Python."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[K]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: K | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # SQLAlchemy's signature
        """A plain string: drivers take a slower way for subclasses of one."""
        return None if value is None else str.__str__(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> K | None:  # noqa: ARG002  # SQLAlchemy's signature
        """The id as its kind; what is stored was checked when it came in."""
        return None if value is None else self.kind(value)


def instant(name: str, *, nullable: bool = False) -> Column[int]:
    """A column of nanoseconds, since the epoch or of duration."""
    return Column(name, BigInteger, nullable=nullable)
