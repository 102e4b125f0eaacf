"""The query graph: lazy table operators and where in the script each was called.

The interpreter builds it, the rules rewrite it, `execute.run` walks it. A node
does nothing until a result demands it.

Source: flux.md §7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from fluxkeep.flux.syntax.ast import NOWHERE, SourceLocation

if TYPE_CHECKING:
    from fluxkeep.datamodel.tables import Block
    from fluxkeep.flux.execute.run import Run


@dataclass(frozen=True, slots=True)
class Site:
    """The call in the user's script that a node came from."""

    name: str
    location: SourceLocation = NOWHERE

    def __str__(self) -> str:
        return f"@{self.location}: {self.name}"


class Operation(Protocol):
    """What a node does to its inputs' tables."""

    @property
    def label(self) -> str:
        """A short name for plans and errors."""
        ...

    def apply(self, inputs: Sequence[Sequence[Block]], run: Run) -> Sequence[Block]:
        """The tables it makes."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """An operation, its inputs, its place."""

    operation: Operation
    inputs: tuple[Node, ...] = ()
    site: Site = field(default=Site(""))


@dataclass(frozen=True, slots=True)
class Transform:
    """An operation on one stream that no rule needs to look into."""

    label: str
    function: Callable[[Sequence[Block]], Sequence[Block]]

    def apply(self, inputs: Sequence[Sequence[Block]], run: Run) -> Sequence[Block]:  # noqa: ARG002 - the protocol's
        """Call the function."""
        return self.function(inputs[0])


@dataclass(frozen=True, slots=True)
class Effect:
    """An operation that needs the run (the clock, the sources, the account) or several streams."""

    label: str
    function: Callable[[Sequence[Sequence[Block]], Run], Sequence[Block]]

    def apply(self, inputs: Sequence[Sequence[Block]], run: Run) -> Sequence[Block]:
        """Call the function."""
        return self.function(inputs, run)


@dataclass(frozen=True, slots=True)
class Yield:
    """Names a result and passes the tables through."""

    name: str

    @property
    def label(self) -> str:
        """`yield` and the name."""
        return f'yield "{self.name}"'

    def apply(self, inputs: Sequence[Sequence[Block]], run: Run) -> Sequence[Block]:  # noqa: ARG002 - the protocol's
        """The input."""
        return inputs[0]


def walk(roots: Sequence[Node]) -> Iterator[Node]:
    """Every node once, inputs before the nodes that use them."""
    seen: set[int] = set()
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            yield node
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((i, False) for i in reversed(node.inputs))


def explain(root: Node) -> str:
    """The plan as text: one node a line, inputs indented below it."""
    lines: list[str] = []

    def visit(node: Node, depth: int) -> None:
        lines.append("  " * depth + node.operation.label)
        for node_input in node.inputs:
            visit(node_input, depth + 1)

    visit(root, 0)
    return "\n".join(lines)
