"""`influx restore`: what `influx backup` wrote, back into a server, whole or not at all.

A full restore asks the server for a stage, in which everything is received
before anything is replaced; a server that has none (the reference) does it step
by step. A bucket comes back under a name of its own and gets its real one when
all of it is there; what an earlier try left is removed first.

Source: cli.md §2.14, tokens.md §3.9, http-api.md §26.2.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import click

from fluxkeep.cli.commands.backup import COMPRESSION_GZIP, log
from fluxkeep.cli.failures import CommandFailed, ServerRefused, failing
from fluxkeep.cli.framework import CONTEXT, Leaf, flag
from fluxkeep.cli.progress import Progress
from fluxkeep.cli.session import Session, connected, in_bucket
from fluxkeep.secret import Secret

# The token that a full restore goes on with; the server checks it against the backup before it
# replaces anything (W18). An addition: the reference's CLI sends no such header.
CONTINUE_HEADER = "X-Fluxkeep-Continue-Token"
# Additions too: everything is received first, and replaced by the last request.
RESTORE_HEADER, STAGED = "X-Fluxkeep-Restore", "staged"
STAGE_HEADER = "X-Fluxkeep-Stage"
# Ends the name of a bucket that is not whole yet.
UNFINISHED = ".restoring"


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
@click.argument("paths", nargs=-1, metavar="PATH")
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

    def open(self, entry: dict[str, Any]) -> tuple[IO[bytes], int]:
        """A file of the backup and its size.

        Raises:
            CommandFailed: It is not there, or not as long as it was.
        """
        path = self.folder / Path(entry["fileName"]).name
        try:
            file = path.open("rb")
        except OSError as error:
            raise CommandFailed(f'failed to open "{path}": {(error.strerror or "").lower()}') from error
        size = path.stat().st_size
        if size != entry.get("size", size):
            file.close()
            raise CommandFailed(f'"{path}" has {size} bytes, its manifest says {entry["size"]}')
        return file, size


class _Read:
    """A file that tells how far it was read."""

    def __init__(self, file: IO[bytes], progress: Progress) -> None:
        self._file = file
        self._progress = progress

    def read(self, size: int = -1) -> bytes:
        """See `IO.read`."""
        data = self._file.read(size)
        self._progress.add(len(data))
        return data


def _upload(
    session: Session, path: str, backup: _Backup, entry: dict[str, Any], headers: dict[str, str] | None = None
) -> Any:
    file, size = backup.open(entry)
    sent = {"Content-Type": "application/octet-stream", "Content-Length": str(size), **(headers or {})}
    if entry.get("compression") == COMPRESSION_GZIP:
        sent["Content-Encoding"] = "gzip"
    with file, Progress(Path(entry["fileName"]).name, size) as progress:
        body = cast("IO[bytes]", _Read(file, progress))
        with session.client.open("POST", path, body=body, headers=sent) as answer:
            data = answer.read()
    return json.loads(data) if data else None


def _restore_all(session: Session, backup: _Backup, operator_token: Secret) -> None:
    before = session.client.token
    follow = operator_token or before
    log("INFO", "Restoring KV snapshot")
    with failing("failed to restore KV snapshot"):
        headers = {RESTORE_HEADER: STAGED}
        if follow:
            headers[CONTINUE_HEADER] = follow.reveal()
        answer = _upload(session, "/api/v2/restore/kv", backup, backup.records["kv"], headers) or {}
    for closed in answer.get("closedSecrets", ()):
        log(
            "WARN",
            f"Secret {closed['key']!r} of organization {closed['orgID']} was sealed by another server and cannot be "
            "opened here, set it again or bring that server's .secrets-key file",
        )
    stage = str(answer.get("stage", ""))
    follow = Secret(str(answer.get("token", ""))) or follow
    if stage:
        try:
            _restore_shards(session, backup, stage)
            _restore_second(session, backup, stage)
        except BaseException:
            log("WARN", "The restore did not come to its end, nothing was replaced")
            raise
    session.client.token = follow
    if session.client.token != before:
        log(
            "WARN",
            "Restoring KV snapshot overwrote the operator token, ensure following commands use the correct token",
        )
    if not stage:
        _restore_second(session, backup, "")
        _restore_shards(session, backup, "")


def _restore_second(session: Session, backup: _Backup, stage: str) -> None:
    entry = backup.records.get("sql")
    if not entry and not stage:
        return
    log("INFO", "Restoring SQL snapshot")
    with failing("failed to restore SQL snapshot"):
        headers = {STAGE_HEADER: stage} if stage else {}
        if entry:
            _upload(session, "/api/v2/restore/sql", backup, entry, headers)
        else:
            session.client.open("POST", "/api/v2/restore/sql", body=b"", headers=headers).read()


def _restore_shards(session: Session, backup: _Backup, stage: str) -> None:
    for entry in backup.buckets.values():
        for shard in _shards(entry):
            _restore_shard(session, backup, shard, shard["id"], stage)


def _restore_bucket(
    session: Session, backup: _Backup, entry: dict[str, Any], new_org: str | None, new_bucket: str | None
) -> None:
    org_name = new_org or entry["organizationName"]
    name = new_bucket or entry["bucketName"]
    log("INFO", f'Restoring bucket "{entry["bucketID"]}" as "{name}"')
    with failing(f'failed to restore bucket "{name}"'):
        org_id = _org(session, org_name)
        if _bucket(session, org_id, name):
            raise ServerRefused(422, "Unprocessable Entity", f"bucket with name {name} already exists")
        if left := _bucket(session, org_id, name + UNFINISHED):
            session.client.call("DELETE", f"/api/v2/buckets/{left}")
        named = {"organizationID": org_id, "organizationName": org_name, "bucketName": name + UNFINISHED}
        made = session.client.call("POST", "/api/v2/restore/bucketMetadata", body={**entry, **named})
        try:
            ids = {mapping["oldId"]: mapping["newId"] for mapping in made["shardMappings"]}
            for shard in _shards(entry):
                if shard["id"] in ids:
                    _restore_shard(session, backup, shard, ids[shard["id"]], "")
            session.client.call("PATCH", f"/api/v2/buckets/{made['id']}", body={"name": name})
        except BaseException:
            # If the server is out of reach, the next try does it.
            with contextlib.suppress(CommandFailed):
                session.client.call("DELETE", f"/api/v2/buckets/{made['id']}")
            raise


def _bucket(session: Session, org_id: str, name: str) -> str:
    """The id of a bucket; "" if there is none of that name."""
    try:
        found = session.client.get("/api/v2/buckets", {"orgID": org_id, "name": name})["buckets"]
    except ServerRefused as error:
        if error.status != 404:
            raise
        return ""
    return str(found[0]["id"]) if found else ""


def _org(session: Session, name: str) -> str:
    try:
        found = session.client.get("/api/v2/orgs", {"org": name})["orgs"]
    except CommandFailed:
        found = []
    if found:
        return str(found[0]["id"])
    return str(session.client.call("POST", "/api/v2/orgs", body={"name": name})["id"])


def _shards(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for policy in entry["retentionPolicies"]:
        for group in policy["shardGroups"]:
            for shard in group["shards"]:
                if shard.get("fileName"):
                    yield shard


def _restore_shard(session: Session, backup: _Backup, shard: dict[str, Any], new_id: int, stage: str) -> None:
    log("INFO", f"Restoring TSM snapshot for shard {new_id}")
    with failing(f"failed to restore shard {new_id}"):
        headers = {STAGE_HEADER: stage} if stage else None
        _upload(session, f"/api/v2/restore/shards/{new_id}", backup, shard, headers)
