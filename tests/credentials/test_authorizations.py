"""API tokens as records: who may make, see, change and end them, in which order it is checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.credentials.house import CLIENT, House, principal, secret

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, ResourceType, all_access_permissions, operator_permissions
from fluxkeep.clock import ManualClock
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.authorizations import Change, NewAuthorization, Shown
from fluxkeep.credentials.services import CredentialOptions
from fluxkeep.credentials.store import Filter
from fluxkeep.errors import Conflict, FluxkeepError, Forbidden, InvalidInput, NotFound, Unauthorized
from fluxkeep.ids import AuthorizationID, OrgID, UserID
from fluxkeep.instants import SECOND
from fluxkeep.secret import Secret

R, W = Action.READ, Action.WRITE
A, B, U = ResourceType.AUTHORIZATIONS, ResourceType.BUCKETS, ResourceType.USERS
EVERYTHING = Filter()
NOBODY = UserID("00000000000000aa")
NOWHERE = OrgID("00000000000000aa")
UNKNOWN = AuthorizationID("00000000000000aa")


def says(call: object, *arguments: object, **members: object) -> tuple[str, str]:
    with pytest.raises(FluxkeepError) as refused:
        call(*arguments, **members)  # type: ignore[operator]
    return refused.value.code, refused.value.message


def create(house: House, by: Access, *permissions: Permission, **members: object) -> Shown:
    wanted = {"org_id": house.org, "permissions": permissions, **members}
    return house.authorizations.create(by, NewAuthorization(**wanted))  # type: ignore[arg-type]


def test_the_order_in_which_creation_is_checked(house: House) -> None:
    org, admin = house.org, house.admin
    other = house.tenancy.organizations.create(house.operator, name="other").id
    read = Permission(R, B, org)
    stranger = principal(NOBODY, *operator_permissions())
    everything = house.all_access()
    bare = principal(admin)
    maker = principal(admin, Permission(W, A, org))
    assert says(create, house, bare) == ("invalid", "authorization must include permissions")
    assert says(create, house, bare, read, status="paused") == ("invalid", "invalid status: must be active or inactive")
    assert says(create, house, stranger, read) == ("invalid", "unable to create token")
    assert says(create, house, bare, read) == ("unauthorized", f"write:orgs/{org}/authorizations is unauthorized")
    assert says(create, house, maker, read) == ("unauthorized", f"write:users/{admin} is unauthorized")
    assert says(create, house, everything, Permission(R, B)) == (
        "forbidden",
        "permission read:buckets is not allowed: read:buckets is unauthorized",
    )
    instance = Permission(R, ResourceType.INSTANCE)
    assert says(create, house, house.operator, instance) == (
        "forbidden",
        "permission read:instance is not allowed: read:instance is unauthorized",
    )
    owner = principal(admin, instance, Permission(W, ResourceType.INSTANCE))
    assert says(create, house, owner, instance) == (
        "forbidden",
        "authorizations cannot be created with the instance type, it is only used during setup",
    )
    assert says(create, house, house.operator, Permission(R, B, other)) == (
        "invalid",
        f"permission read:orgs/{other}/buckets is not for org id {org}",
    )
    assert says(create, house, house.operator, read, user_id=NOBODY) == ("invalid", "unable to create token")
    assert says(create, house, house.operator, Permission(R, B), org_id=NOWHERE) == (
        "invalid",
        "unable to create token",
    )


def test_what_is_made_and_what_is_shown_of_it(house: House, clock: ManualClock) -> None:
    shown = create(house, house.operator, house.read_bucket(), description="reader", status="")
    record = shown.record
    assert (record.status, record.description, record.org_id, record.user_id) == (
        "active",
        "reader",
        house.org,
        house.admin,
    )
    assert record.created_at == record.updated_at == clock.now_ns()
    assert secret(shown).reveal() not in repr(shown)
    again = house.authorizations.get(house.operator, record.id)
    assert again.token is None
    assert again.record.token is None
    assert list(again.record.permissions) == [house.read_bucket()]
    assert create(house, house.operator, house.read_bucket(), status="inactive").record.status == "inactive"


def test_nobody_mints_what_they_lack(house: House) -> None:
    everything = house.all_access()
    mine = create(house, everything, *all_access_permissions(house.org, house.admin))
    assert len(mine.record.permissions) == 43
    assert says(create, house, everything, *operator_permissions())[0] == "forbidden"
    second = house.tenancy.users.create(house.operator, name="second").id
    assert says(create, house, everything, house.read_bucket(), user_id=second) == (
        "unauthorized",
        f"write:users/{second} is unauthorized",
    )


def test_visibility_of_one_and_of_lists(house: House) -> None:
    operator, everything = house.operator, house.all_access()
    second = house.tenancy.users.create(operator, name="second").id
    other = house.tenancy.organizations.create(operator, name="other").id
    theirs = create(house, operator, house.read_bucket(), user_id=second).record
    abroad = create(house, operator, Permission(R, B, other), org_id=other).record
    get = house.authorizations.get
    assert says(get, everything, theirs.id) == ("unauthorized", f"read:users/{second} is unauthorized")
    assert says(get, everything, abroad.id) == (
        "unauthorized",
        f"read:orgs/{other}/authorizations/{abroad.id} is unauthorized",
    )
    assert says(get, everything, UNKNOWN) == ("not found", "authorization not found")

    def ids(by: Access, wanted: Filter = EVERYTHING, limit: int | None = None) -> list[AuthorizationID]:
        return [one.record.id for one in house.authorizations.list_(by, wanted, limit)]

    all_ids = ids(operator)
    assert all_ids == sorted(all_ids)
    assert {theirs.id, abroad.id} <= set(all_ids)
    assert set(ids(everything)) == set(all_ids) - {theirs.id, abroad.id}
    assert ids(principal(house.admin, house.read_bucket())) == []
    assert ids(operator, Filter(user_id=second)) == [theirs.id]
    assert ids(operator, Filter(org_id=other)) == [abroad.id]
    assert ids(operator, Filter(org_id=other, user_id=second)) == []
    assert ids(operator, Filter(id=theirs.id, org_id=other)) == [theirs.id]
    assert ids(everything, Filter(id=theirs.id)) == []
    with pytest.raises(NotFound, match=r"^authorization not found$"):
        ids(operator, Filter(id=UNKNOWN))
    assert ids(operator, Filter(), 2) == all_ids[:2]
    assert ids(operator, Filter(after=all_ids[1])) == all_ids[2:]
    assert ids(operator, Filter(text="ADMIN'S")) == all_ids[:1]
    assert ids(operator, Filter(text="100%")) == []


def test_patch_changes_status_and_description_only(house: House, clock: ManualClock) -> None:
    shown = house.mint(description="before")
    clock.advance(seconds=1)
    update = house.authorizations.update
    record = update(house.operator, shown.record.id, Change(description="after")).record
    assert (record.description, record.status, record.updated_at) == ("after", "active", clock.now_ns())
    assert record.created_at == shown.record.created_at
    assert update(house.operator, record.id, Change(status="inactive")).record.status == "inactive"
    assert update(house.operator, record.id, Change(status="")).record.status == "active"
    assert update(house.operator, record.id, Change(description="")).record.description == ""
    assert says(update, house.operator, record.id, Change(status="x")) == (
        "invalid",
        "encodeAuthorization: unknown authorization status",
    )
    assert says(update, house.operator, UNKNOWN, Change()) == ("not found", "authorization not found")


def test_what_changing_and_deleting_need(house: House) -> None:
    record = house.mint().record
    org, admin = house.org, house.admin
    reader = principal(admin, Permission(R, A, org), Permission(R, U, id=admin))
    writer = principal(admin, Permission(W, A, org), Permission(W, U, id=admin))
    only_tokens = principal(admin, Permission(R, A, org), Permission(W, A, org))
    update, delete = house.authorizations.update, house.authorizations.delete
    one = f"orgs/{org}/authorizations/{record.id} is unauthorized"
    assert says(update, writer, record.id, Change()) == ("unauthorized", f"read:{one}")
    assert says(update, reader, record.id, Change()) == ("unauthorized", f"write:{one}")
    assert says(update, only_tokens, record.id, Change()) == ("unauthorized", f"read:users/{admin} is unauthorized")
    assert says(delete, reader, record.id) == ("unauthorized", f"write:{one}")
    assert says(delete, only_tokens, record.id) == ("unauthorized", f"write:users/{admin} is unauthorized")
    delete(writer, record.id)
    assert says(delete, writer, record.id) == ("not found", "authorization not found")


def test_patch_narrows_permissions_and_never_widens_them(house: House) -> None:
    both = (house.read_bucket(), house.write_bucket())
    shown = house.mint(*both)
    update = house.authorizations.update
    for same in ((), both, both[::-1]):
        assert list(update(house.operator, shown.record.id, Change(permissions=same)).record.permissions) == list(both)
    wider = Permission(R, B, house.org)
    assert says(update, house.operator, shown.record.id, Change(permissions=(both[0], wider))) == (
        "forbidden",
        f"permission {wider} is not allowed: permissions can only be narrowed",
    )
    assert house.access(secret(shown)).allows(house.write_bucket())
    narrowed = update(house.operator, shown.record.id, Change(permissions=both[:1]))
    assert list(narrowed.record.permissions) == [house.read_bucket()]
    access = house.access(secret(shown))
    assert access.allows(house.read_bucket())
    assert not access.allows(house.write_bucket())
    assert says(update, house.operator, shown.record.id, Change(permissions=both))[0] == "forbidden"


def test_operator_tokens_are_changed_and_deleted_by_operators_only(house: House) -> None:
    everything = house.all_access()
    operator_record = next(house.authorizations.list_(house.operator, Filter())).record
    shown = house.authorizations.get(everything, operator_record.id)
    assert shown.record.description == "admin's Token"
    refused = ("unauthorized", "read:authorizations is unauthorized")
    assert says(house.authorizations.update, everything, operator_record.id, Change(status="inactive")) == refused
    assert says(house.authorizations.delete, everything, operator_record.id) == refused
    assert says(house.authorizations.revoke, everything, operator_record.id) == refused
    assert says(house.authorizations.rotate, everything, operator_record.id, 0) == refused
    assert says(house.authorizations.regenerate, everything, operator_record.id) == refused
    house.authorizations.delete(house.operator, operator_record.id)


@pytest.fixture
def plain(tmp_path: Path) -> House:
    house = House(tmp_path / "plain", options=CredentialOptions(hashed=False))
    house.set_up()
    return house


def test_without_hashing_a_secret_is_shown_to_who_holds_as_much(plain: House) -> None:
    shown = plain.mint()
    assert (shown.record.token, shown.record.digest) == (shown.token, None)
    everything = plain.all_access()
    assert plain.authorizations.get(plain.operator, shown.record.id).token == shown.token
    assert plain.authorizations.get(everything, shown.record.id).token == shown.token
    operator_record = next(plain.authorizations.list_(plain.operator, Filter()))
    assert operator_record.token is not None
    assert plain.authorizations.get(everything, operator_record.record.id).token is None
    reader = principal(plain.admin, Permission(R, A, plain.org), Permission(R, U, id=plain.admin))
    assert plain.authorizations.get(reader, shown.record.id).token is None
    for wanted in (Filter(id=shown.record.id), Filter(after=operator_record.record.id)):
        assert next(plain.authorizations.list_(plain.operator, wanted)).token == shown.token
        assert next(plain.authorizations.list_(reader, wanted)).token is None
    assert plain.authorizations.update(plain.operator, shown.record.id, Change(description="d")).token == shown.token
    plain.close()


def test_a_plain_record_is_hashed_by_its_next_change_once_hashing_is_on(plain: House) -> None:
    """What an online restore leaves behind; a start would have migrated it."""
    shown = plain.mint()
    plain.authorizations._hashed = True
    changed = plain.authorizations.update(plain.operator, shown.record.id, Change(description="d"))
    assert changed.token == shown.token
    assert changed.record.description == "d"
    assert plain.authorizations.get(plain.operator, shown.record.id).token is None
    assert plain.access(secret(shown)).allows(plain.read_bucket())
    plain.close()


# --- lifecycle --------------------------------------------------------------------------------------------------


def test_an_end_can_be_set_moved_and_removed(house: House, clock: ManualClock) -> None:
    now = clock.now_ns()
    shown = house.mint(expires_at=now + 10 * SECOND)
    update = house.authorizations.update
    assert shown.record.expires_at == now + 10 * SECOND
    assert says(create, house, house.operator, house.read_bucket(), expires_at=now) == (
        "invalid",
        "expiresAt must be in the future",
    )
    assert update(house.operator, shown.record.id, Change(description="x")).record.expires_at == now + 10 * SECOND
    assert update(house.operator, shown.record.id, Change(expires_at=now + SECOND)).record.expires_at == now + SECOND
    clock.advance(seconds=2)
    assert says(house.access, secret(shown)) == ("unauthorized", "token is expired")
    assert update(house.operator, shown.record.id, Change(expires_at=None)).record.expires_at is None
    house.access(secret(shown))


def test_a_later_end_needs_what_the_token_holds(house: House, clock: ManualClock) -> None:
    shown = house.mint(expires_at=clock.now_ns() + 10 * SECOND)
    org, admin = house.org, house.admin
    keeper = principal(
        admin, Permission(R, A, org), Permission(W, A, org), Permission(R, U, id=admin), Permission(W, U, id=admin)
    )
    update = house.authorizations.update
    later, sooner = clock.now_ns() + 20 * SECOND, clock.now_ns() + 5 * SECOND
    assert says(update, keeper, shown.record.id, Change(expires_at=later))[0] == "forbidden"
    assert says(update, keeper, shown.record.id, Change(expires_at=None))[0] == "forbidden"
    assert update(keeper, shown.record.id, Change(expires_at=sooner)).record.expires_at == sooner
    # A client that sends the whole object back.
    assert update(keeper, shown.record.id, Change(expires_at=sooner)).record.expires_at == sooner
    endless = house.mint().record
    assert update(keeper, endless.id, Change(expires_at=sooner)).record.expires_at == sooner


def test_an_ending_token_gives_no_longer_life(house: House, clock: ManualClock) -> None:
    end = clock.now_ns() + 10 * SECOND
    mortal = house.access(secret(house.mint(*all_access_permissions(house.org, house.admin), expires_at=end)))
    refused = ("forbidden", "a token that expires cannot give a longer life than its own")
    assert says(create, house, mortal, house.read_bucket()) == refused
    assert says(create, house, mortal, house.read_bucket(), expires_at=end + 1) == refused
    shown = create(house, mortal, house.read_bucket(), expires_at=end)
    assert shown.record.expires_at == end
    update = house.authorizations.update
    assert says(update, mortal, shown.record.id, Change(expires_at=end + 1)) == refused
    assert says(update, mortal, shown.record.id, Change(expires_at=None)) == refused
    assert update(mortal, shown.record.id, Change(expires_at=end - 1)).record.expires_at == end - 1


def test_an_end_is_not_moved_into_the_past(house: House, clock: ManualClock) -> None:
    shown = house.mint()
    assert says(house.authorizations.update, house.operator, shown.record.id, Change(expires_at=clock.now_ns())) == (
        "invalid",
        "expiresAt must be in the future",
    )
    assert house.authorizations.get(house.operator, shown.record.id).record.expires_at is None


@pytest.mark.parametrize("what", ["delete", "revoke"])
def test_what_a_token_gave_its_owner_s_sessions_ends_with_it(house: House, what: str) -> None:
    user = house.tenancy.users.create(house.operator, name="second")
    house.passwords.change(house.operator, user.id, Secret("second-password"))
    key, _ = house.passwords.sign_in("second", Secret("second-password"), CLIENT)
    shown = house.mint(user_id=user.id)
    assert house.authenticator.session(key).permissions.allows(house.read_bucket())
    getattr(house.authorizations, what)(house.operator, shown.record.id)
    assert not house.authenticator.session(key).permissions.allows(house.read_bucket())


def works(house: House, token: Secret) -> bool:
    try:
        return house.access(token).allows(house.read_bucket())
    except Unauthorized:
        return False


def test_rotation_moves_a_fleet_at_its_own_pace(house: House, clock: ManualClock) -> None:
    old = house.mint()
    new = house.authorizations.rotate(house.operator, old.record.id, 60)
    assert new.record.id == old.record.id
    assert new.record.rotating
    clock.advance(seconds=3_600)
    assert works(house, secret(old))
    # The first use of the new secret starts the old one's grace.
    assert works(house, secret(new))
    end = clock.now_ns() + 60 * SECOND
    assert house.authorizations.get(house.operator, old.record.id).record.previous_until == end
    assert works(house, secret(old))
    clock.advance(seconds=59)
    assert works(house, secret(old))
    clock.advance(seconds=1)
    assert not works(house, secret(old))
    assert works(house, secret(new))
    house.authenticator.flush()
    assert not house.authorizations.get(house.operator, old.record.id).record.rotating
    house = house.restart()
    assert not works(house, secret(old))
    assert works(house, secret(new))
    house.close()


def test_a_grace_goes_on_across_a_restart(house: House, clock: ManualClock) -> None:
    old = house.mint()
    new = house.authorizations.rotate(house.operator, old.record.id, 60)
    assert works(house, secret(new))
    clock.advance(seconds=30)
    house = house.restart()
    assert works(house, secret(old))
    clock.advance(seconds=30)
    assert not works(house, secret(old))
    house.close()


def test_rotating_again(house: House, clock: ManualClock) -> None:
    old = house.mint()
    unused = house.authorizations.rotate(house.operator, old.record.id, 60)
    used = house.authorizations.rotate(house.operator, old.record.id, 60)
    assert not works(house, secret(unused))
    assert works(house, secret(old))
    assert works(house, secret(used))
    assert says(house.authorizations.rotate, house.operator, old.record.id, 60) == (
        "conflict",
        "a rotation is under way: the previous secret is still accepted",
    )
    clock.advance(seconds=60)
    newest = house.authorizations.rotate(house.operator, old.record.id, 0)
    assert not works(house, secret(old))
    assert works(house, secret(used))
    assert works(house, secret(newest))
    assert not works(house, secret(used))


def test_a_grace_is_at_most_a_year(house: House) -> None:
    record = house.mint().record
    text = "gracePeriodSeconds must be between 0 and 31622400"
    for wrong in (-1, 366 * 86_400 + 1):
        assert says(house.authorizations.rotate, house.operator, record.id, wrong) == ("invalid", text)
    assert not house.authorizations.get(house.operator, record.id).record.rotating
    longest = house.authorizations.rotate(house.operator, record.id, 366 * 86_400)
    assert longest.record.grace_ns == 366 * 86_400 * SECOND


def test_regeneration_ends_every_older_secret_at_once(house: House) -> None:
    old = house.mint()
    between = house.authorizations.rotate(house.operator, old.record.id, 60)
    assert works(house, secret(old))
    assert works(house, secret(between))
    new = house.authorizations.regenerate(house.operator, old.record.id)
    assert not works(house, secret(old))
    assert not works(house, secret(between))
    assert works(house, secret(new))


def test_secrets_are_given_to_who_holds_as_much_as_the_token(house: House) -> None:
    record = house.mint().record
    org, admin = house.org, house.admin
    keeper = principal(
        admin, Permission(R, A, org), Permission(W, A, org), Permission(R, U, id=admin), Permission(W, U, id=admin)
    )
    text = f"permission {house.read_bucket()} is not allowed: {house.read_bucket()} is unauthorized"
    assert says(house.authorizations.rotate, keeper, record.id, 0) == ("forbidden", text)
    assert says(house.authorizations.regenerate, keeper, record.id) == ("forbidden", text)
    house.authorizations.update(keeper, record.id, Change(status="inactive"))


@pytest.mark.parametrize("hashed", [True, False])
def test_revocation_is_for_good_and_keeps_the_record(tmp_path: Path, hashed: bool) -> None:
    house = House(tmp_path / "data", options=CredentialOptions(hashed=hashed))
    house.set_up()
    shown = house.mint()
    new = house.authorizations.rotate(house.operator, shown.record.id, 60)
    assert works(house, secret(new))
    record = house.authorizations.revoke(house.operator, shown.record.id).record
    assert record.revoked_at == house.clock.now_ns()
    assert record.status == "inactive"
    assert record.token is None
    assert says(house.access, secret(new)) == ("unauthorized", "token is inactive")
    assert says(house.access, secret(shown)) == ("unauthorized", "unauthorized access")
    assert says(house.authorizations.update, house.operator, record.id, Change(status="active")) == (
        "conflict",
        "a revoked authorization cannot be activated",
    )
    no_secret = ("conflict", "a revoked authorization gets no new secret")
    assert says(house.authorizations.regenerate, house.operator, record.id) == no_secret
    assert says(house.authorizations.rotate, house.operator, record.id, 0) == no_secret
    house.clock.advance(seconds=1)
    assert house.authorizations.revoke(house.operator, record.id).record.revoked_at == record.revoked_at
    house.authorizations.update(house.operator, record.id, Change(description="kept for audit"))
    assert house.authorizations.get(house.operator, record.id).record.description == "kept for audit"
    house.authorizations.delete(house.operator, record.id)
    house.close()


def test_uniqueness_of_chosen_tokens(tmp_path: Path) -> None:
    for hashed in (True, False):
        house = House(tmp_path / str(hashed), options=CredentialOptions(hashed=hashed))
        made = house.set_up()
        wanted = NewAuthorization(org_id=house.org, user_id=house.admin, permissions=[house.read_bucket()])
        with pytest.raises(Conflict, match=r"^token already exists$"), house.store.begin() as work:
            house.authorizations.add(work, wanted, secret(made.authorization))
        shown = house.mint()
        house.authorizations.rotate(house.operator, shown.record.id, 60)
        with pytest.raises(Conflict, match=r"^token already exists$"), house.store.begin() as work:
            house.authorizations.add(work, wanted, secret(shown))
        house.close()


def test_counting(house: House) -> None:
    assert house.authorizations.count() == 1
    house.mint()
    assert house.authorizations.count() == 2


def test_forbidden_and_invalid_are_told_apart(house: House) -> None:
    """The two classes that clients treat differently, on the same call."""
    with pytest.raises(Forbidden):
        create(house, house.all_access(), Permission(R, ResourceType.ORGS))
    with pytest.raises(InvalidInput):
        create(house, house.operator, Permission(R, ResourceType.ORGS, NOWHERE))


def test_stored_permissions_come_back_as_they_were() -> None:
    held = list(all_access_permissions(OrgID("0a1b2c3d4e5f6071"), UserID("0f1e2d3c4b5a6000")))
    text = rows.permissions_to_text(held)
    assert list(rows.permissions_from_text(text)) == held
    assert rows.permissions_from_text(text) is rows.permissions_from_text(text)
