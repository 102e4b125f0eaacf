"""Members, owners and labels under the families that have them.

A family says how one of its objects is found and what it needs; the paths, the
order of checks and the texts are the same for all.

Source: http-api.md §1.8, §27; tokens.md W30.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.responses import Response

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.api.bodies import BadBody, decode_json
from fluxkeep.api.endpoint import Call, Endpoint, Runs, Style
from fluxkeep.api.responses import json_response, no_content
from fluxkeep.api.wire.tenancy import LabelMappingIn, LabelOut, MemberIn, body_id, label_out, member_out
from fluxkeep.errors import InvalidInput, NotFound
from fluxkeep.ids import ID, LabelID, OrgID, ResourceID, UserID
from fluxkeep.resources.labels import Labels
from fluxkeep.tenancy.memberships import Memberships
from fluxkeep.tenancy.values import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """An object that has members or labels, and what it needs.

    Attributes:
        org_id: Whose it is.
        to_read: What seeing it takes.
        to_write: What changing its members or labels takes.
    """

    kind: ResourceType
    id: ID
    org_id: OrgID
    to_read: Permission
    to_write: Permission


Finder = Callable[[ID], Parent | None]


class Document(Protocol):
    """What the store keeps of an organization as one document."""

    @property
    def id(self) -> ResourceID:
        """Its id."""
        ...

    @property
    def org_id(self) -> OrgID:
        """Whose it is."""
        ...

    def permission(self, action: Action) -> Permission:
        """What `action` on it needs."""
        ...


def document_finder(find: Callable[[ResourceID], Document | None]) -> Finder:
    """How the sub-resources of a family of documents find one.

    Args:
        find: The document of an id, whoever asks.
    """

    def find_document(document_id: ID) -> Parent | None:
        found = find(ResourceID(document_id))
        if found is None:
            return None
        to_read, to_write = found.permission(Action.READ), found.permission(Action.WRITE)
        return Parent(kind=to_read.type, id=found.id, org_id=found.org_id, to_read=to_read, to_write=to_write)

    return find_document


def find_parent(access: Access, find: Finder, text: str, *, writing: bool = False) -> Parent:
    """The object of a path's id; what may not be read is not there.

    Args:
        access: The caller's.
        find: The family's.
        text: From the path.
        writing: Permission to write makes it visible too.

    Raises:
        InvalidInput: `corrupt ID provided: …`.
        NotFound: `404 page not found`.
    """
    try:
        parent = find(ID.parse(text))
    except InvalidInput as error:
        raise InvalidInput(f"corrupt ID provided: {error.message}") from None
    if parent is None or not (access.allows(parent.to_read) or (writing and access.allows(parent.to_write))):
        raise NotFound("404 page not found")
    return parent


def member_endpoints(
    family: str,
    find: Finder,
    memberships: Memberships,
    *,
    style: Style = Style.T,
    user_logs: bool = False,
    reads_store: bool = False,
) -> list[Endpoint]:
    """`/members` and `/owners` of a family.

    Args:
        family: Its path, such as `/api/v2/buckets`.
        find: Finds one of its objects.
        memberships: The service.
        style: The family's.
        user_logs: Users show a `logs` link.
        reads_store: `find` does, and so must not run on the loop.
    """

    def endpoints(role: Role) -> list[Endpoint]:
        plural = f"{role.value}s"

        def list_members(call: Call) -> Response:
            parent = find_parent(call.access, find, call.params["id"])
            if not call.access.allows(Permission(Action.READ, ResourceType.ORGS, id=parent.org_id)):
                raise NotFound("not found")
            users = memberships.list_(call.access, (parent.kind, parent.id), role, parent.to_read)
            return json_response(
                {
                    "links": {"self": f"{family}/{parent.id}/{plural}"},
                    "users": [member_out(user, role, logs=user_logs) for user in users],
                }
            )

        def add_member(call: Call) -> Response:
            parent = find_parent(call.access, find, call.params["id"], writing=True)
            user_id = body_id(decode_json(call.body, MemberIn).id or None, UserID)
            if user_id is None:
                raise InvalidInput("user id missing or invalid")
            user = memberships.create(call.access, (parent.kind, parent.id), role, user_id, parent.to_write)
            return json_response(member_out(user, role, logs=user_logs), 201)

        def remove_member(call: Call) -> Response:
            parent = find_parent(call.access, find, call.params["id"], writing=True)
            user_id = UserID.parse(call.params["userID"])
            memberships.delete(call.access, (parent.kind, parent.id), user_id, parent.to_write)
            return no_content()

        path = f"{family}/{{id}}/{plural}"
        return [
            Endpoint(
                method="GET",
                path=path,
                handler=list_members,
                runs=Runs.POOL if reads_store else Runs.LOOP,
                style=style,
                needs="read on the object and its organization",
            ),
            Endpoint(method="POST", path=path, handler=add_member, style=style, needs="write on the object"),
            Endpoint(
                method="DELETE",
                path=f"{path}/{{userID}}",
                handler=remove_member,
                style=style,
                needs="write on the object",
            ),
        ]

    return [*endpoints(Role.MEMBER), *endpoints(Role.OWNER)]


def label_endpoints(
    family: str, find: Finder, labels: Labels, *, style: Style = Style.T, reads_store: bool = False
) -> list[Endpoint]:
    """`/labels` of a family; arguments as for `member_endpoints`."""

    def list_labels(call: Call) -> Response:
        parent = find_parent(call.access, find, call.params["id"])
        shown = [label_out(label) for label in labels.of(call.access, parent.id)]
        return json_response({"links": {"self": "/api/v2/labels"}, "labels": shown})

    def attach_label(call: Call) -> Response:
        parent = find_parent(call.access, find, call.params["id"], writing=True)
        try:
            label_id = body_id(decode_json(call.body, LabelMappingIn).labelID, LabelID)
        except BadBody:
            raise InvalidInput("Invalid post label map request") from None
        if label_id is None:
            raise InvalidInput("label id is required")
        label = labels.attach(call.access, parent.kind, parent.id, label_id, parent.to_write)
        return json_response(labelled(label_out(label)), 201)

    def detach_label(call: Call) -> Response:
        parent = find_parent(call.access, find, call.params["id"], writing=True)
        labels.detach(call.access, parent.id, LabelID.parse(call.params["labelID"]), parent.to_write)
        return no_content()

    path = f"{family}/{{id}}/labels"
    return [
        Endpoint(
            method="GET",
            path=path,
            handler=list_labels,
            runs=Runs.POOL if reads_store else Runs.LOOP,
            style=style,
            needs="read on the object and the labels",
        ),
        Endpoint(
            method="POST", path=path, handler=attach_label, style=style, needs="write on the object and the label"
        ),
        Endpoint(
            method="DELETE",
            path=f"{path}/{{labelID}}",
            handler=detach_label,
            style=style,
            needs="write on the object and the label",
        ),
    ]


def labelled(label: LabelOut) -> dict[str, object]:
    """One label in its envelope."""
    return {"links": {"self": f"/api/v2/labels/{label.id}"}, "label": label}
