"""Builds the house, runs it and takes it down again; the only module that sees every room.

    settings ─▶ logs, private data folders ─▶ records ─▶ series ─▶ services ─▶ endpoints ─▶ HTTP

What is built last is closed first, so that the write-ahead log is sealed when
nothing can write any more.

Source: cli.md §5.2, §5.3.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import uvloop

from fluxkeep import logs
from fluxkeep.access.decisions import Access
from fluxkeep.api.app import Application
from fluxkeep.api.auditing import audited
from fluxkeep.api.endpoint import Endpoint
from fluxkeep.api.limits import Limits
from fluxkeep.api.serving import Address, Tls, require_free, resolve_address, serve
from fluxkeep.api.v1 import query as v1_query
from fluxkeep.api.v1 import write as v1_write
from fluxkeep.api.v2 import (
    authorizations,
    backup,
    buckets,
    dashboards,
    dbrps,
    delete,
    health,
    legacy,
    orgs,
    passwords,
    query,
    query_helpers,
    resources,
    root,
    secrets,
    sessions,
    setup,
    telegrafs,
    users,
    variables,
    write,
)
from fluxkeep.api.v2 import config as config_endpoints
from fluxkeep.api.v2 import labels as label_endpoints
from fluxkeep.audit.chain import ChainKeys
from fluxkeep.audit.writer import AuditLog
from fluxkeep.backup.restore import Restores, resume, settled
from fluxkeep.backup.snapshot import Backups
from fluxkeep.clock import Clock, SystemClock
from fluxkeep.config.settings import Settings
from fluxkeep.credentials.hashing import KeyRing
from fluxkeep.credentials.services import CredentialOptions, Credentials
from fluxkeep.credentials.sessions import SessionOptions
from fluxkeep.datamodel.points import PointBatch
from fluxkeep.errors import InvalidInput, Unavailable
from fluxkeep.flux.engine import Engine as FluxEngine
from fluxkeep.ids import IdGenerator, OrgID
from fluxkeep.ingest import STRING_BYTES_MAX, Ingest, PointRules
from fluxkeep.ingest.upkeep import Upkeep
from fluxkeep.instants import MINUTE, SECOND
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metrics import Metrics
from fluxkeep.query.databases import CallerDatabases
from fluxkeep.query.service import Queries
from fluxkeep.query.warming import WarmUp
from fluxkeep.query.watched import watched
from fluxkeep.resources.dashboards import Dashboards
from fluxkeep.resources.labels import Labels
from fluxkeep.resources.sealing import Seal
from fluxkeep.resources.secrets import OrgSecrets
from fluxkeep.resources.telegrafs import Telegrafs
from fluxkeep.resources.variables import Variables
from fluxkeep.secret import Secret
from fluxkeep.storage.engine import Engine
from fluxkeep.storage.settings import MIB, StorageOptions
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import Bucket
from fluxkeep.ui.serve import Pages

COMMIT = "fluxkeep-0.1.0"

# How long the last use of a token may stay unwritten.
_FLUSH_SECONDS = 30.0

# How long the data of a deleted bucket may stay on disk.
_DROP_SECONDS = 1.0

# How often it is looked whether a restore was left unfinished by its client.
_RESTORE_SECONDS = 60.0


def run(settings: Settings) -> None:
    """Serve until told to stop.

    Raises:
        FluxkeepError: The server cannot start; the message says why and is meant for the user.
    """
    # Whatever this process makes is for its own user's eyes only, and its memory, which holds secrets, for nobody's.
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    logs.configure(settings.text("log-level"), sys.stdout)
    log = logs.get_logger("server")
    log.info("welcome", version=COMMIT, log_level=settings.text("log-level"))
    for name in settings.without_effect:
        log.warning("option.without.effect", option=name)
    for name in settings.unknown_variables:
        log.warning("variable.unknown", variable=name)
    address = resolve_address(settings.text("http-bind-address"))
    require_free(address)
    tls = _tls(settings)
    with _pid_file(settings), contextlib.ExitStack() as house:
        try:
            application = build(settings, SystemClock(), house)
        except OSError as error:
            # A folder that is read-only or somebody else's: the place and the reason say it all.
            raise Unavailable(f"cannot start: {error.filename or 'a data file'}: {error.strerror}") from error
        warm_up = WarmUp()
        house.callback(warm_up.stop)
        # What is there now stays: collections during requests need not walk through it.
        gc.collect()
        gc.freeze()

        def listening() -> None:
            where = f"[{address.host}]" if ":" in address.host else address.host
            # Scripts wait for this line. Source: cli.md §5.3.
            log.info(
                "Listening",
                service="tcp-listener",
                transport="https" if tls else "http",
                addr=f"{where}:{address.port}",
                port=address.port,
            )
            _greet(address, tls is not None)
            warm_up.start()

        uvloop.run(
            serve(
                application,
                address,
                tls=tls,
                idle_timeout_ns=settings.number("http-idle-timeout"),
                on_listening=listening,
                on_stopping=lambda signal: log.info("stopping", signal=signal),
            )
        )
    log.info("stopped")


def build(settings: Settings, clock: Clock, house: contextlib.ExitStack) -> Application:
    """Everything from the settings to the application.

    Args:
        settings: Effective.
        clock: For every room.
        house: Collects what must be closed, in the order of building.
    """
    metrics = Metrics()
    secure = bool(settings.text("tls-cert"))
    store = MetaStore(_records_path(settings, house), clock)
    house.callback(store.close)
    replacement = resume(store)
    _make_private_folder(settings.engine_path)
    ids = IdGenerator(clock)
    tenancy = Tenancy.open(store, ids)
    labels = Labels(store, ids)
    seal = Seal.load(Path(f"{store.path}.secrets-key"))
    org_secrets = OrgSecrets(store, seal)
    credential_options = _credential_options(settings)
    credentials = Credentials.open(store, tenancy, ids, clock, credential_options)
    house.callback(credentials.close)
    engine = Engine(settings.engine_path, clock, _storage_options(settings), replacement=replacement)
    house.callback(engine.close)
    settled(store)
    metrics.corrupt_files.set_function(lambda: len(engine.corrupt_files))
    rules = PointRules(
        string_bytes_max=None if settings.flag("storage-no-validate-field-size") else STRING_BYTES_MAX,
        printable_keys=settings.flag("storage-validate-keys"),
    )
    ingest = Ingest(engine, clock, rules=rules, metrics=metrics)
    limits = _limits(settings)
    query_memory_bytes = settings.number("query-memory-bytes") or _query_memory_bytes()
    flux = FluxEngine(memory_bytes_max=query_memory_bytes)
    queries = Queries(tenancy.directory, engine.reader, _Effects(ingest, org_secrets), clock, flux)
    housekeeping = Housekeeping()
    housekeeping.every(_FLUSH_SECONDS, credentials.authenticator.flush)
    upkeep = Upkeep(store, tenancy.buckets, engine, clock)
    housekeeping.every(_DROP_SECONDS, upkeep.drop_deleted)
    if interval := settings.number("storage-retention-check-interval"):
        housekeeping.every(interval / SECOND, upkeep.enforce_retention)
    restores = Restores(store, tenancy.buckets, engine, ids, clock, credential_options, seal)
    housekeeping.every(_RESTORE_SECONDS, restores.give_up_idle)
    house.callback(housekeeping.stop)
    housekeeping.start()
    boards, agents = Dashboards(store, ids), Telegrafs(store, ids)
    _watch(
        metrics,
        tenancy,
        clock,
        {"tokens": credentials.authorizations.count, "dashboards": boards.count, "telegrafs": agents.count},
    )
    endpoints: list[Endpoint] = [
        *health.endpoints(
            clock=clock, metrics=metrics, commit=COMMIT, metrics_disabled=settings.flag("metrics-disabled")
        ),
        *root.endpoints(hashed_tokens=settings.flag("use-hashed-tokens")),
        *config_endpoints.endpoints(settings.shown()),
        *orgs.endpoints(tenancy.organizations, tenancy.memberships),
        *users.endpoints(tenancy.users, tenancy.memberships),
        *buckets.endpoints(tenancy.buckets, tenancy.memberships, labels),
        *dbrps.endpoints(tenancy.dbrps, tenancy.organizations),
        *label_endpoints.endpoints(labels),
        *secrets.endpoints(org_secrets, tenancy.organizations),
        *telegrafs.endpoints(agents, tenancy.memberships, labels),
        *dashboards.endpoints(boards, tenancy.organizations, tenancy.memberships, labels),
        *variables.endpoints(Variables(store, ids), tenancy.organizations, labels),
        *setup.endpoints(credentials.onboarding),
        *sessions.endpoints(credentials.passwords, secure=secure),
        *passwords.endpoints(credentials.passwords),
        *authorizations.endpoints(credentials.authorizations, tenancy),
        *legacy.endpoints(credentials.legacy, tenancy),
        *resources.endpoints(),
        *backup.endpoints(Backups(store, tenancy.directory, engine, seal, credential_options.keys), restores),
        *query.endpoints(queries, tenancy.directory),
        *query_helpers.endpoints(),
        *write.endpoints(ingest, tenancy.directory, body_bytes_max=limits.body_bytes_max),
        *v1_write.endpoints(ingest, tenancy.dbrps, body_bytes_max=limits.body_bytes_max),
        *delete.endpoints(tenancy.directory, ingest.delete),
        *v1_query.endpoints(
            lambda access, gone, note: CallerDatabases(
                access, tenancy, watched(engine.reader, gone, note), ingest.delete
            ),
            clock,
            memory_bytes_max=query_memory_bytes,
        ),
    ]
    endpoints.append(root.contract_endpoint(endpoints))
    audit_log = AuditLog(
        store.path.with_name("audit.log"),
        clock,
        keys=ChainKeys(credential_options.keys.derived("audit")) if credential_options.keys else None,
        fail_closed=settings.flag("audit-fail-closed"),
    )
    house.callback(audit_log.close)
    return Application(
        audited(endpoints, audit_log),
        recognizer=credentials.authenticator,
        metrics=metrics,
        limits=limits,
        secure=secure,
        pages=Pages(disabled=settings.flag("ui-disabled")).answer,
        public_origin=settings.text("http-public-origin"),
    )


def _watch(metrics: Metrics, tenancy: Tenancy, clock: Clock, more: Mapping[str, Callable[[], float]]) -> None:
    """Expose what the instance has, under the reference's names (http-api.md §2); `more` counts further kinds."""
    directory, started = tenancy.directory, clock.monotonic_ns()
    counts: dict[str, Callable[[], float]] = {
        "organizations": lambda: len(directory.now.organizations.all),
        "buckets": lambda: len(directory.now.buckets.all),
        "users": lambda: len(directory.now.users.all),
        **more,
    }
    for what, count in counts.items():
        metrics.watch(f"influxdb_{what}_total", f"Number of total {what} on the server", count)
    metrics.watch(
        "influxdb_uptime_seconds", "Seconds since the start", lambda: (clock.monotonic_ns() - started) / SECOND
    )


@dataclass(frozen=True, slots=True)
class _Effects:
    """What scripts do besides reading: rooms that queries must not know, put together."""

    ingest: Ingest
    secrets: OrgSecrets

    def write(self, access: Access, bucket: Bucket, points: PointBatch) -> None:
        """Store points for the caller."""
        self.ingest.write_points(access, bucket, points)

    def secret(self, access: Access, org_id: OrgID, key: str) -> Secret:
        """Read a secret for the caller."""
        return self.secrets.get(access, org_id, key)


class Housekeeping:
    """Runs chores at their intervals on one thread of its own."""

    def __init__(self) -> None:
        self._chores: list[tuple[float, Callable[[], None]]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)
        self._log = logs.get_logger("server")

    def every(self, seconds: float, chore: Callable[[], None]) -> None:
        """Add a chore before the start."""
        self._chores.append((seconds, chore))

    def start(self) -> None:
        """Begin; the first run of a chore is after its interval."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the chore at work and end."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        due = [time.monotonic() + seconds for seconds, _ in self._chores]
        while due and not self._stopping.wait(max(min(due) - time.monotonic(), 0)):
            index = due.index(min(due))
            seconds, chore = self._chores[index]
            try:
                chore()
            except Exception as error:  # noqa: BLE001  # a supervisor: one chore's failure must not end the others
                self._log.error("chore.failed", chore=getattr(chore, "__qualname__", "-"), exc_info=error)
            due[index] = time.monotonic() + seconds


def _storage_options(settings: Settings) -> StorageOptions:
    """What was chosen for the store; its own defaults suit it better than the reference's."""
    options = StorageOptions(flush_idle_seconds=settings.number("storage-cache-snapshot-write-cold-duration") / SECOND)
    name = "storage-cache-snapshot-memory-size"
    if name not in settings.given:
        return options
    flush_bytes = max(settings.number(name), MIB)
    return replace(
        options,
        memtable_flush_bytes=flush_bytes,
        memtable_bytes_max=max(options.memtable_bytes_max, 2 * flush_bytes),
    )


def _limits(settings: Settings) -> Limits:
    return Limits(
        body_bytes_max=settings.number("http-body-bytes-max"),
        threads_max=max(settings.number("http-threads-max"), 1),
        waiting_max=max(settings.number("http-waiting-max"), 0),
        connections_max=max(settings.number("http-connections-max"), 1),
        queries_max=max(settings.number("query-concurrency"), 0),
        queries_waiting_max=max(settings.number("query-queue-size"), 0),
    )


def _records_path(settings: Settings, house: contextlib.ExitStack) -> Path:
    if settings.text("store") == "memory":
        return Path(house.enter_context(tempfile.TemporaryDirectory(prefix="fluxkeep-"))) / "influxd.bolt"
    _make_private_folder(settings.records_path.parent)
    return settings.records_path


def _credential_options(settings: Settings) -> CredentialOptions:
    keys = settings.text("token-hash-key-file")
    return CredentialOptions(
        hashed=settings.flag("use-hashed-tokens"),
        keys=KeyRing.load(Path(keys)) if keys else None,
        strong_passwords=settings.flag("strong-passwords"),
        sessions=SessionOptions(
            length_ns=settings.number("session-length") * MINUTE, renew=not settings.flag("session-renew-disabled")
        ),
    )


def _query_memory_bytes() -> int:
    """What one query may hold where no option says it: a quarter of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4


def _make_private_folder(path: Path) -> None:
    """Make a folder that nobody else may enter; one that exists is left as it is."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _tls(settings: Settings) -> Tls | None:
    certificate, key = settings.text("tls-cert"), settings.text("tls-key")
    if not certificate and not key:
        return None
    if not certificate or not key:
        # The reference falls back to HTTP with a warning, and tokens then travel in clear.
        raise InvalidInput("TLS requires both tls-cert and tls-key; refusing to fall back to HTTP")
    for path in (certificate, key):
        if not Path(path).is_file():
            raise InvalidInput(f"open {path}: no such file or directory")
    return Tls(certificate=Path(certificate), key=Path(key), version_min=settings.text("tls-min-version"))


@contextlib.contextmanager
def _pid_file(settings: Settings) -> Iterator[None]:
    name = settings.text("pid-file")
    if not name:
        yield
        return
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Never through a link: the file is written as whoever runs the server.
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise InvalidInput(f'error writing PIDFile "{name}": {error.strerror}') from None
    with os.fdopen(handle, "r+") as file:
        try:
            # A process holds its file as long as it lives; a file that nobody holds is stale, whatever it says.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not settings.flag("overwrite-pid-file"):
                raise InvalidInput(
                    f'error writing PIDFile "{name}": PID file exists '
                    "(possible unclean shutdown or another instance already running)"
                ) from None
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _greet(address: Address, secure: bool) -> None:
    url = f"{'https' if secure else 'http'}://{address.shown}"
    sys.stdout.write(f"fluxkeep is ready at {url}\n")
    sys.stdout.write(f"Set it up once with: influx setup --host {url}\n")
    sys.stdout.flush()
