"""Sealing: what a secret's value looks like in the store.

The key is a file of its own beside the store, so that the store alone (a
backup of the records, a stolen copy of the file) gives no value away. Who
holds both holds the secrets, as the server must.

    sealed = version (1) │ nonce (24) │ text XOR SHAKE256(cipher key, nonce) │ HMAC-SHA256 (32)

The tag covers all that stands before it and the place where the value belongs,
so that a row moved to another organization or key does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Self

from fluxkeep.errors import Corruption
from fluxkeep.secret import Secret

_VERSION = b"\x01"
_KEY_BYTES = 32
_NONCE_BYTES = 24
_TAG_BYTES = 32


class Seal:
    """Seals and opens values with one key."""

    __slots__ = ("_cipher_key", "_key", "_tag_key")

    def __init__(self, key: bytes) -> None:
        assert len(key) == _KEY_BYTES
        self._key = key
        self._cipher_key = hmac.digest(key, b"fluxkeep org secret cipher", "sha256")
        self._tag_key = hmac.digest(key, b"fluxkeep org secret tag", "sha256")

    @classmethod
    def load(cls, path: Path) -> Self:
        """With the key in the file, which is made with mode 0600 if it is not there.

        Raises:
            Corruption: The file is not a key.
        """
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            key = path.read_bytes()
        else:
            key = secrets.token_bytes(_KEY_BYTES)
            with os.fdopen(descriptor, "wb") as file:
                file.write(key)
                file.flush()
                os.fsync(file.fileno())
        if len(key) != _KEY_BYTES:
            raise Corruption("the key of organizations' secrets is damaged", file=str(path))
        return cls(key)

    def wrapped(self, under: Seal, place: str) -> bytes:
        """This key, sealed with another; `unwrap` is the way back."""
        return under.seal(Secret(self._key.hex()), place)

    @classmethod
    def unwrap(cls, wrapped: bytes, under: Seal, place: str) -> Self:
        """The key that was sealed.

        Raises:
            Corruption: Not with this other key, or damaged since.
        """
        return cls(bytes.fromhex(under.open(wrapped, place).reveal()))

    def seal(self, value: Secret, place: str) -> bytes:
        """The value as it is stored at `place`; never the same twice."""
        text = value.reveal().encode("utf-8", "surrogatepass")
        head = _VERSION + secrets.token_bytes(_NONCE_BYTES)
        body = head + self._crypt(text, head)
        return body + self._tag(body, place)

    def open(self, sealed: bytes, place: str) -> Secret:
        """The value that was sealed for `place`.

        Raises:
            Corruption: Sealed with another key, for another place, or damaged since.
        """
        body, tag = sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(body, place)) or body[:1] != _VERSION:
            raise Corruption("a secret of an organization does not open with this server's key", file="metadata store")
        head, text = body[: 1 + _NONCE_BYTES], body[1 + _NONCE_BYTES :]
        return Secret(self._crypt(text, head).decode("utf-8", "surrogatepass"))

    def _crypt(self, text: bytes, head: bytes) -> bytes:
        stream = hashlib.shake_256(self._cipher_key + head).digest(len(text))
        return bytes(a ^ b for a, b in zip(text, stream, strict=True))

    def _tag(self, body: bytes, place: str) -> bytes:
        where = place.encode("utf-8", "surrogatepass")
        return hmac.digest(self._tag_key, len(where).to_bytes(4, "big") + where + body, "sha256")
