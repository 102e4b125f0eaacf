"""Digests of tokens: the columns that stepping below hashed tokens erases.

SQLite cannot drop a column that a constraint names, so the table is made anew
and the rows are copied, inside the caller's transaction.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0.1"
down_revision = "2.4"
branch_labels = None
depends_on = None

_KEPT = (
    "id, token, status, description, org_id, user_id, permissions, created_at, updated_at, expires_at, last_used_at, "
    "revoked_at, previous_token, grace_ns, previous_until"
)


def upgrade() -> None:
    """Add the digests; a record whose digest was erased before stays without a secret."""
    _make_anew(hashed=True)
    op.execute(f"INSERT INTO authorizations ({_KEPT}) SELECT {_KEPT} FROM authorizations_before")  # noqa: S608
    _drop_old()


def downgrade() -> None:
    """Erase the digests; a record that had nothing else stays, without a secret."""
    _make_anew(hashed=False)
    op.execute(f"INSERT INTO authorizations ({_KEPT}) SELECT {_KEPT} FROM authorizations_before")  # noqa: S608
    # A rotation without its previous secret is over.
    op.execute("UPDATE authorizations SET grace_ns = NULL, previous_until = NULL WHERE previous_token IS NULL")
    _drop_old()


def _make_anew(*, hashed: bool) -> None:
    op.drop_index("ix_authorizations_org_id", "authorizations")
    op.drop_index("ix_authorizations_user_id", "authorizations")
    op.rename_table("authorizations", "authorizations_before")
    digest = [sa.Column("digest", sa.Text(), nullable=True)] if hashed else []
    previous_digest = [sa.Column("previous_digest", sa.Text(), nullable=True)] if hashed else []
    constraints: list[sa.Constraint] = []
    if hashed:
        constraints = [
            sa.CheckConstraint("previous_token IS NULL OR previous_digest IS NULL", name="one_previous_secret"),
            sa.CheckConstraint("token IS NULL OR digest IS NULL", name="one_secret"),
            sa.UniqueConstraint("digest", name=op.f("uq_authorizations_digest")),
            sa.UniqueConstraint("previous_digest", name=op.f("uq_authorizations_previous_digest")),
        ]
    op.create_table(
        "authorizations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        *digest,
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("permissions", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("previous_token", sa.Text(), nullable=True),
        *previous_digest,
        sa.Column("grace_ns", sa.BigInteger(), nullable=True),
        sa.Column("previous_until", sa.BigInteger(), nullable=True),
        *constraints,
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_authorizations_org_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_authorizations_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorizations")),
        sa.UniqueConstraint("previous_token", name=op.f("uq_authorizations_previous_token")),
        sa.UniqueConstraint("token", name=op.f("uq_authorizations_token")),
    )


def _drop_old() -> None:
    op.drop_table("authorizations_before")
    op.create_index("ix_authorizations_org_id", "authorizations", ["org_id"], unique=False)
    op.create_index("ix_authorizations_user_id", "authorizations", ["user_id"], unique=False)
