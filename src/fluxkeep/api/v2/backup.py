"""`/api/v2/backup` and `/api/v2/restore`, as the stock CLI speaks them.

Every path needs an operator, which is checked before the body is looked at.

Source: http-api.md §26.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import IO

import msgspec
from starlette.responses import Response

from fluxkeep.api.bodies import BadBody, decode_json
from fluxkeep.api.compression import accepts_gzip, pack_chunks
from fluxkeep.api.endpoint import Call, Endpoint, Style
from fluxkeep.api.gate import v2_token
from fluxkeep.api.responses import Stream, encode_json, json_response
from fluxkeep.api.uploads import Unpacked, buffered
from fluxkeep.backup.restore import BucketEntry, Restores, ShardGroup
from fluxkeep.backup.snapshot import Backups
from fluxkeep.errors import Internal, InvalidInput, NotFound
from fluxkeep.ids import OrgID
from fluxkeep.instants import parse_rfc3339
from fluxkeep.secret import Secret

# How hard gzip tries; data files are dense, so that more than the least effort gains little for its time.
_LEVELS = {"default": 1, "full": 9, "speedy": 1, "none": 0}
_CONTINUE = "x-fluxkeep-continue-token"
# Additions of ours: an upload of records begins a stage, whose name the next requests bear; the upload of
# the second store ends it. Without them the server does as the reference.
_RESTORE, _STAGED = "x-fluxkeep-restore", "staged"
_STAGE = "x-fluxkeep-stage"
# What the reference says where it has no text of its own.
_UNEXPLAINED = "An internal error has occurred - check server logs"


class _Shard(msgspec.Struct):
    id: int = 0


class _Group(msgspec.Struct, rename="camel"):
    id: int = 0
    start_time: str = ""
    end_time: str = ""
    shards: list[_Shard] = []


class _Policy(msgspec.Struct, rename="camel"):
    duration: int = 0
    shard_group_duration: int = 0
    shard_groups: list[_Group] = []


class _Manifest(msgspec.Struct):
    organization: str = msgspec.field(default="", name="organizationID")
    name: str = msgspec.field(default="", name="bucketName")
    description: str = ""
    policies: list[_Policy] = msgspec.field(default_factory=list, name="retentionPolicies")


def endpoints(backups: Backups, restores: Restores) -> list[Endpoint]:
    """Every operation of both families."""

    def metadata(call: Call) -> Response:
        call.access.require_operator()
        level = _level(call)
        taken = backups.metadata(call.access, v2_token(call.headers))
        boundary = secrets.token_hex(30)
        parts = _multipart(
            boundary,
            ("kv", "application/octet-stream", taken.records),
            ("sql", "application/octet-stream", taken.second),
            ("buckets", "application/json; charset=utf-8", encode_json(taken.buckets) + b"\n"),
        )
        return _sent(call, parts, f"multipart/mixed; boundary={boundary}", level)

    def records(call: Call) -> Response:
        return Stream(
            iter((backups.records(call.access, v2_token(call.headers)),)),
            headers={"content-type": "application/octet-stream"},
        )

    def shard(call: Call) -> Response:
        call.access.require_operator()
        level = _level(call)
        since = call.first("since")
        try:
            identifier = int(call.params["shard"])
            since_ns = parse_rfc3339(since) if since else None
        except ValueError:
            raise Internal(_UNEXPLAINED) from None
        return _sent(call, backups.shard(call.access, identifier, since_ns), "application/octet-stream", level)

    def restore_records(call: Call) -> Response:
        call.access.require_operator()
        token = call.headers.get(_CONTINUE)
        restored = restores.records(
            call.access,
            _upload(call),
            continue_with=Secret(token) if token else None,
            presented=v2_token(call.headers),
            staged=call.headers.get(_RESTORE) == _STAGED,
        )
        shown: dict[str, object] = {"token": restored.token.reveal()}
        if restored.stage:
            shown["stage"] = restored.stage
        if restored.closed_secrets:
            shown["closedSecrets"] = [{"orgID": org_id, "key": key} for org_id, key in restored.closed_secrets]
        return json_response(shown)

    def restore_second(call: Call) -> Response:
        call.access.require_operator()
        restores.second(call.access, _upload(call), call.headers.get(_STAGE, ""))
        return Response(None, 200)

    def restore_bucket(call: Call) -> Response:
        call.access.require_operator()
        bucket, mappings = restores.bucket(call.access, _entry(decode_json(call.body, _Manifest)))
        name = decode_json(call.body, _Manifest).name
        shown = [{"oldId": old, "newId": new} for old, new in mappings]
        return json_response({"id": bucket, "name": name, "shardMappings": shown}, 201)

    def restore_shard(call: Call) -> Response:
        call.access.require_operator()
        try:
            restores.shard(call.access, int(call.params["shard"]), _upload(call), call.headers.get(_STAGE, ""))
        except (ValueError, NotFound):
            raise Internal(_UNEXPLAINED) from None
        return Response(None, 200)

    table = (
        ("GET", "/api/v2/backup/metadata", metadata),
        ("GET", "/api/v2/backup/kv", records),
        ("GET", "/api/v2/backup/shards/{shard}", shard),
        ("POST", "/api/v2/restore/kv", restore_records),
        ("POST", "/api/v2/restore/sql", restore_second),
        ("POST", "/api/v2/restore/bucketMetadata", restore_bucket),
        ("POST", "/api/v2/restore/bucket-metadata", restore_bucket),
        ("POST", "/api/v2/restore/shards/{shard}", restore_shard),
    )
    return [
        Endpoint(
            method=method,
            path=path,
            handler=handler,
            style=Style.C,
            needs="operator permissions",
            # A token wraps and unwraps the key of the secrets.
            own_credentials=handler in (metadata, records, restore_records),
            streams=handler in (restore_records, restore_second, restore_shard),
        )
        for method, path, handler in table
    ]


def _level(call: Call) -> str:
    level = call.headers.get("gzip-compression-level", "") or "default"
    if level not in _LEVELS:
        raise InvalidInput(f'unknown compression level: "{level}", valid values: [{", ".join(_LEVELS)}]')
    return level


def _sent(call: Call, chunks: Iterator[bytes], kind: str, level: str) -> Response:
    headers = {"content-type": kind}
    if level != "none":
        headers["vary"] = "Accept-Encoding"
        if accepts_gzip(call.headers.get("accept-encoding", "")):
            headers["content-encoding"] = "gzip"
            chunks = pack_chunks(chunks, _LEVELS[level])
    return Stream(chunks, headers=headers)


def _multipart(boundary: str, *parts: tuple[str, str, bytes]) -> Iterator[bytes]:
    for name, kind, content in parts:
        yield (f"--{boundary}\r\nContent-Disposition: attachment; name={name}\r\nContent-Type: {kind}\r\n\r\n").encode()
        yield content
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _upload(call: Call) -> IO[bytes]:
    if call.headers.get("content-encoding", "") != "gzip":
        return call.upload
    return buffered(Unpacked(call.upload))


def _entry(manifest: _Manifest) -> BucketEntry:
    if len(manifest.policies) != 1:
        raise Internal(
            f"bucket must have 1 retention policy; attempting to restore {len(manifest.policies)} retention policies"
        )
    policy = manifest.policies[0]
    try:
        groups = tuple(
            ShardGroup(id=shard.id, start=parse_rfc3339(group.start_time), stop=parse_rfc3339(group.end_time))
            for group in policy.shard_groups
            for shard in group.shards
        )
    except ValueError as error:
        raise BadBody(str(error), well_formed=True) from None
    return BucketEntry(
        org_id=OrgID.parse(manifest.organization),
        name=manifest.name,
        description=manifest.description,
        retention_ns=policy.duration,
        shard_group_ns=policy.shard_group_duration,
        groups=groups,
    )
