"""A store driven at random against a small model: which secret opens what, now and after whatever happened.

`MACHINE_EXAMPLES=20000 pytest tests/credentials/test_machine.py` runs it for hours.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from tests.credentials.house import CLIENT, OPERATOR, House, found_in, secret

from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.clock import ManualClock
from fluxkeep.credentials import migration
from fluxkeep.credentials.authorizations import Change, NewAuthorization
from fluxkeep.credentials.hashing import KeyRing
from fluxkeep.errors import Conflict, Forbidden, Unauthorized
from fluxkeep.ids import AuthorizationID, OrgID, UserID
from fluxkeep.instants import SECOND
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.tenancy.values import Status

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "80"))
KEYS = [bytes([n]) * 32 for n in range(1, 9)]


@dataclass
class Record:
    """What the model knows of one token."""

    id: AuthorizationID
    user: str | None
    current: str
    status: str = "active"
    revoked: bool = False
    expires_at: int | None = None
    previous: str | None = None
    previous_until: int | None = None
    grace_ns: int = 0
    org: str | None = None


@dataclass
class Model:
    """All that should be true."""

    records: dict[AuthorizationID, Record] = field(default_factory=dict)
    users: dict[str, tuple[UserID, bool]] = field(default_factory=dict)
    orgs: dict[str, OrgID] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)

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
        return "unauthorized access"

    def _of(self, record: Record, now: int) -> str:
        if record.user is not None and not self.users[record.user][1]:
            return "User is inactive"
        if record.status != "active" or record.revoked:
            return "token is inactive"
        if record.expires_at is not None and record.expires_at <= now:
            return "token is expired"
        return "ok"


class Tokens(RuleBasedStateMachine):
    """Everything that can happen to tokens."""

    tokens = Bundle("tokens")
    people = Bundle("people")
    companies = Bundle("companies")

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="fluxkeep-machine-"))
        self.crashes = 0
        self.names = 0
        self.keys = 0
        self.model = Model()
        self.house = House(self.root / "0", ManualClock())

    @initialize()
    def set_up(self) -> None:
        made = self.house.set_up()
        self.model.records[made.authorization.record.id] = Record(made.authorization.record.id, None, OPERATOR)

    def teardown(self) -> None:
        self.house.abandon()
        shutil.rmtree(self.root)

    # --- people, organizations and tokens ----------------------------------------------------------------------------

    @rule(target=people)
    def add_user(self) -> str:
        self.names += 1
        name = f"user {self.names}"
        self.model.users[name] = (self.house.tenancy.users.create(self.house.operator, name=name).id, True)
        return name

    @rule(name=people, active=st.booleans())
    def set_user(self, name: str, active: bool) -> None:
        if name in self.model.users:
            user, _ = self.model.users[name]
            status = Status.ACTIVE if active else Status.INACTIVE
            self.house.tenancy.users.update(self.house.operator, user, status=status)
            self.model.users[name] = (user, active)

    @rule(name=consumes(people))
    def delete_user(self, name: str) -> None:
        if name in self.model.users:
            user, _ = self.model.users.pop(name)
            self.house.tenancy.users.delete(self.house.operator, user)
            for record in [one for one in self.model.records.values() if one.user == name]:
                self.forget(record)

    @rule(target=companies)
    def add_org(self) -> str:
        self.names += 1
        name = f"org {self.names}"
        self.model.orgs[name] = self.house.tenancy.organizations.create(self.house.operator, name=name).id
        return name

    @rule(name=consumes(companies))
    def delete_org(self, name: str) -> None:
        self.house.tenancy.organizations.delete(self.house.operator, self.model.orgs.pop(name))
        for record in [one for one in self.model.records.values() if one.org == name]:
            self.forget(record)

    @rule(target=tokens, org=companies)
    def create_elsewhere(self, org: str) -> AuthorizationID:
        # By the bucket's id alone: a permission that names an organization must name the token's own.
        reading = Permission(Action.READ, ResourceType.BUCKETS, id=self.house.bucket)
        wanted = NewAuthorization(org_id=self.model.orgs[org], permissions=(reading,))
        shown = self.house.authorizations.create(self.house.operator, wanted)
        self.model.records[shown.record.id] = Record(shown.record.id, None, secret(shown).reveal(), org=org)
        return shown.record.id

    @rule(target=tokens, name=st.none() | people, seconds=st.none() | st.integers(1, 100))
    def create(self, name: str | None, seconds: int | None) -> AuthorizationID:
        if name not in self.model.users:
            name = None
        end = None if seconds is None else self.house.clock.now_ns() + seconds * SECOND
        user = None if name is None else self.model.users[name][0]
        shown = self.house.mint(user_id=user, expires_at=end)
        self.model.records[shown.record.id] = Record(shown.record.id, name, secret(shown).reveal(), expires_at=end)
        return shown.record.id

    @rule(token=tokens, status=st.sampled_from(["active", "inactive"]))
    def set_status(self, token: AuthorizationID, status: str) -> None:
        record = self.model.records.get(token)
        if record is None:
            return
        try:
            self.house.authorizations.update(self.house.operator, token, Change(status=status))
        except Conflict:
            assert record.revoked
            assert status == "active"
        else:
            record.status = status

    @rule(token=tokens, seconds=st.none() | st.integers(1, 100))
    def set_end(self, token: AuthorizationID, seconds: int | None) -> None:
        record = self.model.records.get(token)
        if record is not None:
            record.expires_at = None if seconds is None else self.house.clock.now_ns() + seconds * SECOND
            self.house.authorizations.update(self.house.operator, token, Change(expires_at=record.expires_at))

    @rule(token=tokens, grace=st.integers(0, 50))
    def rotate(self, token: AuthorizationID, grace: int) -> None:
        record = self.model.records.get(token)
        if record is None:
            return
        running = record.previous_until is not None and record.previous_until > self.house.clock.now_ns()
        try:
            shown = self.house.authorizations.rotate(self.house.operator, token, grace)
        except Conflict:
            assert record.revoked or running
            return
        assert not record.revoked
        assert not running
        if record.previous is None or record.previous_until is not None:
            self.kill_secret(record.previous)
            record.previous, record.previous_until = record.current, None
        else:
            self.kill_secret(record.current)
        record.current, record.grace_ns = secret(shown).reveal(), grace * SECOND

    @rule(token=tokens)
    def regenerate(self, token: AuthorizationID) -> None:
        record = self.model.records.get(token)
        if record is None:
            return
        try:
            shown = self.house.authorizations.regenerate(self.house.operator, token)
        except Conflict:
            assert record.revoked
            return
        self.kill_secret(record.current)
        self.kill_secret(record.previous)
        record.current = secret(shown).reveal()
        record.previous = record.previous_until = None

    @rule(token=tokens)
    def revoke(self, token: AuthorizationID) -> None:
        record = self.model.records.get(token)
        if record is not None:
            self.house.authorizations.revoke(self.house.operator, token)
            record.revoked, record.status = True, "inactive"
            self.kill_secret(record.previous)
            record.previous = record.previous_until = None

    @rule(token=consumes(tokens))
    def delete(self, token: AuthorizationID) -> None:
        record = self.model.records.get(token)
        if record is not None:
            self.house.authorizations.delete(self.house.operator, token)
            self.forget(record)

    def forget(self, record: Record) -> None:
        del self.model.records[record.id]
        self.kill_secret(record.current)
        self.kill_secret(record.previous)

    def kill_secret(self, text: str | None) -> None:
        if text is not None:
            self.model.dead.add(text)

    # --- time, restarts, keys -----------------------------------------------------------------------------------

    @rule(seconds=st.integers(1, 60))
    def wait(self, seconds: int) -> None:
        self.house.clock.advance(seconds=seconds)

    @rule()
    def flush(self) -> None:
        self.house.authenticator.flush()

    @rule(hashed=st.booleans())
    def restart(self, hashed: bool) -> None:
        self.house = self.house.restart(hashed=hashed)
        self.search()

    @rule(hashed=st.booleans())
    def kill(self, hashed: bool) -> None:
        self.crashes += 1
        before = self.house
        self.house = before.crash(self.root / str(self.crashes), hashed=hashed)
        before.abandon()
        shutil.rmtree(before.folder)
        self.search()

    @rule()
    def rekey(self) -> None:
        if self.keys == len(KEYS):
            return
        self.keys += 1
        keys = KeyRing({f"k{n}": key for n, key in enumerate(KEYS[: self.keys])})
        self.house.close()
        store = MetaStore(self.house.folder / "influxd.bolt", self.house.clock)
        migration.rekey(store, keys)
        store.close()
        options = replace(self.house.options, keys=keys)
        self.house = House(self.house.folder, self.house.clock, options)

    # --- what must hold -----------------------------------------------------------------------------------------

    @rule(token=tokens)
    def use(self, token: AuthorizationID) -> None:
        record = self.model.records.get(token)
        if record is not None:
            for text in (record.current, record.previous):
                if text is not None:
                    self.check(text)

    @invariant()
    def the_dead_stay_dead(self) -> None:
        for text in list(self.model.dead)[-5:]:
            assert self.ask(text) == "unauthorized access"

    @invariant()
    def the_operator_works(self) -> None:
        assert self.ask(OPERATOR) == "ok"

    @rule()
    def everything_answers_as_the_model_says(self) -> None:
        for record in list(self.model.records.values()):
            self.check(record.current)
            if record.previous is not None:
                self.check(record.previous)

    def check(self, text: str) -> None:
        expected = self.model.answer(text, self.house.clock.now_ns())
        assert self.ask(text) == expected
        # And again, now that it may come from the cache.
        assert self.ask(text) == expected

    def ask(self, text: str) -> str:
        try:
            access = self.house.access(text, f"{CLIENT}:{len(self.model.dead)}")
        except (Unauthorized, Forbidden) as refused:
            return refused.message
        assert access.allows(self.house.read_bucket())
        return "ok"

    def search(self) -> None:
        if self.house.options.hashed:
            texts = [one.current for one in self.model.records.values()]
            texts += [one.previous for one in self.model.records.values() if one.previous is not None]
            for text in (*texts, *self.model.dead):
                assert found_in(self.house.folder, text) == []


TestTokens = Tokens.TestCase
TestTokens.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
