"""Backup and restore of 10 M values by the command, in values a second of wall time.

python -m benchmarks.backup [lines]
"""

from __future__ import annotations

import gzip
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.blackbox.influx import Influx
from tests.blackbox.process import Server

from benchmarks.data import cpu_lines
from benchmarks.ingest import bodies

_TOKEN = "benchmark-operator-token-of-32-characters-or-more"
_FIELDS = 10


def main(lines: int = 1_000_000) -> None:
    """Write, back up, restore a bucket beside itself, restore all into an empty server."""
    folder = Path(tempfile.mkdtemp(prefix="fluxkeep-backup-"))
    source, target = Server(folder / "source"), Server(folder / "target")
    try:
        for server in (source, target):
            server.start()
        influx, other = Influx(source, folder / "home"), Influx(target, folder / "other-home")
        influx.setup(_TOKEN)
        other.setup(_TOKEN)
        for body in bodies(cpu_lines(lines)):
            answer = source.ask(
                "POST", "/api/v2/write?org=home&bucket=climate", _TOKEN, gzip.compress(body, 1),
                {"Content-Encoding": "gzip"},
            )  # fmt: skip
            assert answer.status == 204, answer.text
        values = lines * _FIELDS
        # What is in memory is written to data files first, which is measured apart.
        first = str(folder / "backup-first")
        _timed("first backup, gzip, with the flush of memory", values, lambda: influx.ok("backup", first))
        for name, flags in (("gzip", ()), ("none", ("--compression", "none"))):
            backup = str(folder / f"backup-{name}")
            _timed(f"backup, {name}", values, lambda flags=flags, backup=backup: influx.ok("backup", backup, *flags))
            size = sum(path.stat().st_size for path in Path(backup).iterdir())
            print(f"  {size / 1e6:.1f} MB, {size / values:.2f} bytes a value")
            _timed(
                f"restore of a bucket, {name}", values,
                lambda name=name, backup=backup: influx.ok(
                    "restore", backup, "--bucket", "climate", "--new-bucket", f"again-{name}"
                ),
            )  # fmt: skip
            _timed(f"full restore, {name}", values, lambda backup=backup: other.ok("restore", "--full", backup))
    finally:
        source.kill()
        target.kill()
        shutil.rmtree(folder)


def _timed(what: str, values: int, act: object) -> None:
    assert callable(act)
    began = time.perf_counter()
    act()
    seconds = time.perf_counter() - began
    print(f"{what}: {seconds:.2f} s, {values / seconds / 1e6:.1f} M values/s", flush=True)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
