"""The head: number and hash of the log's newest line, kept beside it in `<log>.head`.

    {"seq": 57, "hash": "<hex of line 57>", "kid": "2026a", "seal": "<hex>"}

It is what tells of lines that were cut off the end. It is written after the
lines it speaks of are on disk, so it may lag behind the log after a crash and
is never ahead of it. `kid` and `seal` are there where the log has a key.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from pathlib import Path

from fluxkeep.audit.chain import ChainKeys, head_seal

HEAD_BYTES = 320


@dataclass(frozen=True, slots=True)
class Head:
    """What a head says; `kid` and `seal` are empty where the log has no key."""

    seq: int
    hash: str
    kid: str = ""
    seal: str = ""

    @classmethod
    def of(cls, seq: int, digest: str, keys: ChainKeys | None) -> Head:
        """The head of a line, sealed under the newest key if there are keys."""
        if keys is None:
            return cls(seq, digest)
        key = keys.get(keys.newest)
        assert key is not None
        return cls(seq, digest, keys.newest, head_seal(seq, digest, key))

    def encode(self) -> bytes:
        """Always of one size, so that it is replaced in place and no crash leaves half of one."""
        members: dict[str, object] = {"seq": self.seq, "hash": self.hash}
        if self.kid:
            members |= {"kid": self.kid, "seal": self.seal}
        return (json.dumps(members).ljust(HEAD_BYTES - 1) + "\n").encode()

    def is_genuine(self, keys: ChainKeys | None) -> bool:
        """Whether the seal is that of a key; a head without one is taken at its word where no keys are given."""
        if not self.kid:
            return True
        key = keys.get(self.kid) if keys is not None else None
        return key is not None and hmac.compare_digest(self.seal, head_seal(self.seq, self.hash, key))


def head_path(path: Path) -> Path:
    """Where the head of a log is kept."""
    return path.with_name(path.name + ".head")


def parse_head(raw: bytes) -> Head | None:
    """Read a head; none if it is not one."""
    try:
        members = json.loads(raw)
        return Head(
            int(members["seq"]), str(members["hash"]), str(members.get("kid", "")), str(members.get("seal", ""))
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
