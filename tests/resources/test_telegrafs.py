"""Telegraf configurations keep to http-api.md §13."""

from __future__ import annotations

import pytest

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType
from fluxkeep.errors import InvalidInput, NotFound, Unauthorized
from fluxkeep.ids import IdGenerator, OrgID, ResourceID, UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.resources.labels import Labels
from fluxkeep.resources.telegrafs import Telegrafs, buckets_of
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import Organization, Role

CONFIG = """
[agent]
  interval = "10s"
[[outputs.influxdb_v2]]
  urls = ["http://127.0.0.1:8086"]
  bucket = "one"
[[outputs.influxdb_v2]]
  bucket = ""
[[outputs.influxdb_v2]]
  bucket = "two"
[[inputs.cpu]]
  bucket = "not this"
"""


@pytest.fixture
def telegrafs(store: MetaStore, ids: IdGenerator) -> Telegrafs:
    return Telegrafs(store, ids)


def holding(*permissions: Permission) -> Access:
    return Access(Principal(user_id=UserID("00000000000000ff"), permissions=PermissionSet(permissions)))


def test_buckets_are_read_out_of_the_outputs() -> None:
    assert buckets_of(CONFIG) == ("one", "two")
    assert buckets_of("") == ()
    for odd in ("outputs = 1", "[outputs]\ninfluxdb_v2 = 'x'", "[[outputs.influxdb_v2]]\nbucket = 3"):
        assert buckets_of(odd) == ()
    for broken in ("[[", "a = ", "a = [" * 5000):
        with pytest.raises(InvalidInput, match="not valid TOML"):
            buckets_of(broken)


def test_replacing_puts_everything_anew(telegrafs: Telegrafs, operator: Access, acme: Organization) -> None:
    made = telegrafs.create(operator, org_id=acme.id, name="n", description="d", config=CONFIG)
    assert made.buckets == ("one", "two")
    assert telegrafs.get(operator, made.id) == made
    assert telegrafs.list_(operator) == telegrafs.list_(operator, acme.id) == [made]
    assert telegrafs.list_(operator, OrgID("00000000000000aa")) == []
    changed = telegrafs.replace(operator, made.id, name="m", description="", config="", buckets=["said"])
    assert (changed.id, changed.org_id, changed.name, changed.description) == (made.id, acme.id, "m", "")
    assert changed.buckets == ("said",)
    assert telegrafs.get(operator, made.id) == changed


def test_what_is_refused(telegrafs: Telegrafs, operator: Access, acme: Organization) -> None:
    with pytest.raises(NotFound, match="organization not found"):
        telegrafs.create(operator, org_id=OrgID("00000000000000aa"), name="", description="", config="")
    with pytest.raises(InvalidInput, match="not valid TOML"):
        telegrafs.create(operator, org_id=acme.id, name="", description="", config="[[")
    unknown = ResourceID("00000000000000aa")
    with pytest.raises(NotFound, match="telegraf configuration not found"):
        telegrafs.get(operator, unknown)
    with pytest.raises(NotFound, match="telegraf configuration not found"):
        telegrafs.replace(operator, unknown, name="", description="", config="")
    with pytest.raises(NotFound, match="telegraf configuration not found"):
        telegrafs.delete(operator, unknown)
    assert telegrafs.list_(operator) == []


def test_permissions(telegrafs: Telegrafs, operator: Access, acme: Organization) -> None:
    made = telegrafs.create(operator, org_id=acme.id, name="n", description="", config="")
    reader = holding(Permission(Action.READ, ResourceType.TELEGRAFS, acme.id))
    assert telegrafs.list_(reader) == [made]
    assert telegrafs.list_(holding()) == []
    path = f"orgs/{acme.id}/telegrafs"
    with pytest.raises(Unauthorized, match=f"^write:{path} is unauthorized$"):
        telegrafs.create(reader, org_id=acme.id, name="", description="", config="")
    with pytest.raises(Unauthorized, match=f"^write:{path}/{made.id} is unauthorized$"):
        telegrafs.replace(reader, made.id, name="", description="", config="")
    with pytest.raises(Unauthorized, match=f"^write:{path}/{made.id} is unauthorized$"):
        telegrafs.delete(reader, made.id)
    with pytest.raises(Unauthorized, match=f"^read:{path}/{made.id} is unauthorized$"):
        telegrafs.get(holding(), made.id)


def test_members_and_labels_go_with_it(
    store: MetaStore,
    tenancy: Tenancy,
    ids: IdGenerator,
    telegrafs: Telegrafs,
    operator: Access,
    acme: Organization,
) -> None:
    labels = Labels(store, ids)
    made = telegrafs.create(operator, org_id=acme.id, name="n", description="", config="")
    resource, write = (ResourceType.TELEGRAFS, made.id), made.permission(Action.WRITE)
    tenancy.memberships.create(operator, resource, Role.MEMBER, operator.user_id, write)
    label = labels.create(operator, org_id=acme.id, name="l")
    labels.attach(operator, ResourceType.TELEGRAFS, made.id, label.id, write)
    telegrafs.delete(operator, made.id)
    assert resource not in tenancy.directory.now.memberships.of_resource
    assert labels.of(operator, made.id) == ()
    assert Labels(store, ids).of(operator, made.id) == ()
    assert resource not in Tenancy.open(store, ids).directory.now.memberships.of_resource
