"""Lines a second that one core turns into columns.

    python -m benchmarks.parse [--lines N] [--rounds N]

Bodies of 5 000 lines (what a client sends at once) and of all lines; prints the
median of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time

from benchmarks.data import cpu_lines, mixed_lines
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol import SeriesMemory, parse


def seconds(bodies: list[bytes]) -> float:
    """Time to parse the bodies one after another; everything must be good."""
    memory = SeriesMemory()
    start = time.perf_counter()
    for body in bodies:
        parsed = parse(body, precision=Precision.NS, now_ns=0, memory=memory)
        assert not parsed.errors
    return time.perf_counter() - start


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lines", type=int, default=300_000)
    arguments.add_argument("--rounds", type=int, default=9)
    options = arguments.parse_args()
    for name, source in (("cpu", cpu_lines), ("mixed", mixed_lines)):
        lines = list(source(options.lines))
        size = sum(map(len, lines)) / len(lines)
        for label, step in (("5 000 lines a body", 5_000), ("one body", len(lines))):
            bodies = [b"".join(lines[i : i + step]) for i in range(0, len(lines), step)]
            seconds(bodies)
            median = statistics.median(seconds(bodies) for _ in range(options.rounds))
            rate = len(lines) / median
            speed = f"{rate / 1e6:6.2f} M lines/s {rate * size / 1e6:6.0f} MB/s"
            print(f"parse {name:6} {label:18} {speed} ({size:.0f} B/line)")


if __name__ == "__main__":
    main()
