"""What the store answers: lists, last uses, look-ups, and the questions about stored forms that migrations ask."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.credentials.house import House, secret

from fluxkeep.clock import ManualClock
from fluxkeep.credentials import migration
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.hashing import KeyRing
from fluxkeep.credentials.legacy import NewLegacyAuthorization
from fluxkeep.credentials.services import CredentialOptions
from fluxkeep.credentials.store import Filter
from fluxkeep.errors import Conflict, Unauthorized
from fluxkeep.ids import AuthorizationID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.secret import Secret

A, B = bytes(range(32)), bytes(range(32, 64))


def test_digests_of_one_scheme_and_no_other(house: House) -> None:
    stored = ["$a$1", "$a$2", "$b$1", "$b$2", "$b$3", "$c$1"]
    keys = [house.mint().record.id for _ in stored]
    with house.store.begin() as work:
        for key, digest in zip(keys, stored, strict=True):
            rows.change_authorization(work.connection, key, digest=digest, previous_digest=f"{digest} before")

        def found(prefix: str, after: str = "", *, previous: bool = False, limit: int = 10) -> list[tuple[str, str]]:
            listed = rows.digests_with_prefix(work.connection, prefix, after=after, previous=previous, limit=limit)
            assert all(one.previous is previous and one.token is None for one in listed)
            return [(one.id, one.digest or "") for one in listed]

        assert found("$b$") == list(zip(keys[2:5], stored[2:5], strict=True))
        assert found("$b$", "$b$1") == list(zip(keys[3:5], stored[3:5], strict=True))
        assert found("$b$", limit=2) == list(zip(keys[2:4], stored[2:4], strict=True))
        assert found("$b$", "$b$3") == []
        assert found("$a$", previous=True) == [(keys[0], "$a$1 before"), (keys[1], "$a$2 before")]


def test_a_previous_secret_that_is_used_gets_today_s_form_and_goes_on_working(tmp_path: Path) -> None:
    house = House(tmp_path / "data", options=CredentialOptions(keys=KeyRing({"a": A})))
    house.set_up()
    old = house.mint()
    house.authorizations.rotate(house.operator, old.record.id, 60)
    house.close()
    both = KeyRing({"a": A, "b": B})
    store = MetaStore(house.folder / "influxd.bolt", house.clock)
    migration.rekey(store, both)
    store.close()
    house = House(house.folder, house.clock, CredentialOptions(keys=both))
    house.access(secret(old))
    house.authenticator.flush()
    with house.store.read() as connection:
        listed = rows.digests_with_prefix(connection, "$fluxkeep-hmac-sha256$kid=b$", after="", previous=True, limit=10)
    assert [one.id for one in listed] == [old.record.id]
    house = house.restart()
    assert house.access(secret(old)).allows(house.read_bucket())
    house.close()


def test_keying_leaves_digests_under_older_keys_to_their_use(tmp_path: Path) -> None:
    """A start keys what has no key; wrapping again is for `rekey`, and needs the older key for longer."""
    house = House(tmp_path / "data", options=CredentialOptions(keys=KeyRing({"a": A})))
    house.set_up()
    house = house.restart(keys=KeyRing({"a": A, "b": B}))
    assert house.credentials.migrated == migration.Migrated()
    assert migration.keys_in_use(house.store) == ("a",)
    house.close()


# --- lists ------------------------------------------------------------------------------------------------------


def test_signs_of_a_pattern_in_a_search_stand_for_themselves(house: House) -> None:
    for description in ("100% of it", "1000 of it", "a_b", "axb", "c/d", "c/%d", "cd"):
        house.mint(description=description)

    def found(text: str) -> list[str]:
        return [one.record.description for one in house.authorizations.list_(house.operator, Filter(text=text))]

    assert found("100%") == ["100% of it"]
    assert found("% OF") == ["100% of it"]
    assert found("A_B") == ["a_b"]
    assert found("_") == ["a_b"]
    assert found("c/d") == ["c/d"]
    assert found("/") == ["c/d", "c/%d"]


def test_lists_are_in_order_of_id_whenever_a_record_was_written(tmp_path: Path) -> None:
    """A record that is brought from elsewhere may have an id from long before."""
    house = House(tmp_path / "data", options=CredentialOptions(hashed=False))
    house.set_up()
    operator = house.operator
    early = [house.ids.next(AuthorizationID) for _ in range(2)]
    token = house.mint().record
    wanted = NewLegacyAuthorization(org_id=house.org, username="name", permissions=(house.read_bucket(),))
    name = house.legacy.create(operator, wanted)
    with house.store.begin() as work:
        for key in reversed(early):
            text = Secret(f"the text of {key}")
            rows.add_authorization(work.connection, replace(token, id=key, token=text), ())
            rows.add_legacy(work.connection, replace(name, id=key, username=f"name of {key}"))
    everything = [one.record.id for one in house.authorizations.list_(operator, Filter())]
    assert everything == sorted(everything)
    assert everything[1:] == [*early, token.id]
    assert [one.id for one in house.legacy.list_(operator, Filter())] == [*early, name.id]
    assert [key for key, _ in migration.report(house.store)] == everything
    with house.store.read() as connection:
        assert [one.id for one in rows.plain_secrets(connection)] == everything
        assert [one.id for one in rows.plain_secrets(connection, 2)] == everything[:2]
    house.close()


# --- last uses --------------------------------------------------------------------------------------------------


def test_a_use_is_noted_for_its_token_alone_and_only_forward(house: House, clock: ManualClock) -> None:
    operator = house.operator
    first, second, never = house.mint(), house.mint(), house.mint()

    def last_uses() -> list[int | None]:
        return [house.authorizations.get(operator, one.record.id).record.last_used_at for one in (first, second, never)]

    instants = []
    for shown in (first, second, first):
        clock.advance(seconds=5)
        instants.append(clock.now_ns())
        house.access(secret(shown))
        house.authenticator.flush()
    assert last_uses() == [instants[2], instants[1], None]
    # What is written late does not undo what was written since.
    with house.store.begin() as work:
        rows.note_use(work.connection, {first.record.id: instants[0], second.record.id: instants[2]})
    assert last_uses() == [instants[2], instants[2], None]


# --- secrets ----------------------------------------------------------------------------------------------------


def test_a_revoked_token_is_refused_whatever_its_status_says(house: House) -> None:
    shown = house.mint()
    with house.store.begin() as work:
        rows.change_authorization(work.connection, shown.record.id, revoked_at=work.now_ns)
    assert house.authorizations.get(house.operator, shown.record.id).record.status == "active"
    with pytest.raises(Unauthorized) as refused:
        house.access(secret(shown))
    assert refused.value.reason == "inactive-token"


@pytest.mark.parametrize("hashed", [False, True])
def test_a_rotation_moves_the_secret_and_leaves_none_in_its_place(tmp_path: Path, *, hashed: bool) -> None:
    house = House(tmp_path / "data", options=CredentialOptions(hashed=hashed))
    house.set_up()
    shown = house.mint()
    with house.store.begin() as work:
        rows.begin_rotation(work.connection, shown.record.id)
        record = rows.find_authorization(work.connection, shown.record.id)
        assert record is not None
        assert (record.token, record.digest, record.rotating) == (None, None, True)
        assert rows.records_without_secret(work.connection) == [record.id]
    assert house.access(secret(shown)).allows(house.read_bucket())
    house.close()


def test_an_ended_grace_erases_all_of_the_rotation_and_no_other(house: House, clock: ManualClock) -> None:
    rotated, later = house.mint(), house.mint()
    clear = secret(house.mint()).reveal()
    with house.store.begin() as work:
        end = work.now_ns + 5_000_000_000
        ended = {"previous_until": end, "grace_ns": 5}
        rows.change_authorization(work.connection, rotated.record.id, previous_digest="$a$1", **ended)
        rows.change_authorization(work.connection, later.record.id, previous_token=clear, previous_until=end + 1)

    def of(key: AuthorizationID) -> tuple[bool, int | None, int | None]:
        record = house.authorizations.get(house.operator, key).record
        return record.rotating, record.previous_until, record.grace_ns

    clock.advance(seconds=5)
    house.authenticator.flush()
    assert of(rotated.record.id) == (False, None, None)
    assert of(later.record.id) == (True, end + 1, None)
    clock.advance(seconds=1)
    house.authenticator.flush()
    assert of(later.record.id) == (False, None, None)


def test_what_a_store_holds_in_clear_and_what_it_lacks(house: House) -> None:
    early = house.ids.next(AuthorizationID)
    current, previous, both, empty, revoked = (house.mint().record for _ in range(5))
    with house.store.begin() as work:
        connection = work.connection
        rows.change_authorization(connection, current.id, token="one", digest=None)
        rows.change_authorization(connection, previous.id, previous_token="two")
        rows.change_authorization(connection, both.id, token="three", digest=None, previous_token="four")
        rows.change_authorization(connection, empty.id, digest=None)
        rows.change_authorization(connection, revoked.id, digest=None, revoked_at=work.now_ns)
        rows.add_authorization(connection, replace(empty, id=early, digest=None), ())
        assert rows.count_plain(connection) == 3
        assert [(one.id, one.token, one.previous) for one in rows.plain_secrets(connection)] == [
            (current.id, Secret("one"), False),
            (both.id, Secret("three"), False),
            (previous.id, Secret("two"), True),
            (both.id, Secret("four"), True),
        ]
        assert rows.records_without_secret(connection) == [early, empty.id]


def test_the_text_of_a_token_in_clear_is_taken_while_it_is_current_or_previous(tmp_path: Path) -> None:
    house = House(tmp_path / "data", options=CredentialOptions(hashed=False))
    house.set_up()
    shown = house.mint()
    other = house.mint()

    def is_taken() -> bool:
        record = replace(other.record, id=house.ids.next(AuthorizationID), token=secret(shown))
        try:
            with house.store.begin() as work:
                rows.add_authorization(work.connection, record, ["$a$1", "$a$2"])
        except Conflict:
            return True
        return False

    assert is_taken()
    house.authorizations.rotate(house.operator, shown.record.id, 60)
    assert is_taken()
    house.authorizations.delete(house.operator, shown.record.id)
    for column in ("digest", "previous_digest"):
        with house.store.begin() as work:
            rows.change_authorization(work.connection, other.record.id, token=None, **{column: "$a$2"})
        assert is_taken()
        with house.store.begin() as work:
            rows.change_authorization(work.connection, other.record.id, token=None, **{column: None})
    assert not is_taken()
    house.close()


# --- passwords --------------------------------------------------------------------------------------------------


def test_a_password_is_set_for_its_owner_alone(house: House) -> None:
    second = house.tenancy.users.create(house.operator, name="second")
    wanted = NewLegacyAuthorization(org_id=house.org, username="first", permissions=(house.read_bucket(),))
    first, other = (house.legacy.create(house.operator, replace(wanted, username=name)) for name in ("a", "b"))
    with house.store.begin() as work:
        for text in ("before", "after"):
            rows.set_password(work.connection, house.admin, text, 1)
            rows.set_legacy_password(work.connection, first.id, text, 1)
            assert rows.password_of(work.connection, second.id) == (None if text == "before" else "theirs")
            rows.set_password(work.connection, second.id, "theirs", 1)
            rows.set_legacy_password(work.connection, other.id, "theirs", 1)
            assert rows.password_of(work.connection, house.admin) == text
            assert rows.legacy_password(work.connection, first.id) == text


# --- the look-up of every request -------------------------------------------------------------------------------


def test_a_look_up_keeps_one_connection_for_each_thread_and_closes_all_of_them(tmp_path: Path) -> None:
    house = House(tmp_path / "data")
    house.set_up()
    token = secret(house.mint())
    digests = [house.authorizations._hasher.current(token)]

    def open_files() -> int:
        return sum(os.path.realpath(one) == str(house.store.path.resolve()) for one in Path("/proc/self/fd").iterdir())

    before = open_files()
    lookup = rows.Lookup(house.store.path)
    for _ in range(5):
        assert lookup.find(token, digests) is not None
    assert open_files() == before + 1
    with ThreadPoolExecutor(1) as another:
        for _ in range(5):
            assert another.submit(lookup.find, token, digests).result() is not None
        assert open_files() == before + 2
        lookup.close()
        assert another.submit(lookup.find, token, digests).result() is not None
    assert lookup.find(token, digests) is not None
    lookup.close()
    # SQLite keeps a closed connection's file open as long as the process has others to the same one.
    house.close()
    assert open_files() == 0
