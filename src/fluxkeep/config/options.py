"""Every option of the server: name, kind, default, meaning, and whether it has one here.

The names and defaults are the reference's, so that unit files, compose files
and configuration files start this server too; `OURS` are further ones. An
option without a counterpart here is accepted, and the log names it when it is
set: a protection that is asked for and not given must be seen.

Source: cli.md §5.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from fluxkeep.config.values import Kind, Value
from fluxkeep.instants import HOUR, MINUTE, SECOND

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        name: As a flag and as a file's key; the environment's name follows from it.
        default: Of the kind's type.
        meaning: One line for the help.
        effective: It changes something here.
        choices: The only texts allowed, where there are such.
        hidden: Accepted, not shown in the help.
        secret: Never shown.
    """

    name: str
    kind: Kind
    default: Value
    meaning: str
    effective: bool = False
    choices: tuple[str, ...] = ()
    hidden: bool = False
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable's name."""
        return "INFLUXD_" + self.name.upper().replace("-", "_")


T, B, N, S = Kind.TEXT, Kind.BOOLEAN, Kind.NUMBER, Kind.SIZE
D, P, M = Kind.DURATION, Kind.SPAN, Kind.MAP

LEVELS = ("debug", "info", "warn", "error")

REFERENCE: tuple[Option, ...] = (
    Option("http-bind-address", T, ":8086", "address the HTTP API listens on", effective=True),
    Option("bolt-path", T, "", "file of the records; `~/.influxdbv2/influxd.bolt` if not given", effective=True),
    Option("sqlite-path", T, "", "accepted; all records are in the file at bolt-path", effective=True),
    Option("engine-path", T, "", "folder of the time series; `~/.influxdbv2/engine` if not given", effective=True),
    Option("store", T, "disk", "where records are kept", choices=("disk", "memory"), effective=True),
    Option("log-level", T, "info", "least severe events to log", choices=LEVELS, effective=True),
    Option("reporting-disabled", B, False, "no telemetry; none is ever sent", effective=True),
    Option("session-length", N, 60, "minutes a session lasts", effective=True),
    Option("session-renew-disabled", B, False, "do not prolong a session that is used", effective=True),
    Option("strong-passwords", B, False, "demand passwords of several classes of characters", effective=True),
    Option("use-hashed-tokens", B, True, "store digests of API tokens, never the tokens", effective=True),
    Option("secret-store", T, "bolt", "where secrets are kept", choices=("bolt", "vault")),
    Option("vault-addr", T, "", "address of the Vault server"),
    Option("vault-cacert", T, "", "certificate authority of the Vault server"),
    Option("vault-capath", T, "", "folder of such certificates"),
    Option("vault-client-cert", T, "", "client certificate for Vault"),
    Option("vault-client-key", T, "", "its key"),
    Option("vault-client-timeout", D, 0, "how long to wait for Vault"),
    Option("vault-max-retries", N, 0, "how often to try Vault again"),
    Option("vault-skip-verify", B, False, "do not verify Vault's certificate"),
    Option("vault-tls-server-name", T, "", "name expected in Vault's certificate"),
    Option("vault-token", T, "", "token for Vault", secret=True),
    Option("tls-cert", T, "", "certificate file; with tls-key the API speaks HTTPS", effective=True),
    Option("tls-key", T, "", "its key file", effective=True),
    Option("tls-min-version", T, "1.2", "oldest TLS version accepted", choices=("1.2", "1.3"), effective=True),
    Option("tls-strict-ciphers", B, False, "only the strictest ciphers"),
    Option("http-read-header-timeout", D, 10 * SECOND, "time for a request's headers"),
    Option("http-read-timeout", D, 0, "time for a whole request"),
    Option("http-write-timeout", D, 0, "time for a whole answer"),
    Option("http-idle-timeout", D, 3 * MINUTE, "how long an idle connection stays open", effective=True),
    Option("metrics-disabled", B, False, "do not serve /metrics", effective=True),
    Option("pprof-disabled", B, False, "profiles are never served", effective=True),
    Option("ui-disabled", B, False, "do not serve the web page", effective=True),
    Option("hardening-enabled", B, False, "refuse private addresses in fetches; none are made", effective=True),
    Option("template-file-urls-disabled", B, False, "no templates from file URLs; none are read", effective=True),
    Option("assets-path", T, "", "serve the web page from a folder"),
    Option("feature-flags", M, {}, "features to switch"),
    Option("flux-log-enabled", B, False, "log queries' shape"),
    Option("no-tasks", B, False, "do not run tasks"),
    Option("instance-id", T, "", "name of this server among several"),
    Option("pid-file", T, "", "file to hold the process's id", effective=True),
    Option("overwrite-pid-file", B, False, "replace a pid file that is there", effective=True),
    Option("tracing-type", T, "", "where traces go", choices=("", "log", "jaeger")),
    Option("testing-always-allow-setup", B, False, "allow setup again; for tests only"),
    Option("e2e-testing", B, False, "for tests only"),
    Option("query-concurrency", N, 1024, "queries at work at once; 0 is no limit", effective=True),
    Option("query-queue-size", N, 1024, "queries that may wait, more are answered with 429", effective=True),
    Option("query-memory-bytes", N, 0, "memory of one query; 0 is a quarter of the machine's", effective=True),
    Option("query-initial-memory-bytes", N, 0, "memory a query begins with"),
    Option("query-max-memory-bytes", N, 0, "memory of all queries; 0 is no limit"),
    Option("influxql-max-select-point", N, 0, "points a SELECT may read; 0 is no limit"),
    Option("influxql-max-select-series", N, 0, "series a SELECT may read; 0 is no limit"),
    Option("influxql-max-select-buckets", N, 0, "windows a SELECT may make; 0 is no limit"),
    Option("storage-cache-max-memory-size", S, 1024 * _MIB, "memory of the memtables of a bucket"),
    Option(
        "storage-cache-snapshot-memory-size",
        S,
        25 * _MIB,
        "memory that writes may fill before it is flushed; 96 MiB if not given",
        effective=True,
    ),
    Option(
        "storage-cache-snapshot-write-cold-duration",
        P,
        10 * MINUTE,
        "memory without writes is flushed after so long",
        effective=True,
    ),
    Option("storage-compact-full-write-cold-duration", P, 4 * HOUR, "a shard without writes is compacted fully"),
    Option("storage-compact-throughput-burst", S, 48 * _MIB, "bytes a second compactions may write"),
    Option("storage-max-concurrent-compactions", N, 0, "compactions at once; 0 is half the processors"),
    Option("storage-max-index-log-file-size", S, _MIB, "no such file here"),
    Option("storage-series-id-set-cache-size", N, 0, "no such cache here"),
    Option("storage-series-file-max-concurrent-snapshot-compactions", N, 0, "no such files here"),
    Option("storage-tsm-use-madv-willneed", B, False, "no such files here"),
    Option("storage-no-validate-field-size", B, False, "accept strings above 1 MiB", effective=True),
    Option("storage-validate-keys", B, False, "refuse keys that are not UTF-8", effective=True),
    Option("storage-retention-check-interval", P, 30 * MINUTE, "how often expired data is dropped", effective=True),
    Option("storage-shard-precreator-check-interval", P, 10 * MINUTE, "shards are made when written"),
    Option("storage-shard-precreator-advance-period", P, 30 * MINUTE, "shards are made when written"),
    Option("storage-wal-fsync-delay", P, 0, "every write is durable before its answer"),
    Option("storage-wal-max-concurrent-writes", N, 0, "writes share one log"),
    Option("storage-wal-max-write-delay", D, 10 * MINUTE, "writes share one log"),
    Option("storage-wal-flush-on-shutdown", B, False, "flush memtables when stopping"),
    Option("storage-write-timeout", D, 10 * SECOND, "time for one write"),
    Option("nats-port", N, -1, "", hidden=True),
    Option("nats-max-payload-bytes", N, 0, "", hidden=True),
)

OURS: tuple[Option, ...] = (
    Option("http-body-bytes-max", S, 512 * _MIB, "largest request body, packed and unpacked", effective=True),
    Option("http-threads-max", N, 32, "requests at work at once", effective=True),
    Option("http-waiting-max", N, 4096, "requests that may wait for a thread", effective=True),
    Option("token-hash-key-file", T, "", "keys for the digests of API tokens", effective=True),
    Option("audit-fail-closed", B, False, "refuse administrative acts that cannot be recorded", effective=True),
    Option("http-connections-max", N, 8192, "open connections", effective=True),
    Option("http-public-origin", T, "", "scheme://host:port that browsers see behind a proxy", effective=True),
)

OPTIONS: dict[str, Option] = {option.name: option for option in (*REFERENCE, *OURS)}
