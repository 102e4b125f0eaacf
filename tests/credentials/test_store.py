"""Questions about stored forms that migrations ask."""

from __future__ import annotations

from pathlib import Path

from tests.credentials.house import House, secret

from fluxkeep.credentials import migration
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.hashing import KeyRing
from fluxkeep.credentials.services import CredentialOptions
from fluxkeep.metastore.engine import MetaStore

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
