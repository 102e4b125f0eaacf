"""Setting an instance up: the first user, organization, bucket and operator token, in one transaction.

Source: tokens.md §2.6; W1, W5, W14, W15.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fluxkeep.access.permissions import operator_permissions
from fluxkeep.credentials.authorizations import Authorizations, NewAuthorization, Shown
from fluxkeep.credentials.signin import Passwords
from fluxkeep.credentials.tokens import mint, weakness
from fluxkeep.errors import Conflict, Unprocessable
from fluxkeep.instants import SECOND
from fluxkeep.logs import get_logger
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.secret import Secret
from fluxkeep.tenancy.buckets import RetentionRule, check_name, check_rules
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import Bucket, Organization, User


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupRequest:
    """What the first user asks for.

    Attributes:
        password: Empty for a user who cannot sign in.
        token: The operator token; made if empty.
        retention_ns: Used where `retention_seconds` is not positive.
    """

    username: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    org: str = ""
    bucket: str = ""
    token: Secret = field(default_factory=lambda: Secret(""))
    retention_seconds: int = 0
    retention_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Onboarded:
    """What was made.

    Attributes:
        warning: What is wrong with a chosen token, without the token.
    """

    user: User
    organization: Organization
    bucket: Bucket
    authorization: Shown
    warning: str | None = None


class Onboarding:
    """The way from an empty store to one that has an operator."""

    def __init__(
        self, store: MetaStore, tenancy: Tenancy, authorizations: Authorizations, passwords: Passwords
    ) -> None:
        self._store = store
        self._tenancy = tenancy
        self._authorizations = authorizations
        self._passwords = passwords
        self._log = get_logger("credentials")

    @property
    def is_allowed(self) -> bool:
        """Whether there are neither users nor organizations."""
        now = self._tenancy.directory.now
        return not now.users.all and not now.organizations.all

    def set_up(self, request: SetupRequest) -> Onboarded:
        """Make everything, or nothing.

        Raises:
            Conflict: `onboarding has already been completed`.
            Unprocessable: Members are missing.
            InvalidInput: The password breaks a rule, or no bucket may have that name.
        """
        self._require_allowed()
        missing = [name for name in ("username", "org", "bucket") if not getattr(request, name)]
        if missing:
            raise Unprocessable(f"onboarding failed: missing required fields [{','.join(missing)}]")
        stored = self._passwords.prepare(request.password) if request.password else None
        check_name(request.bucket)
        seconds = request.retention_seconds if request.retention_seconds > 0 else request.retention_ns // SECOND
        rule = check_rules([RetentionRule(every_seconds=seconds)])
        warning = weakness(request.token) if request.token else None
        with self._store.begin() as work:
            self._require_allowed()
            user = self._tenancy.users.add(work, name=request.username)
            if stored is not None:
                self._passwords.add(work, user.id, stored)
            organization = self._tenancy.organizations.add(work, name=request.org, owner=user.id)
            self._tenancy.memberships.add_instance_owner(work, user.id)
            bucket = self._tenancy.buckets.add(work, org_id=organization.id, name=request.bucket, rule=rule)
            wanted = NewAuthorization(
                org_id=organization.id,
                user_id=user.id,
                description=f"{user.name}'s Token",
                permissions=list(operator_permissions()),
            )
            authorization = self._authorizations.add(work, wanted, request.token or mint())
        if warning is not None:
            self._log.warning("setup.token.weak", reason=warning)
        return Onboarded(
            user=user, organization=organization, bucket=bucket, authorization=authorization, warning=warning
        )

    def _require_allowed(self) -> None:
        if not self.is_allowed:
            raise Conflict("onboarding has already been completed")
