"""Taking a backup: records, manifest of buckets, and shard groups as tars, while writes go on.

Source: http-api.md §26.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fluxkeep.access.decisions import Access
from fluxkeep.backup.sealing_key import note_key
from fluxkeep.backup.store import empty_database, note_shards, scratch
from fluxkeep.credentials.hashing import KeyRing
from fluxkeep.errors import NotFound
from fluxkeep.instants import format_rfc3339
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.resources.sealing import Seal
from fluxkeep.secret import Secret
from fluxkeep.storage.engine import Engine
from fluxkeep.storage.shards import Shard, group_duration
from fluxkeep.tenancy.snapshot import Directory, Snapshot

POLICY = "autogen"


@dataclass(frozen=True, slots=True)
class Metadata:
    """The records of one instant.

    Attributes:
        records: A snapshot of the metadata store; tokens are in it as they are stored.
        second: A SQLite file without content, where the reference has its second store.
        buckets: The manifest's entry of every bucket.
    """

    records: bytes
    second: bytes
    buckets: list[dict[str, Any]]


class Backups:
    """Takes backups for operators."""

    def __init__(
        self, store: MetaStore, directory: Directory, engine: Engine, seal: Seal, keys: KeyRing | None
    ) -> None:
        self._store = store
        self._directory = directory
        self._engine = engine
        self._seal = seal
        self._keys = keys

    def metadata(self, access: Access, token: Secret | None) -> Metadata:
        """Records and manifest. Shard groups made by later writes are in neither.

        Args:
            access: An operator's.
            token: What the caller presented, if it was a token: with it the secrets can be opened elsewhere.

        Raises:
            Unauthorized: The caller is no operator.
        """
        access.require_operator()
        shards = self._engine.shards()
        with scratch(self._store.path, "backup") as folder:
            copy = Path(folder) / "records"
            self._store.backup(copy)
            note_shards(copy, shards)
            note_key(copy, self._seal, token, self._keys)
            records = copy.read_bytes()
        return Metadata(records, empty_database(), _manifest(self._directory.now, shards))

    def records(self, access: Access, token: Secret | None) -> bytes:
        """The snapshot of the records alone.

        Raises:
            Unauthorized: The caller is no operator.
        """
        return self.metadata(access, token).records

    def shard(self, access: Access, identifier: int, since_ns: int | None = None) -> Iterator[bytes]:
        """A shard group as a tar, in pieces.

        Raises:
            Unauthorized: The caller is no operator.
            NotFound: `shard <n> not found`.
            Corruption: A file of it is damaged.
        """
        access.require_operator()
        export = self._engine.export_shard(identifier)
        if export is None:
            raise NotFound(f"shard {identifier} not found")
        return export.tar(since_ns)


def _manifest(now: Snapshot, shards: Sequence[Shard]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for bucket in now.buckets.all:
        groups = [
            {
                "id": shard.id,
                "startTime": format_rfc3339(shard.start),
                "endTime": format_rfc3339(shard.stop),
                "shards": [{"id": shard.id, "shardOwners": []}],
            }
            for shard in shards
            if shard.bucket == bucket.id
        ]
        entry: dict[str, Any] = {
            "organizationID": bucket.org_id,
            "organizationName": now.organizations.by_id[bucket.org_id].name,
            "bucketID": bucket.id,
            "bucketName": bucket.name,
            "defaultRetentionPolicy": POLICY,
            "retentionPolicies": [
                {
                    "name": POLICY,
                    "replicaN": 1,
                    "duration": bucket.retention_ns,
                    "shardGroupDuration": group_duration(bucket.retention_ns, bucket.shard_group_ns),
                    "shardGroups": groups,
                    "subscriptions": [],
                }
            ],
        }
        if bucket.description:
            entry["description"] = bucket.description
        entries.append(entry)
    return entries
