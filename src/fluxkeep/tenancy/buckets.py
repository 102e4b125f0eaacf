"""Buckets: making, finding, changing and deleting their records. The data is `storage`'s.

Source: http-api.md §5, §27.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.errors import Conflict, Internal, InvalidInput, NotFound, Unprocessable
from fluxkeep.ids import BucketID, IdGenerator, OrgID
from fluxkeep.instants import SECOND
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.events import BucketChanged, BucketDeleted
from fluxkeep.metastore.unit_of_work import UnitOfWork
from fluxkeep.tenancy import store as rows
from fluxkeep.tenancy.dbrps import pass_on_default
from fluxkeep.tenancy.listing import WHOLE, Window, cut
from fluxkeep.tenancy.snapshot import Directory
from fluxkeep.tenancy.values import (
    RETENTION_MIN_NS,
    SHARD_GROUP_MIN_NS,
    Bucket,
    BucketType,
    default_shard_group_ns,
)

_NS_MAX = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """How long a bucket keeps points, as asked for; None is not given.

    Attributes:
        every_seconds: 0 is for ever.
        shard_group_seconds: 0 leaves it to the server.
    """

    every_seconds: int | None = None
    shard_group_seconds: int | None = None


class Buckets:
    """The buckets of the instance. `find_` is for resolving and asks nobody."""

    def __init__(self, store: MetaStore, directory: Directory, ids: IdGenerator) -> None:
        self._store = store
        self._directory = directory
        self._ids = ids

    def all(self) -> tuple[Bucket, ...]:
        """Every bucket by id, for the server's own work such as retention."""
        return self._directory.now.buckets.all

    def find(self, bucket_id: BucketID) -> Bucket | None:
        """The bucket of that id."""
        return self._directory.now.buckets.by_id.get(bucket_id)

    def find_by_name(self, org_id: OrgID, name: str) -> Bucket | None:
        """The organization's bucket of that name, case-sensitive."""
        return self._directory.now.buckets.in_org(org_id, name)

    def get(self, access: Access, bucket_id: BucketID) -> Bucket:
        """The bucket of that id.

        Raises:
            NotFound: `bucket not found`.
            Unauthorized: Without permission to read it.
        """
        bucket = _get(self.find(bucket_id))
        access.require(bucket.to_read)
        return bucket

    def list_(
        self,
        access: Access,
        *,
        bucket_id: BucketID | None = None,
        org_id: OrgID | None = None,
        org: str | None = None,
        name: str | None = None,
        window: Window = WHOLE,
    ) -> list[Bucket]:
        """Buckets that the caller may read; what may not be read is taken out after paging.

        An id wins over all other filters, an organization's id over its name.
        An organization's buckets come by name, others by id.

        Raises:
            NotFound: Nothing has the id; the organization's name is unknown; the organization has no
                bucket of the name, or not the one to resume after. An unknown organization's id
                gives an empty list instead.
        """
        now = self._directory.now
        if bucket_id is not None:
            return access.filter([_get(now.buckets.by_id.get(bucket_id))], _to_read)
        if org_id is None and org is not None:
            named = now.organizations.by_name.get(org)
            if named is None:
                raise NotFound(f'organization name "{org}" not found')
            org_id = named.id
        if org_id is None:
            found = now.buckets.all if name is None else now.buckets.named.get(name, ())
        elif name is None:
            found = now.buckets.of.get(org_id, ())
            # Among names, a bucket that is gone has no place to resume from.
            if window.after is not None and all(one.id != window.after for one in found):
                raise NotFound("bucket not found")
        else:
            one = now.buckets.in_org(org_id, name)
            if one is None:
                raise NotFound(f'bucket "{name}" not found')
            return access.filter([one], _to_read)
        return access.filter(cut(found, window), _to_read)

    def create(
        self,
        access: Access,
        *,
        org_id: OrgID,
        name: str,
        description: str = "",
        rules: Sequence[RetentionRule] = (),
        retention_policy_name: str = "",
    ) -> Bucket:
        """Make a bucket.

        Raises:
            Unprocessable: More than one rule, or a negative number in it.
            Unauthorized: Without permission to write buckets in the organization.
            InvalidInput: The name begins with an underscore or has a quotation mark.
            NotFound: `organization not found`.
            Conflict: The organization has a bucket of that name.
            Internal: The retention period is under an hour or shorter than a shard group; the
                reference says so with a 500.
        """
        rule = check_rules(rules)
        access.require(Permission(Action.WRITE, ResourceType.BUCKETS, org_id))
        with self._store.begin() as work:
            return self.add(
                work,
                org_id=org_id,
                name=name,
                description=description,
                rule=rule,
                retention_policy_name=retention_policy_name,
            )

    def add(
        self,
        work: UnitOfWork,
        *,
        org_id: OrgID,
        name: str,
        description: str = "",
        rule: RetentionRule | None = None,
        retention_policy_name: str = "",
    ) -> Bucket:
        """As `create`, inside the caller's transaction and on nobody's behalf."""
        draft = self._directory.draft(work)
        check_name(name)
        if org_id not in draft.now.organizations.by_id:
            raise NotFound("organization not found")
        if draft.now.buckets.in_org(org_id, name) is not None:
            raise Conflict(f"bucket with name {name} already exists")
        retention_ns, shard_group_ns = _durations(rule or RetentionRule())
        bucket = Bucket(
            id=self._ids.random(BucketID),
            org_id=org_id,
            type=BucketType.USER,
            name=name,
            description=description,
            retention_policy_name=retention_policy_name,
            retention_ns=retention_ns,
            shard_group_ns=shard_group_ns,
            created_at=work.now_ns,
            updated_at=work.now_ns,
        )
        draft.put_bucket(bucket)
        work.emit(BucketChanged(org_id, bucket.id))
        return bucket

    def update(
        self,
        access: Access,
        bucket_id: BucketID,
        *,
        name: str | None = None,
        description: str | None = None,
        rules: Sequence[RetentionRule] = (),
    ) -> Bucket:
        """Change what is given; permission to write suffices, also to see the answer.

        Raises:
            Unprocessable: A bad rule, or retention shorter than a shard group.
            NotFound: `bucket not found`.
            Unauthorized: Without permission to write it.
            InvalidInput: A name that no bucket may have, or any for a system bucket.
            Conflict: `bucket name is not unique`.
            Internal: Retention under an hour.
        """
        rule = check_rules(rules)
        with self._store.begin() as work:
            draft = self._directory.draft(work)
            bucket = _get(draft.now.buckets.by_id.get(bucket_id))
            access.require(bucket.to_write)
            if name is not None and name != bucket.name:
                if bucket.is_system:
                    raise InvalidInput("system buckets cannot be renamed")
                check_name(name)
                if draft.now.buckets.in_org(bucket.org_id, name) is not None:
                    raise Conflict("bucket name is not unique")
                bucket = replace(bucket, name=name)
            if description is not None:
                bucket = replace(bucket, description=description)
            if rule is not None:
                bucket = _with_rule(bucket, rule)
            bucket = replace(bucket, updated_at=work.now_ns)
            draft.put_bucket(bucket)
            work.emit(BucketChanged(bucket.org_id, bucket.id))
            return bucket

    def delete(self, access: Access, bucket_id: BucketID) -> None:
        """Delete the bucket with mappings, members and labels; storage hears of it and drops the data.

        A database whose default mapping goes with it takes its first other one for that.

        Raises:
            NotFound: `bucket not found`.
            Unauthorized: Without permission to write it.
            InvalidInput: `system buckets cannot be deleted`.
        """
        with self._store.begin() as work:
            draft = self._directory.draft(work)
            bucket = _get(draft.now.buckets.by_id.get(bucket_id))
            access.require(bucket.to_write)
            if bucket.is_system:
                raise InvalidInput("system buckets cannot be deleted")
            mapped = [one for one in draft.now.dbrps.by_id.values() if one.bucket_id == bucket_id]
            draft.drop_bucket(bucket_id)
            for mapping in mapped:
                pass_on_default(draft, mapping)
            work.emit(BucketDeleted(bucket.org_id, bucket_id))

    def list_deleted(self) -> list[BucketID]:
        """Deleted buckets whose data storage has still to drop, in this process or a later one."""
        with self._store.read() as connection:
            return rows.load_deleted_buckets(connection)

    def forget_deleted(self, bucket_id: BucketID) -> None:
        """Say that the data of a deleted bucket is gone."""
        with self._store.begin() as work:
            rows.forget_deleted_bucket(work.connection, bucket_id)


def check_rules(rules: Sequence[RetentionRule]) -> RetentionRule | None:
    """The one rule of a request, if any.

    Raises:
        Unprocessable: There are more, or one of its numbers is negative.
    """
    if not rules:
        return None
    if len(rules) > 1:
        raise Unprocessable("buckets cannot have more than one retention rule at this time")
    rule = rules[0]
    if (rule.every_seconds or 0) < 0:
        raise Unprocessable("expiration seconds cannot be negative")
    if (rule.shard_group_seconds or 0) < 0:
        raise Unprocessable("shard-group duration seconds cannot be negative")
    return rule


def check_name(name: str) -> None:
    """Refuse what no user's bucket may be called; the empty name is fine.

    Raises:
        InvalidInput: With the reference's texts.
    """
    if name.startswith("_"):
        raise InvalidInput(f"bucket name {name} is invalid. Buckets may not start with underscore")
    if '"' in name:
        raise InvalidInput(f"bucket name {name} is invalid. Bucket names may not include quotation marks")


def _to_read(bucket: Bucket) -> Permission:
    return bucket.to_read


def _get(found: Bucket | None) -> Bucket:
    if found is None:
        raise NotFound("bucket not found")
    return found


def _retention_ns(seconds: int) -> int:
    ns = seconds * SECOND
    # Quirk: the reference's multiplication wraps round; what does not fit gets the same answer as what is too short.
    if ns and not RETENTION_MIN_NS <= ns <= _NS_MAX:
        raise Internal("retention policy duration must be at least 1h0m0s")
    return ns


def _shard_group_ns(seconds: int) -> int:
    return min(max(seconds * SECOND, SHARD_GROUP_MIN_NS), _NS_MAX) if seconds else 0


def _durations(rule: RetentionRule) -> tuple[int, int]:
    retention_ns = _retention_ns(rule.every_seconds or 0)
    shard_group_ns = _shard_group_ns(rule.shard_group_seconds or 0) or default_shard_group_ns(retention_ns)
    if 0 < retention_ns < shard_group_ns:
        raise Internal("retention policy duration must be greater than the shard duration")
    return retention_ns, shard_group_ns


def _with_rule(bucket: Bucket, rule: RetentionRule) -> Bucket:
    retention_ns = bucket.retention_ns if rule.every_seconds is None else _retention_ns(rule.every_seconds)
    shard_group_ns = (
        bucket.shard_group_ns if rule.shard_group_seconds is None else _shard_group_ns(rule.shard_group_seconds)
    )
    if 0 < retention_ns < shard_group_ns:
        raise Unprocessable("shard-group duration must also be updated to be smaller than new retention duration")
    return replace(bucket, retention_ns=retention_ns, shard_group_ns=shard_group_ns)
