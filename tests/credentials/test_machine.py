"""A store driven at random against a small model, and killed at random inside what it does.

After a kill the store must be as before the operation or as after it, and as after it if the operation had ended;
while hashing is on, no secret may stand in any file, whether or not the operation came to its end.

`MACHINE_EXAMPLES=20000 pytest tests/credentials/test_machine.py` runs it for hours.
"""

from __future__ import annotations

import base64
import copy
import io
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from tests.credentials.dying import Moment, die_inside
from tests.credentials.house import CLIENT, OPERATOR, House
from tests.credentials.model import UNKNOWN, Model, Record, state_of

from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.backup.restore import Restores, resume, settled
from fluxkeep.backup.snapshot import Backups
from fluxkeep.cli.offline.downgrade import downgrade
from fluxkeep.cli.offline.recovery import recovery
from fluxkeep.cli.offline.token_hashing import token_hashing
from fluxkeep.clock import ManualClock
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.authorizations import Change, NewAuthorization, Shown
from fluxkeep.credentials.hashing import KeyRing
from fluxkeep.credentials.services import CredentialOptions
from fluxkeep.errors import Conflict, Forbidden, Unauthorized
from fluxkeep.ids import AuthorizationID
from fluxkeep.instants import SECOND
from fluxkeep.resources.sealing import Seal
from fluxkeep.secret import Secret
from fluxkeep.storage.engine import Engine
from fluxkeep.tenancy.values import Status

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "50"))
SEAL = Seal(bytes(32))
KEYS = [bytes([n]) * 32 for n in range(1, 9)]

# An operation lasts some ten to some hundred ticks and writes some pages of 4 KiB; a start, a migration and erasing
# traces last some thousands and write every page.
moments = st.one_of(
    st.builds(Moment, st.just("tick"), st.integers(0, 60)),
    st.builds(Moment, st.just("tick"), st.integers(0, 1_000)),
    st.builds(Moment, st.just("tick"), st.integers(0, 20_000)),
    st.builds(Moment, st.just("byte"), st.integers(0, 40_000)),
    st.builds(Moment, st.just("byte"), st.integers(0, 600_000)),
)
deaths = st.none() | st.none() | st.none() | moments


@dataclass(frozen=True)
class Step:
    """One operation on an open house, or on the files of a stopped one.

    Attributes:
        act: What is done to an open house; its answer, if it gives one.
        offline: What is done to a stopped one's folder; a secret that it made. Calls its argument where it begins.
        then: What becomes of the model, given a secret that was made and the id of a record that was made.
        refused: The model says that it is a conflict.
        clean: Whether the house is stopped, rather than killed, before it is worked on offline.
        brings_plain: Whether secrets in clear are there to be taken away: they are gone once the next start is done.
    """

    act: Callable[[House], Shown | None] | None = None
    offline: Callable[[Path, Callable[[], None]], str | None] | None = None
    then: Callable[[Model, str, AuthorizationID | None], None] = lambda model, text, made: None
    refused: bool = False
    clean: bool = True
    brings_plain: bool = False


class Tokens(RuleBasedStateMachine):
    """Everything that can happen to tokens."""

    tokens = Bundle("tokens")
    people = Bundle("people")
    companies = Bundle("companies")
    backups = Bundle("backups")

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="fluxkeep-machine-"))
        self.crashes = 0
        self.names = 0
        self.keys = 0
        self.taken: list[tuple[bytes, Model]] = []
        self.model = Model()
        self.house = House(self.root / "0", ManualClock())

    @initialize()
    def set_up(self) -> None:
        made = self.house.set_up()
        self.model.operator = OPERATOR
        self.model.add(self.name(), Record(made.authorization.record.id, current=OPERATOR), plain=False)

    def teardown(self) -> None:
        self.house.abandon()
        shutil.rmtree(self.root)

    # --- people, organizations and tokens ---------------------------------------------------------------------------

    @rule(target=people, death=deaths)
    def add_user(self, death: Moment | None) -> str:
        name = f"user {self.name()}"
        self.perform(
            Step(
                lambda house: _nothing(house.tenancy.users.create(self.operator(house), name=name)),
                then=lambda model, text, made: model.users.update({name: True}),
            ),
            death,
        )
        return name

    @rule(name=people, active=st.booleans(), death=deaths)
    def set_user(self, name: str, active: bool, death: Moment | None) -> None:
        if name not in self.model.users:
            return
        status = Status.ACTIVE if active else Status.INACTIVE

        def act(house: House) -> None:
            house.tenancy.users.update(self.operator(house), _user(house, name), status=status)

        self.perform(Step(act, then=lambda model, text, made: model.users.update({name: active})), death)

    @rule(name=consumes(people), death=deaths)
    def delete_user(self, name: str, death: Moment | None) -> None:
        if name not in self.model.users:
            return

        def then(model: Model, text: str, made: AuthorizationID | None) -> None:
            del model.users[name]
            model.forget(user=name)

        self.perform(
            Step(lambda house: house.tenancy.users.delete(self.operator(house), _user(house, name)), then=then), death
        )

    @rule(target=companies, death=deaths)
    def add_org(self, death: Moment | None) -> str:
        name = f"org {self.name()}"
        self.perform(
            Step(
                lambda house: _nothing(house.tenancy.organizations.create(self.operator(house), name=name)),
                then=lambda model, text, made: model.orgs.add(name),
            ),
            death,
        )
        return name

    @rule(name=consumes(companies), death=deaths)
    def delete_org(self, name: str, death: Moment | None) -> None:
        if name not in self.model.orgs:
            return

        def act(house: House) -> None:
            found = house.tenancy.organizations.find_by_name(name)
            assert found is not None
            house.tenancy.organizations.delete(self.operator(house), found.id)

        def then(model: Model, text: str, made: AuthorizationID | None) -> None:
            model.orgs.remove(name)
            model.forget(org=name)

        self.perform(Step(act, then=then), death)

    @rule(
        target=tokens,
        user=st.none() | people,
        org=st.none() | companies,
        seconds=st.none() | st.integers(1, 100),
        death=deaths,
    )
    def create(self, user: str | None, org: str | None, seconds: int | None, death: Moment | None) -> int:
        name = self.name()
        user = user if user in self.model.users else None
        org = org if org in self.model.orgs else None
        end = None if seconds is None else self.house.clock.now_ns() + seconds * SECOND
        plain = not self.house.options.hashed

        def act(house: House) -> Shown:
            home = house.tenancy.organizations.find_by_name(org or "acme")
            assert home is not None
            # By the bucket's id alone: a permission that names an organization must name the token's own.
            wanted = NewAuthorization(
                org_id=home.id,
                user_id=None if user is None else _user(house, user),
                permissions=(Permission(Action.READ, ResourceType.BUCKETS, id=house.bucket),),
                expires_at=end,
            )
            return house.authorizations.create(self.operator(house), wanted)

        def then(model: Model, text: str, made: AuthorizationID | None) -> None:
            model.add(name, Record(made, user=user, org=org, current=text, expires_at=end), plain=plain)

        self.perform(Step(act, then=then), death)
        return name

    @rule(token=tokens, status=st.sampled_from(["active", "inactive"]), death=deaths)
    def set_status(self, token: int, status: str, death: Moment | None) -> None:
        self.change(
            token,
            lambda house, key: house.authorizations.update(self.operator(house), key, Change(status=status)),
            lambda model, record, text: setattr(record, "status", status),
            death,
            refused=lambda record: record.revoked and status == "active",
        )

    @rule(token=tokens, seconds=st.none() | st.integers(1, 100), death=deaths)
    def set_end(self, token: int, seconds: int | None, death: Moment | None) -> None:
        end = None if seconds is None else self.house.clock.now_ns() + seconds * SECOND
        self.change(
            token,
            lambda house, key: house.authorizations.update(self.operator(house), key, Change(expires_at=end)),
            lambda model, record, text: setattr(record, "expires_at", end),
            death,
        )

    @rule(token=tokens, grace=st.integers(0, 50), death=deaths)
    def rotate(self, token: int, grace: int, death: Moment | None) -> None:
        plain, now = not self.house.options.hashed, self.house.clock.now_ns()

        def then(model: Model, record: Record, text: str) -> None:
            if record.previous is None or record.previous_until is not None:
                record.previous, record.previous_until = record.current, None
            record.grace_ns = grace * SECOND
            model.give(record, text, plain=plain)

        self.change(
            token,
            lambda house, key: house.authorizations.rotate(self.operator(house), key, grace),
            then,
            death,
            refused=lambda one: one.revoked or (one.previous_until is not None and one.previous_until > now),
        )

    @rule(token=tokens, death=deaths)
    def regenerate(self, token: int, death: Moment | None) -> None:
        plain = not self.house.options.hashed

        def then(model: Model, record: Record, text: str) -> None:
            record.ends_rotation()
            model.give(record, text, plain=plain)

        self.change(
            token,
            lambda house, key: house.authorizations.regenerate(self.operator(house), key),
            then,
            death,
            refused=lambda record: record.revoked,
        )

    @rule(token=tokens, death=deaths)
    def revoke(self, token: int, death: Moment | None) -> None:
        def then(model: Model, record: Record, text: str) -> None:
            record.revoked, record.status = True, "inactive"
            record.ends_rotation()
            # It is kept hashed from now on, whatever the store is told.
            model.plain.discard(record.current or "")

        self.change(token, lambda house, key: house.authorizations.revoke(self.operator(house), key), then, death)

    @rule(token=consumes(tokens), death=deaths)
    def delete(self, token: int, death: Moment | None) -> None:
        self.change(
            token,
            lambda house, key: house.authorizations.delete(self.operator(house), key),
            lambda model, record, text: _nothing(model.records.pop(token)),
            death,
        )

    def change(
        self,
        token: int,
        act: Callable[[House, AuthorizationID], Shown | None],
        then: Callable[[Model, Record, str], None],
        death: Moment | None,
        refused: Callable[[Record], bool] = lambda record: False,
    ) -> None:
        """Do something to one token, unless it is gone."""
        record = self.model.records.get(token)
        if record is None:
            return
        key = record.id
        assert key is not None
        self.perform(
            Step(
                lambda house: act(house, key),
                then=lambda model, text, made: then(model, model.records[token], text),
                refused=refused(record),
            ),
            death,
        )

    # --- use --------------------------------------------------------------------------------------------------------

    @rule(token=tokens, death=deaths)
    def use(self, token: int, death: Moment | None) -> None:
        record = self.model.records.get(token)
        for text in (record.current, record.previous) if record is not None else ():
            if text is not None:
                self.perform(self.using(text), death)
                self.check(text)

    def using(self, text: str) -> Step:
        now = self.house.clock.now_ns()
        return Step(
            lambda house: _nothing(_ask(house, text)),
            then=lambda model, _, made: _nothing(model.answer(text, now)),
        )

    @rule(death=deaths)
    def flush(self, death: Moment | None) -> None:
        self.perform(Step(lambda house: house.authenticator.flush()), death)

    # --- time, restarts, keys -----------------------------------------------------------------------------------

    @rule(seconds=st.integers(1, 60))
    def wait(self, seconds: int) -> None:
        self.house.clock.advance(seconds=seconds)

    @rule(hashed=st.booleans(), clean=st.booleans(), death=deaths)
    def restart(self, hashed: bool, clean: bool, death: Moment | None) -> None:
        """Stop or be killed, and start with hashing on or off; a start may be killed itself."""
        options = replace(self.house.options, hashed=hashed)

        def start(folder: Path, arm: Callable[[], None]) -> None:
            arm()
            House(folder, self.house.clock, options).abandon()

        def then(model: Model, text: str, made: AuthorizationID | None) -> None:
            if hashed:
                model.plain.clear()

        self.perform(Step(offline=start, then=then, clean=clean, brings_plain=True), death, options)

    @rule(death=deaths)
    def rekey(self, death: Moment | None) -> None:
        if self.keys == len(KEYS):
            return
        self.keys += 1
        options = replace(self.house.options, keys=KeyRing({f"k{n}": key for n, key in enumerate(KEYS[: self.keys])}))
        keys = self.key_options()
        self.perform(
            Step(offline=lambda folder, arm: _command(token_hashing, ["rekey", *_at(folder), *keys], arm)),
            death,
            options,
        )

    # --- backup, restore, recovery, downgrade -----------------------------------------------------------------------

    @rule(target=backups, death=deaths)
    def back_up(self, death: Moment | None) -> int:
        taken: list[bytes] = []

        def act(house: House) -> None:
            engine = self.engine(house)
            try:
                backups = Backups(house.store, house.tenancy.directory, engine, SEAL, house.options.keys)
                taken.append(backups.metadata(self.operator(house), Secret(self.model.operator)).records)
            finally:
                engine.close()

        self.perform(Step(act), death)
        if taken:
            self.taken.append((taken[0], copy.deepcopy(self.model)))
        return len(self.taken) - 1

    @rule(backup=backups, death=deaths)
    def restore(self, backup: int, death: Moment | None) -> None:
        if backup < 0:
            return
        upload, then_true = self.taken[backup]
        hashed = self.house.options.hashed

        def act(house: House) -> None:
            engine = self.engine(house)
            try:
                restores = Restores(
                    house.store, house.tenancy.buckets, engine, house.ids, house.clock, house.options, SEAL
                )
                restores.records(self.operator(house), io.BytesIO(upload), continue_with=Secret(then_true.operator))
            finally:
                engine.close()

        def then(model: Model, text: str, made: AuthorizationID | None) -> None:
            seen = model.seen
            model.__dict__.update(copy.deepcopy(then_true).__dict__)
            model.seen |= seen
            if hashed:
                model.plain.clear()

        self.perform(Step(act, then=then, brings_plain=bool(then_true.plain)), death)

    @rule(hash_all=st.booleans(), death=deaths)
    def recover(self, hash_all: bool, death: Moment | None) -> None:
        """Make an operator token of the stopped server and act with it from now on."""
        name = self.name()
        given = ["auth", "create-operator", "--username", "admin", "--org", "acme"]
        given += ["--store-token-hashes"] if hash_all else []
        given += self.key_options()

        def then(model: Model, text: str, made: AuthorizationID | None) -> None:
            model.add(name, Record(made, current=text), plain=False)
            model.operator = text
            if hash_all:
                model.plain.clear()

        self.perform(
            Step(
                offline=lambda folder, arm: _minted(_command(recovery, [*given, *_at(folder)], arm)),
                then=then,
            ),
            death,
        )

    @rule(death=deaths)
    def downgrade_and_return(self, death: Moment | None) -> None:
        """Erase the digests as a downgrade does, come back, and go on with a recovered token."""
        keys = self.key_options()
        self.perform(
            Step(
                offline=lambda folder, arm: _command(downgrade, [*_at(folder), *keys, "--force", "2.7"], arm),
                then=lambda model, text, made: model.erase_digests(),
            ),
            death,
        )
        for kept in self.house.folder.glob("*.backup"):
            kept.unlink()
        self.recover(False, None)

    # --- how an operation goes ----------------------------------------------------------------------------------

    def perform(self, step: Step, death: Moment | None, options: CredentialOptions | None = None) -> None:
        """Do it, whole or killed inside, and follow with the model."""
        if death is not None:
            self.perform_and_die(step, death, options or self.house.options)
            return
        text, made = "", None
        try:
            if step.offline is not None:
                folder = self.stop(clean=step.clean)
                text = step.offline(folder, lambda: None) or ""
                self.reopen(folder, options or self.house.options)
                made = self.unknown_record()
            elif step.act is not None:
                shown = step.act(self.house)
                if shown is not None:
                    made = shown.record.id
                    text = "" if shown.token is None else shown.token.reveal()
        except Conflict:
            assert step.refused
            return
        assert not step.refused
        if text:
            self.model.seen.add(text)
        step.then(self.model, text, made)
        if step.offline is not None:
            self.judge([self.model])

    def perform_and_die(self, step: Step, death: Moment, options: CredentialOptions) -> None:
        before = self.house
        folder = self.stop(clean=step.offline is not None and step.clean)

        def work(arm: Callable[[], None]) -> str:
            if step.offline is not None:
                return step.offline(folder, arm) or ""
            assert step.act is not None
            house = House(folder, before.clock, before.options)
            # The caller is known: what dies is the operation, not the recognition.
            self.operator(house)
            arm()
            try:
                step.act(house)
            except Conflict:
                assert step.refused
            else:
                assert not step.refused
            return ""

        died = die_inside(work, folder / "influxd.bolt-wal", death)
        event(f"died {'after the end' if died.done else 'inside'}: {death.kind}")
        self.model.seen.update(died.tokens)
        if before.options.hashed and options.hashed and not step.brings_plain:
            self.search(folder)
        self.reopen(folder, options)
        fates = [] if died.done else [copy.deepcopy(self.model)]
        if not step.refused:
            fresh = copy.deepcopy(self.model)
            step.then(fresh, died.tokens[-1] if died.tokens else "", self.unknown_record())
            fates.insert(0, fresh)
        self.judge(fates or [self.model])

    def stop(self, *, clean: bool) -> Path:
        """Stop or kill the house; a folder of its own with the files that it left."""
        self.crashes += 1
        folder = self.root / str(self.crashes)
        if clean:
            self.house.close()
            self.house.folder.rename(folder)
        else:
            self.house.copy_to(folder)
            self.house.abandon()
            shutil.rmtree(self.house.folder)
        return folder

    def reopen(self, folder: Path, options: CredentialOptions) -> None:
        self.house.clock.advance(ns=1_000_000)
        self.house = House(folder, self.house.clock, options)
        resume(self.house.store)
        settled(self.house.store)

    def judge(self, fates: list[Model]) -> None:
        """Follow the one of the states that the store holds; it must be one of them in everything."""
        now, held = self.house.clock.now_ns(), state_of(self.house)
        likely = [fate for fate in fates if fate.state(now) == held]
        assert likely, (held, [fate.state(now) for fate in fates])
        texts = sorted(self.model.seen | likely[0].seen)
        given = [_ask(self.house, text) for text in texts]
        # Asking starts graces, in the model as in the store.
        answers = [[fate.answer(text, now) for text in texts] for fate in likely]
        assert given in answers, (given, answers)
        self.model = likely[answers.index(given)]
        self.everything_answers_as_the_model_says()
        self.search(self.house.folder)

    def unknown_record(self) -> AuthorizationID | None:
        """The record that the model does not know, if there is one."""
        known = {record.id for record in self.model.records.values()}
        with self.house.store.read() as connection:
            held = {one.id for one in rows.scan_authorizations(connection, rows.Filter())}
        new = held - known
        return new.pop() if len(new) == 1 else None

    # --- what must hold -----------------------------------------------------------------------------------------

    @invariant()
    def the_operator_works(self) -> None:
        if self.model.operator:
            assert _ask(self.house, self.model.operator) == "ok"

    @invariant()
    def the_dead_stay_dead(self) -> None:
        for text in sorted(self.model.seen - self.model.live())[-5:]:
            assert _ask(self.house, text) == UNKNOWN

    @rule()
    def everything_answers_as_the_model_says(self) -> None:
        for text in sorted(self.model.seen):
            self.check(text)

    def check(self, text: str) -> None:
        expected = self.model.answer(text, self.house.clock.now_ns())
        assert _ask(self.house, text) == expected
        # And again, now that it may come from the cache.
        assert _ask(self.house, text) == expected

    def search(self, folder: Path) -> None:
        """While hashing is on, no secret stands in any file."""
        if not self.house.options.hashed:
            return
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                content = file.read_bytes()
                assert not [text for text in self.model.seen if text.encode() in content], file

    # --- helps --------------------------------------------------------------------------------------------------

    def name(self) -> int:
        self.names += 1
        return self.names

    def operator(self, house: House) -> Access:
        return house.access(self.model.operator, f"{CLIENT}:operator")

    def engine(self, house: House) -> Engine:
        return Engine(self.root / "engine", house.clock)

    def key_options(self) -> list[str]:
        if not self.keys:
            return []
        file = self.root / "keys"
        file.write_text("".join(f"k{n} {base64.b64encode(key).decode()}\n" for n, key in enumerate(KEYS[: self.keys])))
        file.chmod(0o600)
        return ["--token-hash-key-file", str(file)]


def _nothing(_: object) -> None:
    """Do, and give nothing."""


def _user(house: House, name: str):  # type: ignore[no-untyped-def]
    found = house.tenancy.users.find_by_name(name)
    assert found is not None
    return found.id


def _ask(house: House, text: str) -> str:
    try:
        # Each from an address of its own, so that nobody is throttled.
        access = house.access(text, f"{CLIENT}:{hash(text)}:{house.clock.now_ns()}")
    except (Unauthorized, Forbidden) as refused:
        return refused.message
    assert access.allows(house.read_bucket())
    return "ok"


def _minted(shown: str) -> str:
    found = re.search(r"[A-Za-z0-9_-]{86}==", shown)
    assert found is not None
    return found.group()


def _at(folder: Path) -> list[str]:
    return ["--bolt-path", str(folder / "influxd.bolt")]


def _command(command, given: list[str], arm: Callable[[], None]) -> str:  # type: ignore[no-untyped-def]
    arm()
    result = CliRunner().invoke(command, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


TestTokens = Tokens.TestCase
TestTokens = pytest.mark.slow(pytest.mark.timeout(0)(TestTokens))
TestTokens.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
