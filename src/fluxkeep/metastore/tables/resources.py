"""What an organization owns and the server keeps without interpreting it.

Source: http-api.md §3.1, §11, §13, §15.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint

from fluxkeep.ids import ID, LabelID, OrgID, ResourceID
from fluxkeep.metastore.tables.base import Identifier, instant, metadata
from fluxkeep.metastore.tables.tenancy import organizations

labels = Table(
    "labels",
    metadata,
    Column("id", Identifier(LabelID), primary_key=True),
    # No foreign key: the reference takes any org id here (recorded in labels.jsonl).
    Column("org_id", Identifier(OrgID), nullable=False),
    Column("name", Text, nullable=False),
    # Trimmed and lower case: what is unique in an organization.
    Column("name_key", Text, nullable=False),
    Column("properties", Text, nullable=False),
    UniqueConstraint("org_id", "name_key"),
)

label_mappings = Table(
    "label_mappings",
    metadata,
    Column("resource_type", Text, primary_key=True),
    Column("resource_id", Identifier(ID), primary_key=True),
    Column("label_id", Identifier(LabelID), ForeignKey(labels.c.id, ondelete="CASCADE"), primary_key=True),
)
Index("ix_label_mappings_label_id", label_mappings.c.label_id)
Index("ix_label_mappings_resource_id", label_mappings.c.resource_id)

# Values are sealed before they come here; the file alone gives none away.
org_secrets = Table(
    "org_secrets",
    metadata,
    Column("org_id", Identifier(OrgID), ForeignKey(organizations.c.id, ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    instant("updated_at"),
)

documents = Table(
    "documents",
    metadata,
    Column("id", Identifier(ResourceID), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("org_id", Identifier(OrgID), ForeignKey(organizations.c.id, ondelete="CASCADE"), nullable=False),
    # What must be unique per organization and kind; null where nothing must.
    Column("name_key", Text),
    # JSON as the owning module of `resources` writes it.
    Column("body", Text, nullable=False),
    instant("created_at"),
    instant("updated_at"),
    UniqueConstraint("kind", "org_id", "name_key"),
)
Index("ix_documents_org_id", documents.c.org_id)
