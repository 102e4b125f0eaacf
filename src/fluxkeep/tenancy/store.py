"""The SQL of tenancy: rows in, frozen values out.

Rules are the services'; here it is only said where things lie and what must
go together. Every function works inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, RowMapping, Table, delete, insert, literal, select, update

from fluxkeep.access.permissions import ResourceType
from fluxkeep.ids import DBRPID, ID, BucketID, OrgID, UserID
from fluxkeep.metastore.tables import resources, tenancy
from fluxkeep.tenancy.values import DBRP, Bucket, BucketType, Membership, Organization, Role, Status, User

Record = Organization | User | Bucket | Membership | DBRP


def load_organizations(connection: Connection) -> list[Organization]:
    """All organizations by id."""
    rows = connection.execute(select(tenancy.organizations).order_by(tenancy.organizations.c.id)).mappings()
    return [Organization(**row) for row in rows]


def load_users(connection: Connection) -> list[User]:
    """All users by id."""
    rows = connection.execute(select(tenancy.users).order_by(tenancy.users.c.id)).mappings()
    return [User(**{**row, "status": Status(row["status"])}) for row in rows]


def load_buckets(connection: Connection) -> list[Bucket]:
    """All buckets by id."""
    rows = connection.execute(select(tenancy.buckets).order_by(tenancy.buckets.c.id)).mappings()
    return [Bucket(**{**row, "type": BucketType(row["type"])}) for row in rows]


def load_memberships(connection: Connection) -> list[Membership]:
    """All memberships in the order they came about."""
    table = tenancy.memberships
    rows = connection.execute(
        select(table).order_by(table.c.created_at, table.c.resource_type, table.c.resource_id, table.c.user_id)
    ).mappings()
    return [_membership(row) for row in rows]


def load_dbrps(connection: Connection) -> list[DBRP]:
    """All stored mappings by id."""
    rows = connection.execute(select(tenancy.dbrps).order_by(tenancy.dbrps.c.id)).mappings()
    return [
        DBRP(
            id=row["id"],
            org_id=row["org_id"],
            bucket_id=row["bucket_id"],
            database=row["database"],
            retention_policy=row["retention_policy"],
            default=row["is_default"],
            created_at=row["created_at"],
        )
        for row in rows
    ]


def add(connection: Connection, record: Record) -> None:
    """Insert one record."""
    table, values = _row(record)
    connection.execute(insert(table).values(values))


def replace(connection: Connection, record: Organization | User | Bucket | DBRP) -> None:
    """Overwrite the record of that id."""
    table, values = _row(record)
    connection.execute(update(table).where(table.c.id == record.id).values(values))


def documents_of(connection: Connection, org_id: OrgID) -> list[ID]:
    """The ids of what `resources` keeps for an organization and others may be members of."""
    return list(
        connection.execute(select(resources.documents.c.id).where(resources.documents.c.org_id == org_id)).scalars()
    )


def delete_organization(connection: Connection, org_id: OrgID, owned: Iterable[ID], now_ns: int) -> None:
    """Delete an organization with all that refers to it.

    Foreign keys take buckets, authorizations, documents and secrets along;
    what refers to it loosely is deleted by name.

    Args:
        owned: Its id and those of its buckets and documents.
    """
    for resource_id in owned:
        _forget_resource(connection, resource_id)
    of_org = select(tenancy.buckets.c.id, literal(now_ns)).where(tenancy.buckets.c.org_id == org_id)
    connection.execute(insert(tenancy.deleted_buckets).from_select(["id", "deleted_at"], of_org))
    for loose in (tenancy.dbrps, resources.labels):
        connection.execute(delete(loose).where(loose.c.org_id == org_id))
    connection.execute(delete(tenancy.organizations).where(tenancy.organizations.c.id == org_id))


def delete_user(connection: Connection, user_id: UserID) -> None:
    """Delete a user; foreign keys take password, memberships and authorizations along."""
    connection.execute(delete(tenancy.users).where(tenancy.users.c.id == user_id))


def delete_bucket(connection: Connection, bucket_id: BucketID, now_ns: int) -> None:
    """Delete a bucket with its mappings, memberships and labels, and note that its data is to be dropped."""
    connection.execute(insert(tenancy.deleted_buckets).values(id=bucket_id, deleted_at=now_ns))
    _forget_resource(connection, bucket_id)
    connection.execute(delete(tenancy.buckets).where(tenancy.buckets.c.id == bucket_id))


def load_deleted_buckets(connection: Connection) -> list[BucketID]:
    """Buckets whose data is to be dropped."""
    return list(connection.execute(select(tenancy.deleted_buckets.c.id)).scalars())


def forget_deleted_bucket(connection: Connection, bucket_id: BucketID) -> None:
    """Note that the data of a deleted bucket is gone."""
    connection.execute(delete(tenancy.deleted_buckets).where(tenancy.deleted_buckets.c.id == bucket_id))


def delete_membership(connection: Connection, kind: ResourceType, resource_id: ID, user_id: UserID) -> None:
    """Delete what a user is to a resource, if anything."""
    table = tenancy.memberships
    connection.execute(
        delete(table).where(
            table.c.resource_type == kind.value, table.c.resource_id == resource_id, table.c.user_id == user_id
        )
    )


def delete_dbrp(connection: Connection, dbrp_id: DBRPID) -> None:
    """Delete a stored mapping."""
    connection.execute(delete(tenancy.dbrps).where(tenancy.dbrps.c.id == dbrp_id))


def _forget_resource(connection: Connection, resource_id: ID) -> None:
    for table in (tenancy.memberships, resources.label_mappings):
        connection.execute(delete(table).where(table.c.resource_id == resource_id))


def _membership(row: RowMapping) -> Membership:
    return Membership(
        user_id=row["user_id"],
        resource_type=ResourceType(row["resource_type"]),
        resource_id=row["resource_id"],
        role=Role(row["role"]),
        created_at=row["created_at"],
    )


def _row(record: Record) -> tuple[Table, dict[str, object]]:
    match record:
        case Organization():
            return tenancy.organizations, {
                "id": record.id,
                "name": record.name,
                "description": record.description,
                "created_at": record.created_at,
                "updated_at": record.updated_at,
            }
        case User():
            return tenancy.users, {
                "id": record.id,
                "name": record.name,
                "status": record.status.value,
                "oauth_id": record.oauth_id,
                "created_at": record.created_at,
                "updated_at": record.updated_at,
            }
        case Bucket():
            return tenancy.buckets, {
                "id": record.id,
                "org_id": record.org_id,
                "type": record.type.value,
                "name": record.name,
                "description": record.description,
                "retention_policy_name": record.retention_policy_name,
                "retention_ns": record.retention_ns,
                "shard_group_ns": record.shard_group_ns,
                "created_at": record.created_at,
                "updated_at": record.updated_at,
            }
        case Membership():
            return tenancy.memberships, {
                "resource_type": record.resource_type.value,
                "resource_id": record.resource_id,
                "user_id": record.user_id,
                "role": record.role.value,
                "created_at": record.created_at,
            }
        case DBRP():
            return tenancy.dbrps, {
                "id": record.id,
                "org_id": record.org_id,
                "bucket_id": record.bucket_id,
                "database": record.database,
                "retention_policy": record.retention_policy,
                "is_default": record.default,
                "created_at": record.created_at,
            }
