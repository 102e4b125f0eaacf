"""A run whose client has gone: it stops before the next operator, or within one, and holds nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from tests.flux.golden.runner import NOW_NS, MemorySources, standing

from fluxkeep.datamodel.memory_account import MemoryAccount
from fluxkeep.datamodel.tables import Block
from fluxkeep.errors import Abandoned
from fluxkeep.flux.engine import Engine
from fluxkeep.flux.execute.run import Run
from fluxkeep.flux.interpreter.evaluate import Evaluator
from fluxkeep.flux.plan.graph import Node
from fluxkeep.flux.plan.rules import bounds_of, plan
from fluxkeep.flux.syntax.parser import parse

CPU = 'from(bucket: "cpu") |> range(start: 2024-01-01T12:00:00Z, stop: 2024-01-01T12:01:00Z)'


class Leaves:
    """A client that is gone once it was asked for so many times."""

    def __init__(self, after: int) -> None:
        self.asked = 0
        self._after = after

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked > self._after


def _run(text: str, gone: Callable[[], bool]) -> tuple[Run, Node]:
    sources = MemorySources(standing())
    evaluator = Evaluator(now_ns=NOW_NS, sources=sources, gone=gone)
    roots = plan([node for _, node in evaluator.run(parse(text)).results], push_down=True)
    run = Run(evaluator, MemoryAccount(), bounds_of(roots))
    run.open_readers(roots)
    run.plan_uses(roots)
    return run, roots[0]


def test_it_stops_before_the_next_operator_and_gives_back_what_it_held(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Sequence[Block]] = []
    take = MemoryAccount.take

    def counted(account: MemoryAccount, count: int) -> None:
        done.append(())
        take(account, count)

    monkeypatch.setattr(MemoryAccount, "take", counted)
    gone = Leaves(after=2)
    run, root = _run(f"{CPU} |> cumulativeSum() |> elapsed() |> count()", gone)
    with pytest.raises(Abandoned):
        run.tables(root)
    assert (len(done), gone.asked) == (2, 3)
    assert run.account.peak_bytes > 0
    assert run.account.used_bytes == 0


def test_it_stops_within_a_function_that_is_called_for_each_row() -> None:
    gone = Leaves(after=20)
    text = f"{CPU} |> reduce(identity: {{n: 0.0}}, fn: (r, accumulator) => ({{n: accumulator.n + float(v: r._value)}}))"
    with pytest.raises(Abandoned):
        list(Engine().run(text, now_ns=NOW_NS, sources=MemorySources(standing()), gone=gone))
    assert gone.asked == 21


def test_a_client_that_stays_is_answered() -> None:
    results = Engine().run(f"{CPU} |> count()", now_ns=NOW_NS, sources=MemorySources(standing()), gone=lambda: False)
    assert sum(block.table_count for result in results for block in result.blocks) > 0
