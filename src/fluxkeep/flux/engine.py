"""The Flux engine: a script in, named streams of tables out.

    text -> tree -> checked names and types -> graph -> plan -> tables

Importing this module is cheap; what works on columns is imported when the
first script runs.

Source: flux.md §7, §8, §9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fluxkeep.flux.programs import Programs
from fluxkeep.flux.sources import Sources

if TYPE_CHECKING:
    from fluxkeep.datamodel.tables import Block, Result
    from fluxkeep.flux.execute.run import Run
    from fluxkeep.flux.interpreter.evaluate import Evaluator
    from fluxkeep.flux.plan.graph import Node
    from fluxkeep.flux.syntax import ast


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Runs scripts.

    Attributes:
        memory_bytes_max: What the tables of one query may occupy; 0 for no limit.
        push_down: Whether work moves into storage; tests turn it off to compare.
        programs: Where scripts that were seen before need not be read again.
    """

    memory_bytes_max: int = 0
    push_down: bool = True
    programs: Programs = field(default_factory=Programs, repr=False, compare=False)

    def run(
        self,
        text: str,
        *,
        now_ns: int,
        sources: Sources,
        extern: ast.File | None = None,
        gone: Callable[[], bool] | None = None,
    ) -> Iterator[Result]:
        """Run a script.

        Everything up to the start of execution (syntax, names, types, evaluation, planning,
        buckets) happens before this returns; results are computed one by one as they are asked for.

        Args:
            text: The script.
            now_ns: The query's time.
            sources: What it may reach.
            extern: Statements that run before the script's.
            gone: Whether nobody waits for the answer any more; asked between operators and calls.

        Raises:
            FluxkeepError: With the reference's texts; from the iterator where a result fails.
            Abandoned: `gone` said so.
        """
        if extern is None:
            return self._start(self.programs.checked(text), None, now_ns=now_ns, sources=sources, gone=gone)
        from fluxkeep.flux.syntax.parser import parse

        return self.run_file(parse(text), now_ns=now_ns, sources=sources, extern=extern, gone=gone)

    def run_file(
        self,
        file: ast.File,
        *,
        now_ns: int,
        sources: Sources,
        extern: ast.File | None = None,
        gone: Callable[[], bool] | None = None,
    ) -> Iterator[Result]:
        """Run a script that is a tree already; see `run`."""
        from fluxkeep.flux.semantic.check import check

        check(file, externs=extern)
        return self._start(file, extern, now_ns=now_ns, sources=sources, gone=gone)

    def _start(
        self,
        file: ast.File,
        extern: ast.File | None,
        *,
        now_ns: int,
        sources: Sources,
        gone: Callable[[], bool] | None,
    ) -> Iterator[Result]:
        from fluxkeep.flux.interpreter.evaluate import Evaluator
        from fluxkeep.flux.plan.rules import check_results

        evaluator = Evaluator(now_ns=now_ns, sources=sources, execute=self._demand, gone=gone)
        program = evaluator.run(file, extern)
        check_results(program.results)
        # Of equal standing, and the reference's order: by name. Source: recorded answers.
        program.results.sort(key=lambda result: result[0])
        names = [name for name, _ in program.results]
        roots = [node for _, node in program.results]
        execution = _prepare(roots, evaluator, self)
        return _results(names, execution)

    def explain(self, text: str, *, now_ns: int, sources: Sources) -> str:
        """The plan of a script, a paragraph for each result."""
        from fluxkeep.flux.interpreter.evaluate import Evaluator
        from fluxkeep.flux.plan.graph import explain
        from fluxkeep.flux.plan.rules import plan
        from fluxkeep.flux.syntax.parser import parse

        evaluator = Evaluator(now_ns=now_ns, sources=sources, execute=self._demand)
        program = evaluator.run(parse(text))
        roots = plan([node for _, node in program.results], push_down=self.push_down)
        return "\n\n".join(f"{name}:\n{explain(root)}" for (name, _), root in zip(program.results, roots, strict=True))

    def _demand(self, node: Node, evaluator: Evaluator) -> Sequence[Block]:
        execution = _prepare([node], evaluator, self)
        return execution.run.tables(execution.roots[0])


@dataclass(frozen=True, slots=True)
class _Execution:
    run: Run
    roots: list[Node]


def _prepare(roots: list[Node], evaluator: Evaluator, engine: Engine) -> _Execution:
    from fluxkeep.datamodel.memory_account import MemoryAccount
    from fluxkeep.flux.execute.run import Run
    from fluxkeep.flux.plan.rules import bounds_of, plan

    planned = plan(roots, push_down=engine.push_down)
    run = Run(evaluator, MemoryAccount(engine.memory_bytes_max), bounds_of(planned))
    run.open_readers(planned)
    run.plan_uses(planned)
    return _Execution(run, planned)


def _results(names: list[str], execution: _Execution) -> Iterator[Result]:
    from fluxkeep.datamodel.tables import Result

    for name, root in zip(names, execution.roots, strict=True):
        yield Result(name, execution.run.tables(root))
