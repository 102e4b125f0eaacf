"""`POST /api/v2/write`: line protocol into a bucket.

Order of checks: precision, bucket given, organization, bucket, permission,
body. The body is not even unpacked for a caller who may not write.

Source: http-api.md §6, §27.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from fluxkeep.api.compression import unpack
from fluxkeep.api.endpoint import Call, Endpoint, Style
from fluxkeep.api.resolving import resolve_org
from fluxkeep.api.responses import no_content
from fluxkeep.api.together import each
from fluxkeep.errors import InvalidInput, NotFound
from fluxkeep.ids import BucketID, OrgID
from fluxkeep.ingest import Ingest, Writing
from fluxkeep.instants import Precision
from fluxkeep.tenancy.snapshot import Directory, Snapshot
from fluxkeep.tenancy.values import Bucket


def endpoints(ingest: Ingest, directory: Directory, *, body_bytes_max: int) -> list[Endpoint]:
    """The one endpoint.

    Args:
        ingest: Where points go.
        directory: Names to organizations and buckets.
        body_bytes_max: Of an unpacked body.
    """

    def asked(call: Call) -> Writing:
        precision = Precision.parse(call.first("precision") or "")
        name = call.first("bucket")
        if name is None:
            raise NotFound("bucket not found")
        tenancy = directory.now
        org = resolve_org(tenancy, call.query)
        bucket = _resolve_bucket(tenancy, org.id, name)
        ingest.require_write(call.access, bucket)
        body = unpack(call.body, call.headers.get("content-encoding", ""), body_bytes_max)
        return Writing(call.access, bucket, body, precision)

    def write(call: Call) -> Response:
        ingest.write(asked(call))
        return no_content()

    def group(calls: Sequence[Call]) -> list[Response | Exception]:
        return each(calls, asked, ingest.write_all)

    needs = "write:buckets@org/bucket"
    return [Endpoint(method="POST", path="/api/v2/write", handler=write, group=group, style=Style.C, needs=needs)]


def _resolve_bucket(tenancy: Snapshot, org_id: OrgID, name: str) -> Bucket:
    """By id where the text is one and names a bucket of the organization, else by name."""
    found: Bucket | None = None
    if len(name) == 16:
        try:
            found = tenancy.buckets.by_id.get(BucketID.parse(name))
        except InvalidInput:
            found = None
    if found is None or found.org_id != org_id:
        found = tenancy.buckets.in_org(org_id, name)
    if found is None:
        raise NotFound(f'bucket "{name}" not found')
    return found
