"""`POST /write`: line protocol as v1 clients send it, into the bucket that a mapping names.

Source: http-api.md §7.1, §27.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from fluxkeep.api.compression import unpack
from fluxkeep.api.endpoint import Call, Endpoint, Gate, Style
from fluxkeep.api.responses import no_content
from fluxkeep.api.together import each
from fluxkeep.errors import InvalidInput, NotFound, Unauthorized
from fluxkeep.ingest import Ingest, Writing, v1_precision
from fluxkeep.tenancy.dbrps import DBRPs


def endpoints(ingest: Ingest, dbrps: DBRPs, *, body_bytes_max: int) -> list[Endpoint]:
    """The one endpoint; see `api.v2.write`."""

    def asked(call: Call) -> Writing:
        org_id = call.access.principal.org_id
        if org_id is None:
            raise Unauthorized("Unauthorized", reason="missing-credential")
        database = call.first("db")
        if database is None:
            raise InvalidInput("missing db")
        bucket = dbrps.resolve(call.access, org_id, database, call.first("rp"), writing=True)
        if bucket is None:
            raise NotFound("no dbrp mapping found")
        ingest.require_write(call.access, bucket)
        body = unpack(call.body, call.headers.get("content-encoding", ""), body_bytes_max)
        return Writing(call.access, bucket, body, v1_precision(call.first("precision") or ""))

    def write(call: Call) -> Response:
        ingest.write(asked(call))
        return no_content()

    def group(calls: Sequence[Call]) -> list[Response | Exception]:
        return each(calls, asked, ingest.write_all)

    return [
        Endpoint(
            method="POST",
            path="/write",
            handler=write,
            group=group,
            gate=Gate.V1,
            style=Style.C,
            needs="write:buckets@org/bucket",
            packs=True,
        )
    ]
