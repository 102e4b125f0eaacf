"""Telegraf configurations: TOML that agents fetch; we look into it only for the buckets it writes to.

Source: http-api.md §13.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.errors import InvalidInput, NotFound
from fluxkeep.ids import IdGenerator, OrgID, ResourceID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.events import DocumentDeleted
from fluxkeep.resources import store as rows

KIND = "telegraf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Telegraf:
    """A configuration.

    Attributes:
        config: TOML as it was sent.
        buckets: Names of the buckets that it writes to, or what the client said they are.
    """

    id: ResourceID
    org_id: OrgID
    name: str = ""
    description: str = ""
    config: str = ""
    buckets: tuple[str, ...] = ()

    def permission(self, action: Action) -> Permission:
        """What `action` on it needs."""
        return Permission(action, ResourceType.TELEGRAFS, self.org_id, self.id)


class Telegrafs:
    """The configurations of the instance; every call reads the store."""

    def __init__(self, store: MetaStore, ids: IdGenerator) -> None:
        self._store = store
        self._ids = ids

    def count(self) -> int:
        """How many configurations there are in all organizations."""
        with self._store.read() as connection:
            return rows.count_documents(connection, KIND)

    def find(self, telegraf_id: ResourceID) -> Telegraf | None:
        """The configuration of that id, whoever asks."""
        with self._store.read() as connection:
            document = rows.load_document(connection, KIND, telegraf_id)
        return None if document is None else _telegraf(document)

    def get(self, access: Access, telegraf_id: ResourceID) -> Telegraf:
        """One configuration.

        Raises:
            NotFound: `telegraf configuration not found`.
            Unauthorized: Without permission to read it.
        """
        found = self.find(telegraf_id)
        if found is None:
            raise NotFound("telegraf configuration not found")
        access.require(found.permission(Action.READ))
        return found

    def list_(self, access: Access, org_id: OrgID | None = None) -> list[Telegraf]:
        """All that the caller may read, by id."""
        with self._store.read() as connection:
            documents = rows.load_documents(connection, KIND, org_id)
        return access.filter(map(_telegraf, documents), lambda one: one.permission(Action.READ))

    def create(
        self,
        access: Access,
        *,
        org_id: OrgID,
        name: str,
        description: str,
        config: str,
        buckets: Sequence[str] = (),
    ) -> Telegraf:
        """Keep a configuration.

        Args:
            access: The caller's.
            org_id: Whose it is.
            name: Any.
            description: Any.
            config: TOML.
            buckets: Taken from `config` where empty.

        Raises:
            Unauthorized: Without permission to write configurations in the organization.
            InvalidInput: The configuration is not TOML.
            NotFound: `organization not found`.
        """
        access.require(Permission(Action.WRITE, ResourceType.TELEGRAFS, org_id))
        made = Telegraf(
            id=self._ids.next(ResourceID),
            org_id=org_id,
            name=name,
            description=description,
            config=config,
            buckets=tuple(buckets) or buckets_of(config),
        )
        with self._store.begin() as work:
            if not rows.organization_exists(work.connection, org_id):
                raise NotFound("organization not found")
            rows.add_document(work.connection, _document(made, work.now_ns, work.now_ns))
        return made

    def replace(
        self,
        access: Access,
        telegraf_id: ResourceID,
        *,
        name: str,
        description: str,
        config: str,
        buckets: Sequence[str] = (),
    ) -> Telegraf:
        """Put all of it anew; id and organization stay.

        Raises:
            NotFound: `telegraf configuration not found`.
            Unauthorized: Without permission to write it.
            InvalidInput: The configuration is not TOML.
        """
        with self._store.begin() as work:
            old = _load(work.connection, telegraf_id)
            found = _telegraf(old)
            access.require(found.permission(Action.WRITE))
            made = replace(
                found,
                name=name,
                description=description,
                config=config,
                buckets=tuple(buckets) or buckets_of(config),
            )
            rows.replace_document(work.connection, _document(made, old.created_at, work.now_ns))
        return made

    def delete(self, access: Access, telegraf_id: ResourceID) -> None:
        """Delete a configuration with its members and labels.

        Raises:
            NotFound: `telegraf configuration not found`.
            Unauthorized: Without permission to write it.
        """
        with self._store.begin() as work:
            found = _telegraf(_load(work.connection, telegraf_id))
            access.require(found.permission(Action.WRITE))
            rows.delete_document(work.connection, telegraf_id)
            work.emit(DocumentDeleted(telegraf_id))


def buckets_of(config: str) -> tuple[str, ...]:
    """The buckets of every `[[outputs.influxdb_v2]]`, in order, without empty ones.

    Raises:
        InvalidInput: The text is not TOML; the reference answers 500 (http-api.md §13 recommends this).
    """
    import tomllib  # its patterns take 20 ms that a start need not wait for

    try:
        parsed: dict[str, Any] = tomllib.loads(config)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput(f"telegraf configuration is not valid TOML: {error}") from None
    outputs = parsed.get("outputs")
    writers = outputs.get("influxdb_v2") if isinstance(outputs, dict) else None
    if not isinstance(writers, list):
        return ()
    named = [one.get("bucket") for one in writers if isinstance(one, dict)]
    return tuple(bucket for bucket in named if isinstance(bucket, str) and bucket)


def _load(connection: Connection, telegraf_id: ResourceID) -> rows.Document:
    found = rows.load_document(connection, KIND, telegraf_id)
    if found is None:
        raise NotFound("telegraf configuration not found")
    return found


def _telegraf(document: rows.Document) -> Telegraf:
    body = json.loads(document.body)
    return Telegraf(
        id=document.id,
        org_id=document.org_id,
        name=body["name"],
        description=body["description"],
        config=body["config"],
        buckets=tuple(body["buckets"]),
    )


def _document(telegraf: Telegraf, created_at: int, updated_at: int) -> rows.Document:
    body = {
        "name": telegraf.name,
        "description": telegraf.description,
        "config": telegraf.config,
        "buckets": telegraf.buckets,
    }
    return rows.Document(
        id=telegraf.id,
        kind=KIND,
        org_id=telegraf.org_id,
        name_key=None,
        body=json.dumps(body),
        created_at=created_at,
        updated_at=updated_at,
    )
