"""Small requests that are worked on together: in order, each with its own answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest
from starlette.responses import Response
from tests.api.incoming import People, Request

from fluxkeep.api.app import Application
from fluxkeep.api.endpoint import Call, Endpoint, Gate
from fluxkeep.api.pool import WorkerPool
from fluxkeep.api.together import AT_ONCE_MAX, BODY_BYTES_MAX, Together, each
from fluxkeep.errors import InvalidInput, Unavailable
from fluxkeep.metrics import Metrics


def call(body: str) -> Call:
    return Call(method="POST", path="/", body=body.encode())


def text(response: Response) -> str:
    return bytes(response.body).decode()


class Worker:
    """Answers with the body in capitals; the first list waits until it is let go."""

    def __init__(self) -> None:
        self.lists: list[list[str]] = []
        self.begun = threading.Event()
        self.go = threading.Event()

    def __call__(self, calls: Sequence[Call]) -> list[Response | Exception]:
        bodies = [call.body.decode() for call in calls]
        self.lists.append(bodies)
        self.begun.set()
        assert self.go.wait(10)
        return [InvalidInput(body) if body == "bad" else Response(body.upper()) for body in bodies]


def in_a_pool(scenario: Callable[[WorkerPool], object]) -> None:
    pool = WorkerPool(2, 4)

    async def run() -> None:
        try:
            await scenario(pool)  # type: ignore[misc]  # an async function
        finally:
            await asyncio.to_thread(pool.close)

    asyncio.run(run())


def test_what_comes_meanwhile_is_the_next_list() -> None:
    async def scenario(pool: WorkerPool) -> None:
        worker = Worker()
        together = Together(pool, worker, 100)
        first = asyncio.create_task(together.run(call("a")))
        assert await asyncio.to_thread(worker.begun.wait, 10)
        others = [asyncio.create_task(together.run(call(body))) for body in ("b", "bad", "c", "gone")]
        await asyncio.sleep(0)
        others[3].cancel()
        worker.go.set()
        answers = await asyncio.gather(first, *others, return_exceptions=True)
        assert worker.lists == [["a"], ["b", "bad", "c", "gone"]]
        assert [text(answers[i]) for i in (0, 1, 3)] == ["A", "B", "C"]  # type: ignore[arg-type]
        assert isinstance(answers[2], InvalidInput)
        assert isinstance(answers[4], asyncio.CancelledError)
        # Whoever comes when all is done begins anew.
        assert text(await together.run(call("d"))) == "D"

    in_a_pool(scenario)


def test_a_list_has_an_end_and_so_has_the_queue() -> None:
    async def scenario(pool: WorkerPool) -> None:
        worker = Worker()
        together = Together(pool, worker, AT_ONCE_MAX + 1)
        tasks = [asyncio.create_task(together.run(call("x")))]
        assert await asyncio.to_thread(worker.begun.wait, 10)
        tasks += [asyncio.create_task(together.run(call("x"))) for _ in range(AT_ONCE_MAX + 1)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await together.run(call("x"))
        worker.go.set()
        await asyncio.gather(*tasks)
        assert [len(bodies) for bodies in worker.lists] == [1, AT_ONCE_MAX, 1]

    in_a_pool(scenario)


def test_what_breaks_the_handler_is_everybodys_answer_and_not_the_end() -> None:
    async def scenario(pool: WorkerPool) -> None:
        broken = [ValueError("a bug")]

        def handler(calls: Sequence[Call]) -> list[Response | Exception]:
            if broken:
                raise broken.pop()
            return [Response(call.body) for call in calls]

        together = Together(pool, handler, 100)
        answers = await asyncio.gather(together.run(call("a")), together.run(call("b")), return_exceptions=True)
        assert [type(answer) for answer in answers] == [ValueError, ValueError]
        assert text(await together.run(call("c"))) == "c"

    in_a_pool(scenario)


def test_each_call_is_answered_by_its_own_error() -> None:
    def asked(one: Call) -> int:
        return int(one.body)

    def work(numbers: Sequence[int]) -> list[Exception | None]:
        return [InvalidInput(str(number)) if number < 0 else None for number in numbers]

    answers = each([call("1"), call("x"), call("-1"), call("2")], asked, work)
    kinds = [answer.status_code if isinstance(answer, Response) else type(answer) for answer in answers]
    assert kinds == [204, ValueError, InvalidInput, 204]


@pytest.mark.parametrize(
    ("body", "headers", "ways"),
    [
        (b"x" * BODY_BYTES_MAX, {}, "together"),
        (b"x" * (BODY_BYTES_MAX + 1), {}, "alone"),
        # A small packed body may be a large one.
        (b"x", {"content-encoding": "gzip"}, "alone"),
    ],
)
def test_large_and_packed_bodies_have_a_thread_of_their_own(body: bytes, headers: dict[str, str], ways: str) -> None:
    endpoint = Endpoint(
        method="POST",
        path="/x",
        gate=Gate.OPEN,
        needs="nothing",
        handler=lambda call: Response("alone"),
        group=lambda calls: [Response("together") for _ in calls],
    )
    application = Application([endpoint], recognizer=People(), metrics=Metrics())
    response = asyncio.run(
        application.respond(Request("POST", "/x", {"content-length": str(len(body)), **headers}, content=body))
    )
    assert text(response) == ways
