"""`/api/v2/backup` and `/api/v2/restore`: guarded like the reference's, and not built yet.

The guard is here first so that nobody learns from the answer what an operator
would get. Source: http-api.md §26, tokens.md §2.9.
"""

from __future__ import annotations

from typing import NoReturn

from fluxkeep.api.endpoint import Call, Endpoint, Runs, Style
from fluxkeep.errors import Unsupported

_OPERATIONS = (
    ("GET", "/api/v2/backup/kv"),
    ("GET", "/api/v2/backup/metadata"),
    ("GET", "/api/v2/backup/shards/{shard}"),
    ("POST", "/api/v2/restore/kv"),
    ("POST", "/api/v2/restore/sql"),
    ("POST", "/api/v2/restore/bucket/{bucket}"),
    ("POST", "/api/v2/restore/bucketMetadata"),
    ("POST", "/api/v2/restore/shards/{shard}"),
)


def endpoints() -> list[Endpoint]:
    """Every operation of both families."""
    return [
        Endpoint(
            method=method,
            path=path,
            handler=_refuse,
            runs=Runs.LOOP,
            style=Style.C,
            needs="operator permissions",
        )
        for method, path in _OPERATIONS
    ]


def _refuse(call: Call) -> NoReturn:
    call.access.require_operator()
    raise Unsupported("backup and restore over HTTP are not built yet")
