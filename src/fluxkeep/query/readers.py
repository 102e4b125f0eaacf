"""The only giver of Readers: each belongs to one bucket and one caller's Access.

A bucket that the caller may not read is said not to exist, whether it is named
or given by id: the reference reads by id without asking (tokens.md W31).

Source: tokens.md §1.4, W31; http-api.md §10.2, §27.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from fluxkeep.access.decisions import Access
from fluxkeep.datamodel.points import PointBatch
from fluxkeep.datamodel.reader import Reader
from fluxkeep.errors import Forbidden, InvalidInput, NotFound
from fluxkeep.flux.execute.failures import Placed
from fluxkeep.flux.sources import BucketInfo
from fluxkeep.ids import BucketID, OrgID
from fluxkeep.secret import Secret
from fluxkeep.tenancy.snapshot import Directory
from fluxkeep.tenancy.values import Bucket

ReaderOf = Callable[[BucketID], Reader]


class Effects(Protocol):
    """What a script may do besides reading; each asks for the caller's permission itself."""

    def write(self, access: Access, bucket: Bucket, points: PointBatch) -> None:
        """Store points; durable on return.

        Raises:
            Forbidden: The caller may not write there.
        """
        ...

    def secret(self, access: Access, org_id: OrgID, key: str) -> Secret:
        """The value of an organization's secret.

        Raises:
            Unauthorized: The caller may not read secrets.
            NotFound: There is none.
        """
        ...


class NothingReadable(Placed, NotFound):
    """The caller may read no bucket; said without the place in the script."""

    code = NotFound.code


class CallerSources:
    """What one caller's query may reach in one organization."""

    def __init__(
        self, access: Access, org_id: OrgID, directory: Directory, reader_of: ReaderOf, effects: Effects
    ) -> None:
        self._access = access
        self._org_id = org_id
        # One state for the whole query: a bucket is not there for one part and gone for another.
        self._tenancy = directory.now
        self._reader_of = reader_of
        self._effects = effects

    def reader(self, *, bucket: str | None = None, bucket_id: str | None = None) -> Reader:
        """The reader of a bucket by name or by id.

        Raises:
            NotFound: There is none that the caller may read.
            InvalidInput: A malformed id.
        """
        return self._reader_of(self.readable(bucket=bucket, bucket_id=bucket_id).id)

    def readable(self, *, bucket: str | None = None, bucket_id: str | None = None) -> Bucket:
        """The bucket, if the caller may read it; raises as `reader`."""
        found = self._find(bucket, bucket_id)
        if found is None or not self._access.allows(found.to_read):
            raise NotFound(f'could not find bucket "{bucket if bucket_id is None else bucket_id}"')
        return found

    def writer(self, *, bucket: str | None = None, bucket_id: str | None = None) -> Callable[[PointBatch], None]:
        """What writes points to a bucket, for `to`.

        Raises:
            NotFound: There is none that the caller may write or read.
            Forbidden: The caller may read it and no more.
        """
        found = self._find(bucket, bucket_id)
        if found is None or not (self._access.allows(found.to_write) or self._access.allows(found.to_read)):
            raise NotFound(f'could not find bucket "{bucket if bucket_id is None else bucket_id}"')
        if not self._access.allows(found.to_write):
            raise Forbidden("insufficient permissions for write")
        return partial(self._effects.write, self._access, found)

    def secret(self, key: str) -> str:
        """The text of the organization's secret; raises as `Effects.secret`."""
        return self._effects.secret(self._access, self._org_id, key).reveal()

    def buckets(self) -> Sequence[BucketInfo]:
        """The buckets that the caller may read, by name.

        Raises:
            NothingReadable: Not one. Source: http-api.md §27.
        """
        readable = self._access.filter(self._tenancy.buckets.of.get(self._org_id, ()), lambda bucket: bucket.to_read)
        if not readable:
            raise NothingReadable(f"no buckets found in organization {self._org_id}")
        return [
            BucketInfo(name=one.name, id=one.id, org_id=one.org_id, retention_ns=one.retention_ns) for one in readable
        ]

    def _find(self, bucket: str | None, bucket_id: str | None) -> Bucket | None:
        if bucket_id is not None:
            try:
                found = self._tenancy.buckets.by_id.get(BucketID.parse(bucket_id))
            except InvalidInput as error:
                raise InvalidInput(f"invalid bucket id: {error.message}") from None
            return found if found is not None and found.org_id == self._org_id else None
        return self._tenancy.buckets.in_org(self._org_id, bucket or "")
