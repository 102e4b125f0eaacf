"""Restoring: an upload is checked whole before anything is replaced, and a refusal changes nothing.

A full restore replaces records and series. As the stock CLI does it, in steps:
the records with empty shard groups, then the files of one group after another;
each step happens whole or not at all, even if the server is killed in it. Our
CLI asks for a stage: everything is received and checked first, and the last
step replaces all of it at once.

Source: http-api.md §26.2, tokens.md §3.9; W18.
"""

from __future__ import annotations

import hmac
import secrets
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import operator_permissions
from fluxkeep.backup.sealing_key import noted_seals
from fluxkeep.backup.store import (
    decide,
    decided,
    forget_decision,
    is_decided,
    make_restore_folder,
    noted_shards,
    records_in,
    remove_leftovers,
)
from fluxkeep.clock import Clock
from fluxkeep.credentials.services import CredentialOptions, Credentials
from fluxkeep.credentials.store import ACTIVE, Filter, scan_authorizations
from fluxkeep.errors import Conflict, FluxkeepError, InvalidInput, NotFound, Unauthorized, Unprocessable
from fluxkeep.ids import BucketID, IdGenerator, OrgID
from fluxkeep.instants import MINUTE, SECOND
from fluxkeep.logs import get_logger
from fluxkeep.metastore.engine import MetaStore, StoreRefused, check
from fluxkeep.metastore.events import RecordsReplaced
from fluxkeep.metastore.unit_of_work import Event
from fluxkeep.resources.sealing import Seal
from fluxkeep.resources.secrets import reseal
from fluxkeep.secret import Secret
from fluxkeep.storage.engine import Engine
from fluxkeep.storage.files import device_errors
from fluxkeep.storage.manifest import FileEntry, TombstoneEntry, shard_entry
from fluxkeep.storage.shards import Shard
from fluxkeep.storage.transfer import Replacement, receive_shard
from fluxkeep.tenancy.buckets import Buckets, RetentionRule
from fluxkeep.tenancy.services import Tenancy

_SQLITE_MAGIC = b"SQLite format 3\x00"
_BLOCK_BYTES = 1 << 20

# How long a restore that was begun waits for its client.
_IDLE_NS = 15 * MINUTE


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came of an upload of records.

    Attributes:
        token: An operator token that the snapshot held in clear, or an empty secret.
        stage: Names the restore that has begun; "" if the records were replaced at once.
        closed_secrets: Organization and key of secrets that this server cannot open.
    """

    token: Secret
    stage: str
    closed_secrets: Sequence[tuple[OrgID, str]]


@dataclass(slots=True, kw_only=True)
class _Stage:
    """A full restore that is being received."""

    name: str
    folder: Path
    shards: dict[int, Shard]
    files: list[FileEntry] = field(default_factory=list)
    tombstones: list[TombstoneEntry] = field(default_factory=list)
    touched_ns: int = 0


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
        seal: Seal,
    ) -> None:
        self._store = store
        self._buckets = buckets
        self._engine = engine
        self._ids = ids
        self._clock = clock
        self._options = options
        self._seal = seal
        self._log = get_logger("backup")
        # One full restore at a time.
        self._lock = threading.Lock()
        self._stage: _Stage | None = None
        # What is to happen as soon as the records are replaced, before anybody can change them.
        self._settle: Callable[[], None] | None = None
        store.subscribe(self._replaced)

    def records(
        self,
        access: Access,
        upload: IO[bytes],
        *,
        continue_with: Secret | None = None,
        presented: Secret | None = None,
        staged: bool = False,
    ) -> Restored:
        """Replace all records by those of a snapshot, and all series by its empty shard groups.

        Tokens that the snapshot holds in clear are hashed on the way in, where hashing is on, and its
        secrets are sealed anew with this server's key.

        Args:
            access: An operator's.
            upload: The snapshot.
            continue_with: The token that the caller will go on with; it must be an operator's in the snapshot,
                unless the snapshot gives one away in clear. None: not checked, as the reference.
            presented: The caller's token; like `continue_with` it may open the snapshot's secrets.
            staged: Replace nothing yet; `finish` does. An earlier stage is given up.

        Raises:
            Unauthorized: The caller is no operator, or `continue_with` would not be one afterwards.
            InvalidInput: Not a snapshot of a store that this release can read, cut off or damaged.
            Unprocessable: The snapshot has no active operator token; after it nobody could go on.
            DeviceFull, DeviceFailure: The device.
        """
        access.require_operator()
        with self._lock:
            self._give_up()
            folder = make_restore_folder(self._store.path)
            try:
                shards = self._receive(upload, folder)
                tokens = [token for token in (continue_with, presented) if token is not None]
                returned, closed = self._check(folder, continue_with, tokens)
                stage = _Stage(name=secrets.token_hex(16), folder=folder, shards={one.id: one for one in shards})
                if not staged:
                    self._replace(stage)
            except BaseException:
                self._remove(folder)
                raise
            if staged:
                stage.touched_ns = self._clock.monotonic_ns()
                self._stage = stage
            else:
                self._remove(folder)
        return Restored(token=returned, stage=stage.name if staged else "", closed_secrets=closed)

    def second(self, access: Access, upload: IO[bytes], stage: str = "") -> None:
        """Take the reference's second store; it holds nothing here, so it is only checked to be one.

        Args:
            access: An operator's.
            upload: A SQLite file or nothing.
            stage: Of a restore that has been received whole: everything is replaced now.

        Raises:
            Unauthorized: The caller is no operator.
            InvalidInput: Neither empty nor a SQLite file.
            Conflict: The stage has been given up.
            DeviceFull, DeviceFailure: Nothing was replaced.
        """
        access.require_operator()
        head = upload.read(len(_SQLITE_MAGIC))
        if head and head != _SQLITE_MAGIC:
            raise InvalidInput("the body is not an SQL snapshot; nothing was replaced")
        if not stage:
            return
        with self._lock:
            chosen = self._staged(stage)
            self._stage = None
            try:
                self._replace(chosen)
            except BaseException:
                if not is_decided(chosen.folder):
                    self._engine.unstage(chosen.files)
                raise
            finally:
                self._remove(chosen.folder)

    def give_up_idle(self) -> None:
        """Remove what was received for a restore whose client has not been heard of for long."""
        with self._lock:
            if self._stage and self._clock.monotonic_ns() - self._stage.touched_ns > _IDLE_NS:
                self._give_up()

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

    def shard(self, access: Access, identifier: int, tar: IO[bytes], stage: str = "") -> None:
        """Add a backed-up shard group's files to a shard group.

        Args:
            access: An operator's.
            identifier: Of the group; in a stage one of the snapshot's.
            tar: What was backed up.
            stage: Of a full restore: the files are kept for its last step.

        Raises:
            Unauthorized: The caller is no operator.
            InvalidInput: Not such a tar, cut off or damaged.
            NotFound: There is no such shard group.
            Conflict: The stage has been given up.
            DeviceFull, DeviceFailure: Nothing was added.
        """
        access.require_operator()
        with self._engine.receiving() as folder:
            parcel = receive_shard(tar, folder)
            if not stage:
                self._engine.import_shard(identifier, parcel)
                return
            with self._lock:
                chosen = self._staged(stage)
                if identifier not in chosen.shards:
                    raise NotFound(f"shard {identifier} not found")
                files, tombstones = self._engine.stage(chosen.shards[identifier], parcel)
                chosen.files += files
                chosen.tombstones += tombstones
                chosen.touched_ns = self._clock.monotonic_ns()

    def _staged(self, name: str) -> _Stage:
        if self._stage is None or not hmac.compare_digest(self._stage.name, name):
            raise Conflict("this restore was given up: another began, or it rested for too long; nothing was replaced")
        return self._stage

    def _give_up(self) -> None:
        if self._stage is not None:
            self._engine.unstage(self._stage.files)
            self._remove(self._stage.folder)
            self._stage = None

    def _remove(self, folder: Path) -> None:
        # What was decided and not applied stays for the next start.
        if not is_decided(folder):
            shutil.rmtree(folder, ignore_errors=True)

    def _receive(self, upload: IO[bytes], folder: Path) -> Sequence[Shard]:
        """The upload as a file, and the shard groups that it names."""
        head = upload.read(len(_SQLITE_MAGIC))
        if head != _SQLITE_MAGIC:
            raise InvalidInput("the body is not a backup of a metadata store; nothing was replaced")
        path = records_in(folder)
        path.touch(mode=0o600)
        with device_errors("writing restored records"), path.open("wb") as file:
            file.write(head)
            while block := upload.read(_BLOCK_BYTES):
                file.write(block)
        return noted_shards(path)

    def _check(
        self, folder: Path, continue_with: Secret | None, tokens: Sequence[Secret]
    ) -> tuple[Secret, Sequence[tuple[OrgID, str]]]:
        """Bring received records to this release's form and refuse those that would lock everybody out."""
        path = records_in(folder)
        former = noted_seals(path, tokens, self._options.keys)
        try:
            copy = MetaStore(path, self._clock)
        except StoreRefused as error:
            raise InvalidInput("the body is not a backup that this release can read; nothing was replaced") from error
        try:
            check(copy)
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
            closed = reseal(copy, self._seal, former)
        finally:
            copy.close()
        for org_id, key in closed:
            self._log.warning("backup.secret.closed", org=org_id, key=key)
        return returned, closed

    def _replace(self, stage: _Stage) -> None:
        replacement = Replacement(
            shards=tuple(shard_entry(shard) for shard in stage.shards.values()),
            files=tuple(stage.files),
            tombstones=tuple(stage.tombstones),
        )
        self._engine.replace(replacement, lambda final, apply: self._decide(stage.folder, final, apply))
        self._log.info("backup.records.restored", shard_groups=len(stage.shards), files=len(stage.files))

    def _decide(self, folder: Path, replacement: Replacement, apply: Callable[[], None]) -> None:
        failures: list[FluxkeepError] = []

        def settle() -> None:
            # Under the store's lock: until the decision is forgotten, a start would undo changes of records.
            try:
                apply()
                forget_decision(folder)
            except FluxkeepError as error:
                failures.append(error)

        decide(folder, replacement)
        self._settle = settle
        try:
            copy = MetaStore(records_in(folder), self._clock)
            try:
                self._store.replace_with(copy)
            finally:
                copy.close()
        except BaseException:
            forget_decision(folder)
            raise
        finally:
            self._settle = None
        for error in failures:
            self._log.error("backup.series.not.replaced", reason=error.message)
            raise error

    def _replaced(self, events: tuple[Event, ...]) -> None:
        if self._settle is not None and any(isinstance(event, RecordsReplaced) for event in events):
            self._settle()


def resume(store: MetaStore) -> Replacement | None:
    """Apply a restore that was decided on before a kill to the records.

    Returns:
        What the series are to be replaced by; `settled` when that is done.
    """
    found = decided(store.path)
    if found is None:
        return None
    folder, replacement = found
    copy = MetaStore(records_in(folder), store.clock)
    try:
        store.replace_with(copy)
    finally:
        copy.close()
    return replacement


def settled(store: MetaStore) -> None:
    """What was decided has been applied: forget it, and remove what a killed process left."""
    found = decided(store.path)
    if found is not None:
        forget_decision(found[0])
    remove_leftovers(store.path)


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
