"""`map`: each row anew.

Source: flux.md §11.3.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from fluxkeep.datamodel.tables import ORDER, Block, Column, ColumnType, Stream
from fluxkeep.errors import FluxkeepError, InvalidInput
from fluxkeep.flux.execute import specialise as sp
from fluxkeep.flux.execute.failures import PlacedError
from fluxkeep.flux.execute.regroup import Piece, piece_of_rows, rebuild
from fluxkeep.flux.execute.rows import RowFunction, column, rows_of
from fluxkeep.flux.interpreter.values import Builtin, Closure, Null, Scope, Time, UInt, Value, kind_of, nature_of
from fluxkeep.flux.syntax import ast

_SCALARS = frozenset(t.value for t in ColumnType)


def map_(blocks: Stream, function: RowFunction, *, merge_key: bool = False) -> list[Block]:
    """Rows as the function gives them, tables by their new keys; empty tables vanish.

    Raises:
        InvalidInput: The function fails, gives no record, or a value that no column holds.
    """
    pieces = []
    for block in blocks:
        filled = block.non_empty()
        if not filled.table_count:
            continue
        pieces.append(_mapped(filled, function, merge_key=merge_key))
    return rebuild(pieces)


def _mapped(block: Block, function: RowFunction, *, merge_key: bool) -> Piece:
    """The new rows of a block."""
    made = _columnar(block, function)
    values = _row_by_row(block, function) if made is None else made
    if not ordered_as_written(function.function):
        values = dict(sorted(values.items()))
    if merge_key:
        for label in block.key:
            if label not in values:
                source = next(c for c in block.columns if c.label == label)
                values[label] = (source, block.series(label))
    columns = tuple(c for c, _ in values.values())
    key = tuple(k for k in block.key if k in values)
    frame = pl.DataFrame(
        [block.keys[ORDER].gather(block.ids), *(series.alias(label) for label, (_, series) in values.items())]
    )
    return piece_of_rows(columns, key, frame)


Made = dict[str, tuple[Column, pl.Series]]


def _columnar(block: Block, function: RowFunction) -> Made | None:
    try:
        found = function.term(block.columns)
    except sp.StaticTypeError as error:
        if ordered_as_written(function.function) and error.left:
            # Quirk: where the reference runs a body on columns, its errors name no call and the right side first.
            raise PlacedError(f"runtime error: type conflict: {error.right} != {error.left}") from error
        raise
    if found is None:
        return None
    term, _ = found
    try:
        return _of_term(block, term)
    except sp.Uneven:
        return None


def _of_term(block: Block, term: sp.Term) -> Made:
    match term:
        case sp.Struct(members=members):
            return _members(block, members)
        case sp.Const(value=dict() as record):
            return _members(block, {k: sp.Const(v) for k, v in record.items()})
        case sp.Const(value=value):
            raise InvalidInput(f"map function must return an object, got {nature_of(value)}")
        case sp.Cell(kind=kind):
            raise InvalidInput(f"map function must return an object, got {kind}")


def _members(block: Block, members: Mapping[str, sp.Cell | sp.Const]) -> Made:
    made: Made = {}
    for label, member in members.items():
        if isinstance(member, sp.Const):
            kind = member.value.kind if isinstance(member.value, Null) else kind_of(member.value)
            if not kind or kind == "invalid":
                # A value of no known type makes no column. Source: flux.md §11.3.
                continue
            if kind not in _SCALARS:
                raise _unsupported(label, member.value)
            member = sp.lift(member, kind)
        own = frozenset(_labels(block, member))
        values = column(block, member, own)
        made[label] = (Column(label, ColumnType(member.kind)), values)
    return made


def _labels(block: Block, cell: sp.Cell) -> list[str]:
    names = {sp.physical_name(i): c.label for i, c in enumerate(block.columns)}
    return [names[n] for n in cell.expr.meta.root_names()]


def _unsupported(label: str, value: Value) -> InvalidInput:
    return InvalidInput(
        f'map object property "{label}" is {nature_of(value)} type which is not supported in a flux table'
    )


def _row_by_row(block: Block, function: RowFunction) -> Made:
    records: list[dict[str, Value]] = []
    for row in rows_of(block):
        try:
            value = function.call(row)
        except FluxkeepError as error:
            raise InvalidInput(evaluation_text("map", error)) from error
        if not isinstance(value, dict):
            raise InvalidInput(f"map function must return an object, got {nature_of(value)}")
        records.append(value)
    return columns_of_records(records, _unsupported)


def evaluation_text(name: str, error: FluxkeepError) -> str:
    """How a failing row function is told; conflicts of types are found before any row is."""
    if error.message.startswith(("type conflict", "cannot compile")):
        return error.message
    return f"failed to evaluate {name} function: {error.message}"


def columns_of_records(records: list[dict[str, Value]], refuse: object) -> Made:
    """Records as columns; a label's type is that of its first value that has one."""
    assert callable(refuse)
    labels: dict[str, str] = {}
    for record in records:
        for label, value in record.items():
            kind = value.kind if isinstance(value, Null) else kind_of(value)
            if kind and kind != "invalid" and kind not in _SCALARS:
                raise refuse(label, value)
            known = labels.get(label, "")
            if not known or known == "invalid":
                labels[label] = kind
            elif kind and kind not in (known, "invalid"):
                raise InvalidInput(f'schema collision detected: column "{label}" is both of type {known} and {kind}')
    made: Made = {}
    for label, kind in labels.items():
        if not kind or kind == "invalid":
            continue
        target = ColumnType(kind)
        cells = [_cell(record.get(label, Null())) for record in records]
        made[label] = (Column(label, target), pl.Series(cells, dtype=target.polars))
    return made


def _cell(value: Value) -> bool | int | float | str | None:
    match value:
        case Null():
            return None
        case UInt() | Time():
            return int(value)
        case bool() | int() | float() | str():
            return value
    raise InvalidInput(f"a column cannot hold {kind_of(value)}")


def ordered_as_written(function: Closure | Builtin) -> bool:
    """Whether the reference runs a body on columns and so keeps the order of its labels.

    Source: flux.md §11.3, `map`.
    """
    if not isinstance(function, Closure) or isinstance(function.expression.body, ast.Block):
        return False
    params = function.expression.params
    body = function.expression.body
    while isinstance(body, ast.ParenExpression):
        body = body.expression
    if not isinstance(body, ast.ObjectExpression) or not params:
        return False
    row = params[0].name
    if body.base is not None and body.base.name != row:
        return False
    return all(p.value is not None and _vectorised(p.value, row, function.scope) for p in body.properties)


def _vectorised(node: ast.Expression, row: str, scope: Scope) -> bool:
    match node:
        case ast.ParenExpression(expression=inner):
            return _vectorised(inner, row, scope)
        case ast.MemberExpression(object=owner):
            return owner == ast.Identifier(name=row)
        case (
            ast.IntegerLiteral()
            | ast.FloatLiteral()
            | ast.StringLiteral()
            | ast.BooleanLiteral()
            | ast.DateTimeLiteral()
            | ast.DurationLiteral()
        ):
            return True
        case ast.Identifier(name=name):
            return name in ("true", "false") and isinstance(scope.find(name), bool)
        case ast.BinaryExpression(operator=operator, left=left, right=right):
            return operator not in ("=~", "!~") and _vectorised(left, row, scope) and _vectorised(right, row, scope)
        case ast.LogicalExpression(left=left, right=right):
            return _vectorised(left, row, scope) and _vectorised(right, row, scope)
        case ast.UnaryExpression(argument=argument):
            return _vectorised(argument, row, scope)
        case ast.ConditionalExpression(test=test, consequent=yes, alternate=no):
            return all(_vectorised(n, row, scope) for n in (test, yes, no))
        case ast.CallExpression(callee=ast.Identifier(name="float")):
            builtin = scope.find("float")
            return isinstance(builtin, Builtin) and all(
                p.value is not None and _vectorised(p.value, row, scope) for p in node.properties
            )
    return False
