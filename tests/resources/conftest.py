"""A store with one organization, and callers of every strength."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import operator_permissions
from fluxkeep.clock import ManualClock
from fluxkeep.ids import IdGenerator
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import Organization


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ids(clock: ManualClock) -> IdGenerator:
    return IdGenerator(clock)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[MetaStore]:
    store = MetaStore(tmp_path / "influxd.bolt", clock)
    yield store
    store.close()


@pytest.fixture
def tenancy(store: MetaStore, ids: IdGenerator) -> Tenancy:
    return Tenancy.open(store, ids)


@pytest.fixture
def operator(store: MetaStore, tenancy: Tenancy) -> Access:
    with store.begin() as work:
        root = tenancy.users.add(work, name="root")
    return Access(Principal(user_id=root.id, permissions=operator_permissions()))


@pytest.fixture
def acme(tenancy: Tenancy, operator: Access) -> Organization:
    return tenancy.organizations.create(operator, name="acme")
