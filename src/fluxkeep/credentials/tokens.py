"""Minting tokens and session keys, and judging tokens that people chose themselves.

Source: tokens.md §1.3; W1.
"""

from __future__ import annotations

import base64
import json
import math
import secrets
from collections import Counter

from fluxkeep.secret import Secret

TOKEN_BYTES = 64
TOKEN_CHARACTERS = 88

# A chosen token below either of these gets a warning; it is accepted as the reference does.
CHOSEN_CHARACTERS_MIN = 32
CHOSEN_BITS_MIN = 100.0


def mint() -> Secret:
    """A new secret: 64 random bytes as base64url with padding, 88 characters."""
    return Secret(base64.urlsafe_b64encode(secrets.token_bytes(TOKEN_BYTES)).decode("ascii"))


def weakness(secret: Secret) -> str | None:
    """What is wrong with a chosen token, in words without the token; none if it is usable, long and varied enough."""
    text = secret.reveal()
    if not text.isascii() or not text.isprintable() or text != text.strip():
        return "the chosen token has characters that a request header does not carry and cannot be used"
    if is_jwt(text):
        return "the chosen token is a JSON Web Token, which is never accepted"
    if len(text) < CHOSEN_CHARACTERS_MIN:
        return f"the chosen token has fewer than {CHOSEN_CHARACTERS_MIN} characters and could be guessed"
    counts = Counter(text).values()
    bits = -sum(n * math.log2(n / len(text)) for n in counts)
    if bits < CHOSEN_BITS_MIN:
        return "the chosen token has little variety and could be guessed"
    return None


def is_jwt(text: str) -> bool:
    """Whether a token would be taken for a JSON Web Token: such a one never authenticates.

    Three base64url parts of which the first is a JSON object. There is no
    signing key and there will be none (CVE-2019-20933 was an empty one).

    Source: tokens.md §1.3, §2.9.
    """
    parts = text.split(".")
    if len(parts) != 3:
        return False
    try:
        header = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except ValueError:
        return False
    return isinstance(header, dict)
