"""The chain: each line carries the hash of the one before, so none can be changed, moved or taken out.

    {"v":1,"seq":7,"time":"…","action":…,"previous":"<hex of line 6>","hash":"<hex>"}

The hash is over the line's JSON without `hash`, members sorted, no blanks:
SHA-256, or HMAC-SHA256 where a key is given. Without a key whoever can write
the file can also forge the whole chain; with one only who holds the key can.
The first line's `previous` is 64 zeros.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

from fluxkeep.secret import Secret

VERSION = 1
GENESIS = "0" * 64


def seal(members: Mapping[str, object], *, seq: int, previous: str, key: bytes | None) -> tuple[str, str]:
    """A line without its newline, and its hash."""
    body = {**members, "v": VERSION, "seq": seq, "previous": previous}
    digest = line_hash(body, key)
    return _canonical({**body, "hash": digest}), digest


def line_hash(body: Mapping[str, object], key: bytes | None) -> str:
    """The hash of a line's members, `hash` left out, as 64 hex digits."""
    text = _canonical({name: value for name, value in body.items() if name != "hash"}).encode()
    return hashlib.sha256(text).hexdigest() if key is None else hmac.new(key, text, hashlib.sha256).hexdigest()


def pseudonym(secret: Secret, key: bytes) -> str:
    """16 hex digits that stand for a secret: equal for equal ones, useless without the key."""
    return hmac.new(key, b"pseudonym\0" + secret.reveal().encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[
        :16
    ]


def _canonical(members: Mapping[str, object]) -> str:
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
