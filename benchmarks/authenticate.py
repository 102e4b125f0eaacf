"""The check of a token: from the header's text to an allowed principal, at several sizes of store.

    python -m benchmarks.authenticate [--tokens 1000,100000,1000000] [--json]

Each size is a store of its own in a temporary folder, filled below the
services, since creating a million tokens one commit at a time would measure
the disk. Times are of one thread, in microseconds; `cached` repeats over
tokens that the cache holds, `uncached` presents each token for the first time.
`write_ms` is the median of a durable write of 5 000 lines with the check before
it, without HTTP, and the shares are what the check is of that, in percent.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.data import cpu_lines
from fluxkeep.access.decisions import Access
from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.clock import Clock, SystemClock
from fluxkeep.credentials import store as rows
from fluxkeep.credentials.hashing import Hasher
from fluxkeep.credentials.onboarding import SetupRequest
from fluxkeep.credentials.services import CredentialOptions, Credentials
from fluxkeep.credentials.tokens import mint
from fluxkeep.ids import AuthorizationID, IdGenerator
from fluxkeep.ingest import Ingest, Writing
from fluxkeep.instants import Precision
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.tables.credentials import authorizations
from fluxkeep.secret import Secret
from fluxkeep.storage.engine import Engine
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import Bucket

SAMPLE = 5_000
LINES, WRITES = 5_000, 20


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", default="1000,100000,1000000", help="sizes, comma-separated")
    parser.add_argument("--json", action="store_true", help="one JSON object for each size")
    options = parser.parse_args()
    for size in map(int, options.tokens.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            figures = measure(Path(folder), size)
        if options.json:
            print(json.dumps(figures))
        else:
            print("  ".join(f"{name} {value}" for name, value in figures.items()))


def measure(folder: Path, size: int) -> dict[str, float | int]:
    """The figures of one size of store."""
    clock = SystemClock()
    store = MetaStore(folder / "influxd.bolt", clock)
    ids = IdGenerator(clock)
    tenancy = Tenancy.open(store, ids)
    credentials = Credentials.open(store, tenancy, ids, clock, CredentialOptions())
    made = credentials.onboarding.set_up(SetupRequest(username="bench", org="bench", bucket="bench"))
    wanted = Permission(Action.WRITE, ResourceType.BUCKETS, made.organization.id, made.bucket.id)
    secrets = fill(store, ids, made.organization.id, made.user.id, wanted, size)
    started = time.perf_counter()
    credentials.close()
    credentials = Credentials.open(store, tenancy, ids, clock, CredentialOptions())
    opened = time.perf_counter() - started
    recognise = credentials.authenticator.token

    def check(header: str) -> None:
        access = Access(recognise(Secret(header[6:]), "127.0.0.1"))
        access.require(wanted)

    chosen = [f"Token {text}" for text in random.Random(0).sample(secrets, min(SAMPLE, size))]
    uncached = timed(check, chosen)
    cached = timed(check, chosen * max(1, 20_000 // len(chosen)))
    write_us = timed_write(folder, clock, made.bucket, lambda: Access(recognise(Secret(chosen[0][6:]), "127.0.0.1")))
    credentials.close()
    store.close()
    return {
        "tokens": size,
        "start_s": round(opened, 3),
        **{f"cached_{name}_us": value for name, value in cached.items()},
        **{f"uncached_{name}_us": value for name, value in uncached.items()},
        "write_ms": round(write_us / 1_000, 1),
        "share_cached_percent": round(100 * cached["median"] / write_us, 3),
        "share_uncached_percent": round(100 * uncached["median"] / write_us, 3),
    }


def timed_write(folder: Path, clock: Clock, bucket: Bucket, check: Callable[[], Access]) -> float:
    """Median of a write of 5 000 lines by a caller who is checked first, in microseconds."""
    engine = Engine(folder / "engine", clock)
    ingest = Ingest(engine, clock)
    lines = list(cpu_lines(WRITES * LINES))
    times = []
    for start in range(0, len(lines), LINES):
        body = b"".join(lines[start : start + LINES])
        before = time.perf_counter_ns()
        ingest.write(Writing(check(), bucket, body, Precision.NS))
        times.append((time.perf_counter_ns() - before) / 1_000)
    engine.close()
    return statistics.median(times)


def fill(store: MetaStore, ids: IdGenerator, org: str, user: str, permission: Permission, size: int) -> list[str]:
    """Store `size` tokens in a few large transactions and return their texts."""
    hasher = Hasher()
    held = rows.permissions_to_text([permission])
    secrets: list[str] = []
    for start in range(0, size, 50_000):
        batch = [mint() for _ in range(min(50_000, size - start))]
        secrets += [one.reveal() for one in batch]
        with store.begin() as work:
            work.connection.execute(
                authorizations.insert(),
                [
                    {
                        "id": ids.next(AuthorizationID),
                        "token": None,
                        "digest": hasher.current(one),
                        "status": "active",
                        "description": "bench",
                        "org_id": org,
                        "user_id": user,
                        "permissions": held,
                        "created_at": work.now_ns,
                        "updated_at": work.now_ns,
                    }
                    for one in batch
                ],
            )
    return secrets


def timed(check: Callable[[str], None], headers: Sequence[str]) -> dict[str, float]:
    """Median and p99 of one call, in microseconds."""
    times = []
    clock = time.perf_counter_ns
    for header in headers:
        before = clock()
        check(header)
        times.append((clock() - before) / 1_000)
    return {
        "median": round(statistics.median(times), 1),
        "p99": round(statistics.quantiles(times, n=100)[98], 1),
    }


if __name__ == "__main__":
    main()
