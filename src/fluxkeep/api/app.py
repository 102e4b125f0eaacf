"""The application: from a request to an answer, for every path.

    request ──▶ gate (who is it) ──▶ router (which endpoint) ──▶ body (bounded)
            ──▶ handler, on the loop or on a thread, alone or together with others
            ──▶ answer, packed or streamed

Spoken to by the server through RSGI (`docs/adr/0010-http-server.md`); tests
hand an `Incoming` to `respond`. Errors become answers here, through
`api/errors.py`, and nowhere else. Nothing of a request's headers, query or
body is logged.

Source: http-api.md §1, tokens.md §2.9.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from starlette.responses import Response

from fluxkeep.access.decisions import Access
from fluxkeep.api.compression import PACK_BYTES_MIN, accepts_gzip, pack, pack_chunks
from fluxkeep.api.cross_site import refuse_cross_site
from fluxkeep.api.endpoint import Call, Endpoint, Gate, Runs, Style
from fluxkeep.api.errors import error_response, unforeseen_response
from fluxkeep.api.figures import Figures, Passage
from fluxkeep.api.gate import Recognizer, is_guarded, recognize_cached, recognize_v1, recognize_v2, session_key
from fluxkeep.api.limits import Limits
from fluxkeep.api.pool import WorkerPool
from fluxkeep.api.responses import COMPATIBLE_VERSION, Stream
from fluxkeep.api.routing import Match, Router
from fluxkeep.api.together import Together
from fluxkeep.api.turns import Turns
from fluxkeep.api.uploads import Upload, buffered
from fluxkeep.api.urls import parse_query
from fluxkeep.api.v2.sessions import session_cookie
from fluxkeep.errors import Abandoned, FluxkeepError, InvalidInput, TooLarge, Unavailable
from fluxkeep.logs import Seldom, get_logger
from fluxkeep.metrics import Metrics

_COMMON = [("x-influxdb-build", "OSS"), ("x-influxdb-version", COMPATIBLE_VERSION)]
# What figures and the log call a request whose client left before the answer. Nobody sees it.
_ABANDONED_STATUS = 499
_SECRET_HEADERS = frozenset(("authorization", "cookie"))
_PREFLIGHT = {
    "access-control-allow-methods": "POST, GET, OPTIONS, PUT, DELETE, PATCH",
    "access-control-allow-headers": (
        "Accept, Content-Type, Content-Length, Accept-Encoding, Authorization, User-Agent"
    ),
}


class Incoming(Protocol):
    """A request as the server has it."""

    @property
    def method(self) -> str:
        """Upper case."""
        ...

    @property
    def path(self) -> str:
        """Without the query."""
        ...

    @property
    def query_string(self) -> str:
        """Without the question mark."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name."""
        ...

    @property
    def client(self) -> str:
        """Remote address without port."""
        ...

    def body(self) -> Awaitable[bytes]:
        """All of the body; InvalidInput when it was cut off."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces; InvalidInput when it was cut off."""
        ...

    def left(self) -> Awaitable[None]:
        """Returns when the client has closed the connection; may be cancelled."""
        ...


# Method, path, headers by lower-case name.
Pages = Callable[[str, str, dict[str, str]], Response]


class Application:
    """Answers every request of the process."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        recognizer: Recognizer,
        metrics: Metrics,
        limits: Limits | None = None,
        pages: Pages | None = None,
        public_origin: str = "",
        secure: bool = False,
    ) -> None:
        """Take what the house has built.

        Args:
            endpoints: All of them.
            recognizer: Knows credentials.
            metrics: Where requests are counted.
            limits: Of the process.
            pages: Answers paths that belong to no API; 404 without it.
            public_origin: What browsers see behind a proxy that changes Host; for the cross-site rule.
            secure: The server speaks TLS, so cookies may say so.
        """
        self.limits = limits or Limits()
        self.router = Router(endpoints)
        self._recognizer = recognizer
        self._pages = pages
        self._public_origin = public_origin
        self._secure = secure
        self._figures = Figures(metrics)
        self._metrics = metrics
        self._pool = WorkerPool(self.limits.threads_max, self.limits.waiting_max)
        self._groups = {
            endpoint.path: Together(self._pool, endpoint.group, self.limits.waiting_max)
            for endpoint in endpoints
            if endpoint.group is not None
        }
        self._queries = Turns(self.limits.queries_max, self.limits.queries_waiting_max)
        self._log = get_logger("api")
        self._seldom = Seldom()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request of the server."""
        self._under_way += 1
        self._idle.clear()
        try:
            incoming = _RsgiRequest(scope, protocol)
            response = await self.respond(incoming)
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
            headers += _COMMON
            if isinstance(response, Stream):
                await self._send_stream(protocol, response, headers)
            else:
                protocol.response_bytes(response.status_code, headers, bytes(response.body))
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def respond(self, request: Incoming) -> Response:
        """The answer to a request, errors included, without the headers that all answers share."""
        started = time.perf_counter()
        match = self.router.match(request.path)
        endpoint = match.route.endpoint(request.method) if match else None
        passage = Passage()
        try:
            response = await self._handle(request, match, endpoint, passage)
        except Abandoned as error:
            # Its frames hold tables, and it is held by the future that brought it here.
            error.with_traceback(None)
            response = Response(None, _ABANDONED_STATUS)
        except FluxkeepError as error:
            response = error_response(error)
            if isinstance(error, Unavailable):
                # Foreseen, and there is one for each request while it lasts.
                held_back = self._seldom.held_back(f"{_label(endpoint)} {error.message}")
                if held_back is not None:
                    self._log.warning(
                        "request.unavailable", path=_label(endpoint), reason=error.message, held_back=held_back
                    )
            elif response.status_code >= 500:
                self._log.error("request.failed", path=_label(endpoint), code=error.code, exc_info=error)
            elif response.status_code == 401:
                reason = getattr(error, "reason", "missing-permission")
                self._metrics.authentication_failures.labels(reason).inc()
        except (KeyboardInterrupt, SystemExit, asyncio.CancelledError):
            raise
        except BaseException as error:  # noqa: BLE001  # the edge: whatever it is, the client gets an answer
            self._log.error("request.crashed", path=_label(endpoint), exc_info=error)
            response = unforeseen_response()
        if request.path.startswith("/api/v2"):
            origin = request.headers.get("origin")
            if origin:
                response.headers["access-control-allow-origin"] = origin
        elapsed = time.perf_counter() - started
        self._figures.count(
            endpoint, request.method, response.status_code, request.headers.get("user-agent", ""), elapsed
        )
        if endpoint is not None:
            if isinstance(response, Stream):
                response.sent = functools.partial(self._figures.transfer, endpoint, passage, response.status_code)
            else:
                self._figures.transfer(endpoint, passage, response.status_code, len(response.body))
        self._log.debug(
            "request", method=request.method, path=_label(endpoint), status=response.status_code, seconds=elapsed
        )
        return response

    async def stop(self) -> None:
        """Wait for what is in flight, at most `stop_seconds_max`, and end the threads.

        The server must have stopped accepting.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), self.limits.stop_seconds_max)
        await asyncio.get_running_loop().run_in_executor(None, self._pool.close)

    async def _handle(
        self, request: Incoming, match: Match | None, endpoint: Endpoint | None, passage: Passage
    ) -> Response:
        gate = endpoint.gate if endpoint else None
        if match is not None and match.slash and gate is Gate.OPEN and is_guarded(request.path):
            gate = None  # only the exact paths are exempt from layer A
        access: Access | None = None
        query: dict[str, list[str]] | None = None
        if gate is Gate.V1:
            query = parse_query(request.query_string)
            access = await self._recognize_v1(request, query)
        elif gate is not Gate.OPEN and is_guarded(request.path):
            if request.method == "OPTIONS":
                preflight = "origin" in request.headers
                return Response(None, 204 if preflight else 405, _PREFLIGHT if preflight else None)
            access = recognize_cached(self._recognizer, request.headers)
            if access is None:
                access = await self._pool.run(recognize_v2, self._recognizer, request.headers, request.client)
        if is_guarded(request.path) and (access is None or access.principal.kind == "session"):
            refuse_cross_site(request.method, request.headers, self._public_origin)
        if match is None and self._pages is not None and not is_guarded(request.path):
            return await self._pool.run(self._pages, request.method, request.path, dict(request.headers))
        if match is None or endpoint is None:
            return self.router.missing(request.path, match)
        if match.slash and endpoint.style is Style.C and is_guarded(request.path):
            return self.router.redirect(request.method, request.path, request.query_string)
        if access is not None:
            passage.org_id = access.principal.org_id or ""
        body = b"" if endpoint.streams else await self._read_body(request)
        passage.request_bytes = len(body)
        call = self._call(request, match, endpoint, access, query, body)
        together = self._groups.get(endpoint.path)
        if endpoint.streams:
            response = await self._streamed(request, endpoint, call)
        elif endpoint.watches:
            response = await self._watched(request, endpoint, call)
        elif endpoint.runs is Runs.LOOP:
            response = endpoint.handler(call)
        elif together is not None and together.takes(call):
            response = await together.run(call)
        else:
            response = await self._pool.run(endpoint.handler, call)
        if endpoint.packs:
            self._pack(request, response)
        if access is not None and access.principal.renewed_until is not None:
            self._renew(request, response, access.principal.renewed_until)
        return response

    async def _streamed(self, request: Incoming, endpoint: Endpoint, call: Call) -> Response:
        """Run a handler on the pool that reads the body itself."""
        upload = Upload(request.chunks(), asyncio.get_running_loop())
        call.upload = buffered(upload)
        try:
            return await self._pool.run(endpoint.handler, call)
        finally:
            await upload.drain(self.limits.body_bytes_max)

    async def _watched(self, request: Incoming, endpoint: Endpoint, call: Call) -> Response:
        """Run a query's handler on the pool and tell it, by `call.gone`, when the client leaves.

        The watcher ends with the answer, whatever becomes of that, and the query's turn with the watcher.
        """
        await self._queries.take()
        gone = threading.Event()

        async def watch() -> None:
            await request.left()
            gone.set()

        call.gone = gone.is_set
        watcher = asyncio.get_running_loop().create_task(watch())
        watcher.add_done_callback(lambda _: self._queries.give())
        try:
            response = await self._pool.run(endpoint.handler, call)
        except BaseException:
            watcher.cancel()
            raise
        if isinstance(response, Stream):
            response.watcher = watcher
        else:
            watcher.cancel()
        return response

    def _renew(self, request: Incoming, response: Response, ends_at: int) -> None:
        key = session_key(request.headers)
        if key is not None and "set-cookie" not in response.headers:
            response.headers["set-cookie"] = session_cookie(key, ends_at, secure=self._secure)

    def _call(
        self,
        request: Incoming,
        match: Match,
        endpoint: Endpoint,
        access: Access | None,
        query: dict[str, list[str]] | None,
        body: bytes,
    ) -> Call:
        headers = request.headers
        return Call(
            method=request.method,
            path=request.path,
            params=match.params,
            query=parse_query(request.query_string) if query is None else query,
            headers=headers
            if endpoint.own_credentials
            else {name: value for name, value in headers.items() if name not in _SECRET_HEADERS},
            body=body,
            maybe_access=access,
            client=request.client,
        )

    async def _recognize_v1(self, request: Incoming, query: Mapping[str, list[str]]) -> Access:
        # A password is checked in tens of milliseconds, so it must not be checked on the loop.
        return await self._pool.run(recognize_v1, self._recognizer, request.headers, query, request.client)

    async def _read_body(self, request: Incoming) -> bytes:
        length = request.headers.get("content-length")
        if length is None:
            if "transfer-encoding" not in request.headers:
                return b""
            return await self._read_bounded(request)
        if not length.isdigit() or int(length) > self.limits.body_bytes_max:
            raise self._too_large()
        return await request.body() if length != "0" else b""

    async def _read_bounded(self, request: Incoming) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in request.chunks():
            size += len(part)
            if size > self.limits.body_bytes_max:
                raise self._too_large()
            parts.append(part)
        return b"".join(parts)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"request body is larger than {self.limits.body_bytes_max} bytes (http-body-bytes-max)")

    def _pack(self, request: Incoming, response: Response) -> None:
        response.headers["vary"] = "Accept-Encoding"
        if not accepts_gzip(request.headers.get("accept-encoding", "")):
            return
        if isinstance(response, Stream):
            response.chunks = pack_chunks(response.chunks)
        elif len(response.body) >= PACK_BYTES_MIN:
            response.body = pack(bytes(response.body))
            response.headers["content-length"] = str(len(response.body))
        else:
            return
        response.headers["content-encoding"] = "gzip"

    async def _send_stream(self, protocol: Any, response: Stream, headers: list[tuple[str, str]]) -> None:
        size = 0
        try:
            transport = protocol.response_stream(response.status_code, headers)
            while (chunk := await self._next(response.chunks)) is not None:
                await transport.send_bytes(chunk)
                size += len(chunk)
        except (Abandoned, RuntimeError) as error:
            # The latter is the server's word for a client that has gone; the query ends with it.
            error.with_traceback(None)
            self._log.debug("client.gone")
        finally:
            response.sent(size)
            if response.watcher is not None:
                response.watcher.cancel()
            close = getattr(response.chunks, "close", None)
            if close is not None:
                await self._pool.run(close)

    async def _next(self, chunks: Iterator[bytes]) -> bytes | None:
        while True:
            try:
                return await self._pool.run(next, chunks, None)
            except Unavailable:
                # A stream that has begun waits for its turn; it cannot be refused any more.
                await asyncio.sleep(0.05)


class _RsgiRequest:
    """An `Incoming` over the server's scope."""

    __slots__ = ("_protocol", "_scope", "headers", "method", "path", "query_string")

    def __init__(self, scope: Any, protocol: Any) -> None:
        self._scope = scope
        self._protocol = protocol
        self.method: str = scope.method
        self.path: str = scope.path
        self.query_string: str = scope.query_string
        self.headers: Mapping[str, str] = dict(scope.headers.items())

    @property
    def client(self) -> str:
        return str(self._scope.client).rpartition(":")[0]

    async def body(self) -> bytes:
        try:
            return bytes(await self._protocol())
        except RuntimeError:
            # The server's word for a client that has gone.
            raise _cut_off() from None

    async def left(self) -> None:
        await self._protocol.client_disconnect()

    async def chunks(self) -> AsyncIterator[bytes]:
        # The server ends every body with one empty piece, and says of a broken one no more than a second: taking
        # it for whole would store half a line as a line. Trailers look the same; no client of ours sends them.
        ended = False
        async for chunk in self._protocol:
            if ended and not chunk:
                raise _cut_off()
            ended = not chunk
            yield bytes(chunk)


def _cut_off() -> FluxkeepError:
    return InvalidInput("unable to read data: unexpected EOF")


def _label(endpoint: Endpoint | None) -> str:
    """A path for logs and figures that holds nothing a client chose."""
    return endpoint.path if endpoint else "-"
