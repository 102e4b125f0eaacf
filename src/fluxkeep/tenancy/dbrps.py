"""DBRP mappings: the buckets that v1's databases and retention policies stand for.

Physical mappings are stored; virtual ones follow from buckets' names. A bucket
`foo` is database `foo`, policy `autogen`, its default; a bucket `foo/bar` is
database `foo`, policy `bar`.

Source: http-api.md §7.1, §8, §27.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.errors import Conflict, InvalidInput, NotFound
from fluxkeep.ids import DBRPID, BucketID, IdGenerator, OrgID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.tenancy.snapshot import Directory, Draft, Snapshot
from fluxkeep.tenancy.values import DBRP, Bucket

_NAME_RULE = "must contain at least one character and only be letters, numbers, '_', '-', and '.'"


@dataclass(frozen=True, slots=True, kw_only=True)
class DBRPFilter:
    """What mappings must have; None is anything."""

    id: DBRPID | None = None
    bucket_id: BucketID | None = None
    database: str | None = None
    retention_policy: str | None = None
    default: bool | None = None

    def accepts(self, mapping: DBRP) -> bool:
        """Whether the mapping has all of it."""
        return (
            (self.id is None or mapping.id == self.id)
            and (self.bucket_id is None or mapping.bucket_id == self.bucket_id)
            and (self.database is None or mapping.database == self.database)
            and (self.retention_policy is None or mapping.retention_policy == self.retention_policy)
            and (self.default is None or mapping.default == self.default)
        )


class DBRPs:
    """The mappings of the instance."""

    def __init__(self, store: MetaStore, directory: Directory, ids: IdGenerator) -> None:
        self._store = store
        self._directory = directory
        self._ids = ids

    def resolve(
        self,
        access: Access,
        org_id: OrgID,
        database: str,
        retention_policy: str | None = None,
        *,
        writing: bool = False,
    ) -> Bucket | None:
        """The bucket that a v1 client means.

        Args:
            access: The caller's; mappings of buckets that may not be read are not there.
            org_id: Whose mappings.
            database: The client's `db`.
            retention_policy: The client's `rp`; without one, or with an empty one, the database's default.
            writing: Permission to write the bucket makes its mappings visible too.
        """
        now = self._directory.now
        for mapping in _candidates(now, org_id, database, retention_policy or None):
            if access.allows(mapping.permission(Action.READ)) or (
                writing and access.allows(mapping.permission(Action.WRITE))
            ):
                return now.buckets.by_id.get(mapping.bucket_id)
        return None

    def list_(self, access: Access, org_id: OrgID, wanted: DBRPFilter) -> list[DBRP]:
        """The organization's mappings that fit: physical ones by id, then virtual.

        Those whose bucket the caller may not read are left out.
        """
        fitting = [mapping for mapping in _mappings(self._directory.now, org_id) if wanted.accepts(mapping)]
        return access.filter(fitting, lambda mapping: mapping.permission(Action.READ))

    def reachable(self, access: Access, org_id: OrgID) -> list[DBRP]:
        """The organization's mappings whose bucket the caller may read or write: physical ones by id, then virtual."""
        return [
            mapping
            for mapping in _mappings(self._directory.now, org_id)
            if access.allows(mapping.permission(Action.READ)) or access.allows(mapping.permission(Action.WRITE))
        ]

    def get(self, access: Access, org_id: OrgID, dbrp_id: DBRPID) -> DBRP:
        """One mapping; a virtual one has its bucket's id.

        Raises:
            NotFound: `unable to find DBRP`.
            Unauthorized: Without permission to read its bucket.
        """
        mapping = _get(self._directory.now, org_id, dbrp_id)
        access.require(mapping.permission(Action.READ))
        return mapping

    def create(
        self,
        access: Access,
        *,
        org_id: OrgID,
        bucket_id: BucketID,
        database: str,
        retention_policy: str,
        default: bool = False,
    ) -> DBRP:
        """Store a mapping; the first of its database is the default whatever was asked for.

        Raises:
            Unauthorized: Without permission to write the bucket, or to write buckets in an organization
                that is not the bucket's.
            InvalidInput: A name breaks the rule.
            NotFound: `bucket not found`. The organization may be any (http-api.md §27).
            Conflict: The organization has a mapping of that database and policy.
        """
        access.require(Permission(Action.WRITE, ResourceType.BUCKETS, org_id, bucket_id))
        _check_name("database", database)
        _check_name("retentionPolicy", retention_policy)
        with self._store.begin() as work:
            draft = self._directory.draft(work)
            bucket = draft.now.buckets.by_id.get(bucket_id)
            if bucket is None:
                raise NotFound("bucket not found")
            if bucket.org_id != org_id:
                # A token for one bucket satisfies the check above in any organization (ids match whatever the
                # organization). Were that enough, it could put its bucket in the place of another organization's.
                access.require(Permission(Action.WRITE, ResourceType.BUCKETS, org_id))
            mapping = DBRP(
                id=self._ids.next(DBRPID),
                org_id=org_id,
                bucket_id=bucket_id,
                database=database,
                retention_policy=retention_policy,
                default=True,
                created_at=work.now_ns,
            )
            _check_unique(draft, mapping)
            siblings = _siblings(draft, mapping)
            if siblings and not default:
                mapping = replace(mapping, default=False)
            if mapping.default:
                _demote(draft, siblings)
            draft.put_dbrp(mapping)
            return mapping

    def update(
        self,
        access: Access,
        org_id: OrgID,
        dbrp_id: DBRPID,
        *,
        default: bool | None = None,
        retention_policy: str | None = None,
    ) -> DBRP:
        """Change what is given. Being default moves to the mapping, or on to the first other of its database.

        Raises:
            NotFound: `unable to find DBRP`.
            Unauthorized: Without permission to write the bucket.
            InvalidInput: The policy's name breaks the rule, or the mapping is virtual.
            Conflict: The organization has a mapping of that database and policy.
        """
        with self._store.begin() as work:
            draft = self._directory.draft(work)
            mapping = _get(draft.now, org_id, dbrp_id)
            access.require(mapping.permission(Action.WRITE))
            _check_stored(mapping)
            if retention_policy is not None:
                _check_name("retentionPolicy", retention_policy)
                mapping = replace(mapping, retention_policy=retention_policy)
                _check_unique(draft, mapping)
            siblings = _siblings(draft, mapping)
            if default:
                _demote(draft, siblings)
                mapping = replace(mapping, default=True)
            elif default is False and mapping.default and siblings:
                draft.put_dbrp(replace(siblings[0], default=True))
                mapping = replace(mapping, default=False)
            draft.put_dbrp(mapping)
            return mapping

    def delete(self, access: Access, org_id: OrgID, dbrp_id: DBRPID) -> None:
        """Delete a mapping; the first other one of its database becomes default if it was.

        Raises:
            NotFound: `unable to find DBRP`.
            Unauthorized: Without permission to write the bucket.
            InvalidInput: The mapping is virtual.
        """
        with self._store.begin() as work:
            draft = self._directory.draft(work)
            mapping = _get(draft.now, org_id, dbrp_id)
            access.require(mapping.permission(Action.WRITE))
            _check_stored(mapping)
            draft.drop_dbrp(dbrp_id)
            pass_on_default(draft, mapping)


def pass_on_default(draft: Draft, gone: DBRP) -> None:
    """Make the first other mapping of its database the default, if the one that went was it."""
    siblings = _siblings(draft, gone)
    if gone.default and siblings:
        draft.put_dbrp(replace(siblings[0], default=True))


def _mappings(now: Snapshot, org_id: OrgID) -> Iterator[DBRP]:
    """All of an organization's, physical first; each database has at most one default."""
    stored = now.dbrps.of.get(org_id, ())
    yield from stored
    hidden = {(mapping.database, mapping.retention_policy) for mapping in stored}
    with_default = {mapping.database for mapping in stored if mapping.default}
    for bucket in now.buckets.of.get(org_id, ()):
        mapping = _virtual(bucket)
        if (mapping.database, mapping.retention_policy) not in hidden:
            yield replace(mapping, default=mapping.default and mapping.database not in with_default)


def _candidates(now: Snapshot, org_id: OrgID, database: str, retention_policy: str | None) -> Iterator[DBRP]:
    """Those of `_mappings` with that database and policy, or default without one, from a few look-ups.

    Every v1 request comes through here, and an organization may have thousands of buckets.
    """
    stored = [mapping for mapping in now.dbrps.of.get(org_id, ()) if mapping.database == database]
    for mapping in stored:
        if mapping.default if retention_policy is None else mapping.retention_policy == retention_policy:
            yield mapping
    if retention_policy is None and any(mapping.default for mapping in stored):
        return
    names = [database] if retention_policy in (None, "autogen") else []
    if retention_policy is not None:
        names.append(f"{database}/{retention_policy}")
    for name in names:
        bucket = now.buckets.in_org(org_id, name)
        if bucket is None:
            continue
        mapping = _virtual(bucket)
        named = (mapping.database, mapping.retention_policy)
        if mapping.database == database and named not in {(one.database, one.retention_policy) for one in stored}:
            yield mapping


def _virtual(bucket: Bucket) -> DBRP:
    database, slash, policy = bucket.name.partition("/")
    return DBRP(
        id=DBRPID(bucket.id),
        org_id=bucket.org_id,
        bucket_id=bucket.id,
        database=database,
        retention_policy=policy if slash else "autogen",
        default=not slash,
        virtual=True,
    )


def _get(now: Snapshot, org_id: OrgID, dbrp_id: DBRPID) -> DBRP:
    stored = now.dbrps.by_id.get(dbrp_id)
    if stored is not None and stored.org_id == org_id:
        return stored
    for mapping in _mappings(now, org_id):
        if mapping.id == dbrp_id:
            return mapping
    raise NotFound("unable to find DBRP")


def _siblings(draft: Draft, mapping: DBRP) -> list[DBRP]:
    stored = draft.now.dbrps.of.get(mapping.org_id, ())
    return [one for one in stored if one.database == mapping.database and one.id != mapping.id]


def _demote(draft: Draft, siblings: list[DBRP]) -> None:
    for one in siblings:
        if one.default:
            draft.put_dbrp(replace(one, default=False))


def _check_unique(draft: Draft, mapping: DBRP) -> None:
    if any(one.retention_policy == mapping.retention_policy for one in _siblings(draft, mapping)):
        raise Conflict("another DBRP mapping with same orgID, db, and rp exists")


def _check_stored(mapping: DBRP) -> None:
    # The reference answers as if it had changed something and stores nothing; http-api.md §8 recommends this.
    if mapping.virtual:
        raise InvalidInput("virtual DBRP mappings follow their bucket and cannot be changed")


def _check_name(what: str, name: str) -> None:
    # The text says less than the rule allows; blanks, quotes and any letters pass (http-api.md §27).
    if name in ("", ".", "..") or "/" in name or "\\" in name or not name.isprintable():
        raise InvalidInput(f"DBRP provided is invalid: {what} {_NAME_RULE}")
