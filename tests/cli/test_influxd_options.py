"""Every option of `influxd` at once: accepted, shown as it was given, and named in the log where it has no effect.

Source: cli.md §5.2.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.blackbox.process import INFLUXD, Server

from fluxkeep.config.options import REFERENCE, Option
from fluxkeep.config.values import Kind

pytestmark = pytest.mark.slow

# What the process of a test is started with anyway, and what needs files or other options beside it.
_GIVEN = {"http-bind-address", "bolt-path", "sqlite-path", "engine-path"}
_TOGETHER = {"tls-cert", "tls-key"}
_TEXTS = {
    "store": "disk", "log-level": "warn", "secret-store": "vault", "tls-min-version": "1.3", "tracing-type": "jaeger",
    "assets-path": "/srv/page", "vault-addr": "https://vault.example:8200", "vault-token": "a-token-for-vault",
    "instance-id": "one", "vault-cacert": "a.pem", "vault-capath": "certs", "vault-client-cert": "b.pem",
    "vault-client-key": "c.pem", "vault-tls-server-name": "vault.example",
}  # fmt: skip
_TYPED = {Kind.BOOLEAN: "true", Kind.NUMBER: "7", Kind.SIZE: "8m", Kind.DURATION: "1m30s", Kind.SPAN: "1m30s"}
_SHOWN = {Kind.BOOLEAN: True, Kind.NUMBER: 7, Kind.SIZE: 8_000_000, Kind.DURATION: "1m30s", Kind.SPAN: "1m30s"}


def _typed(option: Option, folder: Path) -> str:
    """A value that is not the default, but for the few that have no other which a test could start with."""
    if option.name == "pid-file":
        return str(folder / "run" / "influxd.pid")
    if option.kind is Kind.MAP:
        return "a=true,b=1"
    return _TEXTS[option.name] if option.kind is Kind.TEXT else _TYPED[option.kind]


def _chosen(folder: Path) -> dict[str, str]:
    left_out = _GIVEN | _TOGETHER
    return {option.name: _typed(option, folder) for option in REFERENCE if option.name not in left_out}


def _without_effect() -> set[str]:
    return {option.name for option in REFERENCE if not option.effective}


def test_all_options_as_flags(tmp_path: Path) -> None:
    chosen = _chosen(tmp_path)
    server = Server(tmp_path / "data", flags=[f"--{name}={value}" for name, value in chosen.items()])
    server.start()
    try:
        assert Path(chosen["pid-file"]).read_text().strip() == str(server.process.pid if server.process else 0)
        assert server.ask("GET", "/metrics").json["message"] == "metrics disabled"
        assert server.ask("GET", "/").status == 404
    finally:
        server.kill()
    named = re.findall(r"msg=option\.without\.effect .*option=([\w-]+)", server.log)
    assert set(named) == _without_effect()
    assert "a-token-for-vault" not in server.log


@pytest.mark.parametrize("source", ["environment", "file"])
def test_all_options_elsewhere(tmp_path: Path, source: str) -> None:
    chosen = _chosen(tmp_path)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("INFLUX")}
    if source == "environment":
        environ |= {f"INFLUXD_{name.upper().replace('-', '_')}": value for name, value in chosen.items()}
    else:
        (tmp_path / "config.json").write_text(json.dumps(chosen))
    done = subprocess.run(
        [INFLUXD, "print-config"], capture_output=True, text=True, cwd=tmp_path, env=environ, check=True
    )
    shown = yaml.safe_load(done.stdout)
    options = {option.name: option for option in REFERENCE}
    for name, typed in chosen.items():
        option = options[name]
        if option.secret:
            expected: object = "***"
        elif option.kind is Kind.MAP:
            expected = {"a": "true", "b": "1"}
        elif option.kind is Kind.TEXT:
            expected = typed
        else:
            expected = _SHOWN[option.kind]
        assert shown[name] == expected, name
    assert len(chosen) + len(_GIVEN) + len(_TOGETHER) == 75
