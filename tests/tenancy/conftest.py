"""A fresh tenancy on a real store, and callers of every strength."""

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
from fluxkeep.tenancy.values import Organization, User


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[MetaStore]:
    store = MetaStore(tmp_path / "influxd.bolt", clock)
    yield store
    store.close()


@pytest.fixture
def tenancy(store: MetaStore, clock: ManualClock) -> Tenancy:
    return Tenancy.open(store, IdGenerator(clock))


@pytest.fixture
def root(store: MetaStore, tenancy: Tenancy) -> User:
    with store.begin() as work:
        return tenancy.users.add(work, name="root")


@pytest.fixture
def operator(root: User) -> Access:
    return Access(Principal(user_id=root.id, permissions=operator_permissions()))


@pytest.fixture
def acme(tenancy: Tenancy, operator: Access) -> Organization:
    return tenancy.organizations.create(operator, name="acme")
