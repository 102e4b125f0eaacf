"""The services of tenancy over one store, made together because they share its directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from fluxkeep.ids import IdGenerator
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.tenancy.buckets import Buckets
from fluxkeep.tenancy.dbrps import DBRPs
from fluxkeep.tenancy.memberships import Memberships
from fluxkeep.tenancy.organizations import Organizations
from fluxkeep.tenancy.snapshot import Directory
from fluxkeep.tenancy.users import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenancy:
    """Who lives in the instance."""

    directory: Directory
    organizations: Organizations
    users: Users
    buckets: Buckets
    memberships: Memberships
    dbrps: DBRPs

    @classmethod
    def open(cls, store: MetaStore, ids: IdGenerator) -> Self:
        """Load the directory and make the services; before others subscribe to the store."""
        directory = Directory(store)
        return cls(
            directory=directory,
            organizations=Organizations(store, directory, ids),
            users=Users(store, directory, ids),
            buckets=Buckets(store, directory, ids),
            memberships=Memberships(store, directory),
            dbrps=DBRPs(store, directory, ids),
        )
