"""The README's commands, run as they stand against a server of our own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.blackbox.process import Server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_the_two_minutes(server: Server, tmp_path: Path) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 4
    environ = {
        "HOME": str(tmp_path),
        "INFLUX_HOST": server.url,
        # Where the package may be installed if not in the checkout's own environment.
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # The mean of the kitchen's two, and of the cellar's one.
    assert re.search(r"kitchen.*\b22\b|\b22\b.*kitchen", done.stdout), done.stdout
    assert re.search(r"cellar.*\b12\b|\b12\b.*cellar", done.stdout), done.stdout
    assert "kitchen sensor" in done.stdout
    config = tmp_path / ".influxdbv2" / "configs"
    assert config.stat().st_mode & 0o777 == 0o600
    token = re.search(r'token = "(.+?)"', config.read_text())
    assert token is not None
    answer = server.flux(token[1], 'from(bucket:"climate") |> range(start:-1h) |> group() |> count()', "home")
    assert re.search(r",4\b", answer.text), answer.text
