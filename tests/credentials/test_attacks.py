"""Known attacks on token systems, each by its name, against the services.

Those that need the whole server (another organization's bucket by id through
Flux, deletion with a read token, oversized headers) are in `tests/blackbox`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import statistics
import time
from pathlib import Path

import pytest
from tests.credentials.house import CLIENT, OPERATOR, PASSWORD, House, found_in, principal, secret

from fluxkeep.access.permissions import Action, Permission, ResourceType, all_access_permissions, operator_permissions
from fluxkeep.credentials.authorizations import Change, NewAuthorization
from fluxkeep.credentials.hashing import Hasher
from fluxkeep.credentials.services import CredentialOptions
from fluxkeep.credentials.store import Filter
from fluxkeep.errors import FluxkeepError, Forbidden, Unauthorized
from fluxkeep.secret import Secret


def test_cve_2024_30896_a_reader_of_authorizations_gets_no_stronger_token(tmp_path: Path) -> None:
    """With tokens in clear, whoever could list authorizations read the operator's secret and became one."""
    house = House(tmp_path / "data", options=CredentialOptions(hashed=False))
    house.set_up()
    house.mint(house.write_bucket(), description="of the same user")
    readers = [
        house.all_access(),
        principal(
            house.admin,
            Permission(Action.READ, ResourceType.AUTHORIZATIONS),
            Permission(Action.READ, ResourceType.USERS),
        ),
    ]
    for reader in readers:
        seen = list(house.authorizations.list_(reader, Filter()))
        assert len(seen) >= 2
        for shown in seen:
            if shown.token is not None:
                assert reader.covers(shown.record.permissions)
                assert house.access(shown.token).first_missing(shown.record.permissions) is None
            one = house.authorizations.get(reader, shown.record.id)
            assert (one.token is None) == (shown.token is None)
        assert all(one.token is None or one.token.reveal() != OPERATOR for one in seen)
    house.close()


def test_cve_2019_20933_a_forged_jwt_is_nobody(house: House) -> None:
    """An empty signing secret let anyone sign a token for any user."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    for algorithm, key in (("HS256", b""), ("HS256", OPERATOR.encode()), ("none", None)):
        signed = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part({'username': 'admin', 'exp': 1 << 40})}"
        mac = b"" if key is None else hmac.new(key, signed.encode(), hashlib.sha256).digest()
        forged = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
        with pytest.raises(Unauthorized, match=r"^unauthorized access$"):
            house.access(forged)
        with pytest.raises(Unauthorized, match=r"^Unauthorized$"):
            house.authenticator.v1("admin", Secret(forged), CLIENT)


def test_a_jwt_that_was_chosen_as_the_setup_token_never_works(tmp_path: Path) -> None:
    jwt = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJvcGVyYXRvciJ9.c2lnbmF0dXJl"
    house = House(tmp_path / "data")
    house.set_up(jwt)
    with pytest.raises(Unauthorized, match=r"^unauthorized access$"):
        house.access(jwt)
    house.close()


def test_a_stored_hash_is_no_token(house: House) -> None:
    shown = house.mint()
    for stored in (*Hasher().candidates(secret(shown)), *Hasher().candidates(Secret(OPERATOR))):
        with pytest.raises(Unauthorized, match=r"^unauthorized access$"):
            house.access(stored)


def test_hashes_stolen_and_hashing_turned_off(house: House) -> None:
    """Turning the option off must not make the index of hashes an index of tokens."""
    stored = Hasher().candidates(Secret(OPERATOR))
    off = house.restart(hashed=False)
    for digest in stored:
        with pytest.raises(Unauthorized, match=r"^unauthorized access$"):
            off.access(digest)
        with pytest.raises(Unauthorized, match=r"^Unauthorized$"):
            off.authenticator.v1("any", Secret(digest), CLIENT)
    assert off.operator.is_operator
    off.close()


def test_a_token_broader_than_one_s_own(house: House) -> None:
    everything = house.all_access()
    for wider in (
        list(operator_permissions()),
        [Permission(Action.READ, ResourceType.BUCKETS)],
        [Permission(Action.WRITE, ResourceType.ORGS, id=house.org)],
        [Permission(Action.READ, ResourceType.INSTANCE)],
        [house.read_bucket(), Permission(Action.WRITE, ResourceType.USERS)],
    ):
        with pytest.raises(Forbidden, match="is not allowed"):
            house.authorizations.create(everything, NewAuthorization(org_id=house.org, permissions=wider))
    before = house.authorizations.count()
    narrow = house.mint(house.read_bucket())
    with pytest.raises(Forbidden, match="can only be narrowed"):
        house.authorizations.update(
            everything, narrow.record.id, Change(permissions=[house.read_bucket(), house.write_bucket()])
        )
    assert house.authorizations.count() == before + 1


def test_an_all_access_token_of_the_same_user_does_not_take_over_the_operator_token(house: House) -> None:
    everything = house.all_access()
    operator = next(iter(house.authorizations.list_(house.operator, Filter()))).record
    for attempt in (
        lambda: house.authorizations.rotate(everything, operator.id, 3_600),
        lambda: house.authorizations.regenerate(everything, operator.id),
        lambda: house.authorizations.update(everything, operator.id, Change(status="inactive")),
        lambda: house.authorizations.update(everything, operator.id, Change(permissions=[house.read_bucket()])),
        lambda: house.authorizations.delete(everything, operator.id),
        lambda: house.authorizations.revoke(everything, operator.id),
    ):
        with pytest.raises(Unauthorized):
            attempt()
    assert house.operator.is_operator


def test_another_organization_s_token_cannot_be_managed(house: House) -> None:
    other = house.tenancy.organizations.create(house.operator, name="other").id
    theirs = house.authorizations.create(
        house.operator, NewAuthorization(org_id=other, permissions=list(all_access_permissions(other, house.admin)))
    )
    ours = house.mint().record
    outsider = house.access(secret(theirs))
    with pytest.raises(Unauthorized, match=f"orgs/{house.org}/authorizations/{ours.id} is unauthorized"):
        house.authorizations.get(outsider, ours.id)
    with pytest.raises(Unauthorized, match=f"orgs/{house.org}/authorizations/{ours.id} is unauthorized"):
        house.authorizations.delete(outsider, ours.id)
    assert {one.record.org_id for one in house.authorizations.list_(outsider, Filter())} == {other}


def test_names_are_not_told_apart_by_the_time_of_a_refused_sign_in(house: House) -> None:
    """Unknown names, names without a password and wrong passwords all cost one hash."""
    house.tenancy.users.create(house.operator, name="bare")

    def median(name: str) -> float:
        times = []
        for _ in range(7):
            began = time.perf_counter()
            with pytest.raises(FluxkeepError):
                house.passwords.sign_in(name, Secret("a-wrong-password"), CLIENT)
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    median("admin")
    known, unknown, bare = median("admin"), median("nobody"), median("bare")
    assert unknown > known / 3
    assert bare > known / 3


def test_unknown_and_wrong_tokens_take_the_same_path(house: House) -> None:
    """A token that shares a prefix with a real one costs no more than any other: the look-up is by digest."""

    def median(text: str) -> float:
        times = []
        for number in range(200):
            began = time.perf_counter()
            with pytest.raises(FluxkeepError):
                house.access(f"{text}{number}", client=f"{text}{number}")
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    median("warm up")
    near, far = median(OPERATOR), median("z" * len(OPERATOR))
    assert near < far * 3
    assert far < near * 3


def test_passwords_and_session_keys_are_nowhere_in_the_files(house: House) -> None:
    key, _ = house.passwords.sign_in("admin", Secret(PASSWORD), CLIENT)
    house.authenticator.session(key)
    house.authenticator.flush()
    for text in (PASSWORD, key.reveal(), OPERATOR):
        assert found_in(house.folder, text) == []


def test_representations_show_no_secret(house: House) -> None:
    shown = house.mint()
    text = secret(shown).reveal()
    digest = Hasher().current(secret(shown))
    stored = house.authorizations.get(house.operator, shown.record.id).record
    match = house.authenticator._find(secret(shown))
    for value in (shown, stored, match, house.access(text).principal, secret(shown), house.options):
        assert text not in repr(value)
        assert digest not in repr(value)
        assert text not in str(value)
    with pytest.raises(TypeError):
        secret(shown).__reduce__()
