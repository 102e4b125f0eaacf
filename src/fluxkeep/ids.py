"""Ids as InfluxDB prints them: 16 lower-case hex digits, one type per kind.

An id is a string, so it sorts, hashes, prints and stores as it stands; the
kinds are types, so an organization's id is not accepted where a bucket's is
wanted. Ids are ordered by time of creation, except those of organizations and
buckets, which are random.

Source: tokens.md §1.2, http-api.md §1.1.
"""

from __future__ import annotations

import secrets
import threading
from typing import Self, TypeVar

from fluxkeep.clock import Clock
from fluxkeep.errors import InvalidInput

# 2017-04-09T00:00:00Z, where the reference's ids begin to count.
_EPOCH_MS = 1_491_696_000_000
_HEX = frozenset("0123456789abcdef")


class ID(str):
    """Sixteen lower-case hex digits, never all zero."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id in either case.

        Raises:
            InvalidInput: With the reference's two texts.
        """
        if len(text.encode("utf-8", "surrogatepass")) != 16:
            raise InvalidInput("id must have a length of 16 bytes")
        lowered = text.lower()
        if not _HEX.issuperset(lowered) or lowered == "0" * 16:
            raise InvalidInput("invalid ID")
        return cls(lowered)

    @classmethod
    def of(cls, number: int) -> Self:
        """The id of an unsigned 64-bit number.

        Raises:
            InvalidInput: Zero or out of range.
        """
        if not 0 < number < 1 << 64:
            raise InvalidInput("invalid ID")
        return cls(f"{number:016x}")

    @property
    def number(self) -> int:
        """The unsigned 64-bit number that the digits spell."""
        return int(self, 16)


class OrgID(ID):
    """An organization's id; random."""

    __slots__ = ()


class BucketID(ID):
    """A bucket's id; random."""

    __slots__ = ()


class UserID(ID):
    """A user's id."""

    __slots__ = ()


class AuthorizationID(ID):
    """The id of an authorization, v1 or v2."""

    __slots__ = ()


class LabelID(ID):
    """A label's id."""

    __slots__ = ()


class DBRPID(ID):
    """The id of a database mapping; a virtual one has its bucket's digits."""

    __slots__ = ()


class ResourceID(ID):
    """The id of any other org-owned document."""

    __slots__ = ()


K = TypeVar("K", bound=ID)


class IdGenerator:
    """Hands out new ids; safe from any thread, never the same twice.

    42 bits of milliseconds, 10 bits of machine (random per process), 12 bits
    of sequence. When a millisecond's sequence is used up, or the clock steps
    back, the generator goes on counting from the last id it gave.
    """

    def __init__(self, clock: Clock, machine: int | None = None) -> None:
        self._clock = clock
        self._machine = secrets.randbits(10) if machine is None else machine & 0x3FF
        self._lock = threading.Lock()
        self._last = 0

    def next(self, kind: type[K]) -> K:
        """A new time-ordered id."""
        milliseconds = self._clock.now_ns() // 1_000_000 - _EPOCH_MS
        with self._lock:
            count = max(milliseconds << 12, self._last + 1)
            self._last = count
        return kind.of(((count >> 12) & (1 << 42) - 1) << 22 | self._machine << 12 | count & 0xFFF)

    def random(self, kind: type[K]) -> K:
        """A new random id, without the bytes that old tools split keys at.

        Source: tokens.md §1.2: no byte equal to comma, backslash or space.
        """
        while True:
            raw = secrets.token_bytes(8)
            if any(raw) and not set(raw) & {0x2C, 0x5C, 0x20}:
                return kind.of(int.from_bytes(raw, "big"))
