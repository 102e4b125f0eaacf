"""`POST /api/v2/delete`: points of a time range and a predicate.

Order of checks: body, predicate, organization, bucket, permission.

Source: http-api.md §9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from starlette.responses import Response

from fluxkeep.access.decisions import Access
from fluxkeep.api.bodies import BadBody, decode_json
from fluxkeep.api.endpoint import Call, Endpoint, Style
from fluxkeep.api.resolving import resolve_org
from fluxkeep.api.responses import no_content
from fluxkeep.api.v2.delete_predicate import PredicateUnreadable, parse_predicate
from fluxkeep.datamodel.predicates import Predicate
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import InvalidInput, NotFound
from fluxkeep.ids import BucketID, OrgID
from fluxkeep.instants import MAX_TIME_NS, MIN_TIME_NS, format_rfc3339, parse_rfc3339
from fluxkeep.tenancy.snapshot import Directory, Snapshot
from fluxkeep.tenancy.values import Bucket

# Deletes with a caller's access: bucket, range, predicate; raises Forbidden without write permission.
Delete = Callable[[Access, Bucket, TimeRange, Predicate | None], None]

_PREFIX = "error decoding json body: "


class DeleteWire(msgspec.Struct, frozen=True):
    """The body."""

    start: str = ""
    stop: str = ""
    predicate: str = ""


def endpoints(directory: Directory, delete: Delete) -> list[Endpoint]:
    """The one endpoint."""

    def handle(call: Call) -> Response:
        time_range, predicate = _read(call.body)
        tenancy = directory.now
        org = resolve_org(tenancy, call.query)
        bucket = _resolve_bucket(tenancy, org.id, call.query)
        delete(call.access, bucket, time_range, predicate)
        return no_content()

    return [
        Endpoint(method="POST", path="/api/v2/delete", handler=handle, style=Style.C, needs="write:buckets@org/bucket")
    ]


def _read(body: bytes) -> tuple[TimeRange, Predicate | None]:
    try:
        wire = decode_json(body, DeleteWire)
    except BadBody as error:
        what = "Invalid delete predicate node request: " if error.well_formed else ""
        raise InvalidInput(f"{_PREFIX}{what}{error.reason}") from None
    start = _instant(wire.start, "start", "2009-01-02T23:00:00Z")
    stop = _instant(wire.stop, "stop", "2009-01-01T23:00:00Z")
    if start < MIN_TIME_NS:
        raise InvalidInput(f"{_PREFIX}invalid start time, start time must not be before {format_rfc3339(MIN_TIME_NS)}")
    if stop > MAX_TIME_NS:
        raise InvalidInput(f"{_PREFIX}invalid stop time, stop time must not be after {format_rfc3339(MAX_TIME_NS)}")
    try:
        predicate = parse_predicate(wire.predicate)
    except PredicateUnreadable:
        raise
    except InvalidInput as error:
        raise InvalidInput(_PREFIX + error.message) from None
    # Both ends are meant; our ranges are half open.
    return TimeRange(start, stop + 1), predicate


def _instant(text: str, field: str, example: str) -> int:
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise InvalidInput(
            f"{_PREFIX}invalid RFC3339Nano for field {field}, "
            f"please format your time with RFC3339Nano format, example: {example}"
        ) from None


def _resolve_bucket(tenancy: Snapshot, org_id: OrgID, query: Mapping[str, list[str]]) -> Bucket:
    bucket_id = (query.get("bucketID") or [""])[0]
    name = (query.get("bucket") or [""])[0]
    if bucket_id:
        found = tenancy.buckets.by_id.get(BucketID.parse(bucket_id))
        if found is None or found.org_id != org_id:
            raise NotFound("bucket not found")
        return found
    if not name:
        raise InvalidInput("Please provide either bucketID or bucket")
    try:
        found = tenancy.buckets.by_id.get(BucketID.parse(name))
    except InvalidInput:
        found = tenancy.buckets.in_org(org_id, name)
    if found is None or found.org_id != org_id:
        raise NotFound(f'bucket "{name}" not found')
    return found
