"""The installed `influx` command, run against a server of a test."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.blackbox.process import Server

INFLUX = Path(sys.executable).with_name("influx")


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

    def setup(self, token: str = "", username: str = "admin") -> None:
        flags = ["--username", username, "--password", "correct-horse", "--org", "home", "--bucket", "climate"]
        self.ok("setup", "--force", *flags, *(["--token", token] if token else []))
