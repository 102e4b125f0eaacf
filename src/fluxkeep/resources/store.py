"""The SQL of resources. Every function works inside the caller's transaction.

Rules are the services'; bodies of documents are their business too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select, update

from fluxkeep.access.permissions import ResourceType
from fluxkeep.ids import ID, LabelID, OrgID
from fluxkeep.metastore.tables.resources import label_mappings, labels


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
