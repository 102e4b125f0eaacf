"""Kill the server thousands of times while everything is going on, and look at what it kept.

A cycle is a life of a real server on a data folder that has seen many: writers
write, overwrite and delete by predicate; buckets and tokens come and go;
retention is turned on and off; shard groups are backed up; small limits keep
flushes and compactions running. Then `kill -9`: at a random moment, at the n-th
call of the file layer, while it starts, while it stops. The next life must have
every acknowledged change and nothing else.

    python -m tests.blackbox.crash --cycles 10000 --seed 7
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import csv
import http.client
import io
import json
import os
import random
import shutil
import signal
import sys
import tarfile
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.blackbox.oracle import HOUR_NS, Expiring, Ledger, LossError, Points, Records, deleted, written
from tests.blackbox.process import Answer, bucket_permission, free_port
from tests.blackbox.zygote import PHASES, Zygote

WRITERS = 3
# Lives on one folder before the next is begun.
LIVES = 120
# So many lives share an hour, which is a shard group.
LIVES_AN_HOUR = 6
# Seconds after which a server that does not answer hangs; a busy machine takes long for what takes milliseconds.
PATIENCE = 300
_BEGIN_NS = 438_000 * HOUR_NS
_LIFE_NS = HOUR_NS // LIVES_AN_HOUR
_OLD_HOURS = (4, 5, 6, 7)


class Refused(Exception):
    """An answer that is none of those that were expected."""


class House:
    """A data folder, the server that lives there, and what it must have."""

    def __init__(self, zygote: Zygote, folder: Path, port: int) -> None:
        self.zygote = zygote
        self.folder = folder
        self.port = port
        self.life = 0
        self.operator = self.reader = self.org = ""
        self.bucket: dict[str, str] = {}
        self.ledgers = [Ledger() for _ in range(WRITERS)]
        self.expiring = Expiring()
        self.buckets, self.tokens = Records(), Records()
        self.inside: dict[str, Ledger] = {}

    # --- the process -------------------------------------------------------------------------

    def start(self, kill_at: int = 0) -> bool:
        """Start; False if it has killed itself before it listened."""
        self.zygote.start(self.folder, self.port, kill_at)
        return self.wait_until_healthy()

    def wait_until_healthy(self) -> bool:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                if self.ask("GET", "/health").status == 200:
                    return True
            except (OSError, http.client.HTTPException):
                if not self.zygote.alive():
                    return False
                time.sleep(0.003)
        raise LossError(f"the server does not come up: {self.log_end()}")

    def log_end(self) -> str:
        return (self.folder / "server.log").read_text()[-3000:]

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        over: http.client.HTTPConnection | None = None,
    ) -> Answer:
        connection = over or self.connection()
        headers = {"Authorization": f"Token {token or self.operator}"}
        if isinstance(body, dict):
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        try:
            connection.request(method, path, body, headers)
            got = connection.getresponse()
            return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        finally:
            if over is None:
                connection.close()

    def expect(self, status: int, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(method, path, body)
        if answer.status != status:
            raise Refused(f"{method} {path.partition('?')[0]}: {answer.status} {answer.text[:300]}")
        return answer.json if answer.body else None

    def set_up(self) -> None:
        self.start()
        name = {"username": "house", "password": "house-password", "org": "house", "bucket": "house"}
        made = self.expect(201, "POST", "/api/v2/setup", name)
        self.operator, self.org = made["auth"]["token"], made["org"]["id"]
        for bucket in ("crash", "expiring"):
            rules = [{"type": "expire", "everySeconds": 0, "shardGroupDurationSeconds": 3600}]
            body = {"orgID": self.org, "name": bucket, "retentionRules": rules}
            self.bucket[bucket] = self.expect(201, "POST", "/api/v2/buckets", body)["id"]
        permission = bucket_permission("read", self.org, self.bucket["crash"])
        body = {"orgID": self.org, "description": "reader", "permissions": [permission]}
        self.reader = self.expect(201, "POST", "/api/v2/authorizations", body)["token"]

    # --- looking -----------------------------------------------------------------------------

    def rows(self, bucket: str, start: int, stop: int, rest: str = "") -> list[dict[str, str]]:
        text = f'from(bucket: "{bucket}") |> range(start: time(v: {start}), stop: time(v: {stop})){rest} |> group()'
        body = {"query": text, "dialect": {"annotations": [], "header": True}}
        answer = self.ask("POST", "/api/v2/query?org=house", body)
        if answer.status != 200:
            raise LossError(f"a query was answered with {answer.status}: {answer.text[:300]}")
        found = list(csv.DictReader(io.StringIO(answer.text)))
        if found and "error" in found[0]:
            raise LossError(f"a query failed: {found[0]['error']}")
        return found

    def look(self, *, everywhere: bool) -> None:
        """Compare all that can have changed, or all."""
        hours = {hour for ledger in self.ledgers for hour in ledger.touched}
        found: list[Points] = [{} for _ in self.ledgers]
        spans = [(_BEGIN_NS, _BEGIN_NS + 1000 * HOUR_NS)] if everywhere else [_span(run) for run in _runs(hours)]
        for start, stop in spans:
            for row in self.rows("crash", start, stop, ' |> keep(columns: ["_time", "_value", "_field", "writer"])'):
                points = found[int(row["writer"][1:])]
                points.setdefault(_nanoseconds(row["_time"]), {})[row["_field"]] = int(row["_value"])
        for number, ledger in enumerate(self.ledgers):
            ledger.look(found[number], None if everywhere else hours, f"life {self.life}, writer {number}")
        self.look_at_expiring()
        self.look_at_records()

    def look_at_expiring(self) -> None:
        found: dict[int, set[int]] = {}
        now = time.time_ns()
        for row in self.rows("expiring", now - 200 * HOUR_NS, now + HOUR_NS, ' |> keep(columns: ["_time", "_value"])'):
            instant = _nanoseconds(row["_time"])
            found.setdefault(instant // HOUR_NS, set()).add(instant)
        self.expiring.look(found, now // HOUR_NS - 2)

    def look_at_records(self) -> None:
        listed = self.expect(200, "GET", f"/api/v2/buckets?orgID={self.org}&limit=100")["buckets"]
        names = {one["name"]: one["id"] for one in listed if one["name"].startswith("temporary")}
        self.buckets.look(names, "buckets")
        for name in names:
            ledger = self.inside.setdefault(name, Ledger())
            found = {_nanoseconds(r["_time"]): {"n": int(r["_value"])} for r in self.rows(name, 0, 10**6)}
            ledger.look(found, None, f"life {self.life}, bucket {name}")
        listed = self.expect(200, "GET", "/api/v2/authorizations")["authorizations"]
        self.tokens.look({t["description"]: "" for t in listed if t["description"].startswith("made")}, "tokens")
        for name, token in list(self.tokens.made.items())[-1:]:
            if token and self.ask("GET", "/api/v2/buckets", token=token).status != 200:
                raise LossError(f"token {name} is not known any more")

    def look_at_folders(self) -> None:
        """The folders of dropped buckets go; called on a server at rest."""
        until = time.monotonic() + PATIENCE
        known = {one["id"] for one in self.expect(200, "GET", "/api/v2/buckets?limit=100")["buckets"]}
        while time.monotonic() < until:
            left = {one.name for one in (self.folder / "engine" / "data").iterdir() if one.is_dir()} - known
            if not left:
                return
            time.sleep(0.02)
        raise LossError(f"folders of dropped buckets are left: {sorted(left)}")


class Work:
    """What goes on in one life, on threads."""

    def __init__(self, house: House, draw: random.Random, totals: collections.Counter[str]) -> None:
        self.house = house
        self.stop = threading.Event()
        self.failures: list[str] = []
        self.totals = totals
        works: list[Callable[[random.Random], None]] = [self._records]
        works += [lambda draw, n=n: self._writer(n, draw) for n in range(WRITERS)]  # type: ignore[misc]
        self.threads = [
            threading.Thread(target=self._guarded, args=(work, random.Random(draw.random()))) for work in works
        ]
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(2 * PATIENCE)
            assert not thread.is_alive()
        if self.failures:
            raise LossError("; ".join(self.failures))

    def _guarded(self, work: Callable[[random.Random], None], draw: random.Random) -> None:
        try:
            work(draw)
        except (OSError, http.client.HTTPException):
            pass  # the server is gone, which is what this is about
        except Exception as error:  # noqa: BLE001 - told by the driver's thread
            self.failures.append(f"life {self.house.life}: {type(error).__name__}: {error}")

    # --- points ------------------------------------------------------------------------------

    def _writer(self, number: int, draw: random.Random) -> None:
        house, ledger = self.house, self.house.ledgers[number]
        here = _BEGIN_NS + house.life * _LIFE_NS
        fresh = here
        with contextlib.closing(house.connection()) as connection:
            while not self.stop.is_set():
                what = draw.random()
                lines: Points = {}
                if what < 0.62:
                    for _ in range(draw.choice((1, 1, 5, 20, 60))):
                        lines[fresh] = self._fields(draw)
                        fresh += draw.choice((1000, 10**6))
                elif what < 0.75:
                    known = [t for t in ledger.points if t >= here] or list(ledger.points)
                    lines = {t: self._fields(draw) for t in draw.sample(known, min(len(known), draw.randint(1, 8)))}
                elif what < 0.88:
                    self._delete(number, draw, connection)
                    continue
                else:
                    self._refused(number, draw, connection, fresh)
                    fresh += 10**7
                    continue
                if lines:
                    body = "".join(_line(number, t, fields) for t, fields in lines.items())
                    ledger.begin(written(lines), lines, body)
                    answer = house.ask("POST", "/api/v2/write?org=house&bucket=crash", body, over=connection)
                    self._answered(ledger, answer, 204, "writes")

    def _fields(self, draw: random.Random) -> dict[str, int]:
        value = draw.randrange(1 << 40)
        return draw.choice([{"n": value}, {"x": value}, {"n": value, "x": -value}, {"n": value, "x": -value}])

    def _answered(self, ledger: Ledger, answer: Answer, status: int, what: str) -> None:
        if answer.status == status:
            ledger.acknowledged()
            self.totals[what] += 1
        elif answer.status == 503:
            ledger.refused()
            self.totals["503"] += 1
        else:
            raise LossError(f"{what} answered with {answer.status}: {answer.text[:300]}")

    def _delete(self, number: int, draw: random.Random, connection: http.client.HTTPConnection) -> None:
        life = draw.choice((self.house.life, self.house.life, draw.randint(0, self.house.life)))
        start = _BEGIN_NS + life * _LIFE_NS + draw.choice((0, 0, draw.randrange(20 * 10**6)))
        stop = start + draw.choice((10**4, 10**7, _LIFE_NS, 2 * HOUR_NS))
        shard = draw.choice((None, 0, 1, 2))
        predicate = f'writer="w{number}"' + (f' AND s="s{shard}"' if shard is not None else "")

        def doomed(instant: int) -> bool:
            return start <= instant <= stop and (shard is None or _shard(instant) == shard)

        ledger = self.house.ledgers[number]
        ledger.begin(deleted(doomed), range(start, stop + HOUR_NS, HOUR_NS), f"delete {start}..{stop} {predicate}")
        body = {"start": _text(start), "stop": _text(stop), "predicate": predicate}
        answer = self.house.ask("POST", "/api/v2/delete?org=house&bucket=crash", body, over=connection)
        self._answered(ledger, answer, 204, "deletes")

    def _refused(self, number: int, draw: random.Random, connection: http.client.HTTPConnection, at: int) -> None:
        """Writes that are refused, whole or in part."""
        ledger = self.house.ledgers[number]
        good = {at: {"n": draw.randrange(1 << 40), "x": 1}}
        line = _line(number, at, good[at])
        path = "/api/v2/write?org=house&bucket=crash"
        match draw.randrange(3):
            case 0:
                ledger.touched.add(at // HOUR_NS)
                status = self.house.ask("POST", path, line, token=self.house.reader, over=connection).status
                expected = 403
            case 1:
                ledger.touched.add(at // HOUR_NS)
                status = self.house.ask("POST", path, f"{line}m,writer=w{number} n= 5\n", over=connection).status
                expected = 400
            case _:
                other = _line(number, at + 1000, {"n": 1}).replace("n=1i", "n=1.5")
                ledger.begin(written(good), good, f"{line}and one that is refused")
                answer = self.house.ask("POST", path, line + other, over=connection)
                self._answered(ledger, answer, 422, "writes")
                return
        if status not in (expected, 503):
            raise LossError(f"a write that must be refused was answered with {status}")
        self.totals["refused writes"] += 1

    # --- buckets, tokens, retention, backups -------------------------------------------------

    def _records(self, draw: random.Random) -> None:
        acts = (self._make_bucket, self._write_inside, self._drop_bucket, self._make_token, self._delete_token)
        more = (self._write_expiring, self._write_expiring, self._turn_retention, self._backup, self._backup)
        while not self.stop.is_set():
            draw.choice((*acts, *more))(draw)

    def _name(self, kind: str, draw: random.Random) -> str:
        return f"{kind}-{self.house.life}-{draw.randrange(1 << 40)}"

    def _make_bucket(self, draw: random.Random) -> None:
        buckets = self.house.buckets
        if len(buckets.made) < 2:
            name = self._name("temporary", draw)
            buckets.making.add(name)
            buckets.made[name] = self.house.expect(
                201, "POST", "/api/v2/buckets", {"orgID": self.house.org, "name": name}
            )["id"]
            buckets.making.discard(name)
            self.house.inside[name] = Ledger()

    def _write_inside(self, draw: random.Random) -> None:
        for name in list(self.house.buckets.made):
            lines = {draw.randrange(10**6): {"n": draw.randrange(1 << 40)} for _ in range(draw.choice((1, 30, 200)))}
            ledger = self.house.inside[name]
            ledger.begin(written(lines), lines)
            body = "".join(_line(0, t, fields) for t, fields in lines.items())
            answer = self.house.ask("POST", f"/api/v2/write?org=house&bucket={name}", body)
            self._answered(ledger, answer, 204, "writes")

    def _drop_bucket(self, draw: random.Random) -> None:
        buckets = self.house.buckets
        if buckets.made:
            buckets.deleting = name = draw.choice(list(buckets.made))
            self.house.expect(204, "DELETE", f"/api/v2/buckets/{buckets.made[name]}")
            buckets.deleting = None
            del buckets.made[name]
            buckets.gone.add(name)
            self.totals["dropped buckets"] += 1

    def _make_token(self, draw: random.Random) -> None:
        tokens = self.house.tokens
        if len(tokens.made) < 6:
            name = self._name("made", draw)
            permission = bucket_permission("read", self.house.org, self.house.bucket["crash"])
            tokens.making.add(name)
            body = {"orgID": self.house.org, "description": name, "permissions": [permission]}
            tokens.made[name] = self.house.expect(201, "POST", "/api/v2/authorizations", body)["token"]
            tokens.making.discard(name)
            self.totals["tokens"] += 1

    def _delete_token(self, draw: random.Random) -> None:
        tokens = self.house.tokens
        names = [name for name, token in tokens.made.items() if token]
        if names:
            name = draw.choice(names)
            token = tokens.made[name]
            listed = self.house.expect(200, "GET", "/api/v2/authorizations")["authorizations"]
            found = next(one["id"] for one in listed if one["description"] == name)
            tokens.deleting = name
            self.house.expect(204, "DELETE", f"/api/v2/authorizations/{found}")
            tokens.deleting = None
            del tokens.made[name]
            tokens.gone.add(name)
            if self.house.ask("GET", "/api/v2/buckets", token=token).status != 401:
                raise LossError(f"deleted token {name} still works")

    def _write_expiring(self, draw: random.Random) -> None:
        hour = time.time_ns() // HOUR_NS - draw.choice((*_OLD_HOURS, 0))
        times = {hour * HOUR_NS + draw.randrange(10**12) for _ in range(draw.choice((1, 10, 60)))}
        expiring = self.house.expiring
        expiring.pending = (hour, times)
        body = "".join(_line(0, t, {"n": 1}) for t in times)
        answer = self.house.ask("POST", "/api/v2/write?org=house&bucket=expiring", body)
        if answer.status == 204:
            expiring.acknowledged()
            self.totals["writes"] += 1
        elif answer.status in (422, 503):
            # Older than the bucket keeps, all of them: they must not be found.
            expiring.pending = None
            self.totals["refused writes"] += 1
        else:
            raise LossError(f"a write was answered with {answer.status}")

    def _turn_retention(self, draw: random.Random) -> None:
        seconds = draw.choice((0, 0, 3600))
        if seconds:
            self.house.expiring.turned_on()
        rules = [{"type": "expire", "everySeconds": seconds, "shardGroupDurationSeconds": 3600}]
        path = f"/api/v2/buckets/{self.house.bucket['expiring']}"
        self.house.expect(200, "PATCH", path, {"retentionRules": rules})
        if seconds:
            # What was being written when it was turned on is in the layer before.
            self.house.expiring.turned_on()
            time.sleep(draw.choice((0, 0.05, 0.1)))
        else:
            self.house.expiring.turned_off()

    def _backup(self, draw: random.Random) -> None:
        """Every shard group that is copied must have what was there all the time."""
        taken = self.house.ask("GET", "/api/v2/backup/metadata")
        if taken.status != 200:
            raise LossError(f"a backup was answered with {taken.status}")
        text = taken.body[taken.body.rindex(b"name=buckets") :].partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]
        groups = [
            (shard["id"], group["startTime"])
            for bucket in json.loads(text)
            if bucket["bucketName"] == "crash"
            for policy in bucket["retentionPolicies"]
            for group in policy["shardGroups"]
            for shard in group["shards"]
        ]
        if not groups:
            return
        identifier, start = draw.choice(groups)
        hour = _nanoseconds(start) // HOUR_NS
        before = [dict(ledger.points) for ledger in self.house.ledgers]
        answer = self.house.ask("GET", f"/api/v2/backup/shards/{identifier}")
        if answer.status != 200:
            raise LossError(f"the backup of a shard was answered with {answer.status}")
        copied = _unpacked(answer.body)
        self.totals["backups"] += 1
        held: set[tuple[int, int]] = set()
        for data in copied:
            table = pq.read_table(pa.BufferReader(data), columns=["writer", "time"])
            writers = table["writer"].cast(pa.string()).to_pylist()
            held.update(zip((int(w[1:]) for w in writers), table["time"].cast(pa.int64()).to_pylist(), strict=True))
        for number, points in enumerate(before):
            ledger = self.house.ledgers[number]
            pending = ledger.pending
            now = ledger.points if pending is None else pending(ledger.points)
            for instant in points:
                if instant // HOUR_NS == hour and instant in now and (number, instant) not in held:
                    raise LossError(f"point {instant} of writer {number} is not in the backup of shard {identifier}")


class CrashTest:
    """Cycles over data folders that follow each other."""

    def __init__(self, folder: Path, seed: int, *, keep: bool = False, long_every: int = 0) -> None:
        """Prepare.

        Args:
            folder: For data folders.
            seed: Of every choice but those of the scheduler.
            keep: Copy each data folder as it was found after the kill.
            long_every: Every so manieth life is one of 1 to 3 s, rather than of tenths of one.
        """
        self.long_every = long_every
        self.random = random.Random(seed)
        self.keep = keep
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.zygote = Zygote(folder / "board")
        self.totals: collections.Counter[str] = collections.Counter()
        self.phases: collections.Counter[str] = collections.Counter()
        self.cycles = 0
        self.house: House | None = None
        self.pristine = House(self.zygote, folder / "pristine", free_port())
        self.pristine.folder.mkdir()
        self.pristine.set_up()
        assert self.zygote.end(signal.SIGTERM) == 0

    def run(self, cycles: int, progress: int = 0) -> None:
        """So many kills.

        Raises:
            LossError: The folder is left as it was found.
        """
        until = self.cycles + cycles
        while self.cycles < until:
            self.house = house = self._new_house()
            house.start()
            for _ in range(min(LIVES, until - self.cycles)):
                self._cycle(house)
                if progress and self.cycles % progress == 0:
                    print(self.summary(), flush=True)
            house.look(everywhere=True)
            house.look_at_folders()
            self.zygote.end(signal.SIGTERM)
            house.start()
            house.look(everywhere=True)
            self.zygote.end()
            shutil.rmtree(house.folder)
            self.totals["folders"] += 1

    def tell(self, path: Path) -> None:
        """Write down what the writers of the last folder have asked for, and into the log where the server is at."""
        if self.house is not None and self.zygote.pid:
            os.kill(self.zygote.pid, signal.SIGUSR1)
            time.sleep(1)
        if self.house is not None:
            path.write_text(
                "\n".join(f"{n}: {line}" for n, one in enumerate(self.house.ledgers) for line in one.history)
            )

    def close(self) -> None:
        """End all processes."""
        self.zygote.close()

    def summary(self) -> str:
        """What has been done so far."""
        board = self.zygote.board
        done = {phase: board[f"done {phase}"] for phase in PHASES}
        return json.dumps(
            {
                "cycles": self.cycles,
                **dict(sorted(self.totals.items())),
                "done by the server": done,
                "kills while at": dict(sorted(self.phases.items())),
            }
        )

    def _new_house(self) -> House:
        folder = self.folder / f"house-{self.totals['folders']}"
        shutil.copytree(self.pristine.folder, folder)
        house = House(self.zygote, folder, self.pristine.port)
        house.operator, house.reader, house.org = self.pristine.operator, self.pristine.reader, self.pristine.org
        house.bucket = dict(self.pristine.bucket)
        return house

    def _cycle(self, house: House) -> None:
        """One life from work to its end, and the look of the next."""
        work = Work(house, self.random, self.totals)
        kind = self.random.choices(("moment", "call", "stopping"), (46, 46, 8))[0]
        if self.long_every and self.cycles % self.long_every == 0:
            time.sleep(self.random.uniform(1, 3))
        elif kind == "call":
            board = self.zygote.board
            board["kill_at"] = board["calls"] + self.random.randint(1, 90)
            until = time.monotonic() + 0.5
            while time.monotonic() < until and self.zygote.alive():
                time.sleep(0.004)
        else:
            time.sleep(self.random.uniform(0.03, 0.25))
            if kind == "stopping":
                self.zygote.end(signal.SIGTERM, self.random.uniform(0, 0.06))
        self.zygote.end()
        self._count()
        work.end()
        house.life += 1
        if self.keep:
            shutil.rmtree(self.folder / "killed", ignore_errors=True)
            shutil.copytree(house.folder, self.folder / "killed")
        while not self._restart(house):
            pass
        house.look(everywhere=house.life % 12 == 0)

    def _restart(self, house: House) -> bool:
        """Start, now and then killing it while it does."""
        kind = self.random.choices(("whole", "call", "moment"), (86, 7, 7))[0]
        if kind == "whole":
            if not house.start():
                raise LossError(f"the server ended while it started: {house.log_end()}")
            return True
        if kind == "call":
            if house.start(self.random.randint(1, 40)):
                self.zygote.board["kill_at"] = 0
                return True
        else:
            self.zygote.start(house.folder, house.port)
            time.sleep(self.random.uniform(0, 0.12))
            self.zygote.end()
        self._count()
        self.zygote.end()
        return False

    def _count(self) -> None:
        self.cycles += 1
        active = self.zygote.board.active()
        self.phases.update(active or ["nothing in particular"])


def _line(writer: int, instant: int, fields: dict[str, int]) -> str:
    values = ",".join(f"{name}={value}i" for name, value in fields.items())
    return f"m{writer % 2},writer=w{writer},s=s{_shard(instant)} {values} {instant}\n"


def _unpacked(body: bytes) -> list[bytes]:
    """The data files of a shard group's backup, each as its entry says."""
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        files = {Path(one.name).name: archive.extractfile(one) for one in archive}
        contents = {name: file.read() for name, file in files.items() if file is not None}
    if not contents:
        return []
    found = []
    for entry in json.loads(contents["entries.json"])["files"]:
        data, index = contents[f"{entry['id']}.parquet"], contents[f"{entry['id']}.series.parquet"]
        if (zlib.crc32(data), zlib.crc32(index)) != (entry["data_crc"], entry["index_crc"]):
            raise LossError(f"file {entry['id']} of a backup is damaged")
        found.append(data)
    return found


def _shard(instant: int) -> int:
    return instant // 1000 % 3


def _nanoseconds(text: str) -> int:
    """Of an RFC 3339 text in UTC."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = int(time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))) - time.timezone
    return seconds * 10**9 + int(fraction.ljust(9, "0") or "0")


def _text(instant: int) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(instant // 10**9))
    return f"{whole}.{instant % 10**9:09d}Z"


def _runs(hours: set[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for hour in sorted(hours):
        if runs and hour == runs[-1][-1] + 1:
            runs[-1].append(hour)
        else:
            runs.append([hour])
    return runs


def _span(run: list[int]) -> tuple[int, int]:
    return run[0] * HOUR_NS, (run[-1] + 1) * HOUR_NS


def main() -> int:
    """Run as many cycles as wanted and say what was checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFF)
    parser.add_argument("--folder", type=Path, help="where data folders are made; one with a loss stays there")
    parser.add_argument("--long-every", type=int, default=0, help="every so manieth life is one of 1 to 3 s")
    parser.add_argument("--keep", action="store_true", help="keep each data folder as it was after its last kill")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="crash-"))
    print(f"seed {options.seed}, data in {folder}", flush=True)
    began = time.monotonic()
    test = CrashTest(folder / str(options.seed), options.seed, keep=options.keep, long_every=options.long_every)
    losses = 0
    try:
        test.run(options.cycles, progress=max(options.cycles // 40, 25))
    except (LossError, Refused, TimeoutError) as error:
        losses = 1
        print(f"LOSS: {type(error).__name__}: {error}", flush=True)
        test.tell(folder / "history.txt")
    finally:
        test.close()
    seconds = time.monotonic() - began
    print(f"{test.summary()}\n{test.cycles} cycles in {seconds:.0f} s, losses: {losses}", flush=True)
    if not losses:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder / str(options.seed))
    return losses


if __name__ == "__main__":
    sys.exit(main())
