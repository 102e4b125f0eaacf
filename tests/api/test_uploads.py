"""Bodies that a handler reads while they come in, and their unpacking."""

from __future__ import annotations

import asyncio
import gzip
import io
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response
from tests.api.incoming import People, Request

from fluxkeep.api.app import Application
from fluxkeep.api.endpoint import Call, Endpoint
from fluxkeep.api.limits import Limits
from fluxkeep.api.uploads import Unpacked, buffered
from fluxkeep.errors import InvalidInput
from fluxkeep.metrics import Metrics


def unpacked(body: bytes) -> bytes:
    return buffered(Unpacked(io.BytesIO(body))).read()


@settings(deadline=None)
@given(members=st.lists(st.binary(max_size=3000), min_size=1, max_size=4))
def test_members_after_another_are_one_body(members: list[bytes]) -> None:
    assert unpacked(b"".join(gzip.compress(member) for member in members)) == b"".join(members)


def test_what_unpacks_to_much_more_than_is_held_at_once() -> None:
    assert unpacked(gzip.compress(bytes(5_000_000))) == bytes(5_000_000)


@settings(deadline=None)
@given(content=st.binary(max_size=2000), data=st.data())
def test_a_body_that_is_cut_off_is_refused(content: bytes, data: st.DataObject) -> None:
    packed = gzip.compress(content)
    cut = packed[: data.draw(st.integers(0, len(packed) - 1))]
    with pytest.raises(InvalidInput, match="failed to decode gzip request body: "):
        unpacked(cut)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "EOF"),
        (b"no gzip", "gzip: invalid header"),
        (gzip.compress(b"x" * 100)[:-6] + b"\x00" * 6, "gzip: invalid checksum"),
        (gzip.compress(b"x")[:10] + b"\xff" * 20, "gzip: invalid data"),
    ],
)
def test_what_is_no_gzip_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=f"^failed to decode gzip request body: {reason}$"):
        unpacked(body)


def answer(handler: object, request: Request, limits: Limits | None = None) -> Response:
    async def scenario() -> Response:
        endpoint = Endpoint(method="POST", path="/u", handler=handler, needs="nothing", streams=True)  # type: ignore[arg-type]
        application = Application([endpoint], recognizer=People(), metrics=Metrics(), limits=limits)
        try:
            return await application.respond(request)
        finally:
            await application.stop()

    return asyncio.run(scenario())


HEADERS = {"authorization": "Token operator"}


def test_a_handler_reads_more_than_a_body_may_have() -> None:
    content = bytes(range(256)) * 40

    def handler(call: Call) -> Response:
        assert call.body == b""
        return Response(call.upload.read(100) + call.upload.read())

    request = Request("POST", "/u", {**HEADERS, "content-length": str(len(content))}, "", content)
    assert answer(handler, request, Limits(body_bytes_max=1000)).body == content


def test_what_a_handler_leaves_is_taken_for_it() -> None:
    taken: list[int] = []

    class Counted(Request):
        async def chunks(self) -> AsyncIterator[bytes]:
            for number in range(50):
                taken.append(number)
                yield bytes(100)

    assert answer(lambda call: Response("early"), Counted("POST", "/u", HEADERS)).body == b"early"
    assert len(taken) == 50


def test_a_body_that_breaks_off_reaches_the_handler_as_an_error() -> None:
    class Broken(Request):
        async def chunks(self) -> AsyncIterator[bytes]:
            yield b"half"
            raise InvalidInput("unable to read data: unexpected EOF")

    refused = answer(lambda call: Response(call.upload.read()), Broken("POST", "/u", HEADERS))
    assert refused.status_code == 400
    assert b"unexpected EOF" in bytes(refused.body)
