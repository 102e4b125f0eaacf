"""Mutated line protocol against the scanner and its twin.

    python -m tests.fuzz.lineprotocol [--runs N] [--seed S]

Every body is parsed by the native scanner, once with fresh memory and once with
a memory that lives through the run, and by the pure twin; all three have to
agree, and what was good has to survive encoding, or be refused by it as
something that has no spelling, which must stay rare. A body that breaks this
is printed and ends the run with exit code 1; the seed repeats it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.data import cpu_lines, mixed_lines
from tests.lineprotocol.same import assert_same, assert_same_batch

from fluxkeep.errors import FluxkeepError, InvalidInput
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol import SeriesMemory, encode, parse, pure

GOLDEN = Path(__file__).parents[1] / "golden" / "http" / "write-lines.jsonl"
PIECES = [
    *(bytes([b]) for b in b' ,="\\\n\t\x00#-.+iuetfnN\r\xff\xc3'),
    *(b"\\\\", b"\\,", b"\\ ", b"\\=", b'\\"', b'="', b'",', b"  ", b"=1i", b"=1u", b"=t", b"=1e5", b"=-", b"time="),
    *(b"9223372036854775807", b"18446744073709551616", b"1e999", b"_field", "☃".encode(), b"\xe2\x98", b"=nan"),
]
BODY_BYTES_MAX = 4_000
SERIES_MAX = 500
NOW = 1_700_000_000_123_456_789


def corpus() -> list[bytes]:
    """Bodies to begin with: everything recorded, and lines as clients send them."""
    exchanges = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()[1:]]
    texts = [e["request"]["text"].encode() for e in exchanges if "text" in e["request"]]
    cpu, mixed = list(cpu_lines(20, hosts=4)), list(mixed_lines(200))
    return [*texts, b"".join(cpu[:8]), b"".join(cpu[8:]), *(b"".join(mixed[i : i + 8]) for i in range(0, 200, 8))]


def mutations(seeds: list[bytes], draw: random.Random) -> Iterator[bytes]:
    """Endless bodies, each a few steps away from some that came before."""
    pool = list(seeds)
    while True:
        body = bytearray(draw.choice(pool))
        for _ in range(draw.randint(1, 4)):
            at = draw.randint(0, len(body))
            to = min(len(body), at + draw.choice((1, 2, 4, 16, 64)))
            match draw.randrange(7):
                case 0:
                    body[at:at] = draw.choice(PIECES)
                case 1:
                    body[at:to] = draw.choice(PIECES)
                case 2:
                    del body[at:to]
                case 3:
                    body[at:at] = body[at:to]
                case 4:
                    body[at:to] = bytes(draw.randrange(256) for _ in range(to - at))
                case 5:
                    other = draw.choice(pool)
                    body[at:] = other[draw.randint(0, len(other)) :]
                case _:
                    body += b"\n" + body
        mutated = bytes(body[:BODY_BYTES_MAX])
        yield mutated
        # Only what still holds points breeds, and it takes a descendant's place, not a seed's.
        if draw.random() < 0.3 and parse(mutated, precision=Precision.NS, now_ns=NOW).batch.point_count:
            if len(pool) < 3 * len(seeds):
                pool.append(mutated)
            else:
                pool[draw.randrange(len(seeds), len(pool))] = mutated


def check(body: bytes, precision: Precision, memory: SeriesMemory) -> bool:
    """Compare the parsers on a body and encode what is good in it.

    Returns:
        Whether the encoder found a spelling.

    Raises:
        AssertionError: They differ.
    """
    fresh = parse(body, precision=precision, now_ns=NOW)
    assert_same(fresh, pure.parse(body, precision=precision, now_ns=NOW))
    assert_same(parse(body, precision=precision, now_ns=NOW, memory=memory), fresh)
    # A name that begins with a blank has no spelling as the first field.
    if any(f.name[:1] in ("\t", "\0") for m in fresh.batch.measurements for f in m.fields):
        return False
    try:
        lines = encode(fresh.batch)
    except InvalidInput:
        return False
    again = parse(lines, precision=Precision.NS, now_ns=NOW)
    assert not again.errors
    assert_same_batch(again.batch, fresh.batch)
    return True


def run(runs: int, seed: int) -> bytes | None:
    """The first body of `runs` on which something differs; None if there is none.

    Raises:
        AssertionError: The encoder refuses more than a tenth of all bodies, so that the run would prove little.
    """
    draw = random.Random(seed)
    memory = SeriesMemory(SERIES_MAX)
    bodies = mutations(corpus(), draw)
    unspelled = 0
    for body in (next(bodies) for _ in range(runs)):
        try:
            unspelled += not check(body, draw.choice(list(Precision)), memory)
        except (AssertionError, FluxkeepError, ValueError):
            return body
    print(f"{unspelled} of {runs} bodies hold a name that has no spelling")
    assert unspelled <= runs / 10
    return None


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = arguments.parse_args()
    print(f"seed {options.seed}")
    broken = run(options.runs, options.seed)
    if broken is not None:
        print(f"differs: {broken!r}")
        return 1
    print(f"{options.runs} bodies, no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
