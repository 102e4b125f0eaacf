"""Signing in, changing passwords, and v1 user names as records."""

from __future__ import annotations

from pathlib import Path

import bcrypt
import pytest
from structlog.testing import capture_logs
from tests.credentials.house import CLIENT, OPERATOR, PASSWORD, House, principal

from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.clock import ManualClock
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.legacy import NewLegacyAuthorization
from fluxkeep.credentials.passwords import CLASSES_TEXT, LENGTH_TEXT, hash_password
from fluxkeep.credentials.services import CredentialOptions
from fluxkeep.credentials.store import Filter, LegacyAuthorization
from fluxkeep.credentials.throttle import ThrottleOptions
from fluxkeep.errors import FluxkeepError, Forbidden, TooManyRequests, Unauthorized
from fluxkeep.ids import AuthorizationID, BucketID, UserID
from fluxkeep.secret import Secret

UNKNOWN = AuthorizationID("00000000000000aa")


def says(call: object, *arguments: object, **members: object) -> tuple[str, str]:
    with pytest.raises(FluxkeepError) as refused:
        call(*arguments, **members)  # type: ignore[operator]
    return refused.value.code, refused.value.message


def test_one_text_for_every_failed_sign_in(house: House) -> None:
    house.tenancy.users.create(house.operator, name="bare")
    for name, password in (
        ("admin", "wrong-password"),
        ("nobody", PASSWORD),
        ("bare", ""),
        ("", ""),
        ("bare", "anything!"),
    ):
        assert says(house.passwords.sign_in, name, Secret(password), CLIENT) == ("unauthorized", "unauthorized access")


def test_signing_out(house: House) -> None:
    key, _ = house.passwords.sign_in("admin", Secret(PASSWORD), CLIENT)
    house.authenticator.session(key)
    house.passwords.sign_out(key)
    assert says(house.authenticator.session, key) == ("unauthorized", "unauthorized access")
    assert says(house.passwords.sign_out, key) == ("unauthorized", "unauthorized access")


def test_sessions_do_not_survive_a_restart(house: House) -> None:
    key, _ = house.passwords.sign_in("admin", Secret(PASSWORD), CLIENT)
    again = house.restart()
    assert says(again.authenticator.session, key) == ("unauthorized", "unauthorized access")
    again.passwords.sign_in("admin", Secret(PASSWORD), CLIENT)
    again.close()


def test_changing_one_s_own_password(house: House) -> None:
    change = house.passwords.change_own
    assert says(change, house.admin, Secret("wrong-password"), Secret("another-password")) == (
        "forbidden",
        "your username or password is incorrect",
    )
    assert says(change, house.admin, Secret(PASSWORD), Secret("short")) == ("invalid", LENGTH_TEXT)
    first, _ = house.passwords.sign_in("admin", Secret(PASSWORD), CLIENT)
    change(house.admin, Secret(PASSWORD), Secret("another-password"))
    assert says(house.authenticator.session, first)[0] == "unauthorized"
    assert says(house.passwords.sign_in, "admin", Secret(PASSWORD), CLIENT)[0] == "unauthorized"
    house.passwords.sign_in("admin", Secret("another-password"), CLIENT)


def test_setting_another_s_password(house: House) -> None:
    user = house.tenancy.users.create(house.operator, name="second")
    change = house.passwords.change
    assert says(change, principal(user.id), user.id, Secret("longenough")) == (
        "unauthorized",
        f"write:users/{user.id} is unauthorized",
    )
    assert says(change, house.operator, UserID("00000000000000aa"), Secret("longenough")) == (
        "forbidden",
        "your userID is incorrect",
    )
    assert says(change, house.operator, user.id, Secret("")) == ("invalid", LENGTH_TEXT)
    change(house.operator, user.id, Secret("longenough"))
    house.passwords.sign_in("second", Secret("longenough"), CLIENT)


def test_a_user_who_goes_while_the_password_is_hashed_gets_none(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    user = house.tenancy.users.create(house.operator, name="second")

    def slow(password: Secret) -> str:
        house.tenancy.users.delete(house.operator, user.id)
        return hash_password(password)

    monkeypatch.setattr("fluxkeep.credentials.signin.hash_password", slow)
    assert says(house.passwords.change, house.operator, user.id, Secret("longenough")) == (
        "forbidden",
        "your userID is incorrect",
    )
    with house.store.read() as connection:
        assert rows.password_of(connection, user.id) is None


def test_strong_passwords_are_asked_for_at_sign_in_too(house: House) -> None:
    user = house.tenancy.users.create(house.operator, name="second")
    house.passwords.change(house.operator, user.id, Secret("longenough"))
    strict = house.restart(strong_passwords=True)
    assert says(strict.passwords.sign_in, "second", Secret("longenough"), CLIENT) == (
        "forbidden",
        f"password change required\n{CLASSES_TEXT}",
    )
    assert says(strict.passwords.change, strict.operator, user.id, Secret("")) == (
        "invalid",
        f"{LENGTH_TEXT}\n{CLASSES_TEXT}",
    )
    strict.passwords.change(strict.operator, user.id, Secret("Longenough1"))
    strict.passwords.sign_in("second", Secret("Longenough1"), CLIENT)
    strict.close()


def test_a_bcrypt_password_is_replaced_when_it_is_used(house: House) -> None:
    user = house.tenancy.users.create(house.operator, name="second")
    old = bcrypt.hashpw(b"from-a-2.x-server", bcrypt.gensalt(4)).decode()
    with house.store.begin() as work:
        rows.set_password(work.connection, user.id, old, work.now_ns)
    house.passwords.sign_in("second", Secret("from-a-2.x-server"), CLIENT)
    with house.store.read() as connection:
        stored = rows.password_of(connection, user.id)
    assert stored is not None
    assert stored.startswith("$argon2id$")
    house.passwords.sign_in("second", Secret("from-a-2.x-server"), CLIENT)


def test_a_damaged_password_is_refused_like_a_wrong_one(house: House) -> None:
    with house.store.begin() as work:
        rows.set_password(work.connection, house.admin, "$2b$04$damaged", work.now_ns)
    assert says(house.passwords.sign_in, "admin", Secret(PASSWORD), CLIENT) == ("unauthorized", "unauthorized access")


# --- v1 user names ----------------------------------------------------------------------------------------------


def create(house: House, username: str = "grafana", *permissions: Permission, **members: object) -> LegacyAuthorization:
    wanted = {
        "org_id": house.org,
        "username": username,
        "permissions": permissions or (house.read_bucket(),),
        **members,
    }
    return house.legacy.create(house.operator, NewLegacyAuthorization(**wanted))  # type: ignore[arg-type]


def test_making_v1_names(house: House) -> None:
    record = create(house, description="for grafana", status="inactive")
    assert (record.username, record.status, record.description) == ("grafana", "inactive", "for grafana")
    assert house.legacy.get(house.operator, record.id) == record
    assert says(create, house) == ("conflict", "token already exists")
    assert says(create, house, "") == ("invalid", "token required for v1 user authorization type")
    assert says(create, house, "x", status="paused") == ("invalid", "invalid status: must be active or inactive")
    gone = Permission(Action.READ, ResourceType.BUCKETS, house.org, BucketID("00000000000000aa"))
    assert says(create, house, "x", gone) == ("not found", "bucket not found when creating auth")
    assert says(house.legacy.create, house.operator, NewLegacyAuthorization(org_id=house.org, username="x")) == (
        "invalid",
        "authorization must include permissions",
    )
    wanted = NewLegacyAuthorization(org_id=house.org, username="x", permissions=[house.read_bucket()])
    assert says(house.legacy.create, principal(house.admin), wanted) == (
        "unauthorized",
        f"write:orgs/{house.org}/authorizations is unauthorized",
    )


def test_listing_v1_names(house: House) -> None:
    first, second = create(house, "one"), create(house, "two")
    other = house.tenancy.organizations.create(house.operator, name="other").id
    abroad = house.legacy.create(
        house.operator,
        NewLegacyAuthorization(
            org_id=other, username="abroad", permissions=[Permission(Action.READ, ResourceType.BUCKETS, other)]
        ),
    )

    def listed(wanted: Filter, username: str | None = None) -> list[str]:
        return [one.username for one in house.legacy.list_(house.operator, wanted, username)]

    assert listed(Filter()) == ["one", "two", "abroad"]
    assert listed(Filter(org_id=other)) == ["abroad"]
    assert listed(Filter(user_id=house.admin)) == ["one", "two", "abroad"]
    assert listed(Filter(id=second.id), "one") == ["two"]
    assert listed(Filter(org_id=other), "one") == ["one"]
    assert says(house.legacy.list_, house.operator, Filter(id=UNKNOWN)) == ("not found", "authorization not found")
    assert says(house.legacy.list_, house.operator, Filter(), "nobody") == ("not found", "authorization not found")
    assert house.legacy.list_(house.all_access(), Filter()) == [first, second]
    assert says(house.legacy.get, house.all_access(), abroad.id)[0] == "unauthorized"


def test_changing_and_deleting_v1_names(house: House) -> None:
    record = create(house)
    update = house.legacy.update
    assert update(house.operator, record.id, status=None, description="new").description == "new"
    assert update(house.operator, record.id, status="", description=None).status == "active"
    assert says(update, house.operator, record.id, status="x", description=None) == (
        "invalid",
        "unknown authorization status",
    )
    assert says(update, house.operator, UNKNOWN, status=None, description=None)[0] == "not found"
    weak = principal(house.admin)
    assert says(house.legacy.delete, weak, record.id)[0] == "unauthorized"
    assert says(house.legacy.set_password, weak, record.id, Secret("longenough")) == (
        "unauthorized",
        f"write:users/{house.admin} is unauthorized",
    )
    assert says(house.legacy.set_password, house.operator, record.id, Secret("short")) == ("invalid", LENGTH_TEXT)
    assert says(house.legacy.set_password, house.operator, UNKNOWN, Secret("longenough"))[0] == "not found"
    house.legacy.set_password(house.operator, record.id, Secret("longenough"))
    house.legacy.delete(house.operator, record.id)
    assert says(house.legacy.delete, house.operator, record.id) == ("not found", "authorization not found")
    with house.store.read() as connection:
        assert rows.legacy_password(connection, record.id) is None


def test_strong_passwords_are_asked_for_v1_names_too(house: House) -> None:
    record = create(house)
    strict = house.restart(strong_passwords=True)
    change = strict.legacy.set_password
    assert says(change, strict.operator, record.id, Secret("longenough")) == ("invalid", CLASSES_TEXT)
    change(strict.operator, record.id, Secret("Longenough1"))
    assert strict.authenticator.v1("grafana", Secret("Longenough1"), CLIENT).authorization_id == record.id
    strict.close()


def test_v1_names_are_no_tokens_and_tokens_no_v1_names(tmp_path: Path) -> None:
    house = House(tmp_path / "data", options=CredentialOptions(hashed=False))
    made = house.set_up()
    assert made.authorization.token is not None
    record = create(house, made.authorization.token.reveal())
    assert record.username == made.authorization.token.reveal()
    assert house.operator.is_operator
    assert [one.record.id for one in house.authorizations.list_(house.operator, Filter())] == [
        made.authorization.record.id
    ]
    house.close()


def test_a_token_presented_under_a_free_name_is_refused_once_the_name_is_taken(house: House) -> None:
    token = Secret(OPERATOR)
    assert house.authenticator.v1("grafana", token, CLIENT).kind == "token"
    create(house)
    assert says(house.authenticator.v1, "grafana", token, CLIENT) == ("unauthorized", "Unauthorized")


def test_a_password_made_for_one_is_not_another_s(house: House) -> None:
    assert hash_password(Secret("same-password")) != hash_password(Secret("same-password"))
    one, two = create(house, "one"), create(house, "two")
    house.legacy.set_password(house.operator, one.id, Secret("password-of-one"))
    house.legacy.set_password(house.operator, two.id, Secret("password-of-two"))
    assert house.authenticator.v1("one", Secret("password-of-one"), CLIENT).authorization_id == one.id
    assert says(house.authenticator.v1, "two", Secret("password-of-one"), CLIENT) == ("unauthorized", "Unauthorized")


def test_an_old_password_cannot_be_found_by_trying(tmp_path: Path) -> None:
    house = House(tmp_path / "tried", ManualClock(), CredentialOptions(throttle=ThrottleOptions(burst=2)))
    made = house.set_up()
    with capture_logs() as logged:
        for _ in range(2):
            with pytest.raises(Forbidden, match="incorrect"):
                house.passwords.change_own(made.user.id, Secret("wrong"), Secret("long-enough-1"), "10.0.0.9")
        with pytest.raises(TooManyRequests):
            house.passwords.change_own(made.user.id, Secret("wrong"), Secret("long-enough-1"), "10.0.0.9")
    assert [(one["client"], one["reason"]) for one in logged] == [("10.0.0.9", "wrong-password")] * 3
    # The right one is never held up, and from elsewhere the count is another.
    house.passwords.change_own(made.user.id, Secret(PASSWORD), Secret("long-enough-1"), "10.0.0.9")
    house.close()


def test_a_refused_session_is_logged_with_its_address(house: House) -> None:
    with capture_logs() as logged, pytest.raises(Unauthorized):
        house.authenticator.session(Secret("no-such-key"), "10.0.0.9")
    assert [(one["client"], one["reason"]) for one in logged] == [("10.0.0.9", "unknown-token")]
