"""Restoring: an upload is checked whole before anything is replaced, and a refusal changes nothing.

Source: http-api.md §26.2, tokens.md §3.9; W18.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import operator_permissions
from fluxkeep.backup.store import noted_shards, scratch
from fluxkeep.clock import Clock
from fluxkeep.credentials.services import CredentialOptions, Credentials
from fluxkeep.credentials.store import ACTIVE, Filter, scan_authorizations
from fluxkeep.errors import FluxkeepError, InvalidInput, Unauthorized, Unprocessable
from fluxkeep.ids import BucketID, IdGenerator, OrgID
from fluxkeep.instants import SECOND
from fluxkeep.logs import get_logger
from fluxkeep.metastore.engine import MetaStore, StoreRefused, check
from fluxkeep.secret import Secret
from fluxkeep.storage.engine import Engine
from fluxkeep.storage.shards import Shard
from fluxkeep.storage.transfer import unpack_shard
from fluxkeep.tenancy.buckets import Buckets, RetentionRule
from fluxkeep.tenancy.services import Tenancy

_SQLITE_MAGIC = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardGroup:
    """A shard group that a restored bucket had: its id then, and its bounds [start, stop) in ns."""

    id: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketEntry:
    """What a manifest says of a bucket."""

    org_id: OrgID
    name: str
    description: str
    retention_ns: int
    shard_group_ns: int
    groups: tuple[ShardGroup, ...]


class Restores:
    """Puts backups back for operators."""

    def __init__(
        self,
        store: MetaStore,
        buckets: Buckets,
        engine: Engine,
        ids: IdGenerator,
        clock: Clock,
        options: CredentialOptions,
    ) -> None:
        self._store = store
        self._buckets = buckets
        self._engine = engine
        self._ids = ids
        self._clock = clock
        self._options = options
        self._log = get_logger("backup")

    def records(self, access: Access, upload: bytes, continue_with: Secret | None = None) -> Secret:
        """Replace all records by those of a snapshot, and all series by its empty shard groups.

        Tokens that the snapshot holds in clear are hashed on the way in, where hashing is on.

        Args:
            access: An operator's.
            upload: The snapshot.
            continue_with: The token that the caller will go on with; it must be an operator's in the snapshot,
                unless the snapshot gives one away in clear. None: not checked, as the reference.

        Returns:
            An operator token that the snapshot held in clear, or an empty secret.

        Raises:
            Unauthorized: The caller is no operator, or `continue_with` would not be one afterwards.
            InvalidInput: Not a snapshot of a store that this release can read, cut off or damaged.
            Unprocessable: The snapshot has no active operator token; after it nobody could go on.
        """
        access.require_operator()
        with self._received(upload) as (copy, shards):
            returned, found = _operator(copy)
            if not found:
                raise Unprocessable("the backup holds no active operator token; nothing was replaced")
            tenancy = Tenancy.open(copy, self._ids)
            credentials = Credentials.open(copy, tenancy, self._ids, self._clock, self._options)
            try:
                if continue_with is not None and not returned:
                    _require_operator(credentials, continue_with)
            finally:
                credentials.close()
            self._store.replace_with(copy)
        self._engine.replace_shards(shards)
        self._log.info("backup.records.restored", shard_groups=len(shards))
        return returned

    def second(self, access: Access, upload: bytes) -> None:
        """Take the reference's second store; it holds nothing here, so it is only checked to be one.

        Raises:
            Unauthorized: The caller is no operator.
            InvalidInput: Neither empty nor a SQLite file.
        """
        access.require_operator()
        if upload and not upload.startswith(_SQLITE_MAGIC):
            raise InvalidInput("the body is not an SQL snapshot; nothing was replaced")

    def bucket(self, access: Access, entry: BucketEntry) -> tuple[BucketID, list[tuple[int, int]]]:
        """Make a bucket with its empty shard groups.

        Returns:
            The bucket's id, and old and new id of every shard group.

        Raises:
            Unauthorized: The caller is no operator.
            InvalidInput, NotFound, Conflict, Internal: As when a bucket is created.
        """
        access.require_operator()
        rule = RetentionRule(
            every_seconds=entry.retention_ns // SECOND, shard_group_seconds=entry.shard_group_ns // SECOND
        )
        made = self._buckets.create(
            access, org_id=entry.org_id, name=entry.name, description=entry.description, rules=(rule,)
        )
        try:
            new = self._engine.create_shards(made.id, [(group.start, group.stop) for group in entry.groups])
        except FluxkeepError:
            self._buckets.delete(access, made.id)
            raise
        return made.id, [(group.id, identifier) for group, identifier in zip(entry.groups, new, strict=True)]

    def shard(self, access: Access, identifier: int, tar: bytes) -> None:
        """Add a backed-up shard group's files to a shard group.

        Raises:
            Unauthorized: The caller is no operator.
            InvalidInput: Not such a tar, cut off or damaged.
            NotFound: There is no such shard group.
        """
        access.require_operator()
        self._engine.import_shard(identifier, unpack_shard(tar))

    @contextlib.contextmanager
    def _received(self, upload: bytes) -> Iterator[tuple[MetaStore, Sequence[Shard]]]:
        """The upload as a store of its own beside ours, migrated and checked."""
        if not upload.startswith(_SQLITE_MAGIC):
            raise InvalidInput("the body is not a backup of a metadata store; nothing was replaced")
        with scratch(self._store.path, "restore") as folder:
            path = Path(folder) / "records"
            path.touch(mode=0o600)
            path.write_bytes(upload)
            shards = noted_shards(path)
            try:
                copy = MetaStore(path, self._clock)
            except StoreRefused as error:
                raise InvalidInput(
                    "the body is not a backup that this release can read; nothing was replaced"
                ) from error
            try:
                check(copy)
                yield copy, shards
            finally:
                copy.close()


def _operator(store: MetaStore) -> tuple[Secret, bool]:
    """An active operator's token that is stored in clear, and whether there is any active operator token."""
    found = False
    with store.read() as connection:
        for record in scan_authorizations(connection, Filter()):
            if record.status != ACTIVE or record.revoked_at is not None:
                continue
            if record.permissions.covers(operator_permissions()):
                found = True
                if record.token is not None and record.token:
                    return record.token, True
    return Secret(""), found


def _require_operator(credentials: Credentials, token: Secret) -> None:
    refusal = "the token to go on with is no operator token of the backup; nothing was replaced"
    try:
        principal = credentials.authenticator.token(token, "restore")
    except FluxkeepError as error:
        raise Unauthorized(refusal, reason="unknown-token") from error
    if not Access(principal).is_operator:
        raise Unauthorized(refusal)
