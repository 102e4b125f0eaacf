"""`influxd downgrade`: bringing a stopped server's records back to what an older release can hold.

Steps are revisions of our own tables. There is one below this release's: the
tables before hashed tokens. The reference's targets name it or this one.

Source: tokens.md §3.10, §4.4; W4, W19.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import click
from sqlalchemy import Connection

from fluxkeep.audit.records import Outcome
from fluxkeep.backup.store import empty_database, scratch
from fluxkeep.cli.failures import CommandFailed
from fluxkeep.cli.offline.records import default_bolt_path, given_keys, key_file, open_log, record_command
from fluxkeep.cli.output import table
from fluxkeep.clock import SystemClock
from fluxkeep.config.settings import load
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.migration import prepare
from fluxkeep.errors import FluxkeepError
from fluxkeep.metastore.engine import MetaStore, StoreInUse, step_back
from fluxkeep.metastore.schema import BEFORE_HASHED_TOKENS

_VERSION = "v2.9.1"
# A target of the command to a revision of the tables; None is this release's.
TARGETS: dict[str, str | None] = {
    **dict.fromkeys(("2.0", "2.1", "2.3", "2.4", "2.5", "2.6", "2.7"), BEFORE_HASHED_TOKENS),
    "2.8": None,
}


class _Kept(Exception):
    """The user said no."""


@click.command()
@click.option("--bolt-path", type=click.Path(path_type=Path), help="File of the records; INFLUXD_BOLT_PATH.")
@key_file
@click.option(
    "--sqlite-path", type=click.Path(path_type=Path), help="Second store, by default beside the records; copied too."
)
@click.option(
    "--log-level", default="info", type=click.Choice(["debug", "info", "warn", "error"]), help="Accepted; default info."
)
@click.option("--force", is_flag=True, help="Ask nothing, even on a terminal.")
@click.argument("target", nargs=-1, metavar="<2.0|2.1|2.3|2.4|2.5|2.6|2.7|2.8>")
def downgrade(
    bolt_path: Path | None,
    sqlite_path: Path | None,
    log_level: str,  # noqa: ARG001 - the command says little
    force: bool,
    target: tuple[str, ...],
) -> None:
    """Bring the records back to what an older release can hold; the server must be stopped.

    Below 2.8 tokens cannot be hashed: the digests are erased, and every token that is stored hashed
    has to be made anew. A copy of the records is kept first, readable by its owner alone and
    without any token in clear.
    """
    if len(target) != 1:
        raise CommandFailed(f"accepts 1 arg(s), received {len(target)}")
    if target[0] not in TARGETS:
        raise CommandFailed(f'invalid argument "{target[0]}" for "influxd downgrade"')
    given = load({}, os.environ, Path.cwd())
    path = bolt_path or (given.records_path if given.text("bolt-path") else default_bolt_path())
    second = sqlite_path or (given.sqlite_path if given.text("sqlite-path") else path.with_name("influxd.sqlite"))
    if not path.is_file():
        raise CommandFailed(f'invalid bolt path "{path}"')
    revision = TARGETS[target[0]]
    if revision is None:
        click.echo(f"{target[0]} keeps records as this release does, nothing to do")
        return
    suffix = f".{_VERSION}-pre-{target[0]}-downgrade.backup"
    copies = [path.with_name(path.name + suffix), second.with_name(second.name + suffix)]

    def before(connection: Connection) -> None:
        _announce(connection)
        if not force and sys.stdin.isatty() and not click.confirm("Go on?"):
            raise _Kept
        _copy_records(path, copies[0])
        _copy_second(second, copies[1])
        # While the records are locked, so that no server writes to the log.
        log = open_log(path)
        if log is not None:
            record_command(log, Outcome.BEGUN)
            log.close()

    try:
        changed = step_back(path, revision, before)
    except _Kept:
        raise CommandFailed("downgrade was canceled, nothing was changed") from None
    except StoreInUse as error:
        raise CommandFailed(f"unable to open boltdb file: timeout: {error.message}") from error
    except FluxkeepError as error:
        raise CommandFailed(error.message) from error
    except FileExistsError as error:
        raise CommandFailed(f"{error.filename} is there already; move it away first, nothing was changed") from error
    except OSError as error:
        raise CommandFailed(f"cannot keep a copy: {error.strerror}; nothing was changed") from error
    if not changed:
        click.echo("KV metadata is already on a schema older than target, nothing to do")
        return
    for copy in copies:
        click.echo(f"Kept a copy: {copy}")
    click.echo(
        "Metadata successfully downgraded, you can now safely replace this `influxd` with the target older version"
    )


def _announce(connection: Connection) -> None:
    """Say what goes: the tokens that will not work any more."""
    records = list(rows.scan_authorizations(connection, rows.Filter()))
    lost = [record for record in records if record.token is None]
    click.echo(f"Step: {BEFORE_HASHED_TOKENS}, the records before hashed tokens")
    if not lost:
        click.echo("No token is stored hashed; every token keeps working.")
        return
    click.echo(f"This erases the stored form of {len(lost)} of {len(records)} tokens. They will not work any more,")
    click.echo("neither in the older release nor after coming back; make them anew.")
    click.echo(table(("ID", "Description"), [(str(r.id), r.description) for r in lost]), nl=False)


def _copy_records(path: Path, target: Path) -> None:
    """Copy the records to a file of mode 0600 in which every token is hashed.

    The copy is made in a folder that the next start removes if this process is
    killed, because the tokens are in clear in it at first.

    Raises:
        FileExistsError: The target is there already.
    """
    if target.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    with scratch(path, "backup") as folder:
        made = Path(folder) / "records"
        _copy_database(path, made)
        store = MetaStore(made, SystemClock())
        try:
            prepare(store, keys=given_keys(), hashed=True)
            store.scrub()
        finally:
            store.close()
        made.rename(target)


def _copy_second(path: Path, target: Path) -> None:
    """Copy the second store, which holds nothing here and need not be there."""
    if path.is_file():
        _copy_database(path, target)
        return
    with os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(empty_database())


def _copy_database(path: Path, target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    # The reader sees the last commit; the step's transaction, which is open, has changed nothing yet.
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
