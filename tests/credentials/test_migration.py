"""Hashing what is stored, keying it, rotating keys: every token goes on working, and no trace of it remains."""

from __future__ import annotations

import io
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
import structlog.testing
from tests.credentials.house import OPERATOR, House, found_in, secret

from fluxkeep import logs
from fluxkeep.clock import ManualClock
from fluxkeep.credentials import migration
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.authorizations import Change
from fluxkeep.credentials.hashing import Hasher, KeyRing, MissingKey
from fluxkeep.credentials.services import CredentialOptions
from fluxkeep.credentials.store import Filter
from fluxkeep.ids import AuthorizationID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.secret import Secret

A, B, C = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))
PLAIN = CredentialOptions(hashed=False)


class Killed(BaseException):
    """Stands for kill -9: nothing that would catch an exception runs on it."""


def opened(folder: Path, options: CredentialOptions = PLAIN) -> House:
    house = House(folder, options=options)
    house.set_up()
    return house


def minted(house: House, count: int) -> list[Secret]:
    return [secret(house.mint(description=f"number {number}")) for number in range(count)]


def digests(house: House) -> list[str]:
    return [one.record.digest or "" for one in house.authorizations.list_(house.operator, Filter())]


def test_from_plain_to_hashed_and_back(tmp_path: Path) -> None:
    house = opened(tmp_path / "data")
    tokens = [*minted(house, 3), Secret(OPERATOR)]
    before = [one.record for one in house.authorizations.list_(house.operator, Filter())]
    for token in tokens:
        assert found_in(house.folder, token.reveal()) != []
    house.clock.advance(seconds=5)

    house = house.restart(hashed=True)
    assert house.credentials.migrated == migration.Migrated(hashed=4, keyed=0, scrubbed=True)
    for token in tokens:
        house.access(token)
        assert found_in(house.folder, token.reveal()) == []
    after = [one.record for one in house.authorizations.list_(house.operator, Filter())]
    for old, new in zip(before, after, strict=True):
        assert (new.id, new.updated_at, new.status, new.description) == (
            old.id,
            old.updated_at,
            old.status,
            old.description,
        )
        assert new.permissions == old.permissions
        assert new.token is None

    house = house.restart()
    assert house.credentials.migrated == migration.Migrated()

    # Off again: what is hashed stays so and works, what is new is in clear.
    house = house.restart(hashed=False)
    for token in tokens:
        house.access(token)
    late = secret(house.mint())
    shown = [one.token for one in house.authorizations.list_(house.operator, Filter())]
    assert shown == [None] * 4 + [late]

    house = house.restart(hashed=True)
    assert house.credentials.migrated.hashed == 1
    assert found_in(house.folder, late.reveal()) == []
    house.access(late)
    house.close()


def test_a_fresh_store_never_holds_a_token(tmp_path: Path) -> None:
    house = opened(tmp_path / "data", CredentialOptions())
    tokens = [*minted(house, 5), Secret(OPERATOR)]
    rotated = next(house.authorizations.list_(house.operator, Filter(text="number 0"))).record
    tokens.append(secret(house.authorizations.rotate(house.operator, rotated.id, 60)))
    tokens.append(secret(house.authorizations.regenerate(house.operator, rotated.id)))
    house.authorizations.update(house.operator, rotated.id, Change(status="inactive"))
    for token in tokens:
        assert found_in(house.folder, token.reveal()) == []
    crashed = house.crash(tmp_path / "crashed")
    for folder in (house.folder, crashed.folder):
        for token in tokens:
            assert found_in(folder, token.reveal()) == []
    crashed.abandon()
    house.close()


def test_a_token_that_came_and_went_while_hashing_was_off_leaves_no_trace_after_a_kill(tmp_path: Path) -> None:
    """Nothing is left to hash then, and yet the log of the records has the token's text."""
    house = opened(tmp_path / "data", CredentialOptions())
    house = house.restart(hashed=False)
    shown = house.mint()
    token = secret(shown).reveal()
    house.authorizations.delete(house.operator, shown.record.id)
    killed = house.crash(tmp_path / "killed")
    assert found_in(killed.folder, token) == ["influxd.bolt-wal"]
    again = killed.crash(tmp_path / "again", hashed=True)
    assert again.credentials.migrated == migration.Migrated(scrubbed=True)
    assert found_in(again.folder, token) == []
    for one in (house, killed, again):
        one.abandon()


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
def test_a_kill_inside_the_migration_is_finished_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    monkeypatch.setattr(migration, "RECORDS_PER_TRANSACTION", 10)
    house = opened(tmp_path / "data")
    tokens = [*minted(house, 24), Secret(OPERATOR)]
    house.close()

    done = 0
    set_digests = rows.set_digests

    def dying(connection, new):  # type: ignore[no-untyped-def]
        nonlocal done
        if done == batches:
            raise Killed
        done += 1
        set_digests(connection, new)

    monkeypatch.setattr(rows, "set_digests", dying)
    if batches < 3:
        with pytest.raises(Killed):
            House(house.folder)
    else:
        # All batches are committed and the traces not yet erased.
        monkeypatch.setattr(MetaStore, "scrub", lambda _: _raise())
        with pytest.raises(Killed):
            House(house.folder)
    monkeypatch.undo()

    again = House(house.folder)
    assert again.credentials.migrated.scrubbed
    assert again.credentials.migrated.hashed == 25 - min(batches * 10, 25)
    for token in tokens:
        again.access(token)
        assert found_in(again.folder, token.reveal()) == []
    again.close()


def _raise() -> None:
    raise Killed


def test_hashing_counts_what_it_did_in_every_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "RECORDS_PER_TRANSACTION", 2)
    house = opened(tmp_path / "data")
    tokens = [*minted(house, 4), Secret(OPERATOR)]
    house = house.restart(hashed=True)
    assert house.credentials.migrated == migration.Migrated(hashed=5, scrubbed=True)
    for token in tokens:
        house.access(token)
    house.close()


def test_rotating_secrets_are_migrated_too(tmp_path: Path) -> None:
    house = opened(tmp_path / "data")
    old = house.mint()
    new = house.authorizations.rotate(house.operator, old.record.id, 60)
    house = house.restart(hashed=True)
    assert house.credentials.migrated.hashed == 3
    for shown in (old, new):
        house.access(secret(shown))
        assert found_in(house.folder, secret(shown).reveal()) == []
    house.close()


# --- keys -------------------------------------------------------------------------------------------------------


def test_a_key_upgrades_the_store_in_place(tmp_path: Path) -> None:
    house = opened(tmp_path / "data", CredentialOptions())
    tokens = [*minted(house, 3), Secret(OPERATOR)]
    unkeyed = digests(house)
    house = house.restart(keys=KeyRing({"a": A}))
    assert house.credentials.migrated == migration.Migrated(hashed=0, keyed=4, scrubbed=True)
    for token in tokens:
        house.access(token)
    assert all(digest.startswith("$fluxkeep-hmac-sha256$kid=a$") for digest in digests(house))
    for digest in unkeyed:
        assert found_in(house.folder, digest) == []
    late = secret(house.mint())
    house.access(late)
    house = house.restart()
    assert house.credentials.migrated == migration.Migrated()
    house.access(late)
    house.close()


def test_plain_tokens_are_hashed_and_keyed_at_once(tmp_path: Path) -> None:
    house = opened(tmp_path / "data")
    tokens = [*minted(house, 3), Secret(OPERATOR)]
    house = house.restart(hashed=True, keys=KeyRing({"a": A}))
    for token in tokens:
        house.access(token)
        assert found_in(house.folder, token.reveal()) == []
    assert all(digest.startswith("$fluxkeep-hmac-sha256$kid=a$") for digest in digests(house))
    house.close()


def test_a_missing_key_stops_the_start_and_changes_nothing(tmp_path: Path) -> None:
    house = opened(tmp_path / "data", CredentialOptions(keys=KeyRing({"a": A})))
    token = secret(house.mint())
    house.close()
    for keys in (None, KeyRing({"b": B})):
        with pytest.raises(MissingKey, match="'a'") as missing:
            House(house.folder, options=CredentialOptions(keys=keys))
        assert missing.value.kid == "a"
    again = House(house.folder, options=CredentialOptions(keys=KeyRing({"a": A})))
    again.access(token)
    again.close()


def rekeyed(house: House, keys: KeyRing) -> migration.Migrated:
    house.close()
    store = MetaStore(house.folder / "influxd.bolt", ManualClock())
    try:
        return migration.rekey(store, keys)
    finally:
        store.close()


def in_use(folder: Path) -> tuple[str, ...]:
    store = MetaStore(folder / "influxd.bolt", ManualClock())
    try:
        return migration.keys_in_use(store)
    finally:
        store.close()


def test_rekeying_wraps_and_a_use_lets_the_old_key_go(tmp_path: Path) -> None:
    house = opened(tmp_path / "data", CredentialOptions(keys=KeyRing({"a": A})))
    tokens = [*minted(house, 3), Secret(OPERATOR)]
    under_a = digests(house)
    both = KeyRing({"a": A, "b": B})
    assert rekeyed(house, both) == migration.Migrated(keyed=4, scrubbed=True)
    assert in_use(house.folder) == ("a", "b")
    for digest in under_a:
        assert found_in(house.folder, digest) == []
    house = House(house.folder, house.clock, CredentialOptions(keys=both))
    for token in tokens[:-1]:
        house.access(token)
    house.close()
    assert in_use(house.folder) == ("a", "b")
    house = House(house.folder, house.clock, CredentialOptions(keys=both))
    house.access(tokens[-1])
    house.close()
    assert in_use(house.folder) == ("b",)
    house = House(house.folder, house.clock, CredentialOptions(keys=KeyRing({"b": B})))
    for token in tokens:
        house.access(token)
    house.close()


def test_rekeying_twice_and_with_tokens_of_every_age(tmp_path: Path) -> None:
    house = opened(tmp_path / "data", CredentialOptions(keys=KeyRing({"a": A})))
    first = secret(house.mint())
    rekeyed(house, KeyRing({"a": A, "b": B}))
    house = House(house.folder, house.clock, CredentialOptions(keys=KeyRing({"a": A, "b": B})))
    second = secret(house.mint())
    every = KeyRing({"a": A, "b": B, "c": C})
    assert rekeyed(house, every).keyed == 3
    assert rekeyed(house, every) == migration.Migrated()
    house = House(house.folder, house.clock, CredentialOptions(keys=every))
    for token in (first, second):
        house.access(token)
    house.close()


def test_rekeying_without_a_key_that_is_in_use_changes_nothing(tmp_path: Path) -> None:
    house = opened(tmp_path / "data", CredentialOptions(keys=KeyRing({"a": A})))
    token = secret(house.mint())
    before = digests(house)
    with pytest.raises(MissingKey, match="'a'"):
        rekeyed(house, KeyRing({"b": B}))
    house = House(house.folder, house.clock, CredentialOptions(keys=KeyRing({"a": A})))
    assert digests(house) == before
    house.access(token)
    house.close()


def test_rekeying_goes_on_past_what_is_under_the_newest_key(tmp_path: Path) -> None:
    house = opened(tmp_path / "data", CredentialOptions(keys=KeyRing({"a": A})))
    under_a = house.mint()
    # Ids of two runs in the same millisecond are in no order.
    house.clock.advance(seconds=1)
    house = house.restart(keys=KeyRing({"a": A, "b": B}))
    under_b = house.mint()
    both = KeyRing({"b": B, "a": A})
    # The operator's token was used since, and is under b too.
    assert rekeyed(house, both) == migration.Migrated(keyed=2, scrubbed=True)
    house = House(house.folder, house.clock, CredentialOptions(keys=both))
    prefixes = [digest.rpartition("$")[0] for digest in digests(house)]
    assert prefixes == [f"$fluxkeep-hmac-sha256$kid={kids}" for kids in ("a,b", "a", "a,b")]
    for shown in (under_a, under_b):
        house.access(secret(shown))
    house.close()


@pytest.mark.parametrize("rotated_under", [None, KeyRing({"a": A})])
def test_a_secret_that_a_rotation_replaces_is_keyed_too(tmp_path: Path, rotated_under: KeyRing | None) -> None:
    house = opened(tmp_path / "data", CredentialOptions(keys=rotated_under))
    old = house.mint()
    new = house.authorizations.rotate(house.operator, old.record.id, 60)
    before = old.record.digest
    assert before is not None
    assert found_in(house.folder, before) != []
    if rotated_under is None:
        keys = KeyRing({"a": A})
        house = house.restart(keys=keys)
        assert house.credentials.migrated == migration.Migrated(keyed=3, scrubbed=True)
    else:
        keys = KeyRing({"a": A, "b": B})
        assert rekeyed(house, keys) == migration.Migrated(keyed=3, scrubbed=True)
        house = House(house.folder, house.clock, CredentialOptions(keys=keys))
    assert found_in(house.folder, before) == []
    for shown in (old, new):
        assert house.access(secret(shown)).allows(house.read_bucket())
    house.close()


def test_keying_counts_what_it_did_in_every_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "RECORDS_PER_TRANSACTION", 2)
    house = opened(tmp_path / "data", CredentialOptions())
    tokens = [*minted(house, 4), Secret(OPERATOR)]
    house = house.restart(keys=KeyRing({"a": A}))
    assert house.credentials.migrated == migration.Migrated(keyed=5, scrubbed=True)
    for token in tokens:
        house.access(token)
    house.close()


def test_a_kill_inside_rekeying_leaves_every_token_working(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "RECORDS_PER_TRANSACTION", 2)
    house = opened(tmp_path / "data", CredentialOptions(keys=KeyRing({"a": A})))
    tokens = minted(house, 6)
    both = KeyRing({"a": A, "b": B})
    calls = 0
    set_digests = rows.set_digests

    def dying(connection, new):  # type: ignore[no-untyped-def]
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Killed
        set_digests(connection, new)

    monkeypatch.setattr(rows, "set_digests", dying)
    with pytest.raises(Killed):
        rekeyed(house, both)
    monkeypatch.undo()
    house = House(house.folder, house.clock, CredentialOptions(keys=both))
    for token in tokens:
        house.access(token)
    assert rekeyed(house, both).scrubbed
    house = House(house.folder, house.clock, CredentialOptions(keys=both))
    for token in tokens:
        house.access(token)
    house.close()


# --- what was written by others -----------------------------------------------------------------------------------


def set_digest(house: House, shown_id: str, digest: str | None) -> None:
    with house.store.begin() as work:
        rows.change_authorization(work.connection, shown_id, digest=digest)  # type: ignore[arg-type]  # an id's text


def test_sha512_is_read_whenever_it_arrives(house: House) -> None:
    shown = house.mint()
    other = house.credentials.authorizations._hasher.candidates(secret(shown))[1]
    assert other.startswith("$influxdb2-sha512$")
    # No restart in between: the reference refuses these until there is one (W2).
    set_digest(house, shown.record.id, other)
    assert house.access(secret(shown)).allows(house.read_bucket())
    again = house.restart()
    assert again.access(secret(shown)).allows(again.read_bucket())
    keyed = again.restart(keys=KeyRing({"a": A}))
    assert keyed.access(secret(shown)).allows(keyed.read_bucket())
    keyed.close()


def test_an_unreadable_digest_is_named_and_harms_nobody_else(tmp_path: Path) -> None:
    out = io.StringIO()
    house = opened(tmp_path / "data", CredentialOptions())
    good, bad, empty = house.mint(), house.mint(), house.mint()
    set_digest(house, bad.record.id, "$influxdb2-sha256$nonsense")
    set_digest(house, empty.record.id, None)
    logs.configure("info", out)
    try:
        for options in ({}, {"keys": KeyRing({"a": A})}):
            house = house.restart(**options)
            assert house.access(secret(good)).allows(house.read_bucket())
            with pytest.raises(Exception, match="unauthorized access"):
                house.access(secret(bad))
    finally:
        structlog.reset_defaults()
        house.close()
    text = out.getvalue()
    assert "error decoding hash variant for token during hash variant inventory" in text
    assert f"number={bad.record.id.number}" in text
    assert "found authorization without any token set" in text
    assert empty.record.id in text
    assert "nonsense" not in text


def test_the_report_lists_what_is_still_in_clear(tmp_path: Path) -> None:
    house = opened(tmp_path / "data")
    minted(house, 2)
    assert [description for _, description in migration.report(house.store)] == [
        "admin's Token",
        "number 0",
        "number 1",
    ]
    house = house.restart(hashed=True)
    assert migration.report(house.store) == []
    house.close()


def test_what_the_start_says(tmp_path: Path) -> None:
    out = io.StringIO()
    logs.configure("info", out)
    try:
        house = opened(tmp_path / "data")
        minted(house, 2)
        house = house.restart(hashed=True)
        first = out.getvalue()
        house = house.restart()
        second = out.getvalue()[len(first) :]
        house = house.restart(hashed=False)
        third = out.getvalue()[len(first) + len(second) :]
        house.close()
    finally:
        structlog.reset_defaults()
    assert "Migrating raw tokens to hashed tokens" in first
    assert "count=3" in first
    assert "Migrating" not in second
    assert "Token hashing is disabled, but hashed tokens found" in third
    assert OPERATOR not in first + second + third


def test_every_line_that_a_start_writes(tmp_path: Path) -> None:
    house = opened(tmp_path / "data", CredentialOptions(hashed=False))
    minted(house, 2)
    bad, empty = house.mint().record, house.mint().record
    with house.store.begin() as work:
        rows.change_authorization(work.connection, bad.id, token=None, digest="$nonsense$")
        rows.change_authorization(work.connection, empty.id, token=None)
    room = {"room": "credentials"}
    created = {"event": "Creating authorization store", "log_level": "info", **room}
    malformed = {
        "event": "error decoding hash variant for token during hash variant inventory",
        "authorization_id": bad.id,
        "number": bad.id.number,
        "log_level": "warning",
        **room,
    }
    without = {
        "event": "during hashed token migration, found authorization without any token set",
        "authorization_id": empty.id,
        "log_level": "warning",
        **room,
    }

    def lines(**options: object) -> list[MutableMapping[str, object]]:
        nonlocal house
        with structlog.testing.capture_logs() as captured:
            house = house.restart(**options)
        return [line for line in captured if line.get("room") != "metastore"]

    assert lines() == [{**created, "use_hashed_tokens": False}, malformed]
    assert lines(hashed=True) == [
        {**created, "use_hashed_tokens": True},
        malformed,
        without,
        {
            "event": "Migrating raw tokens to hashed tokens",
            "count": 3,
            "note": "their texts become unreadable for good",
            "log_level": "warning",
            **room,
        },
    ]
    assert lines(keys=KeyRing({"b": B, "a": A})) == [
        {**created, "use_hashed_tokens": True},
        malformed,
        without,
        {"event": "token.digests.keyed", "count": 3, "kid": "a", "log_level": "info", **room},
    ]
    assert lines() == [{**created, "use_hashed_tokens": True}, malformed, without]
    assert lines(hashed=False) == [
        {**created, "use_hashed_tokens": False},
        malformed,
        {
            "event": "Token hashing is disabled, but hashed tokens found in authorization store. "
            "Was influxd accidentally started without --use-hashed-tokens?",
            "log_level": "warning",
            **room,
        },
    ]
    house.close()


def test_the_inventory_finds_every_scheme_and_what_is_none(house: House) -> None:
    """Names of keys that begin alike, and a digest that was cut, lie next to each other in the index."""
    early = house.ids.next(AuthorizationID)
    records = [house.mint().record for _ in range(12)]
    ring = KeyRing({"b": B, "ab": C, "a": A})
    plain = [Hasher().candidates(Secret(f"token {number}")) for number in range(12)]
    stored = [plain[0][0], plain[1][0], plain[2][1]]
    stored += [ring.wrap(kid, plain[number][0]) for number, kid in ((3, "a"), (4, "a"), (5, "ab"), (6, "b"))]
    stored.append(ring.wrap("a", ring.wrap("b", plain[7][0])))
    malformed = ["$", "$influxdb2-sha256$short", "$influxdb2-sha512$short", "zzz"]
    template = records[0]
    with house.store.begin() as work:
        for key in [one.record.id for one in house.authorizations.list_(house.operator, Filter())]:
            rows.change_authorization(work.connection, key, digest=None)
        for record, digest in zip(records, [*stored, *malformed], strict=True):
            rows.change_authorization(work.connection, record.id, digest=digest)
        rows.add_authorization(work.connection, replace(template, id=early, digest="$odd$"), ())
        # Only a previous secret of a scheme of its own, and one that was cut before its last character.
        other = ring.wrap("b", ring.wrap("a", plain[8][0]))
        rows.change_authorization(work.connection, records[0].id, previous_digest=other)
        rows.change_authorization(work.connection, records[1].id, previous_digest=other[:-1])
    inventory = migration.take_inventory(house.store)
    assert [scheme.kids for scheme in inventory.schemes if scheme.kids] == [
        ("a",),
        ("a", "b"),
        ("ab",),
        ("b",),
        ("b", "a"),
    ]
    assert len(inventory.schemes) == 7
    assert inventory.malformed == (early, *(record.id for record in records[8:]))
    assert inventory.plain == 0
    assert migration.keys_in_use(house.store) == ("a", "ab", "b")
