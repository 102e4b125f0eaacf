"""Setup: everything or nothing, once."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import structlog
from tests.credentials.house import CLIENT, OPERATOR, PASSWORD, House, secret

from fluxkeep import logs
from fluxkeep.access.permissions import Action, Permission, ResourceType, operator_permissions
from fluxkeep.credentials.onboarding import SetupRequest
from fluxkeep.credentials.store import Filter
from fluxkeep.errors import Conflict, FluxkeepError, InvalidInput, Unprocessable
from fluxkeep.instants import DAY, SECOND
from fluxkeep.secret import Secret
from fluxkeep.tenancy.values import Role


def request(**members: object) -> SetupRequest:
    wanted: dict[str, object] = {"username": "u", "password": Secret("longenough"), "org": "o", "bucket": "b"}
    return SetupRequest(**{**wanted, **members})  # type: ignore[arg-type]


def nothing_is_left(house: House) -> bool:
    now = house.tenancy.directory.now
    kept = (now.users.all, now.organizations.all, now.buckets.all, now.memberships.all)
    return house.onboarding.is_allowed and not any(kept) and house.authorizations.count() == 0


@pytest.fixture
def empty(tmp_path: Path) -> House:
    return House(tmp_path / "data")


def test_what_setup_makes(empty: House) -> None:
    assert empty.onboarding.is_allowed
    made = empty.onboarding.set_up(request(retention_seconds=86_400))
    assert not empty.onboarding.is_allowed
    assert (made.user.name, made.organization.name, made.bucket.name) == ("u", "o", "b")
    assert made.bucket.retention_ns == DAY
    record = made.authorization.record
    assert record.description == "u's Token"
    assert list(record.permissions) == list(operator_permissions())
    assert len(secret(made.authorization).reveal()) == 88
    assert made.warning is None
    assert empty.access(secret(made.authorization)).is_operator
    key, _ = empty.passwords.sign_in("u", Secret("longenough"), CLIENT)
    assert empty.authenticator.session(key).permissions.covers(operator_permissions())
    assert {bucket.name for bucket in empty.tenancy.directory.now.buckets.all} == {"b", "_tasks", "_monitoring"}
    owners = empty.tenancy.memberships.list_(
        empty.access(secret(made.authorization)),
        (ResourceType.ORGS, made.organization.id),
        Role.OWNER,
        Permission(Action.READ, ResourceType.ORGS, id=made.organization.id),
    )
    assert owners == [made.user]
    with pytest.raises(Conflict, match=r"^onboarding has already been completed$"):
        empty.onboarding.set_up(SetupRequest())
    empty.close()


@pytest.mark.parametrize(
    ("members", "kind", "message"),
    [
        (
            {"username": "", "org": "", "bucket": ""},
            Unprocessable,
            "onboarding failed: missing required fields [username,org,bucket]",
        ),
        ({"org": ""}, Unprocessable, "onboarding failed: missing required fields [org]"),
        ({"password": Secret("short")}, InvalidInput, "passwords must be between 8 and 72 characters long"),
        ({"bucket": "_b"}, InvalidInput, "bucket name _b is invalid. Buckets may not start with underscore"),
        ({"bucket": 'a"b'}, InvalidInput, 'bucket name a"b is invalid. Bucket names may not include quotation marks'),
        ({"org": "  "}, InvalidInput, "org name is empty"),
        ({"bucket": "_tasks"}, InvalidInput, "bucket name _tasks is invalid. Buckets may not start with underscore"),
        ({"retention_seconds": 1}, FluxkeepError, "retention policy duration must be at least 1h0m0s"),
    ],
)
def test_a_refused_setup_leaves_nothing_behind(
    empty: House, members: dict[str, object], kind: type[FluxkeepError], message: str
) -> None:
    with pytest.raises(kind) as refused:
        empty.onboarding.set_up(request(**members))
    assert refused.value.message == message
    assert nothing_is_left(empty)
    empty.onboarding.set_up(request())
    empty.close()


def test_a_failure_at_the_very_end_leaves_nothing_behind(empty: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(empty.authorizations, "add", fail)
    with pytest.raises(RuntimeError):
        empty.onboarding.set_up(request())
    assert nothing_is_left(empty)
    monkeypatch.undo()
    again = empty.restart()
    assert nothing_is_left(again)
    again.onboarding.set_up(request())
    again.close()


def test_a_setup_without_a_password_gives_a_user_who_cannot_sign_in(empty: House) -> None:
    empty.onboarding.set_up(request(password=Secret("")))
    with pytest.raises(FluxkeepError, match=r"^unauthorized access$"):
        empty.passwords.sign_in("u", Secret(""), CLIENT)
    empty.close()


@pytest.mark.parametrize("seconds", [-1, 0])
def test_the_deprecated_retention_counts_nanoseconds(empty: House, seconds: int) -> None:
    made = empty.onboarding.set_up(request(retention_seconds=seconds, retention_ns=2 * DAY + SECOND // 2))
    assert made.bucket.retention_ns == 2 * DAY
    empty.close()


def test_a_weak_chosen_token_is_accepted_with_a_warning(tmp_path: Path) -> None:
    out = io.StringIO()
    logs.configure("warn", out, json=True)
    try:
        house = House(tmp_path / "data")
        made = house.onboarding.set_up(request(token=Secret("my-token")))
    finally:
        structlog.reset_defaults()
    assert made.warning == "the chosen token has fewer than 32 characters and could be guessed"
    told = json.loads(out.getvalue())
    assert (told["event"], told["room"], told["reason"]) == ("setup.token.weak", "credentials", made.warning)
    assert house.access("my-token").is_operator
    house.close()


def test_a_chosen_token_authenticates_and_is_listed_without_its_text(house: House) -> None:
    assert house.operator.is_operator
    (shown,) = house.authorizations.list_(house.operator, Filter())
    assert shown.token is None
    assert house.passwords.sign_in("admin", Secret(PASSWORD), CLIENT)
    assert house.access(OPERATOR).user_id == house.admin
