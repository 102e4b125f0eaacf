"""The commands of the guides, run as they stand against a server of our own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.blackbox.process import Server

pytestmark = pytest.mark.slow

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def run(name: str, server: Server, folder: Path) -> list[str]:
    """What every block prints; variables live on from block to block."""
    environ = {
        "HOME": str(folder),
        "INFLUX_HOST": server.url,
        "DATA": str(server.folder),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    printed = []
    blocks = re.findall(r"```bash( stopped)?\n(.*?)```", (GUIDES / name).read_text(), re.DOTALL)
    assert len(blocks) >= 3
    for stopped, block in blocks:
        if stopped:
            server.stop()
        keep = "declare -p BUCKET OPERATOR TOKEN > .variables 2> /dev/null || true"
        script = f"test -f .variables && . ./.variables\n{block}\n{keep}"
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", "touch .variables\n" + script],
            cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (block, done.stdout, done.stderr)
        printed.append(done.stdout)
        if stopped:
            server.start()
    return printed


def test_the_guide_to_backups(server: Server, tmp_path: Path) -> None:
    printed = run("backup.md", server, tmp_path)
    assert len(printed) == 5
    for index in (2, 3):
        assert "kitchen" in printed[index]
        assert "21.5" in printed[index]
    manifest = next((tmp_path / "backup").glob("*.manifest"))
    assert manifest.stat().st_mode & 0o777 == 0o600


def test_the_guide_to_lost_tokens(server: Server, tmp_path: Path) -> None:
    printed = run("recover-a-token.md", server, tmp_path)
    assert len(printed) == 3
    assert "kitchen sensor, new" in printed[0]
    assert "climate" in printed[2]
    assert not (tmp_path / "made.txt").exists()
