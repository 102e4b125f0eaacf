"""Who is calling: tokens, sessions and v1 user names, with every reason to refuse them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from tests.credentials.house import CLIENT, OPERATOR, PASSWORD, House, secret

from fluxkeep import logs
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType, operator_permissions
from fluxkeep.clock import ManualClock
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.authorizations import Change, NewAuthorization
from fluxkeep.credentials.legacy import NewLegacyAuthorization
from fluxkeep.credentials.services import CredentialOptions
from fluxkeep.credentials.sessions import SessionOptions
from fluxkeep.credentials.throttle import ThrottleOptions
from fluxkeep.errors import FluxkeepError, Forbidden, TooManyRequests, Unauthorized
from fluxkeep.ids import UserID
from fluxkeep.instants import SECOND
from fluxkeep.secret import Secret
from fluxkeep.tenancy.memberships import Memberships
from fluxkeep.tenancy.snapshot import Named
from fluxkeep.tenancy.values import Role, Status, User


def refusal(house: House, token: str | Secret) -> tuple[str, str, str]:
    with pytest.raises((Unauthorized, Forbidden)) as refused:
        house.access(token)
    return refused.value.code, refused.value.message, getattr(refused.value, "reason", "")


UNKNOWN = ("unauthorized", "unauthorized access", "unknown-token")
INACTIVE = ("unauthorized", "token is inactive", "inactive-token")


def test_an_operator_is_recognised_with_all_that_is_known_of_it(house: House) -> None:
    principal = house.operator.principal
    assert principal.user_id == house.admin
    assert principal.org_id == house.org
    assert principal.authorization_id is not None
    assert principal.kind == "token"
    assert list(principal.permissions) == list(operator_permissions())
    # The second time it comes from the cache, the very same.
    assert house.operator.principal is principal


@pytest.mark.parametrize(
    "text", ["", "wrong", OPERATOR + " ", " " + OPERATOR, OPERATOR.upper(), "a.b.c", "\udcff", "x:" + OPERATOR]
)
def test_what_is_not_a_token(house: House, text: str) -> None:
    assert refusal(house, text) == UNKNOWN


def test_status_is_looked_at_at_once_and_every_time(house: House) -> None:
    shown = house.mint()
    token = secret(shown)
    assert house.access(token).allows(house.read_bucket())
    house.authorizations.update(house.operator, shown.record.id, Change(status="inactive"))
    assert refusal(house, token) == INACTIVE
    house.authorizations.update(house.operator, shown.record.id, Change(status="active"))
    assert house.access(token).allows(house.read_bucket())
    house.authorizations.delete(house.operator, shown.record.id)
    assert refusal(house, token) == UNKNOWN


def test_an_inactive_user_comes_before_an_inactive_token(house: House) -> None:
    user = house.tenancy.users.create(house.operator, name="second")
    shown = house.mint(user_id=user.id)
    house.access(secret(shown))
    house.tenancy.users.update(house.operator, user.id, status=Status.INACTIVE)
    assert refusal(house, secret(shown)) == ("forbidden", "User is inactive", "")
    house.authorizations.update(house.operator, shown.record.id, Change(status="inactive"))
    assert refusal(house, secret(shown)) == ("forbidden", "User is inactive", "")
    house.tenancy.users.update(house.operator, user.id, status=Status.ACTIVE)
    assert refusal(house, secret(shown)) == INACTIVE
    house.tenancy.users.delete(house.operator, user.id)
    assert refusal(house, secret(shown)) == UNKNOWN


def test_tokens_of_a_deleted_organization_are_gone(house: House) -> None:
    organization = house.tenancy.organizations.create(house.operator, name="other")
    shown = house.authorizations.create(
        house.operator,
        NewAuthorization(
            org_id=organization.id, permissions=[Permission(Action.READ, ResourceType.BUCKETS, organization.id)]
        ),
    )
    house.access(secret(shown))
    house.tenancy.organizations.delete(house.operator, organization.id)
    assert refusal(house, secret(shown)) == UNKNOWN


def test_an_end_refuses_cached_tokens_too(house: House, clock: ManualClock) -> None:
    shown = house.mint(expires_at=clock.now_ns() + 10 * SECOND)
    token = secret(shown)
    assert house.access(token).principal.expires_at == clock.now_ns() + 10 * SECOND
    clock.advance(seconds=10, ns=-1)
    house.access(token)
    clock.advance(ns=1)
    assert refusal(house, token) == ("unauthorized", "token is expired", "expired-token")


def test_a_look_up_that_overlaps_a_revocation_is_not_cached(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = house.mint()
    token = secret(shown)
    find = rows.Lookup.find

    def slow(self: rows.Lookup, *arguments: object) -> rows.Match | None:
        match = find(self, *arguments)  # type: ignore[arg-type]
        monkeypatch.setattr(rows.Lookup, "find", find)
        house.authorizations.update(house.operator, shown.record.id, Change(status="inactive"))
        return match

    monkeypatch.setattr(rows.Lookup, "find", slow)
    # This request started before the revocation was answered, so either answer is right;
    # what matters is that the next one finds nothing in the cache.
    house.access(token)
    assert refusal(house, token) == INACTIVE


def during_a_look_up(monkeypatch: pytest.MonkeyPatch, *changes: Callable[[], object]) -> None:
    """Have the next look-up find what was there, with changes committed before it goes on."""
    find = rows.Lookup.find

    def slow(self: rows.Lookup, *arguments: object) -> rows.Match | None:
        match = find(self, *arguments)  # type: ignore[arg-type]
        monkeypatch.setattr(rows.Lookup, "find", find)
        for change in changes:
            change()
        return match

    monkeypatch.setattr(rows.Lookup, "find", slow)


def test_look_ups_that_overlap_any_further_change_are_not_cached_either(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, other = (house.tenancy.users.create(house.operator, name=name) for name in ("owner", "other"))
    shown = house.mint(user_id=owner.id)
    token = secret(shown)

    def set_token(status: str) -> object:
        return house.authorizations.update(house.operator, shown.record.id, Change(status=status))

    def set_user(user: User, status: Status) -> object:
        return house.tenancy.users.update(house.operator, user.id, status=status)

    for _ in range(3):
        during_a_look_up(monkeypatch, lambda: set_token("inactive"))
        house.access(token)
        assert refusal(house, token) == INACTIVE
        set_token("active")
    for _ in range(3):
        during_a_look_up(monkeypatch, lambda: set_token("inactive"), lambda: set_user(other, Status.INACTIVE))
        house.access(token)
        assert refusal(house, token) == INACTIVE
        set_token("active")
    house.access(token)


@pytest.mark.parametrize("hashed", [True, False])
def test_an_index_that_lies_opens_nothing(tmp_path: Path, hashed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path / "data", options=CredentialOptions(hashed=hashed))
    house.set_up()
    find, candidates = rows.Lookup.find, house.authenticator._hasher.candidates(Secret(OPERATOR))
    monkeypatch.setattr(rows.Lookup, "find", lambda self, *_: find(self, Secret(OPERATOR), candidates))
    assert refusal(house, "another") == UNKNOWN
    assert house.operator.is_operator
    house.close()


def test_changes_that_do_not_concern_a_token_leave_it_cached(house: House) -> None:
    before = house.operator.principal
    house.tenancy.buckets.create(house.operator, org_id=house.org, name="another")
    other = house.mint()
    house.authorizations.delete(house.operator, other.record.id)
    assert house.operator.principal is before


def test_the_cache_is_bounded(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    house.set_up()
    house.authenticator._tokens._limit = 3
    tokens = [secret(house.mint()) for _ in range(6)]
    for token in tokens:
        house.access(token)
    assert len(house.authenticator._tokens._entries) == 3
    assert len(house.authenticator._tokens._owned) == 3
    for token in tokens:
        assert house.access(token).allows(house.read_bucket())
    house.close()


def test_an_unknown_user_in_between_is_refused(house: House) -> None:
    """The row is found, the user is not: the moment between a commit and its announcement."""
    shown = house.mint()
    everybody = house.tenancy.directory.now
    house.tenancy.directory.now = replace(everybody, users=Named())
    assert refusal(house, secret(shown)) == UNKNOWN
    house.tenancy.directory.now = everybody
    house.access(secret(shown))


# --- sessions ---------------------------------------------------------------------------------------------------


def sign_in(house: House, name: str = "admin", password: str = PASSWORD) -> Secret:
    return house.passwords.sign_in(name, Secret(password), CLIENT)[0]


def test_a_session_has_memberships_own_tokens_and_oneself(house: House) -> None:
    user = house.tenancy.users.create(house.operator, name="second")
    house.passwords.change(house.operator, user.id, Secret("second-password"))
    key = sign_in(house, "second", "second-password")
    me = Permission(Action.WRITE, ResourceType.USERS, id=user.id)
    first = house.authenticator.session(key)
    assert first.kind == "session"
    assert first.authorization_id is None
    assert list(first.permissions) == [Permission(Action.READ, ResourceType.USERS, id=user.id), me]
    shown = house.mint(house.write_bucket(), user_id=user.id)
    assert house.authenticator.session(key).permissions.allows(house.write_bucket())
    house.authorizations.update(house.operator, shown.record.id, Change(status="inactive"))
    assert not house.authenticator.session(key).permissions.allows(house.write_bucket())
    house.tenancy.memberships.create(
        house.operator,
        (ResourceType.ORGS, house.org),
        Role.MEMBER,
        user.id,
        Permission(Action.WRITE, ResourceType.ORGS, id=house.org),
    )
    held = house.authenticator.session(key).permissions
    assert held.allows(house.read_bucket())
    assert not held.allows(house.write_bucket())


def test_an_ending_token_leaves_its_owner_s_session(house: House, clock: ManualClock) -> None:
    user = house.tenancy.users.create(house.operator, name="second")
    house.passwords.change(house.operator, user.id, Secret("second-password"))
    key = sign_in(house, "second", "second-password")
    house.mint(user_id=user.id, expires_at=clock.now_ns() + 60 * SECOND)
    assert house.authenticator.session(key).permissions.allows(house.read_bucket())
    clock.advance(seconds=60)
    assert not house.authenticator.session(key).permissions.allows(house.read_bucket())


def test_sessions_end_with_the_password_and_with_the_user(house: House) -> None:
    user = house.tenancy.users.create(house.operator, name="second")
    house.passwords.change(house.operator, user.id, Secret("second-password"))
    key = sign_in(house, "second", "second-password")
    house.passwords.change(house.operator, user.id, Secret("another-password"))
    with pytest.raises(Unauthorized, match=r"^unauthorized access$"):
        house.authenticator.session(key)
    key = sign_in(house, "second", "another-password")
    house.tenancy.users.update(house.operator, user.id, status=Status.INACTIVE)
    with pytest.raises(Forbidden, match=r"^User is inactive$"):
        house.authenticator.session(key)
    house.tenancy.users.update(house.operator, user.id, status=Status.ACTIVE)
    house.authenticator.session(key)
    house.tenancy.users.delete(house.operator, user.id)
    with pytest.raises(Unauthorized):
        house.authenticator.session(key)


def test_a_session_s_answer_that_overlaps_a_membership_s_end_is_not_remembered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = house.tenancy.users.create(house.operator, name="second")
    house.passwords.change(house.operator, user.id, Secret("second-password"))
    key = sign_in(house, "second", "second-password")
    org, wanted = (ResourceType.ORGS, house.org), Permission(Action.WRITE, ResourceType.ORGS, id=house.org)
    permissions_of = Memberships.permissions_of

    def slow(self: Memberships, user_id: UserID) -> PermissionSet:
        held = permissions_of(self, user_id)
        monkeypatch.setattr(Memberships, "permissions_of", permissions_of)
        house.tenancy.memberships.delete(house.operator, org, user.id, wanted)
        return held

    for _ in range(3):
        house.tenancy.memberships.create(house.operator, org, Role.MEMBER, user.id, wanted)
        monkeypatch.setattr(Memberships, "permissions_of", slow)
        house.authenticator.session(key)
        assert not house.authenticator.session(key).permissions.allows(house.read_bucket())


def test_the_length_of_sessions_is_chosen(tmp_path: Path, clock: ManualClock) -> None:
    house = House(tmp_path / "data", clock, CredentialOptions(sessions=SessionOptions(length_ns=SECOND, renew=False)))
    house.set_up()
    key = sign_in(house)
    clock.advance(seconds=1, ns=-1)
    house.authenticator.session(key)
    clock.advance(ns=1)
    with pytest.raises(Unauthorized):
        house.authenticator.session(key)
    house.close()


def test_renewal_is_told_so_that_the_cookie_is_sent_again(house: House, clock: ManualClock) -> None:
    key = sign_in(house)
    assert house.authenticator.session(key).renewed_until is None
    clock.advance(seconds=58 * 60)
    assert house.authenticator.session(key).renewed_until == clock.now_ns() + 300 * SECOND


# --- v1 ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def grafana(house: House) -> House:
    record = house.legacy.create(
        house.operator,
        NewLegacyAuthorization(org_id=house.org, username="grafana", permissions=[house.read_bucket()]),
    )
    house.legacy.set_password(house.operator, record.id, Secret("grafana-password"))
    return house


def v1(house: House, name: str, password: str) -> str:
    try:
        principal = house.authenticator.v1(name, Secret(password), CLIENT)
    except FluxkeepError as error:
        return error.message
    return principal.kind


def test_v1_names_passwords_and_tokens(grafana: House) -> None:
    assert v1(grafana, "grafana", "grafana-password") == "v1"
    assert v1(grafana, "grafana", "grafana-password") == "v1"
    assert v1(grafana, "grafana", "wrong-password") == "Unauthorized"
    assert v1(grafana, "grafana", OPERATOR) == "Unauthorized"
    assert v1(grafana, "any", OPERATOR) == "token"
    assert v1(grafana, "", OPERATOR) == "token"
    assert v1(grafana, "any", "wrong") == "Unauthorized"
    assert refusal(grafana, "grafana") == UNKNOWN
    assert refusal(grafana, "grafana-password") == UNKNOWN
    # The boundary between name and password is part of the credential.
    assert v1(grafana, "grafan", "agrafana-password") == "Unauthorized"


def test_what_is_remembered_of_v1_passwords_is_worth_nothing_to_another_process(grafana: House, tmp_path: Path) -> None:
    again = grafana.crash(tmp_path / "again")
    for house in (grafana, again):
        house.authenticator.v1("grafana", Secret("grafana-password"), CLIENT)
    ours, theirs = (set(house.authenticator._names._entries) for house in (grafana, again))
    assert len(ours) == len(theirs) == 1
    assert ours != theirs
    again.close()


def test_v1_changes_hold_from_the_next_request(grafana: House) -> None:
    record = grafana.legacy.list_(grafana.operator, rows.Filter(), "grafana")[0]
    assert v1(grafana, "grafana", "grafana-password") == "v1"
    grafana.legacy.set_password(grafana.operator, record.id, Secret("another-password"))
    assert v1(grafana, "grafana", "grafana-password") == "Unauthorized"
    assert v1(grafana, "grafana", "another-password") == "v1"
    grafana.legacy.update(grafana.operator, record.id, status="inactive", description=None)
    assert v1(grafana, "grafana", "another-password") == "Unauthorized"
    grafana.legacy.update(grafana.operator, record.id, status="active", description=None)
    assert v1(grafana, "grafana", "another-password") == "v1"
    grafana.tenancy.users.update(grafana.operator, grafana.admin, status=Status.INACTIVE)
    assert v1(grafana, "grafana", "another-password") == "Unauthorized"
    assert v1(grafana, "any", OPERATOR) == "Unauthorized"


def test_a_v1_name_that_appears_takes_over_from_tokens(house: House) -> None:
    assert v1(house, "late", OPERATOR) == "token"
    house.legacy.create(
        house.operator, NewLegacyAuthorization(org_id=house.org, username="late", permissions=[house.read_bucket()])
    )
    assert v1(house, "late", OPERATOR) == "Unauthorized"


def test_without_a_password_a_v1_name_opens_nothing(house: House) -> None:
    house.legacy.create(
        house.operator, NewLegacyAuthorization(org_id=house.org, username="bare", permissions=[house.read_bucket()])
    )
    assert v1(house, "bare", "") == "Unauthorized"
    assert v1(house, "bare", "anything-at-all") == "Unauthorized"


# --- throttle, last use, logs -----------------------------------------------------------------------------------


def test_a_flood_is_throttled_and_a_valid_token_is_not(tmp_path: Path) -> None:
    house = House(tmp_path / "data", options=CredentialOptions(throttle=ThrottleOptions(burst=5)))
    house.set_up()
    for _ in range(5):
        assert refusal(house, "wrong") == UNKNOWN
    with pytest.raises(TooManyRequests):
        house.access("wrong")
    with pytest.raises(TooManyRequests):
        house.passwords.sign_in("admin", Secret("wrong-password"), CLIENT)
    with pytest.raises(TooManyRequests):
        house.authenticator.v1("any", Secret("wrong"), CLIENT)
    assert house.operator.is_operator
    assert house.authenticator.v1("any", Secret(OPERATOR), CLIENT).kind == "token"
    assert house.passwords.sign_in("admin", Secret(PASSWORD), CLIENT)
    assert house.access(OPERATOR, "another").is_operator
    house.close()


def test_last_use_is_kept_in_memory_and_written_in_batches(house: House, clock: ManualClock) -> None:
    shown = house.mint()
    assert house.authorizations.get(house.operator, shown.record.id).record.last_used_at is None
    clock.advance(seconds=5)
    house.access(secret(shown))
    used = clock.now_ns()
    assert house.authorizations.get(house.operator, shown.record.id).record.last_used_at == used
    cached = house.access(secret(shown)).principal
    house.authenticator.flush()
    assert house.access(secret(shown)).principal is cached
    house.authenticator.flush()
    clock.advance(seconds=5)
    house = house.restart()
    assert house.authorizations.get(house.operator, shown.record.id).record.last_used_at == used
    house.close()


def test_last_use_of_a_deleted_token_is_passed_over(house: House) -> None:
    shown = house.mint()
    house.access(secret(shown))
    house.authorizations.delete(house.operator, shown.record.id)
    house.authenticator.flush()
    assert len(list(house.authorizations.list_(house.operator, rows.Filter()))) == 1


def test_refusals_are_logged_with_address_and_reason_and_never_the_secret(tmp_path: Path) -> None:
    out = io.StringIO()
    logs.configure("debug", out, json=True)
    try:
        house = House(tmp_path / "data")
        house.set_up()
        shown, ended = house.mint(status="inactive"), house.mint(expires_at=house.clock.now_ns() + SECOND)
        house.clock.advance(seconds=1)
        everybody = house.tenancy.directory.now
        house.access(OPERATOR)
        out.seek(0)
        out.truncate()
        for token, client in (("a-wrong-secret", "a"), (secret(shown), "b"), (secret(ended), "c")):
            with pytest.raises(Unauthorized):
                house.access(token, client)
        house.tenancy.directory.now = replace(everybody, users=Named())
        with pytest.raises(Unauthorized):
            house.access(secret(shown), "d")
        house.tenancy.directory.now = everybody
        house.close()
    finally:
        structlog.reset_defaults()
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert all(one["event"] == "authentication.refused" and one["room"] == "credentials" for one in told)
    assert [(one["client"], one["reason"], one["authorization_id"]) for one in told] == [
        ("a", "unknown-token", None),
        ("b", "inactive-token", shown.record.id),
        ("c", "expired-token", ended.record.id),
        ("d", "unknown-token", shown.record.id),
    ]
    for hidden in ("a-wrong-secret", OPERATOR, secret(shown).reveal(), secret(ended).reveal()):
        assert hidden not in out.getvalue()


def test_threads_look_up_with_connections_of_their_own(house: House) -> None:
    tokens = [secret(house.mint()) for _ in range(20)]

    def look(_: int) -> list[bool]:
        return [house.access(token).allows(house.read_bucket()) for token in tokens]

    with ThreadPoolExecutor(8) as pool:
        assert all(all(answers) for answers in pool.map(look, range(8)))
