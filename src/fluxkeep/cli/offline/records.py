"""Opening the records of a stopped server, and what the offline commands share.

Source: tokens.md §4.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from fluxkeep.audit.chain import AuditKeyMissing, ChainKeys
from fluxkeep.audit.records import Act, Outcome
from fluxkeep.audit.writer import AuditLog
from fluxkeep.cli.failures import CommandFailed
from fluxkeep.clock import SystemClock
from fluxkeep.credentials.authenticator import Authenticator
from fluxkeep.credentials.authorizations import Authorizations
from fluxkeep.credentials.hashing import Hasher, KeyRing
from fluxkeep.credentials.migration import take_inventory
from fluxkeep.credentials.sessions import SessionOptions, Sessions
from fluxkeep.credentials.throttle import Throttle, ThrottleOptions
from fluxkeep.errors import FluxkeepError
from fluxkeep.ids import IdGenerator
from fluxkeep.metastore.engine import MetaStore, StoreInUse
from fluxkeep.tenancy.services import Tenancy

_KEYS = "fluxkeep.keys"


def default_bolt_path() -> Path:
    """`.influxdbv2/influxd.bolt` under `$HOME`, else under the account's home."""
    home = os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
    return Path(home) / ".influxdbv2" / "influxd.bolt"


def bolt_path(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--bolt-path`; neither environment nor config file stands in for it."""
    text = "File of the records; default ~/.influxdbv2/influxd.bolt."
    return click.option("--bolt-path", type=click.Path(path_type=Path), help=text)(function)


def key_file(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--token-hash-key-file`; what it names is read and given by `given_keys`."""
    text = "Keys for the digests of API tokens and for the audit log, as the server was given."

    def keep(context: click.Context, _: click.Parameter, value: Path | None) -> None:
        context.meta[_KEYS] = KeyRing.load(value) if value else None

    return click.option(
        "--token-hash-key-file",
        type=click.Path(path_type=Path),
        envvar="INFLUXD_TOKEN_HASH_KEY_FILE",
        help=text,
        expose_value=False,
        callback=keep,
    )(function)


def given_keys() -> KeyRing | None:
    """The keys that the running command was given."""
    keys: KeyRing | None = click.get_current_context().meta.get(_KEYS)
    return keys


def chain_keys() -> ChainKeys | None:
    """The same for the audit log."""
    keys = given_keys()
    return None if keys is None else ChainKeys(keys.derived("audit"))


@dataclass(frozen=True, slots=True)
class Records:
    """The open store and its services, without anybody's permissions."""

    store: MetaStore
    tenancy: Tenancy
    ids: IdGenerator
    clock: SystemClock

    def authorizations(self, keys: KeyRing | None) -> Authorizations:
        """API tokens; a new one is stored hashed at once, whatever the others are."""
        hasher = Hasher(keys, take_inventory(self.store).schemes) if keys else Hasher()
        authenticator = Authenticator(
            self.store,
            self.tenancy,
            Sessions(self.clock, SessionOptions()),
            self.clock,
            hasher=hasher,
            throttle=Throttle(self.clock, ThrottleOptions()),
        )
        return Authorizations(self.store, self.tenancy, self.ids, authenticator, hasher=hasher, hashed=True)


@contextmanager
def open_records(path: Path | None) -> Iterator[Records]:
    """Open the records of a stopped server.

    Raises:
        CommandFailed: The server runs, or there is no such file.
    """
    path = path or default_bolt_path()
    if not path.is_file():
        raise CommandFailed(f"unable to open boltdb file: {path} does not exist")
    clock = SystemClock()
    try:
        store = MetaStore(path, clock)
    except StoreInUse as error:
        raise CommandFailed(f"unable to open boltdb file: timeout: {error.message}") from error
    except FluxkeepError as error:
        raise CommandFailed(f"unable to open boltdb file: {error.message}") from error
    outcome = Outcome.FAILED
    log: AuditLog | None = None
    try:
        log = open_log(path)
        ids = IdGenerator(clock)
        yield Records(store, Tenancy.open(store, ids), ids, clock)
        outcome = Outcome.GRANTED
    finally:
        if log is not None:
            record_command(log, outcome)
            log.close()
        store.close()


def open_log(path: Path) -> AuditLog | None:
    """The audit log beside the records, whose lock must be held.

    None, with a warning, if it cannot be written: recovery must be possible without it.

    Raises:
        CommandFailed: It is kept under a key that was not given.
    """
    try:
        return AuditLog(path.with_name("audit.log"), SystemClock(), keys=chain_keys())
    except AuditKeyMissing as error:
        raise CommandFailed(error.message) from error
    except (OSError, FluxkeepError) as error:
        click.echo(f"warning: this command is not in the audit log: {error}", err=True)
        return None


def record_command(log: AuditLog, outcome: Outcome) -> None:
    """Note in the audit log which offline command ran, and by whose account."""
    # The number: a container's account need not have a name.
    log.record(Act(action=click.get_current_context().command_path, outcome=outcome, detail={"uid": str(os.getuid())}))
