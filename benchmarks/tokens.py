"""Tokens in number, over HTTP against a server of its own: creating, listing, starting.

    python -m benchmarks.tokens [--created 10000] [--stored 100000] [--clients 8]

Every creation is durable, record and line of the audit log, before it is
answered. The goals on two cores: 500 creations a second, 10 000 listed within
150 ms, 100 000 within 1.5 s, a start with 100 000 within 2 s.
"""

from __future__ import annotations

import argparse
import json
import socket
import tempfile
import threading
import time
from pathlib import Path

from tests.blackbox.process import Server, bucket_permission

from benchmarks.authenticate import fill
from fluxkeep.access.permissions import Action, Permission, ResourceType
from fluxkeep.clock import SystemClock
from fluxkeep.ids import ID, IdGenerator, OrgID
from fluxkeep.metastore.engine import MetaStore

REPEATS = 5


def main(arguments: list[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--created", type=int, default=10_000, help="how many are created over HTTP")
    parser.add_argument("--stored", type=int, default=100_000, help="how many the larger list has")
    parser.add_argument("--clients", type=int, default=8, help="connections that create at once")
    options = parser.parse_args(arguments if arguments is not None else [])
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data")
        server.start()
        try:
            made = server.set_up()
            operator, org, bucket = made["auth"]["token"], made["org"]["id"], made["bucket"]["id"]
            seconds = create(server, operator, org, bucket, options.created, options.clients)
            print(f"{options.created} created over {options.clients} connections {options.created / seconds:10,.0f}/s")
            print(f"{options.created} listed {listed(server, operator, options.created + 1) * 1_000:10,.0f} ms")
            server.stop()
            store = MetaStore(server.folder / "influxd.bolt", SystemClock())
            wanted = Permission(Action.WRITE, ResourceType.BUCKETS, OrgID(org), ID(bucket))
            more = options.stored - options.created - 1
            fill(store, IdGenerator(SystemClock()), org, made["user"]["id"], wanted, more)
            store.close()
            starts = []
            for _ in range(REPEATS):
                starts.append(server.start())
                server.stop()
            print(f"start with {options.stored} {min(starts):10.2f} s")
            server.start()
            print(f"{options.stored} listed {listed(server, operator, options.stored) * 1_000:10,.0f} ms")
        finally:
            server.kill()


def create(server: Server, operator: str, org: str, bucket: str, count: int, clients: int) -> float:
    """The seconds in which `clients` connections create `count` tokens."""
    body = json.dumps(
        {"orgID": org, "description": "bench", "permissions": [bucket_permission("write", org, bucket)]}
    ).encode()
    request = (
        f"POST /api/v2/authorizations HTTP/1.1\r\nHost: bench\r\nAuthorization: Token {operator}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body

    def work(share: int) -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            for _ in range(share):
                connection.sendall(request)
                answer = connection.recv(65_536)
                while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
                    answer += connection.recv(65_536)
                assert answer.startswith(b"HTTP/1.1 201"), answer[:200]

    threads = [threading.Thread(target=work, args=(count // clients,)) for _ in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def listed(server: Server, operator: str, count: int) -> float:
    """The fewest seconds in which the whole list is there."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        answer = server.ask("GET", "/api/v2/authorizations", operator, timeout=120)
        times.append(time.perf_counter() - started)
        assert answer.body.count(b'"status":"active"') == count
    return min(times)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
