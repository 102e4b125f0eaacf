"""The commands of the guide on tokens, run in order as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.blackbox.process import Server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

# A machine need not have curl; this knows the options that the guide uses.
CURL = f"""#!{sys.executable}
import sys, urllib.request
words, method, headers, body, url = sys.argv[1:], "GET", {{}}, None, ""
while words:
    word = words.pop(0)
    if word == "-X":
        method = words.pop(0)
    elif word == "-H":
        name, _, value = words.pop(0).partition(": ")
        headers[name] = value
    elif word == "-d":
        body = words.pop(0).encode()
    elif not word.startswith("-"):
        url = word
print(urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method)).read().decode())
"""


def test_the_guide(tmp_path: Path) -> None:
    blocks = re.findall(r"```bash( stopped)?\n(.*?)```", (ROOT / "docs/guides/tokens.md").read_text(), re.DOTALL)
    assert len(blocks) == 13
    (tmp_path / "bin").mkdir()
    curl = tmp_path / "bin" / "curl"
    curl.write_text(CURL)
    curl.chmod(0o755)
    server = Server(tmp_path / ".influxdbv2")
    environ = {
        "HOME": str(tmp_path),
        "INFLUX_HOST": server.url,
        "PATH": f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
    }

    def run(block: str) -> str:
        # Variables live on from block to block, as in a reader's shell.
        script = f"set -a; if [ -f state ]; then . ./state; fi\n{block}\nexport -p > state"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    try:
        server.start()
        outputs = []
        for stopped, block in blocks:
            if stopped:
                server.stop()
            outputs.append(run(block))
            if stopped and block != blocks[-1][1]:
                # The reader starts it with the variables of the shell.
                key_file = run('echo "${INFLUXD_TOKEN_HASH_KEY_FILE:-}"').strip()
                server.environ = {"INFLUXD_TOKEN_HASH_KEY_FILE": key_file} if key_file else {}
                server.start()
    finally:
        server.kill()
    assert "kitchen sensor" in outputs[1]
    assert "daily work" in outputs[1]
    assert "kitchen sensor, north wall" in outputs[3]
    assert '"revokedAt"' in outputs[4]
    report, verdict, found, downgraded = outputs[7], outputs[9], outputs[11], outputs[12]
    assert "digests are now under key 2026b" in report
    assert "admin's Recovery Token" in outputs[8]
    assert "all in order" in verdict
    assert re.findall(r"lines (under the key \w+|without a key)", verdict) == [
        "without a key",
        "under the key 2026a",
        "under the key 2026b",
    ]
    assert [json.loads(line)["action"] for line in found.splitlines()] == ["POST /api/v2/authorizations"]
    assert "Metadata successfully downgraded" in downgraded
    lines = [json.loads(line) for line in (server.folder / "audit.log").read_text().splitlines()]
    offline = [line["action"] for line in lines if line["action"].startswith("influxd ")]
    assert offline == [
        "influxd token-hashing report",
        "influxd token-hashing rekey",
        "influxd token-hashing report",
        "influxd recovery auth create-operator",
        "influxd downgrade",
    ]
    assert {"POST /api/v2/setup", "POST /api/v2/authorizations/{id}/rotate"} <= {line["action"] for line in lines}
