"""Every table of the store, one module per room that owns the rows."""

from fluxkeep.metastore.tables import credentials, resources, tenancy
from fluxkeep.metastore.tables.base import metadata

__all__ = ["credentials", "metadata", "resources", "tenancy"]
