"""What the engine is given: mappings, readers, a deleter. The only way to data.

Source: influxql.md §2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fluxkeep.datamodel.memory_account import CountedReader, MemoryAccount
from fluxkeep.datamodel.predicates import Predicate
from fluxkeep.datamodel.reader import Reader
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.ids import BucketID
from fluxkeep.influxql.errors import QueryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A database and retention policy that stand for a bucket.

    Attributes:
        is_default: The one that a missing policy means.
        readable: The caller may read the bucket.
        writable: The caller may write it.
    """

    database: str
    policy: str
    bucket: BucketID
    is_default: bool
    readable: bool = True
    writable: bool = True


class Sources(Protocol):
    """One caller's view of one organization."""

    def mappings(self) -> Sequence[Mapping]:
        """All mappings whose bucket the caller may read or write: physical ones first, then
        virtual ones that no physical one hides, in the order in which listings show them."""
        ...

    def reader(self, mapping: Mapping) -> Reader:
        """Read access to a mapping's bucket.

        Raises:
            FluxkeepError: The bucket is gone or may not be read.
        """
        ...

    def delete(self, mapping: Mapping, time_range: TimeRange, predicate: Predicate | None) -> None:
        """Delete points; an absent tag compares as "".

        Raises:
            FluxkeepError: The bucket is gone or may not be written.
        """
        ...


@dataclass(frozen=True, slots=True)
class CountedSources:
    """The same sources; what is read of them is counted as held."""

    inner: Sources
    account: MemoryAccount

    def mappings(self) -> Sequence[Mapping]:
        """As `Sources.mappings`."""
        return self.inner.mappings()

    def reader(self, mapping: Mapping) -> Reader:
        """As `Sources.reader`."""
        return CountedReader(self.inner.reader(mapping), self.account, keeps=True)

    def delete(self, mapping: Mapping, time_range: TimeRange, predicate: Predicate | None) -> None:
        """As `Sources.delete`."""
        self.inner.delete(mapping, time_range, predicate)


class Databases:
    """Resolves names of one request against the caller's mappings."""

    def __init__(self, sources: Sources, database: str, policy: str) -> None:
        self.sources = sources
        self.database = database
        self.policy = policy
        self.all: Sequence[Mapping] = sources.mappings()

    def readable(self) -> list[Mapping]:
        """Mappings that may be read."""
        return [m for m in self.all if m.readable]

    def named(self, database: str) -> str:
        """The database, or the request's.

        Raises:
            QueryError: `database name required`.
        """
        found = database or self.database
        if not found:
            raise QueryError("database name required")
        return found

    def resolve(self, database: str, policy: str) -> Mapping:
        """The one mapping that names stand for.

        Raises:
            QueryError: With the reference's text.
        """
        database = self.named(database)
        found = [m for m in self.readable() if m.database == database]
        if not found:
            raise QueryError(f"database not found: {database}")
        policy = policy or self.policy
        if not policy:
            defaults = [m for m in found if m.is_default]
            if not defaults:
                raise QueryError(f"default retention policy not set for: {database}")
            return defaults[0]
        found = [m for m in found if m.policy == policy]
        if not found:
            raise QueryError(f"retention policy not found: {policy}")
        if len(found) > 1:
            raise QueryError(f"finding DBRP mappings: expected 1, found {len(found)}")
        return found[0]

    def default(self, database: str) -> Mapping:
        """The default mapping of a database, whatever policy the request names."""
        kept, self.policy = self.policy, ""
        try:
            return self.resolve(database, "")
        finally:
            self.policy = kept
