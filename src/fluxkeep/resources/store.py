"""The SQL of resources. Every function works inside the caller's transaction.

Rules are the services'; bodies of documents are their business too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields

from sqlalchemy import Connection, delete, func, insert, select, update

from fluxkeep.access.permissions import ResourceType
from fluxkeep.ids import ID, LabelID, OrgID, ResourceID
from fluxkeep.metastore.tables.resources import documents, label_mappings, labels, org_secrets
from fluxkeep.metastore.tables.tenancy import memberships, organizations


def load_labels(connection: Connection) -> list[tuple[LabelID, OrgID, str, dict[str, str]]]:
    """Id, organization, name and properties of all labels, by id."""
    table = labels.c
    rows = connection.execute(select(table.id, table.org_id, table.name, table.properties).order_by(table.id))
    return [(row.id, row.org_id, row.name, json.loads(row.properties)) for row in rows]


def load_label_mappings(connection: Connection) -> list[tuple[ID, LabelID]]:
    """What is attached to what: pairs of resource and label."""
    rows = connection.execute(select(label_mappings.c.resource_id, label_mappings.c.label_id))
    return [(row.resource_id, row.label_id) for row in rows]


def add_label(
    connection: Connection,
    label_id: LabelID,
    org_id: OrgID,
    name: str,
    name_key: str,
    properties: Mapping[str, str],
) -> None:
    """Insert a label."""
    connection.execute(
        insert(labels).values(
            id=label_id, org_id=org_id, name=name, name_key=name_key, properties=json.dumps(dict(properties))
        )
    )


def replace_label(
    connection: Connection, label_id: LabelID, name: str, name_key: str, properties: Mapping[str, str]
) -> None:
    """Overwrite what may change of a label."""
    connection.execute(
        update(labels)
        .where(labels.c.id == label_id)
        .values(name=name, name_key=name_key, properties=json.dumps(dict(properties)))
    )


def delete_label(connection: Connection, label_id: LabelID) -> None:
    """Delete a label; its mappings go by foreign key."""
    connection.execute(delete(labels).where(labels.c.id == label_id))


def attach_label(connection: Connection, kind: ResourceType, resource_id: ID, label_id: LabelID) -> None:
    """Attach a label to a resource that has it not."""
    connection.execute(
        insert(label_mappings).values(resource_type=kind.value, resource_id=resource_id, label_id=label_id)
    )


def detach_label(connection: Connection, resource_id: ID, label_id: LabelID) -> None:
    """Detach a label, if it is attached."""
    connection.execute(
        delete(label_mappings).where(label_mappings.c.resource_id == resource_id, label_mappings.c.label_id == label_id)
    )


def load_secret_keys(connection: Connection, org_id: OrgID) -> list[str]:
    """The keys of an organization's secrets."""
    return list(connection.execute(select(org_secrets.c.key).where(org_secrets.c.org_id == org_id)).scalars())


def load_secret(connection: Connection, org_id: OrgID, key: str) -> bytes | None:
    """A secret as it was sealed."""
    table = org_secrets.c
    sealed: bytes | None = connection.execute(
        select(table.sealed).where(table.org_id == org_id, table.key == key)
    ).scalar()
    return sealed


def load_secrets(connection: Connection) -> list[tuple[OrgID, str, bytes]]:
    """Organization, key and sealed value of every secret."""
    table = org_secrets.c
    found = connection.execute(select(table.org_id, table.key, table.sealed).order_by(table.org_id, table.key))
    return [(OrgID(org_id), key, bytes(sealed)) for org_id, key, sealed in found]


def put_secret(connection: Connection, org_id: OrgID, key: str, sealed: bytes, now_ns: int) -> None:
    """Insert or overwrite a sealed secret."""
    delete_secret(connection, org_id, key)
    connection.execute(insert(org_secrets).values(org_id=org_id, key=key, sealed=sealed, updated_at=now_ns))


def delete_secret(connection: Connection, org_id: OrgID, key: str) -> None:
    """Delete a secret, if it is there."""
    connection.execute(delete(org_secrets).where(org_secrets.c.org_id == org_id, org_secrets.c.key == key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A row of `documents`.

    Attributes:
        kind: Which module of this room understands the body.
        name_key: What is unique among an organization's documents of the kind; None where nothing is.
        body: JSON, at the owning module's discretion.
    """

    id: ResourceID
    kind: str
    org_id: OrgID
    name_key: str | None
    body: str
    created_at: int
    updated_at: int


def load_documents(connection: Connection, kind: str, org_id: OrgID | None = None) -> list[Document]:
    """All of a kind, of one organization or of all, by id."""
    wanted = select(documents).where(documents.c.kind == kind).order_by(documents.c.id)
    if org_id is not None:
        wanted = wanted.where(documents.c.org_id == org_id)
    return [Document(**row) for row in connection.execute(wanted).mappings()]


def count_documents(connection: Connection, kind: str) -> int:
    """How many there are of a kind, in all organizations."""
    return connection.execute(select(func.count()).where(documents.c.kind == kind)).scalar_one()


def load_document(connection: Connection, kind: str, document_id: ID) -> Document | None:
    """The document of that id, if it is of that kind."""
    wanted = select(documents).where(documents.c.kind == kind, documents.c.id == ResourceID(document_id))
    row = connection.execute(wanted).mappings().first()
    return None if row is None else Document(**row)


def find_document(connection: Connection, kind: str, org_id: OrgID, name_key: str) -> Document | None:
    """The organization's document of that kind and key."""
    table = documents.c
    wanted = select(documents).where(table.kind == kind, table.org_id == org_id, table.name_key == name_key)
    row = connection.execute(wanted).mappings().first()
    return None if row is None else Document(**row)


def add_document(connection: Connection, document: Document) -> None:
    """Insert a document; its organization must exist."""
    connection.execute(insert(documents).values(_columns(document)))


def replace_document(connection: Connection, document: Document) -> None:
    """Overwrite the document of that id."""
    connection.execute(update(documents).where(documents.c.id == document.id).values(_columns(document)))


def delete_document(connection: Connection, document_id: ResourceID) -> None:
    """Delete a document with its members and labels; emit `DocumentDeleted` beside it."""
    for table in (memberships, label_mappings):
        connection.execute(delete(table).where(table.c.resource_id == document_id))
    connection.execute(delete(documents).where(documents.c.id == document_id))


def organization_exists(connection: Connection, org_id: OrgID) -> bool:
    """Whether an organization has that id."""
    return connection.execute(select(organizations.c.id).where(organizations.c.id == org_id)).first() is not None


def _columns(document: Document) -> dict[str, object]:
    return {one.name: getattr(document, one.name) for one in fields(document)}
