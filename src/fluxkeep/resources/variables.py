"""Variables of dashboards: names for a choice of values.

Source: http-api.md §15, §27.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import Connection

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.errors import Conflict, InvalidInput, NotFound
from fluxkeep.ids import IdGenerator, OrgID, ResourceID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.events import DocumentDeleted
from fluxkeep.resources import store as rows

KIND = "variable"

# Words of Flux that would not parse as a member of `v`.
PROTECTED_NAMES = frozenset(
    ("and", "import", "not", "return", "option", "test", "empty", "in", "or", "package", "builtin")
)
_NAME = re.compile(r"[a-zA-Z_].*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """Where a variable's values come from.

    Attributes:
        type: Which of the three forms.
        values: A list of strings, a mapping of them, or `query` and `language`.
    """

    type: Literal["constant", "map", "query"]
    values: Sequence[str] | Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable; its name is unique in its organization, but for case.

    Attributes:
        selected: What is chosen; None where nothing ever was.
    """

    id: ResourceID
    org_id: OrgID
    name: str
    description: str = ""
    selected: tuple[str, ...] | None = None
    arguments: Arguments
    created_at: int
    updated_at: int

    @property
    def name_key(self) -> str:
        """What must be unique."""
        return self.name.strip().lower()

    def permission(self, action: Action) -> Permission:
        """What `action` on it needs."""
        return Permission(action, ResourceType.VARIABLES, self.org_id, self.id)


def parse_arguments(value: object) -> Arguments | None:
    """Read the decoded JSON of `arguments`; None where there is none.

    Raises:
        InvalidInput: With the reference's texts, which show values in Go's notation.
    """
    if not isinstance(value, dict) or not value:
        return None
    kind, values = value.get("type"), value.get("values")
    if kind == "constant":
        if not isinstance(values, list):
            raise InvalidInput(f"error parsing {_go(values)} as VariableConstantArguments")
        for one in values:
            if not isinstance(one, str):
                raise InvalidInput(f"expected variable constant value to be string but received {_go_type(one)}")
        return Arguments(type="constant", values=tuple(values))
    if kind == "map":
        if not isinstance(values, dict):
            raise InvalidInput(f"error parsing {_go(values)} as VariableMapArguments")
        for one in values.values():
            if not isinstance(one, str):
                raise InvalidInput(f"expected variable map value to be string but received {_go_type(one)}")
        return Arguments(type="map", values=values)
    if kind == "query":
        if not isinstance(values, dict):
            raise InvalidInput(f"error parsing {_go(values)} as VariableQueryArguments")
        return Arguments(type="query", values={key: _query_part(values, key) for key in ("query", "language")})
    raise InvalidInput(f"unknown VariableArguments type {kind if isinstance(kind, str) else ''}")


class Variables:
    """The variables of the instance; every call reads the store."""

    def __init__(self, store: MetaStore, ids: IdGenerator) -> None:
        self._store = store
        self._ids = ids

    def find(self, variable_id: ResourceID) -> Variable | None:
        """The variable of that id, whoever asks."""
        with self._store.read() as connection:
            document = rows.load_document(connection, KIND, variable_id)
        return None if document is None else _variable(document)

    def get(self, access: Access, variable_id: ResourceID) -> Variable:
        """One variable.

        Raises:
            NotFound: `variable not found for key "<id>"`.
            Unauthorized: Without permission to read it.
        """
        with self._store.read() as connection:
            found = _load(connection, variable_id)
        access.require(found.permission(Action.READ))
        return found

    def all(self, org_id: OrgID | None = None) -> list[Variable]:
        """Every variable of an organization or of all, by id, whoever asks; to be paged, then filtered."""
        with self._store.read() as connection:
            return [_variable(document) for document in rows.load_documents(connection, KIND, org_id)]

    def create(
        self,
        access: Access,
        *,
        org_id: OrgID | None,
        name: str,
        description: str = "",
        selected: Sequence[str] | None = None,
        arguments: Arguments | None,
    ) -> Variable:
        """Make a variable.

        Raises:
            InvalidInput: A bad name, no arguments or no organization, in that order.
            Unauthorized: Without permission to write variables in the organization.
            NotFound: `organization not found`.
            Conflict: The organization has one of that name, but for case and blanks around it.
        """
        checked = _check(name, arguments)
        if org_id is None:
            raise InvalidInput("invalid org id for permission: invalid ID")
        access.require(Permission(Action.WRITE, ResourceType.VARIABLES, org_id))
        with self._store.begin() as work:
            if not rows.organization_exists(work.connection, org_id):
                raise NotFound("organization not found")
            made = Variable(
                id=self._ids.next(ResourceID),
                org_id=org_id,
                name=name.strip(),
                description=description,
                selected=None if selected is None else tuple(selected),
                arguments=checked,
                created_at=work.now_ns,
                updated_at=work.now_ns,
            )
            if rows.find_document(work.connection, KIND, org_id, made.name_key) is not None:
                raise Conflict(f"variable is not unique for key {org_id}{made.name_key}")
            rows.add_document(work.connection, _document(made))
        return made

    def update(
        self,
        access: Access,
        variable_id: ResourceID,
        *,
        name: str = "",
        description: str = "",
        selected: Sequence[str] | None = None,
        arguments: Arguments | None = None,
    ) -> Variable:
        """Change what is given; an empty text changes nothing, and names are not checked again.

        Raises:
            InvalidInput: `no fields supplied in update`.
            NotFound: No such variable.
            Unauthorized: Without permission to write it.
            Conflict: The organization has another of that name.
        """
        if not name and not description and selected is None and arguments is None:
            raise InvalidInput("no fields supplied in update")
        with self._store.begin() as work:
            found = _load(work.connection, variable_id)
            access.require(found.permission(Action.WRITE))
            changed = replace(
                found,
                name=name.strip() or found.name,
                description=description or found.description,
                selected=found.selected if selected is None else tuple(selected),
                arguments=arguments or found.arguments,
                updated_at=work.now_ns,
            )
            _store(work.connection, changed)
        return changed

    def replace(
        self,
        access: Access,
        variable_id: ResourceID,
        *,
        name: str,
        description: str = "",
        selected: Sequence[str] | None = None,
        arguments: Arguments | None,
    ) -> Variable:
        """Put all of it anew; id, organization and time of creation stay.

        Raises:
            InvalidInput: A bad name or no arguments.
            NotFound: No such variable.
            Unauthorized: Without permission to write it.
            Conflict: The organization has another of that name.
        """
        checked = _check(name, arguments)
        with self._store.begin() as work:
            found = _load(work.connection, variable_id)
            access.require(found.permission(Action.WRITE))
            changed = replace(
                found,
                name=name.strip(),
                description=description,
                selected=None if selected is None else tuple(selected),
                arguments=checked,
                updated_at=work.now_ns,
            )
            _store(work.connection, changed)
        return changed

    def delete(self, access: Access, variable_id: ResourceID) -> None:
        """Delete a variable with its labels.

        Raises:
            NotFound: No such variable.
            Unauthorized: Without permission to write it.
        """
        with self._store.begin() as work:
            access.require(_load(work.connection, variable_id).permission(Action.WRITE))
            rows.delete_document(work.connection, variable_id)
            work.emit(DocumentDeleted(variable_id))


def _check(name: str, arguments: Arguments | None) -> Arguments:
    name = name.strip()
    if not name:
        raise InvalidInput("missing variable name")
    if not _NAME.match(name):
        raise InvalidInput("variable name must start with a letter")
    if arguments is None:
        raise InvalidInput("invalid arguments type")
    if name in PROTECTED_NAMES:
        raise InvalidInput(f'"{name}" is a protected variable name')
    return arguments


def _store(connection: Connection, variable: Variable) -> None:
    taken = rows.find_document(connection, KIND, variable.org_id, variable.name_key)
    if taken is not None and taken.id != variable.id:
        raise Conflict(
            f"variable entity update conflicts with an existing entity for key {variable.org_id}{variable.name_key}"
        )
    rows.replace_document(connection, _document(variable))


def _load(connection: Connection, variable_id: ResourceID) -> Variable:
    found = rows.load_document(connection, KIND, variable_id)
    if found is None:
        raise NotFound(f'variable not found for key "{variable_id}"')
    return _variable(found)


def _variable(document: rows.Document) -> Variable:
    body = json.loads(document.body)
    values = body["values"]
    return Variable(
        id=document.id,
        org_id=document.org_id,
        name=body["name"],
        description=body["description"],
        selected=None if body["selected"] is None else tuple(body["selected"]),
        arguments=Arguments(type=body["type"], values=tuple(values) if isinstance(values, list) else values),
        created_at=document.created_at,
        updated_at=document.updated_at,
    )


def _document(variable: Variable) -> rows.Document:
    body = {
        "name": variable.name,
        "description": variable.description,
        "selected": variable.selected,
        "type": variable.arguments.type,
        "values": variable.arguments.values,
    }
    return rows.Document(
        id=variable.id,
        kind=KIND,
        org_id=variable.org_id,
        name_key=variable.name_key,
        body=json.dumps(body),
        created_at=variable.created_at,
        updated_at=variable.updated_at,
    )


def _query_part(values: dict[str, Any], key: str) -> str:
    if key not in values:
        raise InvalidInput(f'"{key}" key not present in VariableQueryArguments')
    part = values[key]
    if not isinstance(part, str):
        raise InvalidInput(f'expected "{key}" to be string but received {_go_type(part)}')
    return part


def _go(value: object) -> str:
    """A decoded JSON value as Go's `%v` prints it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case dict():
            return "map[" + " ".join(f"{key}:{_go(value[key])}" for key in sorted(value)) + "]"
        case list():
            return "[" + " ".join(map(_go, value)) + "]"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _go_type(value: object) -> str:
    match value:
        case None:
            return "<nil>"
        case bool():
            return "bool"
        case int() | float():
            return "float64"
        case dict():
            return "map[string]interface {}"
        case list():
            return "[]interface {}"
        case _:
            return "string"
