"""Running a planned graph: each node once, in order, its errors told by their place.

Source: flux.md §7, §9.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fluxkeep.datamodel.memory_account import CountedReader, MemoryAccount
from fluxkeep.datamodel.tables import Block
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import Abandoned, FluxkeepError, InvalidInput, Unsupported
from fluxkeep.flux.execute.failures import Placed
from fluxkeep.flux.plan.graph import Node, walk
from fluxkeep.flux.sources import WritableSources

if TYPE_CHECKING:
    from fluxkeep.datamodel.points import PointBatch
    from fluxkeep.datamodel.reader import Reader
    from fluxkeep.flux.interpreter.evaluate import Evaluator
    from fluxkeep.flux.plan.operations import From


class Run:
    """One execution of a graph; results that share nodes share their tables."""

    def __init__(self, evaluator: Evaluator, account: MemoryAccount, bounds: dict[int, TimeRange | None]) -> None:
        self.evaluator = evaluator
        self.account = account
        self._bounds = bounds
        self._current: Node | None = None
        self._uses: dict[int, int] = {}
        self._readers: dict[From, Reader] = {}
        self._writers: dict[From, Callable[[PointBatch], None]] = {}
        self._done: dict[int, tuple[Sequence[Block], int]] = {}

    @property
    def bounds(self) -> TimeRange | None:
        """The time range of the node that runs now, from the nearest `range`."""
        return self._bounds.get(id(self._current)) if self._current is not None else None

    def open_readers(self, roots: Sequence[Node]) -> None:
        """Ask for a reader for each read, before anything runs.

        Raises:
            NotFound: A bucket does not exist, or the caller may not read it.
            InvalidInput: No bucket is named.
        """
        from fluxkeep.flux.interpreter.evaluate import layered
        from fluxkeep.flux.plan.operations import IndexRead, Scan, WriteTo

        for node in walk(roots):
            if isinstance(node.operation, WriteTo):
                try:
                    self._writers[node.operation.target] = self._writer(node.operation.target)
                except FluxkeepError as error:
                    raise layered(error, "failed to initialize execute state: ") from error
            if isinstance(node.operation, Scan | IndexRead):
                source = node.operation.source
                try:
                    self._readers[source] = CountedReader(self._reader(source), self.account, keeps=False)
                except FluxkeepError as error:
                    raise layered(error, "failed to initialize execute state: ") from error

    def _reader(self, source: From) -> Reader:
        if source.bucket_id is not None:
            if source.bucket_id and not (len(source.bucket_id) == 16 and _is_hex(source.bucket_id)):
                reason = "id must have a length of 16 bytes" if len(source.bucket_id) != 16 else "invalid ID"
                raise InvalidInput(f"invalid bucket id: {reason}")
            return self.evaluator.sources.reader(bucket_id=source.bucket_id)
        if not source.bucket:
            raise InvalidInput("no bucket name or id have been specified")
        return self.evaluator.sources.reader(bucket=source.bucket)

    def _writer(self, target: From) -> Callable[[PointBatch], None]:
        sources = self.evaluator.sources
        if not isinstance(sources, WritableSources):
            raise Unsupported("writing from a script is not built here")
        if target.bucket_id is not None:
            return sources.writer(bucket_id=target.bucket_id)
        return sources.writer(bucket=target.bucket)

    def writer(self, target: From) -> Callable[[PointBatch], None]:
        """What was opened to write to a bucket."""
        return self._writers[target]

    def reader(self, source: From) -> Reader:
        """The reader that was opened for a read."""
        return self._readers[source]

    def plan_uses(self, roots: Sequence[Node]) -> None:
        """Count who needs which tables, so that they can be let go."""
        for node in walk(roots):
            for node_input in node.inputs:
                self._uses[id(node_input)] = self._uses.get(id(node_input), 0) + 1
        for root in roots:
            self._uses[id(root)] = self._uses.get(id(root), 0) + 1

    def tables(self, root: Node) -> Sequence[Block]:
        """The tables of a node, computed with everything below it that is not there yet.

        Raises:
            FluxkeepError: Of the kind that an operator raised, with the call's place in front.
            Abandoned: The client has gone; the run holds nothing any more.
        """
        try:
            self._compute_all(root)
        except Abandoned:
            self._let_go()
            raise
        return self._take(root)

    def _compute_all(self, root: Node) -> None:
        stack = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if id(node) in self._done:
                # What is below it may have been let go already.
                continue
            if ready:
                self._compute(node)
            else:
                stack.append((node, True))
                stack.extend((i, False) for i in reversed(node.inputs))

    def progress(self, held_bytes: int) -> None:
        """Go on with an operator that takes long and has made so much, while somebody waits and there is room.

        Raises:
            Abandoned: Nobody does.
            InvalidInput: There is not.
        """
        self.evaluator.require_client()
        self.account.require(held_bytes)

    def _let_go(self) -> None:
        for _, size in self._done.values():
            self.account.give_back(size)
        self._done.clear()

    def _compute(self, node: Node) -> None:
        self.evaluator.require_client()
        inputs = [self._take(i) for i in node.inputs]
        self._current = node
        try:
            blocks = node.operation.apply(inputs, self)
        except FluxkeepError as error:
            raise _placed(error, node) from error
        size = sum(b.estimated_bytes() for b in blocks)
        self.account.take(size)
        self._done[id(node)] = (blocks, size)

    def _take(self, node: Node) -> Sequence[Block]:
        blocks, size = self._done[id(node)]
        left = self._uses.get(id(node), 1) - 1
        self._uses[id(node)] = left
        if left <= 0:
            del self._done[id(node)]
            self.account.give_back(size)
        return blocks


def _is_hex(text: str) -> bool:
    return set(text.lower()) <= set("0123456789abcdef")


def _placed(error: FluxkeepError, node: Node) -> FluxkeepError:
    from fluxkeep.flux.interpreter.evaluate import layered

    if isinstance(error, Placed):
        return error
    return layered(error, f"runtime error {node.site}: ")
