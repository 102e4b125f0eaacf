"""`influx backup`: records and series of a server into a folder.

Source: cli.md §2.13, http-api.md §26.1.
"""

from __future__ import annotations

import email.parser
import email.policy
import gzip
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from fluxkeep.cli.failures import CommandFailed, ServerRefused, failing
from fluxkeep.cli.framework import CONTEXT, Leaf, OneOf, flag
from fluxkeep.cli.progress import Progress
from fluxkeep.cli.session import Session, connected, in_bucket

COMPRESSION_NONE, COMPRESSION_GZIP = 0, 1


def log(level: str, text: str) -> None:
    """A progress line on standard error, in local time."""
    click.echo(f"{time.strftime('%Y/%m/%d %H:%M:%S')} {level}: {text}", err=True)


@click.command(
    cls=Leaf,
    name="backup",
    help="Back up a server into a folder; needs an operator token.",
    context_settings=CONTEXT,
)
@connected(tables=False)
@flag("--org", "-o", help="Only buckets of the organization of this name.")
@flag("--org-id", help="Only buckets of the organization of this id.")
@in_bucket(environment=False)
@flag("--compression", type=OneOf("format", ["none", "gzip"]), help="Of the files; gzip when absent.")
@flag("--gzip-compression-level", default="", help="default, full, speedy or none.")
@click.argument("paths", nargs=-1, metavar="PATH")
def backup(
    session: Session,
    org: str | None,
    org_id: str | None,
    bucket: str | None,
    bucket_id: str | None,
    compression: str | None,
    gzip_compression_level: str,
    paths: tuple[str, ...],
) -> None:
    """Back up a server; the manifest is written last, so an interrupted backup has none."""
    if len(paths) != 1:
        raise CommandFailed("backup path must be specified as a single positional argument")
    folder = Path(paths[0])
    packed = (compression or ("none" if gzip_compression_level == "none" else "gzip")) == "gzip"
    folder.mkdir(parents=True, exist_ok=True)
    base = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    headers = {"Gzip-Compression-Level": gzip_compression_level} if gzip_compression_level else {}
    if not packed:
        # Packing and unpacking what is kept as it is would be for nothing.
        headers["Accept-Encoding"] = "identity"
    log("INFO", "Downloading metadata snapshot")
    with failing("failed to backup metadata"), failing("failed to download metadata snapshot"):
        parts = _metadata(session, headers)
    manifest: dict[str, Any] = {"manifestVersion": 2}
    for part, extension in (("kv", "bolt"), ("sql", "sqlite")):
        name = f"{base}.{extension}" + (".gz" if packed else "")
        _save(folder / name, [parts[part]], packed)
        manifest[part] = _entry(folder / name, packed)
    chosen: list[dict[str, Any]] = []
    for entry in json.loads(parts["buckets"]):
        if (org_id and entry["organizationID"] != org_id) or (org and entry["organizationName"] != org):
            continue
        if (bucket_id and entry["bucketID"] != bucket_id) or (bucket and entry["bucketName"] != bucket):
            continue
        for policy in entry["retentionPolicies"]:
            for group in policy["shardGroups"]:
                group["shards"] = [
                    kept for shard in group["shards"] if (kept := _shard(session, shard, folder, base, packed, headers))
                ]
        chosen.append(entry)
    manifest["buckets"] = chosen
    text = json.dumps(manifest, indent=2)
    _save(folder / f"{base}.manifest", [text.encode()], False)


def _metadata(session: Session, headers: dict[str, str]) -> dict[str, bytes]:
    with session.client.open("GET", "/api/v2/backup/metadata", headers=headers) as answer:
        kind = answer.header("Content-Type")
        body = answer.read()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body
    )
    parts: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        parts[str(name)] = payload if isinstance(payload, bytes) else b""
    missing = {"kv", "sql", "buckets"} - parts.keys()
    if missing:
        raise CommandFailed(f"the server's answer lacks {', '.join(sorted(missing))}")
    return parts


def _shard(
    session: Session, shard: dict[str, Any], folder: Path, base: str, packed: bool, headers: dict[str, str]
) -> dict[str, Any] | None:
    ident = shard["id"]
    log("INFO", f"Backing up TSM for shard {ident}")
    name = f"{base}.{ident}.tar" + (".gz" if packed else "")
    try:
        with (
            failing(f"failed to backup shard {ident}"),
            session.client.open("GET", f"/api/v2/backup/shards/{ident}", headers=headers) as answer,
        ):
            if packed and answer.packed:
                # As it came: unpacking and packing again would cost more than all the rest.
                _save(folder / name, answer.packed_chunks(), False)
            else:
                _save(folder / name, answer.chunks(), packed)
    except CommandFailed as error:
        refused = error.__cause__
        if isinstance(refused, ServerRefused) and refused.status == 404:
            log("WARN", f"Shard {ident} removed during backup")
            return None
        raise
    return {"id": ident, "shardOwners": shard.get("shardOwners", []), **_entry(folder / name, packed)}


def _entry(path: Path, packed: bool) -> dict[str, Any]:
    return {
        "fileName": path.name,
        "size": path.stat().st_size,
        "compression": COMPRESSION_GZIP if packed else COMPRESSION_NONE,
    }


def _save(path: Path, chunks: Iterable[bytes], packed: bool) -> None:
    """Write a file in one step, 0600, synced before it has its name."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".backup-")
    try:
        with os.fdopen(descriptor, "wb") as file, Progress(path.name) as progress:
            writer = gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=5) if packed else None
            for chunk in chunks:
                (writer or file).write(chunk)
                progress.add(len(chunk))
            if writer is not None:
                writer.close()
            file.flush()
            os.fsync(file.fileno())
        shutil.move(draft, path)
    except OSError as error:
        raise CommandFailed(f"failed to write {path}: {error.strerror}") from error
    finally:
        Path(draft).unlink(missing_ok=True)
