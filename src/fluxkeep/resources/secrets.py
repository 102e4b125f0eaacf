"""Organizations' secrets: kept sealed, listed by key, given out only to a running query.

Source: http-api.md §3.1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.errors import Corruption, NotFound
from fluxkeep.ids import OrgID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.resources import store as rows
from fluxkeep.resources.sealing import Seal
from fluxkeep.secret import Secret


class OrgSecrets:
    """The secrets of all organizations; no answer of the API ever has a value."""

    def __init__(self, store: MetaStore, seal: Seal) -> None:
        self._store = store
        self._seal = seal

    def list_keys(self, access: Access, org_id: OrgID) -> list[str]:
        """The keys, sorted.

        Raises:
            Unauthorized: Without permission to read the organization's secrets.
        """
        access.require(Permission(Action.READ, ResourceType.SECRETS, org_id))
        with self._store.read() as connection:
            return sorted(rows.load_secret_keys(connection, org_id))

    def get(self, access: Access, org_id: OrgID, key: str) -> Secret:
        """One value, for a query that runs.

        Raises:
            Unauthorized: Without permission to read the organization's secrets.
            NotFound: There is no such key.
        """
        access.require(Permission(Action.READ, ResourceType.SECRETS, org_id))
        with self._store.read() as connection:
            sealed = rows.load_secret(connection, org_id, key)
        if sealed is None:
            raise NotFound("secret not found")
        return self._seal.open(sealed, _place(org_id, key))

    def put(self, access: Access, org_id: OrgID, values: Mapping[str, Secret]) -> None:
        """Add or overwrite those given, all or none; others stay. The organization must exist.

        Raises:
            Unauthorized: Without permission to write the organization's secrets.
        """
        access.require(Permission(Action.WRITE, ResourceType.SECRETS, org_id))
        with self._store.begin() as work:
            for key, value in values.items():
                sealed = self._seal.seal(value, _place(org_id, key))
                rows.put_secret(work.connection, org_id, key, sealed, work.now_ns)

    def delete(self, access: Access, org_id: OrgID, keys: Iterable[str]) -> None:
        """Delete those that are there.

        Raises:
            Unauthorized: Without permission to write the organization's secrets.
        """
        access.require(Permission(Action.WRITE, ResourceType.SECRETS, org_id))
        with self._store.begin() as work:
            for key in keys:
                rows.delete_secret(work.connection, org_id, key)


def reseal(store: MetaStore, seal: Seal, former: Iterable[Seal]) -> list[tuple[OrgID, str]]:
    """Bring the secrets of a store that came from elsewhere under a seal.

    Args:
        store: No server has it open.
        seal: What they are to open with.
        former: What they may be sealed with now, besides `seal`.

    Returns:
        Organization and key of those that open with none; they stay as they are.
    """
    seals = (seal, *former)
    closed: list[tuple[OrgID, str]] = []
    with store.begin() as work:
        for org_id, key, sealed in rows.load_secrets(work.connection):
            place = _place(org_id, key)
            for one in seals:
                with contextlib.suppress(Corruption):
                    value = one.open(sealed, place)
                    if one is not seal:
                        rows.put_secret(work.connection, org_id, key, seal.seal(value, place), work.now_ns)
                    break
            else:
                closed.append((org_id, key))
    return closed


def _place(org_id: OrgID, key: str) -> str:
    return f"{org_id}/{key}"
