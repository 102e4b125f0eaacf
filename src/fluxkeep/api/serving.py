"""The HTTP server: granian, embedded in this process and on this event loop.

It owns the address and the order of a stop: no new connection, what is in
flight to its end (within a limit), then return. See `docs/adr/0010-http-server.md`.

Source: cli.md §5.3.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fluxkeep.api.app import Application
from fluxkeep.errors import InvalidInput, Unavailable
from fluxkeep.instants import MILLISECOND

_BACKLOG = 1024
_FOR_EVER_MS = 10**9


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; `host` is a numeric address, `shown` what the user reaches it by."""

    host: str
    port: int

    @property
    def shown(self) -> str:
        """With a host that a client on this machine can use."""
        host = {"::": "localhost", "0.0.0.0": "localhost"}.get(self.host, self.host)  # noqa: S104  # shown, not bound
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificate and key files, and the oldest version accepted."""

    certificate: Path
    key: Path
    version_min: str = "1.2"


def resolve_address(text: str) -> Address:
    """`host:port`, `[v6]:port` or `:port` for every address of the machine.

    Raises:
        InvalidInput: Not such a text, or a host without an address.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise InvalidInput(f'invalid argument "{text}" for "--http-bind-address" flag: expected host:port')
    host = host.strip("[]")
    if not host:
        return Address("::" if socket.has_dualstack_ipv6() else "0.0.0.0", int(port))  # noqa: S104  # what `:port` says
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except OSError as error:
        raise InvalidInput(f"listen tcp {text}: {error.strerror}") from None
    families = sorted(found, key=lambda item: item[0] != socket.AF_INET)
    return Address(str(families[0][4][0]), int(port))


def require_free(address: Address) -> None:
    """Return only if nobody listens there.

    The server's sockets are opened for sharing, so a second process would
    silently take half of the first one's connections.

    Raises:
        Unavailable: As the reference says it.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
            probe.listen(1)
        except OSError as error:
            where = f"listen tcp {address.host}:{address.port}: bind: "
            reason = "address already in use" if error.errno == errno.EADDRINUSE else os.strerror(error.errno or 0)
            raise Unavailable(where + reason.lower()) from None


async def serve(
    application: Application,
    address: Address,
    *,
    tls: Tls | None,
    idle_timeout_ns: int,
    on_listening: Callable[[], None],
    on_stopping: Callable[[str], None],
) -> None:
    """Answer requests until SIGTERM or SIGINT, then finish what is in flight and return.

    Args:
        application: Stopped when this returns.
        address: Free, as `require_free` found it.
        tls: Speak HTTPS.
        idle_timeout_ns: How long a connection may wait for the headers of its next request; 0 for ever.
        on_listening: Called once when connections are accepted.
        on_stopping: Called once with the signal's name.
    """
    from granian.constants import HTTPModes, Interfaces, SSLProtocols
    from granian.http import HTTP1Settings
    from granian.server.embed import Server

    server = Server(
        application,
        address=address.host,
        port=address.port,
        interface=Interfaces.RSGI,
        # A broken upload over HTTP/2 cannot be told from a whole one here; clients that offer both fall back.
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
        backlog=_BACKLOG,
        backpressure=application.limits.connections_max,
        # The server knows one limit for the silence between requests and for slow headers. The longer of the two it
        # must be: a client's pool of connections would break on the shorter.
        http1_settings=HTTP1Settings(header_read_timeout=idle_timeout_ns // MILLISECOND or _FOR_EVER_MS),
        ssl_cert=tls.certificate if tls else None,
        ssl_key=tls.key if tls else None,
        ssl_protocol_min=SSLProtocols.tls13 if tls and tls.version_min == "1.3" else SSLProtocols.tls12,
    )
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop(name: str) -> None:
        if not stopping.is_set():
            on_stopping(name)
            stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number.name)
    serving = loop.create_task(server.serve())
    listening = loop.create_task(_when_accepting(address, on_listening))
    waiting = loop.create_task(stopping.wait())
    done, _ = await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    listening.cancel()
    if waiting in done:
        server.stop()  # type: ignore[no-untyped-call]  # granian's, without annotations
        await asyncio.wait({serving}, timeout=application.limits.stop_seconds_max)
    waiting.cancel()
    if serving.done():
        serving.result()
    else:
        serving.cancel()
    await application.stop()


async def _when_accepting(address: Address, on_listening: Callable[[], None]) -> None:
    host = {"::": "::1", "0.0.0.0": "127.0.0.1"}.get(address.host, address.host)  # noqa: S104  # compared, not bound
    while True:
        try:
            _, writer = await asyncio.open_connection(host, address.port)
        except OSError:
            await asyncio.sleep(0.005)
            continue
        writer.close()
        on_listening()
        return
