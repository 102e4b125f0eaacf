"""The installed server as a process, spoken to over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

INFLUXD = Path(sys.executable).with_name("influxd")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def key_of(certificate: Path) -> Path:
    return certificate.with_suffix(".key")


def make_certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody signed but itself; needs the command `openssl`."""
    made = folder / "server.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
            *("-out", str(made), "-keyout", str(key_of(made))),
        ],
        capture_output=True,
        check=True,
    )
    return made


@dataclass
class Server:
    """One data folder and, while it runs, one process.

    The log lies in the data folder, so that a search of the folder covers it.

    Attributes:
        certificate: What an HTTPS server shows, and who speaks to it trusts; its key lies beside it.
    """

    folder: Path
    flags: list[str] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    environ: dict[str, str] = field(default_factory=dict)
    certificate: Path | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def command(self) -> list[str]:
        return [
            str(INFLUXD),
            "run",
            "--http-bind-address",
            f"127.0.0.1:{self.port}",
            "--bolt-path",
            str(self.folder / "influxd.bolt"),
            "--sqlite-path",
            str(self.folder / "influxd.sqlite"),
            "--engine-path",
            str(self.folder / "engine"),
            *([f"--tls-cert={self.certificate}", f"--tls-key={key_of(self.certificate)}"] if self.certificate else []),
            *self.flags,
        ]

    def launch(self) -> None:
        """Start the process and wait for nothing; the environment is ours without its INFLUX variables."""
        self.folder.mkdir(parents=True, exist_ok=True)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("INFLUX")}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=subprocess.STDOUT, cwd=self.folder, env=environ | self.environ
            )

    def start(self, seconds: float = 30) -> float:
        """Start, and give the seconds until the first answer."""
        began = time.monotonic()
        self.launch()
        assert self.process is not None
        while True:
            if self.process.poll() is not None or time.monotonic() > began + seconds:
                raise AssertionError(f"the server did not start: {self.log[-2000:]}")
            try:
                if self.ask("GET", "/health").status == 200:
                    return time.monotonic() - began
            except OSError:
                time.sleep(0.01)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and give its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(30)
        self.process = None
        return status

    def kill(self) -> None:
        """End it as a power cut of the process would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def ask(
        self,
        method: str,
        path: str,
        token: str | None = None,
        body: bytes | str | dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 30,
    ) -> Answer:
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Token {token}"
        if isinstance(body, dict):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        connection = self.connect(timeout)
        try:
            connection.request(method, path, body, sent)
            got = connection.getresponse()
            return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        finally:
            connection.close()

    def connect(self, timeout: float = 30) -> http.client.HTTPConnection:
        """A connection that nothing was said on."""
        if self.certificate is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        trusting = ssl.create_default_context(cafile=self.certificate)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=trusting)

    def set_up(self) -> dict[str, Any]:
        """Onboard: user, org and bucket are all called `house`."""
        answer = self.ask(
            "POST",
            "/api/v2/setup",
            body={"username": "house", "password": "house-password", "org": "house", "bucket": "house"},
        )
        assert answer.status == 201, answer.text
        made: dict[str, Any] = answer.json
        return made

    def flux(self, token: str, text: str, org: str = "house") -> Answer:
        return self.ask(
            "POST", f"/api/v2/query?org={org}", token, text.encode(), {"Content-Type": "application/vnd.flux"}
        )

    def write(self, token: str, lines: str, bucket: str = "house", org: str = "house") -> Answer:
        return self.ask("POST", f"/api/v2/write?org={org}&bucket={bucket}", token, lines.encode())

    def token(self, operator: str, org_id: str, *permissions: dict[str, Any]) -> dict[str, Any]:
        """A token with these permissions, as the API shows it."""
        answer = self.ask(
            "POST", "/api/v2/authorizations", operator, {"orgID": org_id, "permissions": list(permissions)}
        )
        assert answer.status == 201, answer.text
        made: dict[str, Any] = answer.json
        return made


def bucket_permission(action: str, org_id: str, bucket_id: str) -> dict[str, Any]:
    return {"action": action, "resource": {"type": "buckets", "orgID": org_id, "id": bucket_id}}
