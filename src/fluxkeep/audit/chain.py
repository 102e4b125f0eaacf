"""The chain: each line carries the hash of the one before, so none can be changed, moved or taken out.

    {"v":1,"seq":7,"kid":"2026a","time":"…","action":…,"previous":"<hex of line 6>","hash":"<hex>"}

The hash is over the line's JSON without `hash`, members sorted, no blanks:
SHA-256 in a line without `kid`, HMAC-SHA256 under the named key in one with
it. Without a key whoever can write the file can also forge the whole chain;
with one only who holds the key can. The first line's `previous` is 64 zeros.

From the first line under a key on every line is under one, and the key only
ever changes to a newer one. Since a line's hash covers `previous`, the first
line under a key seals all lines before it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

from fluxkeep.errors import FluxkeepError
from fluxkeep.secret import Secret

VERSION = 1
GENESIS = "0" * 64


class AuditKeyMissing(FluxkeepError):
    """The log goes on under a key that was not given; `kid` names it."""

    def __init__(self, kid: str) -> None:
        super().__init__(
            f"the audit log is kept under the key {kid!r}, which was not given; "
            "name the file that has it with --token-hash-key-file"
        )
        self.kid = kid


class ChainKeys:
    """Named keys for the chain, oldest first; the last is used for new lines. Its representation shows names only."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take at least one key, in order."""
        assert keys
        self._keys = dict(keys)

    @property
    def kids(self) -> tuple[str, ...]:
        """All names, oldest first."""
        return tuple(self._keys)

    @property
    def newest(self) -> str:
        """The name of the key for new lines."""
        return next(reversed(self._keys))

    def get(self, kid: object) -> bytes | None:
        """A key by its name."""
        return self._keys.get(kid) if isinstance(kid, str) else None

    def __repr__(self) -> str:
        return f"ChainKeys({', '.join(self._keys)})"


def seal(members: Mapping[str, object], *, seq: int, previous: str, keys: ChainKeys | None) -> tuple[str, str]:
    """A line without its newline, and its hash; under the newest key if there are keys."""
    body = {**members, "v": VERSION, "seq": seq, "previous": previous}
    if keys is not None:
        body["kid"] = keys.newest
    digest = line_hash(body, None if keys is None else keys.get(keys.newest))
    return _canonical({**body, "hash": digest}), digest


def line_hash(body: Mapping[str, object], key: bytes | None) -> str:
    """The hash of a line's members, `hash` left out, as 64 hex digits."""
    return _digest(_canonical({name: value for name, value in body.items() if name != "hash"}), key)


def head_seal(seq: int, digest: str, key: bytes) -> str:
    """What a head under a key carries, so that nobody makes one up for a shortened log; 64 hex digits."""
    return _digest(f"head\0{seq}\0{digest}", key)


def pseudonym(secret: Secret, key: bytes) -> str:
    """16 hex digits that stand for a secret: equal for equal ones, useless without the key."""
    return hmac.new(key, b"pseudonym\0" + secret.reveal().encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[
        :16
    ]


def _digest(text: str, key: bytes | None) -> str:
    raw = text.encode()
    return hashlib.sha256(raw).hexdigest() if key is None else hmac.new(key, raw, hashlib.sha256).hexdigest()


def _canonical(members: Mapping[str, object]) -> str:
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
