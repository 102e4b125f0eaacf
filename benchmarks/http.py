"""Requests a second over HTTP, by `wrk` with 16 connections, on the machine's own processors.

    python -m benchmarks.http [--seconds N]

An authenticated look-up of a bucket by name, one-line writes (each durable
before its answer), and `/ping` for comparison. The goals on two cores are
5 500 and 2 500 a second.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.blackbox.process import Server

_WRITES = """
wrk.method = "POST"
local thread = 0
function setup(t) t:set("id", thread); thread = thread + 1 end
local count = 0
function request()
  count = count + 1
  local line = "cpu,host=h" .. (count % 100) .. " v=" .. count .. " 17" .. string.format("%05d%012d", id, count)
  return wrk.format(nil, "/api/v2/write?org=house&bucket=house", nil, line)
end
"""


def measure(url: str, token: str, seconds: int, script: Path | None = None) -> str:
    """What `wrk` says in one line."""
    command = ["wrk", "-t2", "-c16", f"-d{seconds}s", "--latency", "-H", f"Authorization: Token {token}"]
    command += ["-s", str(script)] if script else []
    shown = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", shown)
    half, most = re.search(r"^ +50%\s+(\S+)", shown, re.M), re.search(r"^ +99%\s+(\S+)", shown, re.M)
    assert rate is not None
    assert half is not None
    assert most is not None
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", shown)
    note = f"   {refused[1]} refused" if refused else ""
    return f"{float(rate[1]):10,.0f}/s   p50 {half[1]:>9}   p99 {most[1]:>9}{note}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args(arguments if arguments is not None else [])
    if shutil.which("wrk") is None:
        print("wrk is not installed (Debian: apt-get install wrk); nothing measured")
        return
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "data")
        script = Path(folder) / "write.lua"
        script.write_text(_WRITES)
        started = server.start()
        try:
            token = server.set_up()["auth"]["token"]
            print(f"{'start to first answer':32}{started:10.2f} s")
            for name, path, lua in (
                ("GET /ping", "/ping", None),
                ("GET /api/v2/buckets?name=house", "/api/v2/buckets?name=house", None),
                ("POST /api/v2/write, one line", "/", script),
            ):
                measure(server.url + path, token, 1, lua)
                print(f"{name:32}{measure(server.url + path, token, options.seconds, lua)}")
        finally:
            server.kill()


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
