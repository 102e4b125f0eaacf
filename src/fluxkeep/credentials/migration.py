"""Bringing stored secrets to the form that the server is told to keep, before it opens its port.

    inventory ──▶ hash what is in clear ──▶ key what is hashed without a key ──▶ erase the traces

Each step works in transactions of a bounded number of records, so that a kill
at any point leaves a valid store in which every token works; the next start
goes on. That traces remain to be erased is remembered in the same transaction
that makes them.

Source: tokens.md §3.4 to §3.8; W1, W2, W3, W17.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from fluxkeep.credentials import store as rows
from fluxkeep.credentials.hashing import KEYED, SHA256, SHA512, Hasher, KeyRing, MalformedDigest, Scheme, scheme_of
from fluxkeep.ids import AuthorizationID
from fluxkeep.logs import get_logger
from fluxkeep.metastore.engine import MetaStore

RECORDS_PER_TRANSACTION = 100

# Prefix and length of the stored forms; a keyed one is longer the more keys it names.
_SHAPES = ((f"${SHA256}$", 62), (f"${SHA512}$", 106), (f"${KEYED}$kid=", None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """How the store keeps its secrets.

    Attributes:
        schemes: Every scheme that occurs.
        plain: How many records hold a secret in clear.
        malformed: Records whose stored form cannot be read; their tokens are refused.
        empty: Records without any secret.
    """

    schemes: tuple[Scheme, ...]
    plain: int
    malformed: tuple[AuthorizationID, ...]
    empty: tuple[AuthorizationID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What was done: how many secrets were hashed, how many digests keyed, whether traces were erased."""

    hashed: int = 0
    keyed: int = 0
    scrubbed: bool = False


def take_inventory(store: MetaStore) -> Inventory:
    """Find the schemes in use by stepping through the index of digests: one seek for each scheme, not each token."""
    schemes: list[Scheme] = []
    with store.read() as connection:
        malformed = rows.odd_digests(connection, _SHAPES)
        start = ""
        while (digest := rows.digests_from(connection, start)) is not None:
            try:
                scheme = scheme_of(digest)
            except MalformedDigest:
                start = digest + "\0"
            else:
                schemes.append(scheme)
                # Past everything that begins with the prefix, whose last character is a dollar sign.
                start = scheme.prefix[:-1] + "%"
        return Inventory(
            schemes=tuple(schemes),
            plain=rows.count_plain(connection),
            malformed=tuple(malformed),
            empty=tuple(rows.records_without_secret(connection)),
        )


def prepare(store: MetaStore, *, keys: KeyRing | None, hashed: bool) -> tuple[Hasher, Migrated]:
    """Check the keys, migrate what must be migrated and return the hasher for this store.

    Args:
        store: Open, and used by nobody else yet.
        keys: For keyed digests.
        hashed: Whether tokens are kept hashed. Turning it off un-hashes nothing.

    Raises:
        MissingKey: The store holds digests under a key that is not given; nothing was changed.
    """
    log = get_logger("credentials")
    inventory = take_inventory(store)
    hasher = Hasher(keys, inventory.schemes)
    log.info("Creating authorization store", use_hashed_tokens=hashed)
    for authorization in inventory.malformed:
        log.warning(
            "error decoding hash variant for token during hash variant inventory",
            authorization_id=authorization,
            number=authorization.number,
        )
    if not hashed:
        if inventory.schemes:
            log.warning(
                "Token hashing is disabled, but hashed tokens found in authorization store. "
                "Was influxd accidentally started without --use-hashed-tokens?"
            )
        # Tokens in clear may come and go from now on; a start that hashes again must erase their traces, even if
        # it finds none of them left to hash.
        with store.begin() as work:
            rows.mark_scrub(work.connection, due=True)
        return hasher, Migrated()
    for authorization in inventory.empty:
        log.warning(
            "during hashed token migration, found authorization without any token set", authorization_id=authorization
        )
    return hasher, _migrate(store, hasher, inventory)


def report(store: MetaStore) -> list[tuple[AuthorizationID, str]]:
    """Ids and descriptions of tokens still in clear: those that become unreadable once hashing is on."""
    with store.read() as connection:
        return rows.plain_descriptions(connection)


def rekey(store: MetaStore, keys: KeyRing) -> Migrated:
    """Put every digest under the newest key, those of older keys too; the server must be stopped.

    A digest under an older key is wrapped, so the older key is still needed
    until its token is used the next time.

    Raises:
        MissingKey: The store holds digests under a key that is not given; nothing was changed.
    """
    inventory = take_inventory(store)
    hasher = Hasher(keys, inventory.schemes)
    keyed = _key(store, hasher, inventory.schemes)
    return Migrated(keyed=keyed, scrubbed=_scrub(store))


def keys_in_use(store: MetaStore) -> tuple[str, ...]:
    """Names of the keys without which some token would be refused, in order."""
    return tuple(sorted({kid for scheme in take_inventory(store).schemes for kid in scheme.kids}))


def _migrate(store: MetaStore, hasher: Hasher, inventory: Inventory) -> Migrated:
    log = get_logger("credentials")
    hashed = 0
    if inventory.plain:
        log.warning(
            "Migrating raw tokens to hashed tokens",
            count=inventory.plain,
            note="their texts become unreadable for good",
        )
        while batch := _hash_batch(store, hasher):
            hashed += batch
    keyed = 0
    if hasher.keys is not None:
        keyed = _key(store, hasher, [scheme for scheme in inventory.schemes if not scheme.kids])
        if keyed:
            log.info("token.digests.keyed", count=keyed, kid=hasher.keys.newest)
    return Migrated(hashed=hashed, keyed=keyed, scrubbed=_scrub(store))


def _hash_batch(store: MetaStore, hasher: Hasher) -> int:
    with store.begin() as work:
        plain = rows.plain_secrets(work.connection, RECORDS_PER_TRANSACTION)
        if plain:
            rows.mark_scrub(work.connection, due=True)
        found = [(secret, hasher.current(secret.token)) for secret in plain if secret.token is not None]
        rows.set_digests(work.connection, found)
        return len(found)


def _key(store: MetaStore, hasher: Hasher, schemes: Sequence[Scheme]) -> int:
    assert hasher.keys is not None
    keyed = 0
    for scheme in schemes:
        if scheme.kids[:1] == (hasher.keys.newest,):
            continue
        for previous in (False, True):
            keyed += _key_scheme(store, hasher, scheme, previous=previous)
    return keyed


def _key_scheme(store: MetaStore, hasher: Hasher, scheme: Scheme, *, previous: bool) -> int:
    count, after = 0, ""
    while True:
        with store.begin() as work:
            old = rows.digests_with_prefix(
                work.connection, scheme.prefix, after=after, previous=previous, limit=RECORDS_PER_TRANSACTION
            )
            if not old:
                return count
            wrapped: list[tuple[rows.StoredSecret, str]] = []
            for secret in old:
                assert secret.digest is not None
                after = secret.digest
                with contextlib.suppress(MalformedDigest):
                    new = hasher.upgraded(secret.digest)
                    if new is not None:
                        wrapped.append((secret, new))
            rows.mark_scrub(work.connection, due=True)
            rows.set_digests(work.connection, wrapped)
            count += len(wrapped)


def _scrub(store: MetaStore) -> bool:
    with store.read() as connection:
        due = rows.scrub_is_due(connection)
    if due:
        store.scrub()
        with store.begin() as work:
            rows.mark_scrub(work.connection, due=False)
    return due
