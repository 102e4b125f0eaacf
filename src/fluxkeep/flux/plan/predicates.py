"""Which part of a filter storage can answer, as a `Predicate`.

Source: flux.md §16, 2.
"""

from __future__ import annotations

from fluxkeep.datamodel.predicates import VALUE, And, Compare, Exists, Not, Op, Or, Predicate
from fluxkeep.flux.interpreter.values import Closure
from fluxkeep.flux.syntax import ast

_OPERATORS = {op.value: op for op in Op}
_NOT_TAGS = frozenset({"_time", "_start", "_stop"})


def split_filter(function: Closure) -> tuple[Predicate | None, Closure | None]:
    """A predicate for storage and a filter for the rest; either may be absent.

    Only bodies that are one expression are looked into; top-level `and` is where they part.
    """
    params, body = function.expression.params, function.expression.body
    if len(params) != 1 or isinstance(body, ast.Block):
        return None, function
    row = params[0].name
    pushed: list[Predicate] = []
    rest: list[ast.Expression] = []
    for part in _conjuncts(body):
        predicate = _predicate(part, row)
        if predicate is None:
            rest.append(part)
        else:
            pushed.append(predicate)
    if not pushed:
        return None, function
    together = pushed[0] if len(pushed) == 1 else And(tuple(pushed))
    if not rest:
        return together, None
    remaining = rest[0]
    for part in rest[1:]:
        remaining = ast.LogicalExpression(operator="and", left=remaining, right=part, location=body.location)
    expression = ast.FunctionExpression(params=params, body=remaining, location=function.expression.location)
    return together, Closure(expression, function.scope, function.name)


def _unwrap(node: ast.Expression) -> ast.Expression:
    while isinstance(node, ast.ParenExpression):
        node = node.expression
    return node


def _conjuncts(node: ast.Expression) -> list[ast.Expression]:
    node = _unwrap(node)
    if isinstance(node, ast.LogicalExpression) and node.operator == "and":
        return [*_conjuncts(node.left), *_conjuncts(node.right)]
    return [node]


def _predicate(node: ast.Expression, row: str) -> Predicate | None:
    node = _unwrap(node)
    match node:
        case ast.LogicalExpression(operator=operator, left=left, right=right):
            one, other = _predicate(left, row), _predicate(right, row)
            if one is None or other is None:
                return None
            return And((one, other)) if operator == "and" else Or((one, other))
        case ast.UnaryExpression(operator="exists", argument=argument):
            column = _column(argument, row)
            return Exists(column) if column is not None and column != VALUE else None
        case ast.UnaryExpression(operator="not", argument=argument):
            inner = _unwrap(argument)
            if isinstance(inner, ast.UnaryExpression) and inner.operator == "exists":
                predicate = _predicate(inner, row)
                return None if predicate is None else Not(predicate)
            return None
        case ast.BinaryExpression(operator=operator, left=left, right=right) if operator in _OPERATORS:
            column = _column(left, row)
            if column is None:
                return None
            return _comparison(column, _OPERATORS[operator], _unwrap(right))
    return None


def _column(node: ast.Expression, row: str) -> str | None:
    node = _unwrap(node)
    if isinstance(node, ast.MemberExpression) and node.object == ast.Identifier(name=row):
        return None if node.label in _NOT_TAGS else node.label
    return None


def _comparison(column: str, op: Op, literal: ast.Expression) -> Predicate | None:
    if op in (Op.MATCH, Op.NOT_MATCH):
        return Compare(column, op, literal.value) if isinstance(literal, ast.RegexpLiteral) else None
    if column == VALUE:
        match literal:
            case ast.StringLiteral() | ast.IntegerLiteral() | ast.FloatLiteral() | ast.BooleanLiteral():
                return Compare(column, op, literal.value)
            case ast.Identifier(name="true" | "false") if op in (Op.EQ, Op.NE):
                return Compare(column, op, literal.name == "true")
        return None
    # An absent tag is not the empty text, which only a comparison with it would show.
    if op in (Op.EQ, Op.NE) and isinstance(literal, ast.StringLiteral) and (literal.value or op is Op.NE):
        return Compare(column, op, literal.value)
    return None
