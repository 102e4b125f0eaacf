"""A small model of tokens: which secret opens what, kept without any store."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.credentials.house import House

from fluxkeep.credentials import store as rows
from fluxkeep.credentials.store import Filter
from fluxkeep.ids import AuthorizationID

UNKNOWN = "unauthorized access"


@dataclass
class Record:
    """What the model knows of one token.

    Attributes:
        id: Known once it was made.
        current, previous: Secrets; none where a downgrade has erased them.
        rotating: Whether a secret is kept that a rotation replaces.
    """

    id: AuthorizationID | None
    user: str | None = None
    org: str | None = None
    current: str | None = None
    status: str = "active"
    revoked: bool = False
    expires_at: int | None = None
    previous: str | None = None
    previous_until: int | None = None
    grace_ns: int = 0

    def ends_rotation(self) -> None:
        self.previous = self.previous_until = None


@dataclass
class Model:
    """All that should be true.

    Attributes:
        records: By the name that the machine gives a token, made or not.
        users: Whether each is active.
        plain: Secrets that the store holds in clear.
        seen: Every secret there ever was.
        operator: The one that the machine acts with.
    """

    records: dict[int, Record] = field(default_factory=dict)
    users: dict[str, bool] = field(default_factory=dict)
    orgs: set[str] = field(default_factory=set)
    plain: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    operator: str = ""

    def add(self, name: int, record: Record, *, plain: bool) -> None:
        assert record.current is not None
        self.records[name] = record
        self.give(record, record.current, plain=plain)

    def give(self, record: Record, secret: str, *, plain: bool) -> None:
        """A record's current secret becomes this one."""
        record.current = secret
        self.seen.add(secret)
        if plain:
            self.plain.add(secret)

    def forget(self, *, user: str | None = None, org: str | None = None) -> None:
        for name, record in list(self.records.items()):
            if (user is not None and record.user == user) or (org is not None and record.org == org):
                del self.records[name]

    def erase_digests(self) -> None:
        """A downgrade below hashed tokens: what is not in clear is gone."""
        for record in self.records.values():
            if record.current not in self.plain:
                record.current = None
            if record.previous not in self.plain:
                record.ends_rotation()

    def live(self) -> set[str]:
        """The secrets that stand in some record."""
        both = {text for record in self.records.values() for text in (record.current, record.previous)}
        return {text for text in both if text is not None}

    def answer(self, text: str, now: int) -> str:
        """What presenting a secret must give; starts a grace as a use does."""
        for record in self.records.values():
            if text == record.current:
                outcome = self._of(record, now)
                if outcome == "ok" and record.previous is not None and record.previous_until is None:
                    record.previous_until = now + record.grace_ns
                return outcome
            if text == record.previous and (record.previous_until is None or record.previous_until > now):
                return self._of(record, now)
        return UNKNOWN

    def _of(self, record: Record, now: int) -> str:
        if record.user is not None and not self.users[record.user]:
            return "User is inactive"
        if record.status != "active" or record.revoked:
            return "token is inactive"
        if record.expires_at is not None and record.expires_at <= now:
            return "token is expired"
        return "ok"

    def state(self, now: int) -> object:
        """All of it that a store should hold, in the shape of `state_of`."""
        records = {
            record.id: (
                record.status,
                record.revoked,
                record.expires_at,
                record.user or "admin",
                record.org or "acme",
                record.previous is not None and not _over(record.previous_until, now),
                None if _over(record.previous_until, now) else record.previous_until,
            )
            for record in self.records.values()
        }
        return records, {"admin": True, **self.users}, {"acme", *self.orgs}


def state_of(house: House) -> object:
    """What a store holds, apart from its secrets."""
    directory = house.tenancy.directory.now
    now = house.clock.now_ns()
    with house.store.read() as connection:
        records = {
            one.id: (
                one.status,
                one.revoked_at is not None,
                one.expires_at,
                directory.users.by_id[one.user_id].name,
                directory.organizations.by_id[one.org_id].name,
                one.rotating and not _over(one.previous_until, now),
                None if _over(one.previous_until, now) else one.previous_until,
            )
            for one in rows.scan_authorizations(connection, Filter())
        }
    users = {user.name: user.is_active for user in directory.users.all}
    return records, users, {one.name for one in directory.organizations.all}


def _over(until: int | None, now: int) -> bool:
    return until is not None and until <= now
