"""What a refusal says to the caller, the log and the throttle; and what is remembered of those who were let in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.credentials.house import CLIENT, OPERATOR, PASSWORD, House, secret

from fluxkeep.access.decisions import Principal
from fluxkeep.clock import ManualClock
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.authorizations import Change
from fluxkeep.credentials.legacy import NewLegacyAuthorization
from fluxkeep.credentials.passwords import verify_password
from fluxkeep.credentials.services import CredentialOptions
from fluxkeep.credentials.store import LegacyAuthorization
from fluxkeep.credentials.throttle import ThrottleOptions
from fluxkeep.errors import FluxkeepError, TooManyRequests
from fluxkeep.instants import SECOND
from fluxkeep.secret import Secret
from fluxkeep.tenancy.values import Status, User

LEGACY_PASSWORD = "grafana-password"
CHECK = "fluxkeep.credentials.authenticator.verify_password"


def refused(call: Callable[[], object]) -> tuple[str, str, str | None, dict[str, object]]:
    """Code, message, reason, and what the log says beside."""
    with capture_logs() as logged, pytest.raises(FluxkeepError) as error:
        call()
    entry = next(one for one in logged if one["event"] == "authentication.refused")
    said = {key: entry[key] for key in ("client", "reason", "authorization_id")}
    assert entry["log_level"] == "info"
    return error.value.code, error.value.message, getattr(error.value, "reason", None), said


def second(house: House) -> User:
    user = house.tenancy.users.create(house.operator, name="second")
    house.passwords.change(house.operator, user.id, Secret(PASSWORD))
    return user


def legacy(house: House, **members: object) -> LegacyAuthorization:
    wanted = NewLegacyAuthorization(
        org_id=house.org,
        username="grafana",
        permissions=[house.read_bucket()],
        **members,  # type: ignore[arg-type]
    )
    record = house.legacy.create(house.operator, wanted)
    house.legacy.set_password(house.operator, record.id, Secret(LEGACY_PASSWORD))
    return record


def v1(house: House, name: str = "grafana", password: str | Secret = LEGACY_PASSWORD) -> Principal:
    return house.authenticator.v1(name, password if isinstance(password, Secret) else Secret(password), CLIENT)


# --- what is said -----------------------------------------------------------------------------------------------


def test_refused_tokens(house: House, clock: ManualClock) -> None:
    user = second(house)
    shown = house.mint(user_id=user.id, expires_at=clock.now_ns() + SECOND)
    token, key = secret(shown), shown.record.id

    def use() -> object:
        return house.access(token)

    known = {"client": CLIENT, "authorization_id": key}
    unknown = {"client": CLIENT, "reason": "unknown-token", "authorization_id": None}
    house.tenancy.users.update(house.operator, user.id, status=Status.INACTIVE)
    assert refused(use) == ("forbidden", "User is inactive", None, {**known, "reason": "inactive-user"})
    house.tenancy.users.update(house.operator, user.id, status=Status.ACTIVE)
    house.authorizations.update(house.operator, key, Change(status="inactive"))
    inactive = ("unauthorized", "token is inactive", "inactive-token", {**known, "reason": "inactive-token"})
    assert refused(use) == inactive
    house.authorizations.update(house.operator, key, Change(status="active"))
    clock.advance(seconds=1)
    expired = ("unauthorized", "token is expired", "expired-token", {**known, "reason": "expired-token"})
    assert refused(use) == expired
    house.authorizations.revoke(house.operator, key)
    assert refused(use) == inactive
    house.authorizations.delete(house.operator, key)
    assert refused(use) == ("unauthorized", "unauthorized access", "unknown-token", unknown)


def test_refused_sessions(house: House) -> None:
    user = second(house)
    nobody = {"client": "-", "authorization_id": None}
    gone = ("unauthorized", "unauthorized access", "unknown-token", {**nobody, "reason": "unknown-token"})
    assert refused(lambda: house.authenticator.session(Secret("no-such-key"))) == gone
    key, _ = house.passwords.sign_in("second", Secret(PASSWORD), CLIENT)
    house.tenancy.users.update(house.operator, user.id, status=Status.INACTIVE)
    inactive = ("forbidden", "User is inactive", None, {**nobody, "reason": "inactive-user"})
    assert refused(lambda: house.authenticator.session(key)) == inactive
    # With an address where it is known.
    assert refused(lambda: house.authenticator.session(key, CLIENT))[3]["client"] == CLIENT
    assert refused(lambda: house.authenticator.session(Secret("no-such-key"), CLIENT))[3]["client"] == CLIENT


def test_refused_changes_of_a_password(house: House) -> None:
    wrong, new = Secret("wrong-password"), Secret("another-password")
    said = {"client": CLIENT, "reason": "wrong-password", "authorization_id": None}
    text = "your username or password is incorrect"
    change = house.passwords.change_own
    assert refused(lambda: change(house.admin, wrong, new, CLIENT)) == ("forbidden", text, None, said)
    assert refused(lambda: change(house.admin, wrong, new))[3] == {**said, "client": "-"}


def test_refused_sign_ins(house: House) -> None:
    said = {"client": CLIENT, "reason": "unknown-token", "authorization_id": None}
    for name in ("admin", "nobody"):
        assert refused(lambda name=name: house.passwords.sign_in(name, Secret("wrong-password"), CLIENT)) == (  # type: ignore[misc]
            "unauthorized",
            "unauthorized access",
            "unknown-token",
            said,
        )


def test_refused_v1_names(house: House) -> None:
    user = second(house)
    record = legacy(house, user_id=user.id)
    said = {"client": CLIENT, "authorization_id": record.id}
    wrong = ("unauthorized", "Unauthorized", "unknown-token", {**said, "reason": "unknown-token"})
    assert refused(lambda: v1(house, password="wrong-password")) == wrong
    inactive = ("unauthorized", "Unauthorized", "inactive-token", {**said, "reason": "inactive-token"})
    house.legacy.update(house.operator, record.id, status="inactive", description=None)
    assert refused(lambda: v1(house)) == inactive
    house.legacy.update(house.operator, record.id, status="active", description=None)
    house.tenancy.users.update(house.operator, user.id, status=Status.INACTIVE)
    assert refused(lambda: v1(house)) == inactive
    # A password that is wrong says no more of an inactive user than of an active one.
    assert refused(lambda: v1(house, password="wrong-password")) == wrong


def test_refused_tokens_in_v1_requests_keep_their_reason(house: House, clock: ManualClock) -> None:
    user = second(house)
    shown = house.mint(user_id=user.id, expires_at=clock.now_ns() + SECOND)

    def reason(token: Secret | str) -> tuple[str, str | None]:
        _, message, why, _ = refused(lambda: v1(house, "any", token))
        return message, why

    assert v1(house, "any", secret(shown)).authorization_id == shown.record.id
    house.tenancy.users.update(house.operator, user.id, status=Status.INACTIVE)
    assert reason(secret(shown)) == ("Unauthorized", "inactive-token")
    house.tenancy.users.update(house.operator, user.id, status=Status.ACTIVE)
    house.authorizations.update(house.operator, shown.record.id, Change(status="inactive"))
    assert reason(secret(shown)) == ("Unauthorized", "inactive-token")
    house.authorizations.update(house.operator, shown.record.id, Change(status="active"))
    clock.advance(seconds=1)
    assert reason(secret(shown)) == ("Unauthorized", "expired-token")
    assert reason("wrong") == ("Unauthorized", "unknown-token")


def test_a_name_that_is_no_text_is_nobody_s(house: House) -> None:
    assert refused(lambda: v1(house, "\udcff", "wrong"))[:3] == ("unauthorized", "Unauthorized", "unknown-token")
    assert v1(house, "\udcff", OPERATOR).kind == "token"


# --- what is counted --------------------------------------------------------------------------------------------


def test_wrong_credentials_are_counted_and_known_ones_are_not(tmp_path: Path) -> None:
    house = House(tmp_path / "data", options=CredentialOptions(throttle=ThrottleOptions(burst=1)))
    house.set_up()
    record = legacy(house)
    shown = house.mint(status="inactive")
    key, _ = house.passwords.sign_in("admin", Secret(PASSWORD), CLIENT)
    house.passwords.sign_out(key)
    for _ in range(3):
        # Whose credential it is, is known: there is nothing to guess.
        assert refused(lambda: house.access(secret(shown)))[2] == "inactive-token"
        assert refused(lambda: house.authenticator.session(key))[2] == "unknown-token"
    house.legacy.update(house.operator, record.id, status="inactive", description=None)
    for _ in range(3):
        assert refused(lambda: v1(house))[2] == "inactive-token"
    assert refused(lambda: v1(house, password="wrong-password"))[2] == "unknown-token"
    with pytest.raises(TooManyRequests):
        v1(house, password="wrong-password")
    # Each address has failures of its own.
    assert refused(lambda: house.access("wrong", "198.51.100.9"))[2] == "unknown-token"
    house.close()


# --- who is let in ----------------------------------------------------------------------------------------------


def test_a_v1_name_stands_for_its_owner_its_organization_and_its_permissions(house: House) -> None:
    user = second(house)
    record = legacy(house, user_id=user.id)
    found = v1(house)
    assert (found.user_id, found.org_id, found.authorization_id) == (user.id, house.org, record.id)
    assert list(found.permissions) == [house.read_bucket()]
    assert (found.kind, found.active, found.expires_at) == ("v1", True, None)


def test_a_session_stands_for_its_user_in_no_organization(house: House) -> None:
    key, _ = house.passwords.sign_in("admin", Secret(PASSWORD), CLIENT)
    found = house.authenticator.session(key)
    assert (found.user_id, found.org_id, found.authorization_id) == (house.admin, None, None)
    assert (found.kind, found.active, found.expires_at) == ("session", True, None)


def test_a_token_stands_for_its_owner_until_its_end(house: House, clock: ManualClock) -> None:
    user = second(house)
    end = clock.now_ns() + SECOND
    shown = house.mint(user_id=user.id, expires_at=end)
    found = house.access(secret(shown)).principal
    assert (found.user_id, found.org_id, found.authorization_id) == (user.id, house.org, shown.record.id)
    assert (found.kind, found.active, found.expires_at) == ("token", True, end)


# --- what is remembered -----------------------------------------------------------------------------------------


def test_a_password_is_checked_once_and_a_user_s_permissions_are_gathered_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    legacy(house)
    key, _ = house.passwords.sign_in("admin", Secret(PASSWORD), CLIENT)
    first, session = v1(house), house.authenticator.session(key)

    def never(*_: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(CHECK, never)
    monkeypatch.setattr(rows, "active_permissions_of", never)
    assert v1(house) is first
    assert house.authenticator.session(key) is session
    with pytest.raises(AssertionError):
        v1(house, password="wrong-password")


def test_a_v1_check_that_overlaps_a_change_is_not_remembered(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    record = legacy(house)

    def slow(password: Secret, stored: str | None) -> bool:
        monkeypatch.setattr(CHECK, verify_password)
        house.legacy.set_password(house.operator, record.id, Secret("another-password"))
        return verify_password(password, stored)

    monkeypatch.setattr(CHECK, slow)
    v1(house)
    assert refused(lambda: v1(house))[2] == "unknown-token"


def test_permissions_gathered_while_a_token_changes_are_not_remembered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = second(house)
    shown = house.mint(user_id=user.id)
    key, _ = house.passwords.sign_in("second", Secret(PASSWORD), CLIENT)
    gather = rows.active_permissions_of

    def slow(*given: object) -> object:
        monkeypatch.setattr(rows, "active_permissions_of", gather)
        found = gather(*given)  # type: ignore[arg-type]
        house.authorizations.delete(house.operator, shown.record.id)
        return found

    monkeypatch.setattr(rows, "active_permissions_of", slow)
    house.authenticator.session(key)
    assert not house.authenticator.session(key).permissions.allows(house.read_bucket())


# --- the first use of a rotation --------------------------------------------------------------------------------


def found_first(house: House, monkeypatch: pytest.MonkeyPatch, then: Callable[[], object]) -> None:
    """Have something happen between the look-up of the next token and what follows it."""
    find = rows.Lookup.find

    def slow(self: rows.Lookup, *given: object) -> rows.Match | None:
        match = find(self, *given)  # type: ignore[arg-type]
        monkeypatch.setattr(rows.Lookup, "find", find)
        then()
        return match

    monkeypatch.setattr(rows.Lookup, "find", slow)


def stored(house: House, key: object) -> rows.Authorization | None:
    with house.store.read() as connection:
        return rows.find_authorization(connection, key)  # type: ignore[arg-type]


def test_a_rotated_token_that_goes_during_its_first_use(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = house.mint()
    new = house.authorizations.rotate(house.operator, shown.record.id, 10)
    house.operator.require_operator()
    found_first(house, monkeypatch, lambda: house.authorizations.delete(house.operator, shown.record.id))
    # It began before the deletion was answered, so it may be let in; the next is not.
    house.access(secret(new))
    assert refused(lambda: house.access(secret(new)))[2] == "unknown-token"


def test_a_rotation_that_is_over_before_its_first_use_starts_no_grace(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = house.mint()
    new = house.authorizations.rotate(house.operator, shown.record.id, 10)
    found_first(house, monkeypatch, lambda: house.authorizations.regenerate(house.operator, shown.record.id))
    house.access(secret(new))
    record = stored(house, shown.record.id)
    assert record is not None
    assert (record.rotating, record.previous_until, record.grace_ns) == (False, None, None)


def test_two_first_uses_start_one_grace(house: House, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = house.mint()
    new = house.authorizations.rotate(house.operator, shown.record.id, 10)
    started = clock.now_ns() + 10 * SECOND

    def other() -> None:
        house.access(secret(new))
        clock.advance(seconds=3)

    found_first(house, monkeypatch, other)
    house.access(secret(new))
    record = stored(house, shown.record.id)
    assert record is not None
    assert record.previous_until == started


def test_a_first_use_leaves_other_tokens_remembered(house: House) -> None:
    shown, other = house.mint(), house.mint()
    new = house.authorizations.rotate(house.operator, shown.record.id, 10)
    before = house.access(secret(other)).principal
    house.access(secret(new))
    assert house.access(secret(other)).principal is before
