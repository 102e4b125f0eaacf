"""`/api/v2/telegrafs`. The catalogue of plugins is not served.

Source: http-api.md §13.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response

from fluxkeep.access.decisions import Access
from fluxkeep.api.bodies import decode_json
from fluxkeep.api.endpoint import Call, Endpoint, Style
from fluxkeep.api.responses import json_response, no_content
from fluxkeep.api.v2.subresources import document_finder, label_endpoints, member_endpoints
from fluxkeep.api.wire.tenancy import LabelOut, body_id, label_out
from fluxkeep.errors import InvalidInput
from fluxkeep.ids import OrgID, ResourceID
from fluxkeep.resources.labels import Labels
from fluxkeep.resources.telegrafs import Telegraf, Telegrafs
from fluxkeep.tenancy.memberships import Memberships

_PATH = "/api/v2/telegrafs"

_TOML = "application/toml"
_JSON = "application/json"
_BYTES = "application/octet-stream"


class _MetadataIn(Struct, frozen=True):
    buckets: list[str] | None = None


class _TelegrafIn(Struct, frozen=True):
    orgID: str | None = None  # noqa: N815  # as on the wire
    name: str | None = None
    description: str | None = None
    config: str | None = None
    metadata: _MetadataIn | None = None

    @property
    def buckets(self) -> list[str]:
        return (self.metadata.buckets if self.metadata else None) or []


class _TelegrafOut(Struct, frozen=True):
    id: str
    orgID: str  # noqa: N815  # as on the wire
    name: str | UnsetType
    description: str | UnsetType
    config: str | UnsetType
    metadata: dict[str, list[str]]
    labels: list[LabelOut]
    links: dict[str, str]


def endpoints(telegrafs: Telegrafs, memberships: Memberships, labels: Labels) -> list[Endpoint]:
    """The family with members, owners and labels."""

    def shown(access: Access, telegraf: Telegraf) -> _TelegrafOut:
        path = f"{_PATH}/{telegraf.id}"
        return _TelegrafOut(
            id=telegraf.id,
            orgID=telegraf.org_id,
            name=telegraf.name or UNSET,
            description=telegraf.description or UNSET,
            config=telegraf.config or UNSET,
            metadata={"buckets": list(telegraf.buckets)},
            labels=[label_out(label) for label in labels.of(access, telegraf.id)],
            links={name: f"{path}/{name}" for name in ("labels", "members", "owners")} | {"self": path},
        )

    def list_telegrafs(call: Call) -> Response:
        # Quirk: `org` is not looked at, and there are no pages (http-api.md §13).
        org_id: OrgID | None = None
        if (text := call.first("orgID")) is not None:
            try:
                org_id = OrgID.parse(text)
            except InvalidInput as error:
                raise InvalidInput(f"orgID is invalid: {error.message}") from None
        found = telegrafs.list_(call.access, org_id)
        return json_response({"configurations": [shown(call.access, one) for one in found]})

    def create(call: Call) -> Response:
        body = decode_json(call.body, _TelegrafIn)
        org_id = body_id(body.orgID, OrgID)
        if org_id is None:
            raise InvalidInput("invalid org id for permission: invalid ID")
        made = telegrafs.create(
            call.access,
            org_id=org_id,
            name=body.name or "",
            description=body.description or "",
            config=body.config or "",
            buckets=body.buckets,
        )
        return json_response(shown(call.access, made), 201)

    def get(call: Call) -> Response:
        found = telegrafs.get(call.access, ResourceID.parse(call.params["id"]))
        form = negotiate(call.headers.get("accept", ""))
        if form == _JSON:
            return json_response(shown(call.access, found))
        headers = {"content-type": f"{_TOML}; charset=utf-8"}
        if form == _BYTES:
            headers = {
                "content-type": _BYTES,
                "content-disposition": f'attachment; filename="{file_name(found.name)}"',
            }
        return Response(found.config.encode(), 200, headers)

    def replace(call: Call) -> Response:
        telegraf_id = ResourceID.parse(call.params["id"])
        body = decode_json(call.body, _TelegrafIn)
        # Not used, but read: what is no id is no body.
        body_id(body.orgID, OrgID)
        changed = telegrafs.replace(
            call.access,
            telegraf_id,
            name=body.name or "",
            description=body.description or "",
            config=body.config or "",
            buckets=body.buckets,
        )
        return json_response(shown(call.access, changed))

    def delete(call: Call) -> Response:
        telegrafs.delete(call.access, ResourceID.parse(call.params["id"]))
        return no_content()

    find = document_finder(telegrafs.find)
    one = f"{_PATH}/{{id}}"
    c = Style.C
    return [
        Endpoint(method="GET", path=_PATH, handler=list_telegrafs, style=c, needs="read:telegrafs/<id>, item by item"),
        Endpoint(method="POST", path=_PATH, handler=create, style=c, needs="write:telegrafs@org"),
        Endpoint(method="GET", path=one, handler=get, style=c, needs="read:telegrafs/<id>"),
        Endpoint(method="PUT", path=one, handler=replace, style=c, needs="write:telegrafs/<id>"),
        Endpoint(method="DELETE", path=one, handler=delete, style=c, needs="write:telegrafs/<id>"),
        *member_endpoints(_PATH, find, memberships, style=c, user_logs=True, reads_store=True),
        *label_endpoints(_PATH, find, labels, style=c, reads_store=True),
    ]


def negotiate(accept: str) -> str:
    """Which of the three forms an Accept header asks for; TOML unless it names another."""
    best, best_quality = _TOML, 0.0
    for part in accept.split(","):
        media, _, parameters = part.partition(";")
        media = media.strip().lower()
        quality = 1.0
        for parameter in parameters.split(";"):
            name, _, value = parameter.strip().partition("=")
            if name.strip().lower() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        if media in (_TOML, _JSON, _BYTES) and quality > best_quality:
            best, best_quality = media, quality
    return best


def file_name(name: str) -> str:
    """What a configuration is called on disk; nothing in it can end the header's quotes."""
    safe = "".join(one if one.isascii() and one.isprintable() and one not in ' "\\/' else "_" for one in name.strip())
    return f"{safe}.toml"
