"""Authorizations, passwords and the credentials of v1 clients.

A row holds a token's digest or, where hashing is off, the token itself, never
both. Deleting a user or an organization takes its credentials along.

Source: tokens.md §1.1, §1.5, §1.14, §3.3.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, Text

from fluxkeep.ids import AuthorizationID, OrgID, UserID
from fluxkeep.metastore.tables.base import Identifier, instant, metadata
from fluxkeep.metastore.tables.tenancy import organizations, users

passwords = Table(
    "passwords",
    metadata,
    Column("user_id", Identifier(UserID), ForeignKey(users.c.id, ondelete="CASCADE"), primary_key=True),
    Column("hash", Text, nullable=False),
    instant("updated_at"),
)

authorizations = Table(
    "authorizations",
    metadata,
    Column("id", Identifier(AuthorizationID), primary_key=True),
    Column("token", Text, unique=True),
    Column("digest", Text, unique=True),
    Column("status", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("org_id", Identifier(OrgID), ForeignKey(organizations.c.id, ondelete="CASCADE"), nullable=False),
    Column("user_id", Identifier(UserID), ForeignKey(users.c.id, ondelete="CASCADE"), nullable=False),
    # A JSON array of permissions as the API shows them.
    Column("permissions", Text, nullable=False),
    instant("created_at"),
    instant("updated_at"),
    instant("expires_at", nullable=True),
    instant("last_used_at", nullable=True),
    # Refused for good from this instant on, and kept for audit.
    instant("revoked_at", nullable=True),
    # While a rotation goes on: the secret that is being replaced, how long it lasts once the new one was
    # used, and when that is over (absent until the first use).
    Column("previous_token", Text, unique=True),
    Column("previous_digest", Text, unique=True),
    instant("grace_ns", nullable=True),
    instant("previous_until", nullable=True),
    CheckConstraint("token IS NULL OR digest IS NULL", name="one_secret"),
    CheckConstraint("previous_token IS NULL OR previous_digest IS NULL", name="one_previous_secret"),
)
Index("ix_authorizations_org_id", authorizations.c.org_id)
Index("ix_authorizations_user_id", authorizations.c.user_id)

v1_authorizations = Table(
    "v1_authorizations",
    metadata,
    Column("id", Identifier(AuthorizationID), primary_key=True),
    Column("username", Text, nullable=False, unique=True),
    Column("status", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("org_id", Identifier(OrgID), ForeignKey(organizations.c.id, ondelete="CASCADE"), nullable=False),
    Column("user_id", Identifier(UserID), ForeignKey(users.c.id, ondelete="CASCADE"), nullable=False),
    Column("permissions", Text, nullable=False),
    instant("created_at"),
    instant("updated_at"),
)
Index("ix_v1_authorizations_org_id", v1_authorizations.c.org_id)
Index("ix_v1_authorizations_user_id", v1_authorizations.c.user_id)

v1_passwords = Table(
    "v1_passwords",
    metadata,
    Column(
        "authorization_id",
        Identifier(AuthorizationID),
        ForeignKey(v1_authorizations.c.id, ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("hash", Text, nullable=False),
    instant("updated_at"),
)
