"""The services of credentials over one store, made together because they share keys, cache and sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from fluxkeep.clock import Clock
from fluxkeep.credentials.authenticator import Authenticator
from fluxkeep.credentials.authorizations import Authorizations
from fluxkeep.credentials.hashing import KeyRing
from fluxkeep.credentials.legacy import LegacyAuthorizations
from fluxkeep.credentials.migration import Migrated, prepare
from fluxkeep.credentials.onboarding import Onboarding
from fluxkeep.credentials.sessions import SessionOptions, Sessions
from fluxkeep.credentials.signin import Passwords
from fluxkeep.credentials.throttle import Throttle, ThrottleOptions
from fluxkeep.ids import IdGenerator
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.tenancy.services import Tenancy


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialOptions:
    """What an operator can choose.

    Attributes:
        hashed: Whether tokens are kept hashed (`use-hashed-tokens`).
        keys: For keyed digests (`token-hash-key-file`); none keeps the reference's form.
        strong_passwords: Whether passwords need three kinds of characters (`strong-passwords`).
        sessions: Their length and renewal (`session-length`, `session-renew-disabled`).
        throttle: How many refused credentials an address may send.
    """

    hashed: bool = True
    keys: KeyRing | None = None
    strong_passwords: bool = False
    sessions: SessionOptions = field(default_factory=SessionOptions)
    throttle: ThrottleOptions = field(default_factory=ThrottleOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who can prove to be whom.

    Attributes:
        migrated: What the start had to do to the stored secrets.
    """

    authenticator: Authenticator
    authorizations: Authorizations
    legacy: LegacyAuthorizations
    passwords: Passwords
    onboarding: Onboarding
    migrated: Migrated

    @classmethod
    def open(
        cls, store: MetaStore, tenancy: Tenancy, ids: IdGenerator, clock: Clock, options: CredentialOptions
    ) -> Self:
        """Migrate stored secrets to the chosen form, then make the services.

        Call it after the tenancy was opened and before the port is.

        Raises:
            MissingKey: The store needs a key that is not given.
        """
        hasher, migrated = prepare(store, keys=options.keys, hashed=options.hashed)
        sessions = Sessions(clock, options.sessions)
        authenticator = Authenticator(
            store, tenancy, sessions, clock, hasher=hasher, throttle=Throttle(clock, options.throttle)
        )
        authorizations = Authorizations(store, tenancy, ids, authenticator, hasher=hasher, hashed=options.hashed)
        passwords = Passwords(store, tenancy, sessions, authenticator, strong_passwords=options.strong_passwords)
        return cls(
            authenticator=authenticator,
            authorizations=authorizations,
            legacy=LegacyAuthorizations(store, tenancy, ids, strong_passwords=options.strong_passwords),
            passwords=passwords,
            onboarding=Onboarding(store, tenancy, authorizations, passwords),
            migrated=migrated,
        )

    def close(self) -> None:
        """Write what uses of tokens have left to write. Call it before the store is closed."""
        self.authenticator.close()
