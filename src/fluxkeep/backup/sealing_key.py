"""The key of organizations' secrets in a snapshot: wrapped, so that the snapshot alone opens nothing.

The key is sealed with keys that are made from something which is not in a
backup: the token that the backup was made with, and the newest key of the token
hash key file where there is one. Who restores presents the one or has the
other. A snapshot without secrets carries no key.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from fluxkeep.credentials.hashing import KeyRing
from fluxkeep.errors import Corruption
from fluxkeep.resources.sealing import Seal
from fluxkeep.secret import Secret

_TABLE = "backup_secrets_key"
_PLACE = "the key of organizations' secrets in a backup"
_PURPOSE = "backup secrets"
_TOKEN = "token"  # noqa: S105 - a label
_KEY = "key:"

# A token that somebody chose may be weak; so that it can't be guessed at speed, as tens of milliseconds each.
_SCRYPT = {"n": 1 << 15, "r": 8, "p": 1, "maxmem": 1 << 26, "dklen": 32}
_SALT_BYTES = 16


def note_key(snapshot: Path, seal: Seal, token: Secret | None, keys: KeyRing | None) -> None:
    """Write the key into a snapshot that has secrets, wrapped in as many ways as there are."""
    with closing(sqlite3.connect(snapshot)) as connection, connection:
        if not connection.execute("SELECT count(*) FROM org_secrets").fetchone()[0]:
            return
        connection.execute(f"CREATE TABLE {_TABLE} (under TEXT NOT NULL, salt BLOB NOT NULL, wrapped BLOB NOT NULL)")
        for under, salt, wrapping in _wrappings(token, keys):
            connection.execute(
                f"INSERT INTO {_TABLE} VALUES (?, ?, ?)",  # noqa: S608 - a constant name
                (under, salt, seal.wrapped(wrapping, _PLACE)),
            )


def noted_seals(snapshot: Path, tokens: Sequence[Secret], keys: KeyRing | None) -> list[Seal]:
    """The seals of a snapshot's secrets that can be unwrapped with any of the tokens or keys."""
    with closing(sqlite3.connect(f"file:{snapshot}?mode=ro", uri=True)) as connection:
        try:
            rows = connection.execute(f"SELECT under, salt, wrapped FROM {_TABLE}").fetchall()  # noqa: S608
        except sqlite3.OperationalError:
            # A snapshot without secrets, or of a release that wrapped none.
            return []
    found: list[Seal] = []
    ring = keys.derived(_PURPOSE) if keys is not None else {}
    for under, salt, wrapped in rows:
        if under == _TOKEN:
            tried = [_from_token(token, salt) for token in tokens]
        else:
            key = ring.get(under.removeprefix(_KEY))
            tried = [Seal(key)] if key is not None else []
        for wrapping in tried:
            with contextlib.suppress(Corruption):
                found.append(Seal.unwrap(wrapped, wrapping, _PLACE))
    return found


def _wrappings(token: Secret | None, keys: KeyRing | None) -> Iterator[tuple[str, bytes, Seal]]:
    if token is not None and token:
        salt = secrets.token_bytes(_SALT_BYTES)
        yield _TOKEN, salt, _from_token(token, salt)
    if keys is not None:
        kid = keys.newest
        yield _KEY + kid, b"", Seal(keys.derived(_PURPOSE)[kid])


def _from_token(token: Secret, salt: bytes) -> Seal:
    return Seal(hashlib.scrypt(token.reveal().encode("utf-8", "surrogatepass"), salt=salt, **_SCRYPT))
