"""A small HTTP client for the commands: the standard library, so that `influx` starts at once.

Source: cli.md §1.1, §1.2.
"""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import ssl
import sys
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from fluxkeep.cli.failures import CommandFailed, ServerRefused
from fluxkeep.cli.version import USER_AGENT
from fluxkeep.secret import Secret

TIMEOUT_SECONDS = 600.0
_CHUNK_BYTES = 1 << 18


@dataclass(slots=True)
class Client:
    """Talks to one server with one credential."""

    host: str
    token: Secret = field(default_factory=lambda: Secret(""))
    cookie: Secret = field(default_factory=lambda: Secret(""))
    skip_verify: bool = False
    debug: bool = False
    extra_headers: Mapping[str, str] = field(default_factory=dict)

    def get(self, path: str, query: Mapping[str, str | None] | None = None) -> Any:
        """The JSON answer of a GET."""
        return self.call("GET", path, query)

    def call(
        self, method: str, path: str, query: Mapping[str, str | None] | None = None, body: object | None = None
    ) -> Any:
        """Send JSON, read JSON; None for an empty answer.

        Raises:
            ServerRefused: An answer of 300 or more.
            CommandFailed: The server cannot be reached, or its certificate is not trusted.
        """
        payload = None if body is None else json.dumps(body).encode()
        with self.open(method, path, query, payload, {"Content-Type": "application/json"}) as answer:
            data = answer.read()
        if not data:
            return None
        try:
            return json.loads(data)
        except ValueError as error:
            raise CommandFailed("the server's answer is no JSON") from error

    def open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | None] | None = None,
        body: bytes | IO[bytes] | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and return its answer with the body still to be read.

        Query entries that are None are left out.
        """
        parts = urllib.parse.urlsplit(self.host)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CommandFailed(
                f'host URL "{self.host}" is invalid: a scheme of http or https must be provided for host url'
            )
        text = urllib.parse.urlencode({k: v for k, v in (query or {}).items() if v is not None})
        target = parts.path.rstrip("/") + path + (f"?{text}" if text else "")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        sent = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "gzip", **self.extra_headers}
        if body is not None:
            sent |= headers or {}
        elif headers:
            sent |= {k: v for k, v in headers.items() if k != "Content-Type"}
        if self.token:
            sent["Authorization"] = f"Token {self.token.reveal()}"
        elif self.cookie:
            sent["Cookie"] = self.cookie.reveal()
        connection = self._connect(parts.scheme, parts.hostname, port)
        if self.debug:
            _dump(f"{method} {target}", {k: "***" if k in ("Authorization", "Cookie") else v for k, v in sent.items()})
        try:
            connection.request(method, target, body=body, headers=sent)
            response = connection.getresponse()
        except OSError as error:
            reason = _network_reason(error, parts.hostname, port)
            raise CommandFailed(f'{method.capitalize()} "{parts.scheme}://{parts.netloc}{target}": {reason}') from error
        except http.client.HTTPException as error:
            raise CommandFailed(f'{method.capitalize()} "{parts.scheme}://{parts.netloc}{target}": EOF') from error
        if self.debug:
            _dump(f"{response.status} {response.reason}", dict(response.getheaders()))
        answer = Answer(connection, response)
        if response.status >= 300:
            with answer:
                data = answer.read()
            try:
                message = str(json.loads(data).get("message", ""))
            except (ValueError, AttributeError):
                message = data.decode("utf-8", "replace").strip()
            raise ServerRefused(response.status, response.reason, message)
        return answer

    def _connect(self, scheme: str, host: str, port: int) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS, blocksize=_CHUNK_BYTES)
        context = ssl.create_default_context()
        if self.skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context, blocksize=_CHUNK_BYTES)


class Answer:
    """An answer whose body is read as it is needed, decompressed on the way."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self.response = response
        self.packed = response.getheader("Content-Encoding") == "gzip"
        self.body: IO[bytes] = gzip.GzipFile(fileobj=response, mode="rb") if self.packed else response  # type: ignore[assignment]

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def header(self, name: str) -> str:
        """A header's value, "" when absent."""
        return self.response.getheader(name) or ""

    def read(self) -> bytes:
        """The whole body.

        Raises:
            CommandFailed: The connection broke before its end.
        """
        return b"".join(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces."""
        return self._pieces(self.body)

    def packed_chunks(self) -> Iterator[bytes]:
        """The body in pieces as it was sent, which is gzip where `packed` says so."""
        return self._pieces(self.response)

    def _pieces(self, body: IO[bytes] | http.client.HTTPResponse) -> Iterator[bytes]:
        try:
            while chunk := body.read(_CHUNK_BYTES):
                yield chunk
            # The library takes the end of the connection for the end of the body.
            if self.response.length:
                raise EOFError
        except (OSError, EOFError, http.client.HTTPException) as error:
            raise CommandFailed("unexpected EOF") from error


def _network_reason(error: OSError, host: str, port: int) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {host}: no such host"
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {host}:{port}: connect: connection refused"
    if isinstance(error, TimeoutError):
        return f"dial tcp {host}:{port}: i/o timeout"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "EOF"
    return f"dial tcp {host}:{port}: {error.strerror or error}"


def _dump(first: str, headers: Mapping[str, str]) -> None:
    stamp = time.strftime("%Y/%m/%d %H:%M:%S")
    lines = [stamp, first, *(f"{k}: {v}" for k, v in headers.items()), ""]
    print("\n".join(lines), file=sys.stderr)  # noqa: T201 - this is the flag's output
