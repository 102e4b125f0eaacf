"""How tokens are stored: PHC strings, plain and keyed, made, read and compared.

Three forms are read:

    $influxdb2-sha256$<base64url>              the reference's; what is written without a key
    $influxdb2-sha512$<base64url>              read only
    $fluxkeep-hmac-sha256$kid=<kids>$<base64url>
                                               HMAC-SHA256 over one of the above

A keyed digest is computed from a stored digest, without the token, so a store
gains a key in place. With one key `<kids>` is its name. When keys change, the
digest is wrapped once more, `kid=new,old`: HMAC(new, HMAC(old, …)), each over
the ASCII of the stored string below it. Whoever steals the files needs the new
key from that moment on; the old key can be dropped once every such token has
been used, since a use re-hashes it with the newest key alone.

Digests are index keys, so they are deterministic: look-up tries every form
that can be stored (`Hasher.candidates`), comparison takes constant time.

Source: tokens.md §3.1, §3.5; W1, W2.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fluxkeep.errors import FluxkeepError
from fluxkeep.secret import Secret

SHA256 = "influxdb2-sha256"
SHA512 = "influxdb2-sha512"
KEYED = "fluxkeep-hmac-sha256"

_LENGTHS = {SHA256: 32, SHA512: 64, KEYED: 32}
_KID = re.compile(r"[A-Za-z0-9_.-]{1,32}", re.ASCII)

# Below this a key could be guessed more easily than the digests it protects.
KEY_BYTES_MIN = 32


class MalformedDigest(ValueError):
    """A stored string that is none of the forms."""


class MissingKey(FluxkeepError):
    """The store holds digests made with a key that was not given; `kid` names it."""

    def __init__(self, kid: str) -> None:
        super().__init__(
            f"the store holds tokens hashed with the key {kid!r}, which is not in the token hash key file; "
            "start with a file that has it (the last key of a file is the one that is used for new tokens)"
        )
        self.kid = kid


class BadKeyFile(FluxkeepError):
    """The key file cannot be used; the message says why and never quotes it."""

    code = "invalid"


@dataclass(frozen=True, slots=True)
class Scheme:
    """What a stored string says about how it was made.

    Attributes:
        identifier: One of the three.
        kids: Names of keys, outermost first; empty for the plain forms.
    """

    identifier: str
    kids: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """What stored strings of this scheme begin with."""
        return f"${self.identifier}$" + (f"kid={','.join(self.kids)}$" if self.kids else "")


def scheme_of(stored: str) -> Scheme:
    """Read a stored string's scheme and check its form to the last character.

    Raises:
        MalformedDigest: Wrong number of parts, unknown identifier, key not base64url with padding, wrong length.
    """
    parts = stored.split("$")
    identifier = parts[1] if len(parts) > 1 else ""
    wanted = 4 if identifier == KEYED else 3
    if len(parts) != wanted or parts[0] or identifier not in _LENGTHS:
        raise MalformedDigest("not a stored form of a token")
    kids: tuple[str, ...] = ()
    if identifier == KEYED:
        if not parts[2].startswith("kid="):
            raise MalformedDigest("a keyed digest without the name of its key")
        kids = tuple(parts[2][4:].split(","))
        if not all(map(_KID.fullmatch, kids)):
            raise MalformedDigest("a keyed digest whose key's name is malformed")
    try:
        raw = base64.b64decode(parts[-1].encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise MalformedDigest("a digest that is not base64url with padding") from None
    # A second spelling of the same bytes would be a second index key.
    if len(raw) != _LENGTHS[identifier] or _encode(raw) != parts[-1]:
        raise MalformedDigest("a digest of the wrong length")
    return Scheme(identifier, kids)


class KeyRing:
    """Named keys for keyed digests, oldest first; the last is used for new ones.

    Its representation shows names only.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take the keys in order.

        Raises:
            BadKeyFile: No key, a malformed name, a key that is too short.
        """
        if not keys:
            raise BadKeyFile("the token hash key file holds no key")
        for kid, key in keys.items():
            if not _KID.fullmatch(kid):
                raise BadKeyFile("the token hash key file has a malformed key name")
            if len(key) < KEY_BYTES_MIN:
                raise BadKeyFile(f"the token hash key {kid!r} is shorter than {KEY_BYTES_MIN} bytes")
        self._keys = dict(keys)

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        """Read `<kid> <base64>` lines; blank ones and those beginning with `#` don't count.

        Raises:
            BadKeyFile: Anything else.
        """
        keys: dict[str, bytes] = {}
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if len(words) != 2 or words[0] in keys:
                raise BadKeyFile(f"line {number} of the token hash key file is not a new name and a key")
            try:
                padding = "=" * (-len(words[1]) % 4)
                key = base64.b64decode(words[1].replace("-", "+").replace("_", "/") + padding, validate=True)
            except binascii.Error:
                raise BadKeyFile(f"line {number} of the token hash key file holds no base64") from None
            keys[words[0]] = key
        return cls(keys)

    @classmethod
    def load(cls, path: Path) -> KeyRing:
        """Read a key file, which nobody but its owner may read.

        Raises:
            BadKeyFile: Unreadable, readable by others, or malformed.
        """
        try:
            if path.stat().st_mode & 0o077:
                raise BadKeyFile(f"the token hash key file {path} may be read by others; give it mode 0600")
            text = path.read_text("ascii")
        except OSError as error:
            raise BadKeyFile(f"the token hash key file {path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise BadKeyFile(f"the token hash key file {path} is not ASCII") from None
        return cls.parse(text)

    @property
    def newest(self) -> str:
        """The name of the key for new digests."""
        return next(reversed(self._keys))

    @property
    def kids(self) -> tuple[str, ...]:
        """All names, oldest first."""
        return tuple(self._keys)

    def derived(self, purpose: str) -> dict[str, bytes]:
        """Keys for something else than digests, oldest first: none says anything about those it was made from."""
        return {
            kid: hmac.new(key, b"fluxkeep\0" + purpose.encode("ascii"), hashlib.sha256).digest()
            for kid, key in self._keys.items()
        }

    def wrap(self, kid: str, stored: str) -> str:
        """The keyed form of a stored string; a keyed one is wrapped once more.

        Raises:
            MissingKey: No key of that name.
        """
        key = self._keys.get(kid)
        if key is None:
            raise MissingKey(kid)
        kids = (kid, *scheme_of(stored).kids)
        digest = hmac.new(key, stored.encode("ascii"), hashlib.sha256).digest()
        return Scheme(KEYED, kids).prefix + _encode(digest)

    def require(self, schemes: Iterable[Scheme]) -> None:
        """Return only if every key that the schemes name is here.

        Raises:
            MissingKey: The first that isn't.
        """
        for scheme in schemes:
            for kid in scheme.kids:
                if kid not in self._keys:
                    raise MissingKey(kid)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"


class Hasher:
    """Makes and checks stored forms for one configuration; immutable but for the schemes it learns of."""

    def __init__(self, keys: KeyRing | None = None, schemes: Iterable[Scheme] = ()) -> None:
        """Prepare for a store.

        Args:
            keys: Keys for keyed digests; none leaves digests in the reference's form.
            schemes: Those that occur in the store, so that wrapped forms are tried as well.

        Raises:
            MissingKey: A scheme names a key that is not given.
        """
        self._keys = keys
        self._chains: tuple[tuple[str, ...], ...] = ()
        self.learn(schemes)

    @property
    def keys(self) -> KeyRing | None:
        """The keys, if any."""
        return self._keys

    def learn(self, schemes: Iterable[Scheme]) -> None:
        """Try these schemes from now on, besides all that need no telling.

        Raises:
            MissingKey: A scheme names a key that is not given.
        """
        chains = dict.fromkeys(self._chains)
        if self._keys is not None:
            chains = dict.fromkeys((kid,) for kid in reversed(self._keys.kids)) | chains
        for scheme in schemes:
            if scheme.kids:
                if self._keys is None:
                    raise MissingKey(scheme.kids[0])
                self._keys.require([scheme])
                chains[scheme.kids] = None
        self._chains = tuple(chains)

    def current(self, secret: Secret) -> str:
        """The form in which a token is stored from now on."""
        plain = _plain(SHA256, secret)
        return plain if self._keys is None else self._keys.wrap(self._keys.newest, plain)

    def is_current(self, stored: str) -> bool:
        """Whether a use of the token has nothing to improve: the newest key alone, or no key at all."""
        kids = () if self._keys is None else (self._keys.newest,)
        return scheme_of(stored).kids == kids

    def upgraded(self, stored: str) -> str | None:
        """A stored form under the newest key, made without the token; none if it is so already.

        Raises:
            MalformedDigest: Not a stored form.
        """
        if self._keys is None or scheme_of(stored).kids[:1] == (self._keys.newest,):
            return None
        return self._keys.wrap(self._keys.newest, stored)

    def candidates(self, secret: Secret) -> list[str]:
        """Every form in which this token can be stored, the likeliest first."""
        plain = [_plain(SHA256, secret), _plain(SHA512, secret)]
        if self._keys is None:
            return plain
        found: list[str] = []
        for chain in self._chains:
            found.extend(self._wrapped(chain, form) for form in plain)
        return found + plain

    def verify(self, secret: Secret, stored: str) -> bool:
        """Whether the stored form is this token's; takes the same time whatever differs.

        A malformed form or one under an unknown key is nobody's.
        """
        try:
            scheme = scheme_of(stored)
        except MalformedDigest:
            return False
        if not scheme.kids:
            return hmac.compare_digest(_plain(scheme.identifier, secret), stored)
        if self._keys is None or not set(scheme.kids) <= set(self._keys.kids):
            return False
        # Both inner forms are computed whatever the first comparison says.
        matches = [
            hmac.compare_digest(self._wrapped(scheme.kids, _plain(identifier, secret)), stored)
            for identifier in (SHA256, SHA512)
        ]
        return any(matches)

    def _wrapped(self, chain: Sequence[str], form: str) -> str:
        assert self._keys is not None
        for kid in reversed(chain):
            form = self._keys.wrap(kid, form)
        return form


def fingerprint(secret: Secret) -> bytes:
    """32 bytes that stand for a secret inside this process: a cache's key, never stored or shown."""
    return hashlib.sha256(secret.reveal().encode("utf-8", "surrogatepass")).digest()


def _plain(identifier: str, secret: Secret) -> str:
    make = hashlib.sha256 if identifier == SHA256 else hashlib.sha512
    return f"${identifier}${_encode(make(secret.reveal().encode('utf-8', 'surrogatepass')).digest())}"


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii")
