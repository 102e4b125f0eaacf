"""What a change takes out of what is remembered: all that it concerns, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.credentials.house import CLIENT, ON_TOKENS, PASSWORD, House, principal, secret

from fluxkeep.access.permissions import operator_permissions
from fluxkeep.clock import ManualClock
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.legacy import NewLegacyAuthorization
from fluxkeep.credentials.migration import report
from fluxkeep.credentials.store import LegacyAuthorization
from fluxkeep.errors import Unauthorized
from fluxkeep.secret import Secret

WORD = Secret("grafana-password")


def legacy(house: House, name: str = "grafana", **members: object) -> LegacyAuthorization:
    wanted = {"org_id": house.org, "username": name, "permissions": [house.read_bucket()], **members}
    record = house.legacy.create(house.operator, NewLegacyAuthorization(**wanted))  # type: ignore[arg-type]
    house.legacy.set_password(house.operator, record.id, WORD)
    return record


@pytest.mark.parametrize("what", ON_TOKENS)
def test_changes_of_one_token_leave_the_others_and_v1_names_remembered(house: House, what: str) -> None:
    legacy(house)
    one, other = house.mint(), house.mint()
    token = house.access(secret(other)).principal
    name = house.authenticator.v1("grafana", WORD, CLIENT)
    ON_TOKENS[what](house, one.record.id)
    assert house.access(secret(other)).principal is token
    assert house.authenticator.v1("grafana", WORD, CLIENT) is name


@pytest.mark.parametrize("what", ON_TOKENS)
def test_changes_of_one_user_s_token_leave_other_users_sessions_remembered(house: House, what: str) -> None:
    user = house.tenancy.users.create(house.operator, name="second")
    house.passwords.change(house.operator, user.id, Secret(PASSWORD))
    key, _ = house.passwords.sign_in("second", Secret(PASSWORD), CLIENT)
    shown = house.mint()
    before = house.authenticator.session(key)
    ON_TOKENS[what](house, shown.record.id)
    assert house.authenticator.session(key) is before


ON_NAMES: dict[str, Callable[[House, LegacyAuthorization], object]] = {
    "create": lambda house, record: legacy(house, "another"),
    "update": lambda house, record: house.legacy.update(house.operator, record.id, status=None, description="new"),
    "set a password": lambda house, record: house.legacy.set_password(
        house.operator, record.id, Secret("new-password")
    ),
    "delete": lambda house, record: house.legacy.delete(house.operator, record.id),
}


@pytest.mark.parametrize("what", ON_NAMES)
def test_changes_of_one_v1_name_leave_the_others_and_tokens_remembered(house: House, what: str) -> None:
    one, _ = legacy(house), legacy(house, "other")
    shown = house.mint()
    token = house.access(secret(shown)).principal
    name = house.authenticator.v1("other", WORD, CLIENT)
    ON_NAMES[what](house, one)
    assert house.access(secret(shown)).principal is token
    assert house.authenticator.v1("other", WORD, CLIENT) is name


def test_a_deleted_v1_name_is_refused_although_it_was_remembered(house: House) -> None:
    record = legacy(house)
    house.authenticator.v1("grafana", WORD, CLIENT)
    house.legacy.delete(house.operator, record.id)
    with pytest.raises(Unauthorized):
        house.authenticator.v1("grafana", WORD, CLIENT)


def test_v1_names_of_operators_are_changed_and_deleted_by_operators_only(house: House) -> None:
    record = legacy(house, permissions=list(operator_permissions()))
    almost = principal(house.admin, *list(operator_permissions())[:-1])
    lacking = list(operator_permissions())[-1]
    for refused in (
        lambda: house.legacy.delete(almost, record.id),
        lambda: house.legacy.update(almost, record.id, status="inactive", description=None),
    ):
        with pytest.raises(Unauthorized) as error:
            refused()
        assert error.value.message == f"{lacking} is unauthorized"
    house.legacy.update(house.operator, record.id, status="inactive", description=None)
    house.legacy.delete(house.operator, record.id)


def test_signing_out_twice_says_that_there_is_no_such_session(house: House) -> None:
    key, _ = house.passwords.sign_in("admin", Secret(PASSWORD), CLIENT)
    house.passwords.sign_out(key)
    with pytest.raises(Unauthorized) as error:
        house.passwords.sign_out(key)
    assert error.value.reason == "unknown-token"


def test_a_secret_in_clear_is_reported_also_where_only_the_one_before_is_left(house: House) -> None:
    """As a store is after a rotation and a downgrade: the new secret's digest is gone."""
    shown = house.mint(description="half")
    with house.store.begin() as work:
        rows.change_authorization(
            work.connection, shown.record.id, digest=None, previous_token="a-secret-in-clear", previous_until=None
        )
    assert report(house.store) == [(shown.record.id, "half")]


def test_a_rotation_s_new_secret_stays_remembered_after_the_old_one_s_days(house: House, clock: ManualClock) -> None:
    shown = house.mint()
    new = secret(house.authorizations.rotate(house.operator, shown.record.id, 60))
    house.access(new)
    clock.advance(seconds=30)
    before = house.access(new).principal
    clock.advance(seconds=31)
    assert house.access(new).principal is before
