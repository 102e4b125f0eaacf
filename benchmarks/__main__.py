"""`python -m benchmarks [name …]`: every benchmark in turn, or those named."""

from __future__ import annotations

import importlib
import sys

NAMES = ("parse", "authenticate", "tokens", "http", "ingest", "queries", "backup")


def main() -> None:
    for name in sys.argv[1:] or NAMES:
        print(f"\n=== {name}", flush=True)
        # Each reads its own arguments, of which it is given none here.
        sys.argv = [name]
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
