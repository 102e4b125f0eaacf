"""What becomes of a request whose client leaves: the handler is told, and nothing is answered or left behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

from starlette.responses import Response
from tests.api.incoming import People, Request

from fluxkeep.api.app import Application
from fluxkeep.api.endpoint import Call, Endpoint, Gate
from fluxkeep.api.responses import Stream
from fluxkeep.errors import Abandoned
from fluxkeep.metrics import Metrics


def _endpoint(handler: object, *, watches: bool = True) -> Endpoint:
    return Endpoint(method="GET", path="/q", handler=handler, gate=Gate.OPEN, needs="nothing", watches=watches)  # type: ignore[arg-type]


def _application(endpoint: Endpoint) -> Application:
    return Application([endpoint], recognizer=People(), metrics=Metrics())


def _others() -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


def test_the_handler_is_told_and_stops() -> None:
    started, stopped = threading.Event(), threading.Event()

    def work(call: Call) -> Response:
        started.set()
        give_up = time.monotonic() + 10
        while not call.gone():
            assert time.monotonic() < give_up
            time.sleep(0.001)
        stopped.set()
        raise Abandoned

    async def scenario() -> Response:
        application = _application(_endpoint(work))
        request = Request("GET", "/q")
        answering = asyncio.create_task(application.respond(request))
        await asyncio.to_thread(started.wait, 10)
        request.leaves.set()
        response = await answering
        await asyncio.sleep(0)
        assert not _others()
        await application.stop()
        return response

    response = asyncio.run(scenario())
    assert stopped.is_set()
    assert (response.status_code, response.body) == (499, b"")


def test_nobody_is_watched_after_the_answer() -> None:
    async def scenario() -> None:
        application = _application(_endpoint(lambda call: Response(str(call.gone()))))
        response = await application.respond(Request("GET", "/q"))
        assert response.body == b"False"
        await asyncio.sleep(0)
        assert not _others()
        await application.stop()

    asyncio.run(scenario())


def test_only_endpoints_that_ask_for_it_watch() -> None:
    async def scenario() -> None:
        application = _application(_endpoint(lambda call: Response(str(call.gone())), watches=False))
        request = Request("GET", "/q")
        request.leaves.set()
        assert (await application.respond(request)).body == b"False"
        await application.stop()

    asyncio.run(scenario())


def test_a_stream_is_watched_until_its_end() -> None:
    async def scenario() -> None:
        def pieces(call: Call) -> Iterator[bytes]:
            yield b"a"
            while not call.gone():
                time.sleep(0.001)
            raise Abandoned

        application = _application(_endpoint(lambda call: Stream(pieces(call))))
        request = Request("GET", "/q")
        response = await application.respond(request)
        assert isinstance(response, Stream)
        transport = _Transport()
        asyncio.get_running_loop().call_later(0.05, request.leaves.set)
        await application._send_stream(transport, response, [])  # what the server calls
        assert transport.sent == [b"a"]
        await asyncio.sleep(0)
        assert not _others()
        await application.stop()

    asyncio.run(scenario())


class _Transport:
    """The server's protocol and transport in one."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> _Transport:
        return self

    async def send_bytes(self, piece: bytes) -> None:
        self.sent.append(piece)
