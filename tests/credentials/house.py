"""A whole credentials room on a real store, that can be restarted, killed and searched for secrets."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType, all_access_permissions
from fluxkeep.clock import ManualClock
from fluxkeep.credentials.authorizations import Change, NewAuthorization, Shown
from fluxkeep.credentials.onboarding import Onboarded, SetupRequest
from fluxkeep.credentials.services import CredentialOptions, Credentials
from fluxkeep.ids import AuthorizationID, BucketID, IdGenerator, OrgID, UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.secret import Secret
from fluxkeep.tenancy.services import Tenancy

CLIENT = "192.0.2.7"
OPERATOR = "golden-operator-token-0001-that-is-long-enough"
PASSWORD = "golden-password"


@dataclass
class House:
    """Open rooms; `restart` and `crash` give another one over the same data."""

    folder: Path
    clock: ManualClock = field(default_factory=ManualClock)
    options: CredentialOptions = field(default_factory=CredentialOptions)

    def __post_init__(self) -> None:
        self.store = MetaStore(self.folder / "influxd.bolt", self.clock)
        try:
            self.ids = IdGenerator(self.clock)
            self.tenancy = Tenancy.open(self.store, self.ids)
            self.credentials = Credentials.open(self.store, self.tenancy, self.ids, self.clock, self.options)
        except BaseException:
            self.store.close()
            raise
        self.authenticator = self.credentials.authenticator
        self.authorizations = self.credentials.authorizations
        self.legacy = self.credentials.legacy
        self.passwords = self.credentials.passwords
        self.sessions = self.authenticator._sessions
        self.onboarding = self.credentials.onboarding

    def close(self) -> None:
        self.credentials.close()
        self.store.close()

    def restart(self, **options: object) -> House:
        """Stop cleanly and start again, with other options if given."""
        self.close()
        return House(self.folder, self.clock, replace(self.options, **options))  # type: ignore[arg-type]

    def crash(self, target: Path, **options: object) -> House:
        """What a start finds after kill -9 now: the files as they lie there. This house lives on."""
        self.copy_to(target)
        return House(target, self.clock, replace(self.options, **options))  # type: ignore[arg-type]

    def copy_to(self, target: Path) -> None:
        """Copy the files as they lie there, but for those that a process holds for itself."""
        target.mkdir()
        for file in self.folder.iterdir():
            if file.suffix not in (".lock", ".bolt-shm"):
                shutil.copy(file, target / file.name)

    def abandon(self) -> None:
        """End without writing anything that a clean stop would."""
        self.credentials.authenticator._lookup.close()
        self.store.close()

    def set_up(self, token: str = OPERATOR) -> Onboarded:
        return self.onboarding.set_up(
            SetupRequest(username="admin", password=Secret(PASSWORD), org="acme", bucket="metrics", token=Secret(token))
        )

    def access(self, token: str | Secret, client: str = CLIENT) -> Access:
        return Access(self.authenticator.token(token if isinstance(token, Secret) else Secret(token), client))

    @property
    def operator(self) -> Access:
        return self.access(OPERATOR)

    @property
    def org(self) -> OrgID:
        organization = self.tenancy.organizations.find_by_name("acme")
        assert organization is not None
        return organization.id

    @property
    def admin(self) -> UserID:
        user = self.tenancy.users.find_by_name("admin")
        assert user is not None
        return user.id

    @property
    def bucket(self) -> BucketID:
        bucket = self.tenancy.buckets.find_by_name(self.org, "metrics")
        assert bucket is not None
        return bucket.id

    def read_bucket(self) -> Permission:
        return Permission(Action.READ, ResourceType.BUCKETS, self.org, self.bucket)

    def write_bucket(self) -> Permission:
        return Permission(Action.WRITE, ResourceType.BUCKETS, self.org, self.bucket)

    def mint(self, *permissions: Permission, by: Access | None = None, **members: object) -> Shown:
        """A token of the organization."""
        wanted = NewAuthorization(
            org_id=self.org,
            permissions=permissions or (self.read_bucket(),),
            **members,  # type: ignore[arg-type]
        )
        return self.authorizations.create(by or self.operator, wanted)

    def all_access(self) -> Access:
        return self.access(secret(self.mint(*all_access_permissions(self.org, self.admin))))


def secret(shown: Shown) -> Secret:
    assert shown.token is not None
    return shown.token


def principal(user: UserID, *permissions: Permission) -> Access:
    return Access(Principal(user_id=user, permissions=PermissionSet(permissions)))


def found_in(folder: Path, text: str) -> list[str]:
    """Files under a folder in which a text occurs, whatever they are."""
    raw = text.encode()
    return [
        str(file.relative_to(folder))
        for file in sorted(folder.rglob("*"))
        if file.is_file() and raw in file.read_bytes()
    ]


# What an operator does to a token, by name.
ON_TOKENS: dict[str, Callable[[House, AuthorizationID], object]] = {
    "create": lambda house, key: house.mint(),
    "describe": lambda house, key: house.authorizations.update(house.operator, key, Change(description="new")),
    "deactivate": lambda house, key: house.authorizations.update(house.operator, key, Change(status="inactive")),
    "rotate": lambda house, key: house.authorizations.rotate(house.operator, key, 10),
    "regenerate": lambda house, key: house.authorizations.regenerate(house.operator, key),
    "revoke": lambda house, key: house.authorizations.revoke(house.operator, key),
    "delete": lambda house, key: house.authorizations.delete(house.operator, key),
}
