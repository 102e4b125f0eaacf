"""Secrets come in, are kept sealed, and go out only to a query."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType
from fluxkeep.errors import Corruption, NotFound, Unauthorized
from fluxkeep.ids import UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.resources.sealing import Seal
from fluxkeep.resources.secrets import OrgSecrets
from fluxkeep.secret import Secret
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import Organization

KEY = bytes(range(32))


@pytest.fixture
def secrets(store: MetaStore) -> OrgSecrets:
    return OrgSecrets(store, Seal(KEY))


def holding(*permissions: Permission) -> Access:
    return Access(Principal(user_id=UserID("00000000000000ff"), permissions=PermissionSet(permissions)))


def test_keys_are_listed_and_values_replaced(secrets: OrgSecrets, operator: Access, acme: Organization) -> None:
    assert secrets.list_keys(operator, acme.id) == []
    secrets.put(operator, acme.id, {"k2": Secret("v2"), "k1": Secret("v1")})
    secrets.put(operator, acme.id, {"k1": Secret("other")})
    assert secrets.list_keys(operator, acme.id) == ["k1", "k2"]
    assert secrets.get(operator, acme.id, "k1") == Secret("other")
    assert secrets.get(operator, acme.id, "k2") == Secret("v2")
    secrets.delete(operator, acme.id, ["k1", "nope"])
    assert secrets.list_keys(operator, acme.id) == ["k2"]
    with pytest.raises(NotFound):
        secrets.get(operator, acme.id, "k1")


def test_permissions(secrets: OrgSecrets, acme: Organization) -> None:
    read, write = (Permission(action, ResourceType.SECRETS, acme.id) for action in Action)
    for call in (
        lambda access: secrets.list_keys(access, acme.id),
        lambda access: secrets.get(access, acme.id, "k"),
    ):
        with pytest.raises(Unauthorized, match=f"^{read} is unauthorized$"):
            call(holding(write))
    with pytest.raises(Unauthorized, match=f"^{write} is unauthorized$"):
        secrets.put(holding(read), acme.id, {"k": Secret("v")})
    with pytest.raises(Unauthorized, match=f"^{write} is unauthorized$"):
        secrets.delete(holding(read), acme.id, ["k"])
    secrets.put(holding(write), acme.id, {"k": Secret("v")})
    assert secrets.get(holding(read), acme.id, "k") == Secret("v")


def test_values_are_in_no_file_of_the_store(
    store: MetaStore, secrets: OrgSecrets, operator: Access, acme: Organization
) -> None:
    secrets.put(operator, acme.id, {"key-in-clear": Secret("planted-value-in-secret")})
    content = b"".join(file.read_bytes() for file in store.path.parent.iterdir() if file.is_file())
    assert b"key-in-clear" in content
    assert b"planted-value" not in content


def test_secrets_go_with_their_organization(
    store: MetaStore, tenancy: Tenancy, secrets: OrgSecrets, operator: Access, acme: Organization
) -> None:
    secrets.put(operator, acme.id, {"k": Secret("v")})
    tenancy.organizations.delete(operator, acme.id)
    assert secrets.list_keys(operator, acme.id) == []


@given(st.text(), st.text(max_size=40))
def test_what_is_sealed_opens_in_its_place_alone(value: str, place: str) -> None:
    seal = Seal(KEY)
    sealed = seal.seal(Secret(value), place)
    assert seal.open(sealed, place) == Secret(value)
    assert seal.seal(Secret(value), place) != sealed
    with pytest.raises(Corruption):
        seal.open(sealed, place + "x")
    with pytest.raises(Corruption):
        Seal(bytes(32)).open(sealed, place)


@given(st.data())
def test_a_changed_byte_does_not_open(data: st.DataObject) -> None:
    sealed = bytearray(Seal(KEY).seal(Secret("value"), "place"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Corruption):
        Seal(KEY).open(bytes(sealed), "place")


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "key"
    sealed = Seal.load(path).seal(Secret("v"), "p")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Seal.load(path).open(sealed, "p") == Secret("v")
    path.write_bytes(b"short")
    with pytest.raises(Corruption):
        Seal.load(path)
