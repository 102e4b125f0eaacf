"""What a query may reach: the one capability that the engine is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from fluxkeep.datamodel.points import PointBatch
from fluxkeep.datamodel.reader import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketInfo:
    """A bucket that the caller may see.

    Attributes:
        retention_ns: 0 keeps points for ever.
    """

    name: str
    id: str
    org_id: str
    retention_ns: int = 0


class Sources(Protocol):
    """Readers and listings, each bound to the caller's access."""

    def reader(self, *, bucket: str | None = None, bucket_id: str | None = None) -> Reader:
        """The reader of a bucket by name or by id; exactly one is given.

        Raises:
            NotFound: There is none, or the caller may not read it: `could not find bucket "x"`.
        """
        ...

    def buckets(self) -> Sequence[BucketInfo]:
        """The buckets that the caller may see, by name."""
        ...


@runtime_checkable
class WritableSources(Protocol):
    """What `to` needs besides: sources that have it let scripts write, others do not."""

    def writer(self, *, bucket: str | None = None, bucket_id: str | None = None) -> Callable[[PointBatch], None]:
        """What writes points to a bucket by name or by id; durable when it returns.

        Raises:
            NotFound: There is none, or the caller may not see it.
            Unauthorized: The caller may not write there.
        """
        ...


@runtime_checkable
class SecretSources(Protocol):
    """What `secrets.get` needs besides."""

    def secret(self, key: str) -> str:
        """The text of the organization's secret.

        Raises:
            NotFound: `secret not found`.
        """
        ...
