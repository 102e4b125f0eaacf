"""`join`: tables with equal keys side by side.

Source: flux.md §13.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fluxkeep.datamodel.tables import Block
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute import joins
from fluxkeep.flux.execute.failures import PlacedError
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Builtin, Closure, Value
from fluxkeep.flux.plan.graph import Effect
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.syntax import ast

PACKAGE = Package("join")
_REFUSAL = "error in join function - some expressions are not yet supported in the `on` parameter"
_METHODS = ("inner", "left", "right", "full")


def _pairs(function: Closure | Builtin) -> list[tuple[str, str]]:
    """The equal labels that `on` names.

    Raises:
        InvalidInput: It is more than `l.x == r.y` joined by `and`.
    """
    if not isinstance(function, Closure) or isinstance(function.expression.body, ast.Block):
        raise InvalidInput(_REFUSAL)
    left, right = (p.name for p in function.expression.params)
    pairs: list[tuple[str, str]] = []
    stack: list[ast.Expression] = [function.expression.body]
    while stack:
        node = stack.pop()
        match node:
            case ast.ParenExpression(expression=inner):
                stack.append(inner)
            case ast.LogicalExpression(operator="and", left=one, right=other):
                stack += [other, one]
            case ast.BinaryExpression(
                operator="==", left=ast.MemberExpression() as one, right=ast.MemberExpression() as other
            ):
                names = {_owner(one): one.label, _owner(other): other.label}
                if set(names) != {left, right}:
                    raise InvalidInput(f"{_REFUSAL}: @{node.location}")
                pairs.append((names[left], names[right]))
            case _:
                raise InvalidInput(f"{_REFUSAL}: @{node.location}")
    return pairs


def _owner(node: ast.MemberExpression) -> str:
    return node.object.name if isinstance(node.object, ast.Identifier) else ""


def _joined(call: Call, method: str, on: list[tuple[str, str]]) -> Value:
    combine = call.function("as")

    def together(left: dict[str, Value], right: dict[str, Value]) -> Value:
        return call.evaluator.invoke_on_row(combine, {"l": left, "r": right})

    def run(inputs: Sequence[Sequence[Block]], _: object) -> Sequence[Block]:
        left, right = inputs
        for side, blocks, needed in (("left", left, method in ("right", "full")), ("right", right, method != "inner")):
            if needed and method != "inner" and not any(b.table_count for b in blocks):
                raise PlacedError(f"error preparing {side} side of join: cannot join on an empty table")
        return joins.join_tables(left, right, on, together, method)

    return call.node(Effect(call.name, run), call.stream("left"), call.stream("right"))


@PACKAGE.function("<-left right on as method")
def tables(call: Call) -> Value:
    """A join by any method."""
    method = call.string("method")
    if method not in _METHODS:
        raise InvalidInput('invalid argument for \'method\' - must be "inner", "left", "right", or "full"')
    return _joined(call, method, _pairs(call.function("on")))


def _method(method: str) -> Callable[[Call], Value]:
    return lambda call: _joined(call, method, _pairs(call.function("on")))


for _name in _METHODS:
    PACKAGE.function("<-left right on as", _name)(_method(_name))


@PACKAGE.function("<-left right as ?method")
def time(call: Call) -> Value:
    """A join on `_time`."""
    method = call.string("method", "inner")
    if method not in _METHODS:
        raise InvalidInput('invalid argument for \'method\' - must be "inner", "left", "right", or "full"')
    return _joined(call, method, [("_time", "_time")])
