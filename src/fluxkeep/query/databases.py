"""What one v1 caller may reach: databases, which are mappings to buckets.

Source: http-api.md §7.2, §8; influxql.md §2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.datamodel.predicates import Predicate
from fluxkeep.datamodel.reader import Reader
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import Forbidden, NotFound
from fluxkeep.ids import BucketID
from fluxkeep.influxql.sources import Mapping
from fluxkeep.query.readers import ReaderOf
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import Bucket

# Deletes for a caller; refuses those who may not write the bucket.
Delete = Callable[[Access, Bucket, TimeRange, Predicate | None], None]


class CallerDatabases:
    """The `influxql.sources.Sources` of one caller, in the organization of the credential."""

    def __init__(self, access: Access, tenancy: Tenancy, reader_of: ReaderOf, delete: Delete) -> None:
        self._access = access
        self._org_id = access.principal.org_id
        self._tenancy = tenancy
        self._reader_of = reader_of
        self._delete = delete

    def mappings(self) -> Sequence[Mapping]:
        """All that the caller may read or write; none for a session, which has no organization."""
        if self._org_id is None:
            return []
        return [
            Mapping(
                database=one.database,
                policy=one.retention_policy,
                bucket=one.bucket_id,
                is_default=one.default,
                readable=self._access.allows(one.permission(Action.READ)),
                writable=self._access.allows(one.permission(Action.WRITE)),
            )
            for one in self._tenancy.dbrps.reachable(self._access, self._org_id)
        ]

    def reader(self, mapping: Mapping) -> Reader:
        """The reader of a mapping's bucket; asked again, whatever the mapping says of itself.

        Raises:
            NotFound: The bucket is gone or may not be read.
        """
        if not self._access.allows(self._permission(Action.READ, mapping.bucket)):
            raise NotFound(f"database not found: {mapping.database}")
        return self._reader_of(self._bucket(mapping).id)

    def delete(self, mapping: Mapping, time_range: TimeRange, predicate: Predicate | None) -> None:
        """Delete points of a mapping's bucket.

        Raises:
            NotFound: The bucket is gone.
            Forbidden: It may not be written.
        """
        if not self._access.allows(self._permission(Action.WRITE, mapping.bucket)):
            raise Forbidden("insufficient permissions to delete")
        self._delete(self._access, self._bucket(mapping), time_range, predicate)

    def _bucket(self, mapping: Mapping) -> Bucket:
        bucket = self._tenancy.directory.now.buckets.by_id.get(mapping.bucket)
        if bucket is None or bucket.org_id != self._org_id:
            raise NotFound(f"database not found: {mapping.database}")
        return bucket

    def _permission(self, action: Action, bucket_id: BucketID) -> Permission:
        return Permission(action, ResourceType.BUCKETS, self._org_id, bucket_id)
