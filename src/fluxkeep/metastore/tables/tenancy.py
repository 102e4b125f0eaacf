"""Organizations, users, buckets, memberships and database mappings.

Source: http-api.md §3, §4, §5, §8; tokens.md §1.8.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Table, Text, UniqueConstraint

from fluxkeep.ids import DBRPID, ID, BucketID, OrgID, UserID
from fluxkeep.metastore.tables.base import Identifier, instant, metadata

organizations = Table(
    "organizations",
    metadata,
    Column("id", Identifier(OrgID), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    instant("created_at"),
    instant("updated_at"),
)

users = Table(
    "users",
    metadata,
    Column("id", Identifier(UserID), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("status", Text, nullable=False),
    Column("oauth_id", Text, nullable=False),
    instant("created_at"),
    instant("updated_at"),
)

buckets = Table(
    "buckets",
    metadata,
    Column("id", Identifier(BucketID), primary_key=True),
    Column("org_id", Identifier(OrgID), ForeignKey(organizations.c.id, ondelete="CASCADE"), nullable=False),
    Column("type", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    # The `rp` of the API: a name that only v1 tools gave a meaning.
    Column("retention_policy_name", Text, nullable=False),
    instant("retention_ns"),
    instant("shard_group_ns"),
    instant("created_at"),
    instant("updated_at"),
    UniqueConstraint("org_id", "name"),
)

memberships = Table(
    "memberships",
    metadata,
    Column("resource_type", Text, primary_key=True),
    Column("resource_id", Identifier(ID), primary_key=True),
    Column("user_id", Identifier(UserID), ForeignKey(users.c.id, ondelete="CASCADE"), primary_key=True),
    Column("role", Text, nullable=False),
    instant("created_at"),
)
Index("ix_memberships_user_id", memberships.c.user_id)
Index("ix_memberships_resource_id", memberships.c.resource_id)

dbrps = Table(
    "dbrps",
    metadata,
    Column("id", Identifier(DBRPID), primary_key=True),
    # No foreign key: the reference takes any org id here (http-api.md §27, 8).
    Column("org_id", Identifier(OrgID), nullable=False),
    Column("bucket_id", Identifier(BucketID), ForeignKey(buckets.c.id, ondelete="CASCADE"), nullable=False),
    Column("database", Text, nullable=False),
    Column("retention_policy", Text, nullable=False),
    Column("is_default", Boolean, nullable=False),
    instant("created_at"),
    UniqueConstraint("org_id", "database", "retention_policy"),
)
Index("ix_dbrps_bucket_id", dbrps.c.bucket_id)

# Buckets whose record is gone and whose data storage still has to drop: a
# process that dies in between finds here what is left to do.
deleted_buckets = Table(
    "deleted_buckets",
    metadata,
    Column("id", Identifier(BucketID), primary_key=True),
    instant("deleted_at"),
)
