"""Kill the server at random moments while it is written to, and look at what it kept.

Every line and token has a number of its own, so that after a restart each can
be asked for: what was acknowledged must be there, what was never sent must
not, and what was under way may be either, for good.

    python -m tests.blackbox.crash --rounds 200 --seed 7
"""

from __future__ import annotations

import argparse
import http.client
import random
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.blackbox.process import Server, bucket_permission

WRITERS = 4
# A round's points lie in seconds of their own, so that one query reads one round.
_ROUND_NS = 1_000_000_000_000


@dataclass
class Sent:
    """What one writer has sent in one round, by number."""

    sent: set[int] = field(default_factory=set)
    acknowledged: set[int] = field(default_factory=set)


@dataclass
class Tokens:
    """Tokens by id."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    deleting: set[str] = field(default_factory=set)
    deleted: dict[str, str] = field(default_factory=dict)
    unanswered: int = 0


class CrashTest:
    """Rounds on one data folder."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.server = Server(folder)
        self.server.start()
        made = self.server.set_up()
        self.operator: str = made["auth"]["token"]
        self.org: str = made["org"]["id"]
        self.bucket: str = made["bucket"]["id"]
        self.kept: list[dict[int, set[int]]] = []
        self.tokens = Tokens()
        self.lines = 0

    def run(self, rounds: int, seconds: tuple[float, float]) -> None:
        """Write, end, restart and look, so many times."""
        for number in range(rounds):
            sent = self._write_until_the_end(number, self.random.uniform(*seconds), gently=number % 6 == 5)
            self.server.start()
            self._look_at_points(number, sent)
            self._look_at_tokens()
        for number in range(rounds):
            assert self._read(number) == self.kept[number], f"round {number} has changed afterwards"

    def _write_until_the_end(self, number: int, seconds: float, *, gently: bool) -> list[Sent]:
        stop = threading.Event()
        sent = [Sent() for _ in range(WRITERS)]
        seeds = [self.random.random() for _ in range(WRITERS)]
        threads = [
            threading.Thread(target=self._write, args=(number, writer, sent[writer], seeds[writer], stop))
            for writer in range(WRITERS)
        ]
        threads.append(threading.Thread(target=self._change_tokens, args=(self.random.random(), stop)))
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        if gently:
            assert self.server.stop(signal.SIGTERM) == 0
        else:
            self.server.kill()
        stop.set()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        self.lines += sum(len(one.acknowledged) for one in sent)
        return sent

    def _write(self, number: int, writer: int, into: Sent, seed: float, stop: threading.Event) -> None:
        choose = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        headers = {"Authorization": f"Token {self.operator}"}
        at = 0
        try:
            while not stop.is_set():
                batch = range(at, at + choose.choice((1, 1, 5, 200)))
                at = batch.stop
                lines = "\n".join(
                    f"crash,writer=w{writer},shard=s{n % 7} n={n}i {number * _ROUND_NS + writer * 10**9 + n}"
                    for n in batch
                )
                into.sent.update(batch)
                connection.request("POST", "/api/v2/write?org=house&bucket=house", lines, headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status == 204:
                    into.acknowledged.update(batch)
                elif answer.status != 503:
                    raise AssertionError(f"a write was answered with {answer.status}")
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def _change_tokens(self, seed: float, stop: threading.Event) -> None:
        choose = random.Random(seed)
        body: dict[str, Any] = {"orgID": self.org, "permissions": [bucket_permission("read", self.org, self.bucket)]}
        tokens = self.tokens
        try:
            while not stop.is_set():
                if tokens.acknowledged and choose.random() < 0.4:
                    chosen = choose.choice(sorted(tokens.acknowledged))
                    tokens.deleting.add(chosen)
                    answer = self.server.ask("DELETE", f"/api/v2/authorizations/{chosen}", self.operator, timeout=10)
                    if answer.status == 204:
                        tokens.deleting.discard(chosen)
                        tokens.deleted[chosen] = tokens.acknowledged.pop(chosen)
                else:
                    tokens.unanswered += 1
                    answer = self.server.ask("POST", "/api/v2/authorizations", self.operator, body, timeout=10)
                    if answer.status == 201:
                        tokens.unanswered -= 1
                        tokens.acknowledged[answer.json["id"]] = answer.json["token"]
        except (OSError, http.client.HTTPException):
            pass

    def _read(self, number: int) -> dict[int, set[int]]:
        start = number * _ROUND_NS
        answer = self.server.flux(
            self.operator,
            f'from(bucket: "house") |> range(start: time(v: {start}), stop: time(v: {start + _ROUND_NS})) '
            '|> group() |> keep(columns: ["writer", "_value", "_time"])',
        )
        assert answer.status == 200, answer.text
        found: dict[int, set[int]] = {writer: set() for writer in range(WRITERS)}
        rows = answer.text.split("\r\n")
        labels = rows[0].split(",")
        for row in rows[1:]:
            if row:
                cells = dict(zip(labels, row.split(","), strict=True))
                found[int(cells["writer"][1:])].add(int(cells["_value"]))
        return found

    def _look_at_points(self, number: int, sent: list[Sent]) -> None:
        found = self._read(number)
        for writer, one in enumerate(sent):
            lost = one.acknowledged - found[writer]
            invented = found[writer] - one.sent
            assert not lost, f"round {number}: {len(lost)} acknowledged points of writer {writer} are lost"
            assert not invented, f"round {number}: {len(invented)} points of writer {writer} were never sent"
        self.kept.append(found)

    def _look_at_tokens(self) -> None:
        tokens = self.tokens
        listed = {
            one["id"] for one in self.server.ask("GET", "/api/v2/authorizations", self.operator).json["authorizations"]
        }
        # What was being deleted when the process ended is deleted or not, and stays so.
        for chosen in sorted(tokens.deleting):
            token = tokens.acknowledged.pop(chosen)
            if chosen in listed:
                tokens.acknowledged[chosen] = token
            else:
                tokens.deleted[chosen] = token
        tokens.deleting.clear()
        assert set(tokens.acknowledged) <= listed
        assert not set(tokens.deleted) & listed
        # One of the operator's, and those whose creation was never answered.
        assert len(listed) <= len(tokens.acknowledged) + tokens.unanswered + 1
        for token in list(tokens.acknowledged.values())[-3:]:
            assert self.server.ask("GET", "/api/v2/buckets", token).status == 200
        for token in list(tokens.deleted.values())[-3:]:
            assert self.server.ask("GET", "/api/v2/buckets", token).status == 401


def main() -> None:
    """Run as many rounds as wanted and say what was checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFF)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        test = CrashTest(Path(folder), options.seed)
        try:
            test.run(options.rounds, (1.0, 3.0))
        finally:
            test.server.kill()
    print(f"seed {options.seed}: {options.rounds} rounds, {test.lines} acknowledged points", file=sys.stderr)


if __name__ == "__main__":
    main()
