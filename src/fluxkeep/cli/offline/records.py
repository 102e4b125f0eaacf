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


def default_bolt_path() -> Path:
    """`.influxdbv2/influxd.bolt` under `$HOME`, else under the account's home."""
    home = os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
    return Path(home) / ".influxdbv2" / "influxd.bolt"


def bolt_path(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--bolt-path`; neither environment nor config file stands in for it."""
    text = "File of the records; default ~/.influxdbv2/influxd.bolt."
    return click.option("--bolt-path", type=click.Path(path_type=Path), help=text)(function)


def key_file(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--token-hash-key-file`."""
    text = "Keys for the digests of API tokens, as the server was given."
    return click.option("--token-hash-key-file", type=click.Path(path_type=Path), help=text)(function)


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
    try:
        ids = IdGenerator(clock)
        yield Records(store, Tenancy.open(store, ids), ids, clock)
        outcome = Outcome.GRANTED
    finally:
        _record(path.with_name("audit.log"), clock, outcome)
        store.close()


def _record(path: Path, clock: SystemClock, outcome: Outcome) -> None:
    """Note in the audit log which offline command ran; a log that cannot be written is said, and stops nothing."""
    try:
        log = AuditLog(path, clock)
    except (OSError, FluxkeepError) as error:
        click.echo(f"warning: this command is not in the audit log: {error}", err=True)
        return
    # The number: a container's account need not have a name.
    log.record(Act(action=click.get_current_context().command_path, outcome=outcome, detail={"uid": str(os.getuid())}))
    log.close()


def load_keys(path: Path | None) -> KeyRing | None:
    """The keys of a key file, if one is given."""
    return KeyRing.load(path) if path else None
