"""The servers that are measured side by side, each fresh in a folder of its own.

fluxkeep is the installed one; InfluxDB 1.6 and VictoriaMetrics are Debian's
packages `influxdb` and `victoria-metrics` and take part where they are installed.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

TOKEN = "benchmark-operator-token-of-more-than-32-characters"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Rival:
    """A server under test: where to write, how to ask, what it costs."""

    name: str
    command: list[str]
    port: int
    folder: Path
    health: str
    write_path: str
    headers: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it; seconds until it is healthy."""
        self.folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, cwd=self.folder, env={**os.environ, **self.environment}
            )
        while time.monotonic() < began + 60:
            try:
                if self.ask("GET", self.health)[0] in (200, 204):
                    return time.monotonic() - began
            except OSError:
                time.sleep(0.005)
        raise RuntimeError(f"{self.name} did not start, see {self.folder}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.connect()
        assert connection.sock is not None
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        connection = self.connect()
        try:
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def cpu_seconds(self) -> float:
        """User and system time of the process so far."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mb(self) -> float:
        assert self.process is not None
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        return 0.0

    def disk_bytes(self) -> int:
        return sum(f.stat().st_size for f in self.folder.rglob("*") if f.is_file() and f.name != "server.log")


def fluxkeep(folder: Path) -> Rival:
    """Ours, set up with an operator token; every write is authenticated and synced."""
    port = free_port()
    binary = Path(sys.executable).with_name("influxd")
    data = folder / "fluxkeep"
    return Rival(
        "fluxkeep",
        [
            str(binary),
            "run",
            "--http-bind-address",
            f"127.0.0.1:{port}",
            "--bolt-path",
            str(data / "records"),
            "--engine-path",
            str(data / "engine"),
            "--log-level",
            "warn",
        ],
        port,
        data,
        "/health",
        "/api/v2/write?org=bench&bucket=bench",
        {"Authorization": f"Token {TOKEN}"},
    )


def influxdb(folder: Path) -> Rival | None:
    """Debian's InfluxDB 1.6, which syncs its WAL with every write too."""
    binary = shutil.which("influxd", path="/usr/bin:/usr/sbin")
    if binary is None:
        return None
    port, data = free_port(), folder / "influxdb"
    data.mkdir(parents=True, exist_ok=True)
    config = data / "influxdb.conf"
    config.write_text(
        f"""reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
  dir = "{data}/meta"
[data]
  dir = "{data}/data"
  wal-dir = "{data}/wal"
  index-version = "tsi1"
  max-values-per-tag = 0
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[logging]
  level = "error"
"""
    )
    return Rival("InfluxDB 1.6", [binary, "-config", str(config)], port, data, "/ping", "/write?db=bench")


def victoria_metrics(folder: Path) -> Rival | None:
    """Debian's VictoriaMetrics, single node; it syncs about once a second."""
    binary = shutil.which("victoria-metrics")
    if binary is None:
        return None
    port, data = free_port(), folder / "victoria"
    command = [
        binary,
        f"-storageDataPath={data}/data",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y",
        "-loggerLevel=ERROR",
        "-search.latencyOffset=0s",
    ]
    return Rival("VictoriaMetrics", command, port, data, "/health", "/write?db=bench")


def all_rivals(folder: Path) -> list[Rival]:
    """Those that can take part, started and ready for writes."""
    found = [rival for rival in (fluxkeep(folder), influxdb(folder), victoria_metrics(folder)) if rival is not None]
    for rival in found:
        rival.start()
        prepare(rival)
    return found


def prepare(rival: Rival) -> None:
    """Make the place that is written to."""
    if rival.name == "fluxkeep":
        body = '{"username":"bench","password":"bench-password","org":"bench","bucket":"bench","token":"' + TOKEN + '"}'
        status, answer = rival.ask("POST", "/api/v2/setup", body.encode())
        assert status in (201, 422), answer
    elif rival.name.startswith("InfluxDB"):
        status, answer = rival.ask("POST", "/query?" + urllib.parse.urlencode({"q": "CREATE DATABASE bench"}))
        assert status == 200, answer
