"""`/api/v2/labels`. Attaching them to something is in `subresources`.

Source: http-api.md §11; tokens.md W15.
"""

from __future__ import annotations

from starlette.responses import Response

from fluxkeep.api.bodies import decode_json
from fluxkeep.api.endpoint import Call, Endpoint, Runs
from fluxkeep.api.responses import json_response, no_content
from fluxkeep.api.v2.subresources import labelled
from fluxkeep.api.wire.tenancy import LabelIn, body_id, label_out
from fluxkeep.errors import InvalidInput
from fluxkeep.ids import LabelID, OrgID
from fluxkeep.resources.labels import Labels

_PATH = "/api/v2/labels"


def endpoints(labels: Labels) -> list[Endpoint]:
    """The family."""

    def list_labels(call: Call) -> Response:
        org_id: OrgID | None = None
        try:
            org_id = OrgID.parse(call.first("orgID") or "")
        except InvalidInput:
            # Quirk: a malformed id is no filter at all (recorded in labels.jsonl).
            org_id = None
        found = labels.list_(call.access, org_id=org_id, name=call.first("name"))
        return json_response({"links": {"self": _PATH}, "labels": [label_out(one) for one in found]})

    def create(call: Call) -> Response:
        body = decode_json(call.body, LabelIn)
        made = labels.create(
            call.access, org_id=body_id(body.orgID, OrgID), name=body.name or "", properties=body.properties
        )
        return json_response(labelled(label_out(made)), 201)

    def get(call: Call) -> Response:
        return json_response(labelled(label_out(labels.get(call.access, LabelID.parse(call.params["id"])))))

    def update(call: Call) -> Response:
        label_id = LabelID.parse(call.params["id"])
        body = decode_json(call.body, LabelIn)
        changed = labels.update(call.access, label_id, name=body.name, properties=body.properties)
        return json_response(labelled(label_out(changed)))

    def delete(call: Call) -> Response:
        labels.delete(call.access, LabelID.parse(call.params["id"]))
        return no_content()

    one = f"{_PATH}/{{id}}"
    return [
        Endpoint(method="GET", path=_PATH, handler=list_labels, runs=Runs.LOOP, needs="read:labels/<id>, item by item"),
        Endpoint(method="POST", path=_PATH, handler=create, needs="write:labels@org"),
        Endpoint(method="GET", path=one, handler=get, runs=Runs.LOOP, needs="read:labels/<id>"),
        Endpoint(method="PATCH", path=one, handler=update, needs="write:labels/<id>"),
        Endpoint(method="DELETE", path=one, handler=delete, needs="write:labels/<id>"),
    ]
