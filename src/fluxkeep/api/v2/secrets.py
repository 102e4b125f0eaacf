"""`/api/v2/orgs/{id}/secrets`: keys out, values in.

Source: http-api.md §3.1, §27.
"""

from __future__ import annotations

from msgspec import Struct
from starlette.responses import Response

from fluxkeep.access.decisions import Access
from fluxkeep.api.bodies import decode_json
from fluxkeep.api.endpoint import Call, Endpoint
from fluxkeep.api.responses import json_response, no_content
from fluxkeep.api.v2.orgs import find_organization
from fluxkeep.api.v2.subresources import find_parent
from fluxkeep.ids import OrgID
from fluxkeep.resources.secrets import OrgSecrets
from fluxkeep.secret import Secret
from fluxkeep.tenancy.organizations import Organizations

_PATH = "/api/v2/orgs/{id}/secrets"


class _KeysIn(Struct, frozen=True):
    secrets: list[str] | None = None


def endpoints(secrets: OrgSecrets, organizations: Organizations) -> list[Endpoint]:
    """The family."""
    find = find_organization(organizations)

    def organization(access: Access, text: str) -> OrgID:
        return OrgID(find_parent(access, find, text).id)

    def list_keys(call: Call) -> Response:
        org_id = organization(call.access, call.params["id"])
        path = f"/api/v2/orgs/{org_id}"
        return json_response(
            {"links": {"org": path, "self": f"{path}/secrets"}, "secrets": secrets.list_keys(call.access, org_id)}
        )

    def put(call: Call) -> Response:
        org_id = organization(call.access, call.params["id"])
        values = decode_json(call.body, dict[str, str])
        secrets.put(call.access, org_id, {key: Secret(value) for key, value in values.items()})
        return no_content()

    def delete(call: Call) -> Response:
        org_id = organization(call.access, call.params["id"])
        secrets.delete(call.access, org_id, [call.params["key"]])
        return no_content()

    def delete_some(call: Call) -> Response:
        org_id = organization(call.access, call.params["id"])
        secrets.delete(call.access, org_id, decode_json(call.body, _KeysIn).secrets or [])
        return no_content()

    return [
        Endpoint(method="GET", path=_PATH, handler=list_keys, needs="read:orgs/<id> and read:secrets@org"),
        Endpoint(method="PATCH", path=_PATH, handler=put, needs="read:orgs/<id> and write:secrets@org"),
        Endpoint(
            method="DELETE", path=f"{_PATH}/{{key}}", handler=delete, needs="read:orgs/<id> and write:secrets@org"
        ),
        Endpoint(
            method="POST", path=f"{_PATH}/delete", handler=delete_some, needs="read:orgs/<id> and write:secrets@org"
        ),
    ]
