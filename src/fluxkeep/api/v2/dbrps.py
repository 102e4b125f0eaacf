"""`/api/v2/dbrps`.

Source: http-api.md §8, §27.
"""

from __future__ import annotations

from typing import TypeVar

from starlette.responses import Response

from fluxkeep.api.bodies import BadBody, decode_json
from fluxkeep.api.endpoint import Call, Endpoint, Runs
from fluxkeep.api.paging import parse_bool
from fluxkeep.api.responses import json_response, no_content
from fluxkeep.api.wire.tenancy import DBRPIn, dbrp_out
from fluxkeep.errors import InvalidInput, NotFound
from fluxkeep.ids import DBRPID, ID, BucketID, OrgID
from fluxkeep.tenancy.dbrps import DBRPFilter, DBRPs
from fluxkeep.tenancy.organizations import Organizations

K = TypeVar("K", bound=ID)

_PATH = "/api/v2/dbrps"


def endpoints(dbrps: DBRPs, organizations: Organizations) -> list[Endpoint]:
    """The family."""

    def organization(org_id: str | None, name: str | None) -> OrgID:
        if org_id:
            return _named_id("org", org_id, OrgID)
        if not name:
            raise InvalidInput("either 'org' or 'orgID' must be provided")
        found = organizations.find_by_name(name)
        if found is None:
            raise NotFound(f'invalid org "{name}": organization not found')
        return found.id

    def organization_of(call: Call) -> OrgID:
        return organization(call.first("orgID"), call.first("org"))

    def list_dbrps(call: Call) -> Response:
        org_id = organization_of(call)
        dbrp_id, bucket_id, default = call.first("id"), call.first("bucketID"), call.first("default")
        wanted = DBRPFilter(
            id=None if dbrp_id is None else _named_id("DBRP", dbrp_id, DBRPID),
            bucket_id=None if bucket_id is None else _named_id("bucket", bucket_id, BucketID),
            database=call.first("db"),
            retention_policy=call.first("rp"),
            default=None if default is None else parse_bool(default, "invalid default parameter"),
        )
        return json_response({"content": [dbrp_out(one) for one in dbrps.list_(call.access, org_id, wanted)]})

    def create(call: Call) -> Response:
        body = _decode(call)
        made = dbrps.create(
            call.access,
            org_id=organization(body.orgID, body.org),
            bucket_id=_named_id("bucket", body.bucketID or "", BucketID),
            database=body.database or "",
            retention_policy=body.retention_policy or "",
            default=body.default or False,
        )
        return json_response(dbrp_out(made), 201)

    def get(call: Call) -> Response:
        dbrp_id = DBRPID.parse(call.params["id"])
        return json_response({"content": dbrp_out(dbrps.get(call.access, organization_of(call), dbrp_id))})

    def update(call: Call) -> Response:
        dbrp_id = DBRPID.parse(call.params["id"])
        org_id = organization_of(call)
        body = _decode(call)
        changed = dbrps.update(
            call.access, org_id, dbrp_id, default=body.default, retention_policy=body.retention_policy
        )
        return json_response({"content": dbrp_out(changed)})

    def delete(call: Call) -> Response:
        dbrp_id = DBRPID.parse(call.params["id"])
        dbrps.delete(call.access, organization_of(call), dbrp_id)
        return no_content()

    one = f"{_PATH}/{{id}}"
    return [
        Endpoint(
            method="GET",
            path=_PATH,
            handler=list_dbrps,
            runs=Runs.LOOP,
            needs="read:buckets/<its bucket>, item by item",
        ),
        Endpoint(method="POST", path=_PATH, handler=create, needs="write:buckets/<its bucket>"),
        Endpoint(method="GET", path=one, handler=get, runs=Runs.LOOP, needs="read:buckets/<its bucket>"),
        Endpoint(method="PATCH", path=one, handler=update, needs="write:buckets/<its bucket>"),
        Endpoint(method="DELETE", path=one, handler=delete, needs="write:buckets/<its bucket>"),
    ]


def _decode(call: Call) -> DBRPIn:
    try:
        return decode_json(call.body, DBRPIn)
    except BadBody as error:
        raise InvalidInput(f"invalid json structure: {error.reason}") from None


def _named_id(what: str, text: str, kind: type[K]) -> K:
    try:
        return kind.parse(text)
    except InvalidInput as error:
        raise InvalidInput(f'invalid {what} ID "{text}": {error.message}') from None
