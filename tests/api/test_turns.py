"""Queries at work at once, those that wait, and those that are refused."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from starlette.responses import Response
from tests.api.incoming import People, Request

from fluxkeep.api.app import Application
from fluxkeep.api.endpoint import Call, Endpoint, Gate
from fluxkeep.api.limits import Limits
from fluxkeep.api.turns import Turns
from fluxkeep.errors import TooManyRequests
from fluxkeep.metrics import Metrics


def test_turns_come_in_order_and_the_queue_has_an_end() -> None:
    async def scenario() -> list[int]:
        turns = Turns(2, 2)
        had: list[int] = []

        async def wait(number: int) -> None:
            await turns.take()
            had.append(number)

        tasks = [asyncio.create_task(wait(number)) for number in range(4)]
        await asyncio.sleep(0)
        assert had == [0, 1]
        with pytest.raises(TooManyRequests, match="queue length exceeded"):
            await turns.take()
        # Who gives up waiting makes room in the queue, and takes nobody's turn.
        tasks[2].cancel()
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(wait(4)))
        await asyncio.sleep(0)
        turns.give()
        turns.give()
        await asyncio.gather(*tasks, return_exceptions=True)
        turns.give()
        turns.give()
        await turns.take()
        await turns.take()
        return had

    assert asyncio.run(scenario()) == [0, 1, 3, 4]


def test_a_turn_that_comes_with_the_giving_up_is_passed_on() -> None:
    async def scenario() -> None:
        turns = Turns(1, 1)
        await turns.take()
        waiting = asyncio.create_task(turns.take())
        await asyncio.sleep(0)
        turns.give()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.wait_for(turns.take(), 1)

    asyncio.run(scenario())


def test_without_a_limit_nobody_waits() -> None:
    async def scenario() -> None:
        turns = Turns(0, 0)
        for _ in range(5000):
            await turns.take()

    asyncio.run(scenario())


def test_a_query_beyond_the_queue_is_answered_with_429() -> None:
    started, go_on = threading.Event(), threading.Event()

    def work(call: Call) -> Response:
        started.set()
        assert go_on.wait(10)
        return Response("done")

    async def scenario() -> None:
        endpoint = Endpoint(method="GET", path="/q", handler=work, gate=Gate.OPEN, needs="nothing", watches=True)
        limits = Limits(queries_max=1, queries_waiting_max=1)
        application = Application([endpoint], recognizer=People(), metrics=Metrics(), limits=limits)
        tasks = [asyncio.create_task(application.respond(Request("GET", "/q"))) for _ in range(2)]
        await asyncio.to_thread(started.wait, 10)
        refused = await application.respond(Request("GET", "/q"))
        assert refused.status_code == 429
        assert json.loads(bytes(refused.body)) == {"code": "too many requests", "message": "queue length exceeded"}
        assert int(refused.headers["retry-after"]) >= 1
        go_on.set()
        assert [answer.body for answer in await asyncio.gather(*tasks)] == [b"done", b"done"]
        # Both turns are back.
        await asyncio.sleep(0)
        assert (await application.respond(Request("GET", "/q"))).body == b"done"
        await application.stop()

    asyncio.run(scenario())
