"""The installed `influx` command, run against a server of a test."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.blackbox.process import Server

INFLUX = Path(sys.executable).with_name("influx")

_ID = re.compile(r"\b[0-9a-f]{16}\b")
_TIME = re.compile(r"\d{4}[-/]\d\d[-/]\d\d[T ][\d:.]+(?:Z| \+0000 UTC)?")
_TOKEN = re.compile(r"[\w-]{86}==")


def mask(text: str) -> str:
    """The text with ids, times and tokens replaced; an id keeps its width, as a table's padding hangs on it."""
    return _TOKEN.sub("<token>", _TIME.sub("<time>", _ID.sub("i" * 16, text)))


ID = "i" * 16


@dataclass
class Influx:
    """The command with a home folder of its own."""

    server: Server
    home: Path

    def __call__(self, *args: str, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        self.home.mkdir(exist_ok=True)
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "INFLUX_HOST": self.server.url, **env}
        return subprocess.run(
            [INFLUX, *args],
            capture_output=True,
            text=True,
            env=environment,
            input=stdin if stdin is not None else "",
            check=False,
            timeout=120,
        )

    def ok(self, *args: str, stdin: str | None = None, **env: str) -> str:
        """What it prints when it succeeds."""
        done = self(*args, stdin=stdin, **env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fails(self, *args: str, stdin: str | None = None, **env: str) -> str:
        """The last line of standard error when it fails with exit status 1."""
        done = self(*args, stdin=stdin, **env)
        assert done.returncode == 1, (done.stdout, done.stderr)
        return done.stderr.strip().splitlines()[-1]

    def table(self, *args: str, **env: str) -> str:
        """What it prints, masked."""
        return mask(self.ok(*args, **env))

    def object(self, *args: str) -> Any:
        """What it prints with `--json`."""
        return json.loads(self.ok(*args, "--json"))

    def setup(self, token: str = "", username: str = "admin") -> None:
        flags = ["--username", username, "--password", "correct-horse", "--org", "home", "--bucket", "climate"]
        self.ok("setup", "--force", *flags, *(["--token", token] if token else []))
