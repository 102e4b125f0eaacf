"""`/api/v2/buckets`.

Clients look a bucket up by name before they write, so a bucket's JSON is kept
as bytes as long as the record and its labels stay the same.

Source: http-api.md §5, §27.
"""

from __future__ import annotations

from starlette.responses import Response

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import ResourceType
from fluxkeep.api.bodies import decode_json
from fluxkeep.api.endpoint import Call, Endpoint, Runs
from fluxkeep.api.paging import page_links, parse_page
from fluxkeep.api.responses import encode_json, json_response, no_content, raw_json
from fluxkeep.api.v2.subresources import Parent, label_endpoints, member_endpoints
from fluxkeep.api.wire.tenancy import BucketIn, body_id, bucket_out
from fluxkeep.errors import InvalidInput
from fluxkeep.ids import ID, BucketID, OrgID
from fluxkeep.resources.labels import Label, Labels
from fluxkeep.tenancy.buckets import Buckets
from fluxkeep.tenancy.listing import Window
from fluxkeep.tenancy.memberships import Memberships
from fluxkeep.tenancy.values import Bucket

_PATH = "/api/v2/buckets"

# About 1 KiB each; beyond it everything is forgotten and made again as it is asked for.
ENCODED_BUCKETS_MAX = 4096


def endpoints(buckets: Buckets, memberships: Memberships, labels: Labels) -> list[Endpoint]:
    """The family with members, owners and labels."""
    encoded = _Encoded(labels)

    def list_buckets(call: Call) -> Response:
        page = parse_page(call)
        bucket_id, org_id = call.first("id"), call.first("orgID")
        org, name = call.first("org"), call.first("name")
        found = buckets.list_(
            call.access,
            bucket_id=None if bucket_id is None else BucketID.parse(bucket_id),
            org_id=None if org_id is None else OrgID.parse(org_id),
            org=org,
            name=name,
            window=Window(limit=page.limit, offset=page.offset, after=page.after, descending=page.descending),
        )
        # Quirk: the links call the name `bucket`, which as a parameter means nothing.
        given = {"id": bucket_id, "orgID": org_id, "org": org, "bucket": name}
        links = page_links(_PATH, page, len(found), {key: text for key, text in given.items() if text is not None})
        items = b",".join(encoded.bucket(call.access, bucket) for bucket in found)
        return raw_json(b'{"links":' + encode_json(links) + b',"buckets":[' + items + b"]}")

    def create(call: Call) -> Response:
        body = decode_json(call.body, BucketIn)
        org_id = body_id(body.orgID, OrgID)
        if org_id is None:
            raise InvalidInput("organization id must be provided")
        made = buckets.create(
            call.access,
            org_id=org_id,
            name=body.name or "",
            description=body.description or "",
            rules=body.rules(),
            retention_policy_name=body.rp or "",
        )
        return json_response(bucket_out(made), 201)

    def get(call: Call) -> Response:
        found = buckets.get(call.access, BucketID.parse(call.params["id"]))
        return raw_json(encoded.bucket(call.access, found))

    def update(call: Call) -> Response:
        bucket_id = BucketID.parse(call.params["id"])
        body = decode_json(call.body, BucketIn)
        changed = buckets.update(
            call.access, bucket_id, name=body.name, description=body.description, rules=body.rules()
        )
        # Quirk: labels are not shown here (http-api.md §5).
        return json_response(bucket_out(changed))

    def delete(call: Call) -> Response:
        buckets.delete(call.access, BucketID.parse(call.params["id"]))
        return no_content()

    def find(bucket_id: ID) -> Parent | None:
        found = buckets.find(BucketID(bucket_id))
        if found is None:
            return None
        return Parent(
            kind=ResourceType.BUCKETS,
            id=found.id,
            org_id=found.org_id,
            to_read=found.to_read,
            to_write=found.to_write,
        )

    one = f"{_PATH}/{{id}}"
    return [
        Endpoint(
            method="GET",
            path=_PATH,
            handler=list_buckets,
            runs=Runs.LOOP,
            needs="read:buckets/<id>, of a system bucket read:orgs/<org>, item by item",
        ),
        Endpoint(method="POST", path=_PATH, handler=create, needs="write:buckets@org"),
        Endpoint(
            method="GET",
            path=one,
            handler=get,
            runs=Runs.LOOP,
            needs="read:buckets/<id>, of a system bucket read:orgs/<org>",
        ),
        Endpoint(method="PATCH", path=one, handler=update, needs="write:buckets/<id>"),
        Endpoint(method="DELETE", path=one, handler=delete, needs="write:buckets/<id>"),
        *member_endpoints(_PATH, find, memberships),
        *label_endpoints(_PATH, find, labels),
    ]


class _Encoded:
    """The JSON of buckets, made once per record and set of labels shown."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._kept: dict[BucketID, tuple[Bucket, tuple[Label, ...], bytes]] = {}

    def bucket(self, access: Access, bucket: Bucket) -> bytes:
        """A bucket as the caller sees it."""
        shown = self._labels.of(access, bucket.id)
        kept = self._kept.get(bucket.id)
        # Records and label tuples are replaced when they change, never changed.
        if kept is not None and kept[0] is bucket and kept[1] == shown:
            return kept[2]
        body = encode_json(bucket_out(bucket, shown))
        if len(self._kept) >= ENCODED_BUCKETS_MAX:
            self._kept.clear()
        self._kept[bucket.id] = (bucket, shown, body)
        return body
