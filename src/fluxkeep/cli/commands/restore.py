"""`influx restore`: what `influx backup` wrote, back into a server.

Source: cli.md §2.14, tokens.md §3.9, http-api.md §26.2.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from fluxkeep.cli.commands.backup import COMPRESSION_GZIP, log
from fluxkeep.cli.failures import CommandFailed, failing
from fluxkeep.cli.framework import CONTEXT, Leaf, flag
from fluxkeep.cli.session import Session, connected, in_bucket
from fluxkeep.secret import Secret

# The token that a full restore goes on with; the server checks it against the backup before it
# replaces anything (W18). An addition: the reference's CLI sends no such header.
CONTINUE_HEADER = "X-Fluxkeep-Continue-Token"


@click.command(
    cls=Leaf, name="restore", help="Restore a backup; a full one needs an operator token.", context_settings=CONTEXT
)
@connected(tables=False)
@flag("--full", is_flag=True, help="Replace everything on the server, tokens and users too.")
@flag("--org", "-o", help="Only buckets of the organization of this name.")
@flag("--org-id", help="Only buckets of the organization of this id.")
@in_bucket(environment=False)
@flag("--new-org", help="Restore into the organization of this name.")
@flag("--new-bucket", help="Restore under this name.")
@flag("--operator-token", help="Operator token of the backup, to go on with after a full restore.")
@click.argument("paths", nargs=-1)
def restore(
    session: Session,
    full: bool,
    org: str | None,
    org_id: str | None,
    bucket: str | None,
    bucket_id: str | None,
    new_org: str | None,
    new_bucket: str | None,
    operator_token: str | None,
    paths: tuple[str, ...],
) -> None:
    """Restore a backup."""
    if len(paths) != 1:
        raise CommandFailed("restore path must be specified as a single positional argument")
    if full and any((org, org_id, bucket, bucket_id, new_org, new_bucket)):
        raise CommandFailed("--full restore cannot be limited to a single org or bucket")
    if new_bucket and not (bucket or bucket_id):
        raise CommandFailed("--bucket-id or --bucket must be set to use --new-bucket")
    if new_org and not (org or org_id):
        raise CommandFailed("--org-id or --org must be set to use --new-org")
    folder = Path(paths[0])
    backup = _Backup(folder)
    if full:
        _restore_all(session, backup, Secret(operator_token or ""))
        return
    chosen = [
        entry
        for entry in backup.buckets.values()
        if not entry["bucketName"].startswith("_")
        and not (org_id and entry["organizationID"] != org_id)
        and not (org and entry["organizationName"] != org)
        and not (bucket_id and entry["bucketID"] != bucket_id)
        and not (bucket and entry["bucketName"] != bucket)
    ]
    if not chosen:
        log("WARN", "No bucket of the backup was selected, nothing is restored")
    for entry in chosen:
        _restore_bucket(session, backup, entry, new_org, new_bucket)


class _Backup:
    """All manifests of a folder: the newest records, and per bucket the newest entry."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = sorted(folder.glob("*.manifest")) if folder.is_dir() else []
        if not names:
            raise CommandFailed(f'no backup manifests found at "{folder}"')
        self.records: dict[str, Any] = {}
        self.buckets: dict[tuple[str, str], dict[str, Any]] = {}
        for name in names:
            try:
                manifest = json.loads(name.read_text("utf-8"))
                self.records = {"kv": manifest["kv"], "sql": manifest.get("sql")}
                for entry in manifest["buckets"]:
                    self.buckets[entry["organizationName"], entry["bucketName"]] = entry
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise CommandFailed(f'failed to read backup manifest at "{name}": {error}') from error

    def packed(self, entry: dict[str, Any]) -> Iterator[bytes]:
        """A file of the backup as gzip, whatever it is on disk."""
        path = self.folder / Path(entry["fileName"]).name
        try:
            with path.open("rb") as file:
                if entry.get("compression") == COMPRESSION_GZIP:
                    while chunk := file.read(1 << 20):
                        yield chunk
                else:
                    while chunk := file.read(1 << 20):
                        yield gzip.compress(chunk, 5)
        except OSError as error:
            raise CommandFailed(f'failed to open "{path}": {(error.strerror or "").lower()}') from error


def _upload(session: Session, path: str, chunks: Iterator[bytes], headers: dict[str, str] | None = None) -> Any:
    sent = {"Content-Type": "application/octet-stream", "Content-Encoding": "gzip", **(headers or {})}
    # An upload is one body: the server validates it as a whole before it replaces anything.
    with session.client.open("POST", path, body=b"".join(chunks), headers=sent) as answer:
        data = answer.read()
    return json.loads(data) if data else None


def _restore_all(session: Session, backup: _Backup, operator_token: Secret) -> None:
    before = session.client.token
    follow = operator_token or before
    log("INFO", "Restoring KV snapshot")
    with failing("failed to restore KV snapshot"):
        answer = _upload(
            session,
            "/api/v2/restore/kv",
            backup.packed(backup.records["kv"]),
            {CONTINUE_HEADER: follow.reveal()} if follow else None,
        )
    returned = Secret(str((answer or {}).get("token", "")))
    session.client.token = returned or follow
    if session.client.token != before:
        log(
            "WARN",
            "Restoring KV snapshot overwrote the operator token, ensure following commands use the correct token",
        )
    if backup.records.get("sql"):
        log("INFO", "Restoring SQL snapshot")
        with failing("failed to restore SQL snapshot"):
            _upload(session, "/api/v2/restore/sql", backup.packed(backup.records["sql"]))
    for entry in backup.buckets.values():
        for _, shard in _shards(entry):
            _restore_shard(session, backup, shard, shard["id"])


def _restore_bucket(
    session: Session, backup: _Backup, entry: dict[str, Any], new_org: str | None, new_bucket: str | None
) -> None:
    org_name = new_org or entry["organizationName"]
    name = new_bucket or entry["bucketName"]
    log("INFO", f'Restoring bucket "{entry["bucketID"]}" as "{name}"')
    with failing(f'failed to restore bucket "{name}"'):
        org_id = _org(session, org_name)
        made = session.client.call(
            "POST",
            "/api/v2/restore/bucketMetadata",
            body={**entry, "organizationID": org_id, "organizationName": org_name, "bucketName": name},
        )
        ids = {mapping["oldId"]: mapping["newId"] for mapping in made["shardMappings"]}
        for _, shard in _shards(entry):
            if shard["id"] in ids:
                _restore_shard(session, backup, shard, ids[shard["id"]])


def _org(session: Session, name: str) -> str:
    try:
        found = session.client.get("/api/v2/orgs", {"org": name})["orgs"]
    except CommandFailed:
        found = []
    if found:
        return str(found[0]["id"])
    return str(session.client.call("POST", "/api/v2/orgs", body={"name": name})["id"])


def _shards(entry: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for policy in entry["retentionPolicies"]:
        for group in policy["shardGroups"]:
            for shard in group["shards"]:
                if shard.get("fileName"):
                    yield group, shard


def _restore_shard(session: Session, backup: _Backup, shard: dict[str, Any], new_id: int) -> None:
    log("INFO", f"Restoring TSM snapshot for shard {new_id}")
    with failing(f"failed to restore shard {new_id}"):
        _upload(session, f"/api/v2/restore/shards/{new_id}", backup.packed(shard))
