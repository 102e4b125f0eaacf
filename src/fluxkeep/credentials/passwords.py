"""Passwords: rules, hashing and checking. New ones are argon2id, bcrypt is read.

Both libraries are loaded at the first password, not at the start of the
process. What stores and looks up the hashes is `store.py`.

Source: tokens.md §1.14, §2.7, §2.8.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING

from fluxkeep.errors import InvalidInput
from fluxkeep.secret import Secret

if TYPE_CHECKING:
    from argon2 import PasswordHasher

BYTES_MIN, BYTES_MAX = 8, 72

LENGTH_TEXT = "passwords must be between 8 and 72 characters long"
CLASSES_TEXT = (
    "passwords must contain at least three of the following character types: "
    "uppercase, lowercase, numbers, and special characters: !@#$%^&*()_+"
)
_SPECIAL = frozenset("!@#$%^&*()_+")

# OWASP's second setting: 19 MiB, 2 passes; about 30 ms of one core.
_ARGON_MEMORY_KIB, _ARGON_PASSES = 19_456, 2

# Each check holds 19 MiB and a core: more at once would only be slower, and cost memory.
_slots = threading.Semaphore(2)


def broken_rules(secret: Secret, *, strong: bool) -> list[str]:
    """The texts of the rules that a password breaks, none if it is good.

    Quirk: length counts bytes. Source: tokens.md §2.8.
    """
    text = secret.reveal()
    broken = []
    if not BYTES_MIN <= len(_bytes(secret)) <= BYTES_MAX:
        broken.append(LENGTH_TEXT)
    if strong:
        classes = (str.isdigit, str.isupper, str.islower, _SPECIAL.__contains__)
        if sum(any(map(of, text)) for of in classes) < 3:
            broken.append(CLASSES_TEXT)
    return broken


def check_rules(secret: Secret, *, strong: bool) -> None:
    """Return only if the password may be set.

    Raises:
        InvalidInput: With the text of every broken rule, a line each.
    """
    broken = broken_rules(secret, strong=strong)
    if broken:
        raise InvalidInput("\n".join(broken))


def hash_password(secret: Secret) -> str:
    """The PHC string to store: argon2id with a random salt."""
    with _slots:
        return _argon().hash(_bytes(secret))


def verify_password(secret: Secret, stored: str | None) -> bool:
    """Whether the password belongs to the stored hash.

    Without a stored hash it takes as long and is False, so that a name without
    a password, or an unknown name, is not told apart by time.
    """
    if stored is not None and stored.startswith("$2"):
        import bcrypt

        with _slots:
            # bcrypt reads 72 bytes and refuses more; more was never accepted when one was set.
            raw = _bytes(secret)
            try:
                return len(raw) <= BYTES_MAX and bcrypt.checkpw(raw, stored.encode())
            except ValueError:
                # A damaged hash is nobody's, as below.
                return False
    from argon2.exceptions import InvalidHashError, VerificationError

    with _slots:
        try:
            good = _argon().verify(stored or _decoy(), _bytes(secret))
        except (VerificationError, InvalidHashError):
            return False
    return good and stored is not None


def needs_rehash(stored: str) -> bool:
    """Whether a hash should be made anew at the next successful check: bcrypt, or other costs than today's."""
    return not stored.startswith("$argon2id$") or _argon().check_needs_rehash(stored)


@cache
def _argon() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=_ARGON_PASSES, memory_cost=_ARGON_MEMORY_KIB, parallelism=1)


@cache
def _decoy() -> str:
    return _argon().hash(b"nobody has this password")


def _bytes(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogatepass")
