"""Row functions specialised to a schema: an expression on columns instead of a loop over rows.

`specialise` types the body of `(r) => …` against the actual columns and builds
a Polars expression with Flux's rules for null, NaN, integers and short
circuits. Whatever it cannot express raises `NotColumnar`, and the caller runs
the row interpreter instead; both give the same values, which tests check.

Source: flux.md §3, §4 (specialised typing), §5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from fluxkeep.datamodel.tables import Columns, ColumnType
from fluxkeep.errors import FluxkeepError, InvalidInput
from fluxkeep.flux.interpreter import operators
from fluxkeep.flux.interpreter.values import (
    Builtin,
    Closure,
    Null,
    PackageValue,
    Regexp,
    Scope,
    Time,
    UInt,
    Value,
    is_null,
    kind_of,
    of_column,
)
from fluxkeep.flux.plan.graph import Site
from fluxkeep.flux.semantic import types
from fluxkeep.flux.semantic.signatures import find_package
from fluxkeep.flux.syntax import ast

if TYPE_CHECKING:
    from fluxkeep.flux.interpreter.evaluate import Evaluator

COLUMN_KINDS: dict[str, ColumnType] = {t.value: t for t in ColumnType}
_NUMERIC = frozenset({"int", "uint", "float"})


class NotColumnar(Exception):
    """The body cannot be expressed on columns."""


class Uneven(Exception):
    """A value of the column made a function fail; which row that was, and whether it counts, only rows tell."""


class StaticTypeError(InvalidInput):
    """The body has no meaning for these columns, whatever their values.

    `left` and `right` are the types of an operator's sides where two types are at odds.
    """

    def __init__(self, message: str, left: str = "", right: str = "") -> None:
        super().__init__(message)
        self.left = left
        self.right = right


@dataclass(frozen=True, slots=True)
class Cell:
    """A value that differs from row to row; `kind` "" is the null of unknown type."""

    expr: pl.Expr
    kind: str


@dataclass(frozen=True, slots=True)
class Const:
    """A value that is the same for all rows."""

    value: Value


@dataclass(frozen=True, slots=True)
class Struct:
    """A record whose members may differ from row to row."""

    members: Mapping[str, Cell | Const]


Term: TypeAlias = Cell | Const | Struct
Kernel: TypeAlias = Callable[[Mapping[str, Term]], Cell]


def physical_name(position: int) -> str:
    """How column number `position` of the schema is called in the frame an expression runs on.

    Labels are not used there: Polars takes some of them for patterns.
    """
    return f"c{position}"


def specialise(
    function: Closure, columns: Columns, evaluator: Evaluator, kernels: Mapping[str, Kernel]
) -> tuple[Term, frozenset[str]]:
    """The body's value for the columns, and the labels of the columns it looks at.

    Raises:
        NotColumnar: It must be interpreted row by row.
        StaticTypeError: An operator has no meaning for the columns' types.
    """
    params = function.expression.params
    if len(params) < 1:
        raise NotColumnar
    work = _Specialiser(evaluator, kernels, columns, function.expression.location)
    row = Struct({c.label: Cell(pl.col(physical_name(i)), c.type.value) for i, c in enumerate(columns)})
    term = work.body(function, {params[0].name: row})
    return term, frozenset(work.used)


class _Specialiser:
    def __init__(
        self,
        evaluator: Evaluator,
        kernels: Mapping[str, Kernel],
        columns: Columns,
        location: ast.SourceLocation,
    ) -> None:
        self._evaluator = evaluator
        self._kernels = kernels
        self._labels = {physical_name(i): c.label for i, c in enumerate(columns)}
        self._depth = 0
        self._where = location
        self.used: set[str] = set()

    def body(self, function: Closure, bound: Mapping[str, Term]) -> Term:
        """The value of a function's body with its parameters bound."""
        env: dict[str, Term] = dict(bound)
        for param in function.expression.params:
            if param.name not in env:
                if param.default is None or isinstance(param.default, ast.PipeLiteral):
                    raise NotColumnar
                env[param.name] = Const(self._constant(param.default, function.scope))
        block = function.expression.body
        if not isinstance(block, ast.Block):
            return self.term(block, env, function.scope)
        for statement in block.body:
            match statement:
                case ast.VariableAssignment(id=name, init=init):
                    env[name.name] = self.term(init, env, function.scope)
                case ast.ReturnStatement(argument=argument):
                    return self.term(argument, env, function.scope)
                case _:
                    raise NotColumnar
        raise NotColumnar

    def _constant(self, node: ast.Expression, scope: Scope) -> Value:
        try:
            return self._evaluator.evaluate(node, scope)
        except FluxkeepError as error:
            # An error belongs to the row that meets it: an empty table hides it.
            raise NotColumnar from error

    def term(self, node: ast.Expression, env: Mapping[str, Term], scope: Scope) -> Term:
        """The value of an expression."""
        match node:
            case ast.ParenExpression(expression=inner):
                return self.term(inner, env, scope)
            case ast.Identifier(name=name):
                if name in env:
                    return env[name]
                found = scope.find(name)
                if found is None:
                    raise NotColumnar
                return Const(found)
            case ast.MemberExpression():
                return self._member(node, env, scope)
            case ast.BinaryExpression():
                return self._binary(node, env, scope)
            case ast.LogicalExpression():
                return self._logical(node, env, scope)
            case ast.UnaryExpression():
                return self._unary(node, env, scope)
            case ast.ConditionalExpression():
                return self._conditional(node, env, scope)
            case ast.ObjectExpression():
                return self._record(node, env, scope)
            case ast.CallExpression():
                return self._call(node, None, env, scope)
            case ast.PipeExpression(argument=argument, call=call):
                return self._call(call, self.term(argument, env, scope), env, scope)
            case ast.StringExpression():
                return self._interpolation(node, env, scope)
            case ast.ArrayExpression(elements=elements):
                terms = [self.term(e, env, scope) for e in elements]
                if all(isinstance(t, Const) for t in terms):
                    return Const([t.value for t in terms if isinstance(t, Const)])
                raise NotColumnar
            case ast.FunctionExpression() | ast.DictExpression() | ast.IndexExpression():
                raise NotColumnar
            case _:
                return Const(self._constant(node, scope))

    def _member(self, node: ast.MemberExpression, env: Mapping[str, Term], scope: Scope) -> Term:
        owner = self.term(node.object, env, scope)
        match owner:
            case Struct(members=members):
                found = members.get(node.label, Const(Null()))
                if isinstance(found, Cell):
                    self._note(found)
                return found
            case Const(value=dict() as record):
                return Const(record.get(node.label, Null()))
            case Const(value=PackageValue(members=names)) if node.label in names:
                return Const(names[node.label])
        raise NotColumnar

    def _note(self, cell: Cell) -> None:
        for name in cell.expr.meta.root_names():
            self.used.add(self._labels[name])

    def _binary(self, node: ast.BinaryExpression, env: Mapping[str, Term], scope: Scope) -> Term:
        left, right = self.term(node.left, env, scope), self.term(node.right, env, scope)
        if isinstance(left, Const) and isinstance(right, Const):
            try:
                return Const(operators.binary(node.operator, left.value, right.value))
            except FluxkeepError as error:
                raise NotColumnar from error
        if isinstance(left, Struct) or isinstance(right, Struct):
            raise NotColumnar
        operator = node.operator
        if operator in ("=~", "!~"):
            return _match(operator, left, right)
        if _null(left) or _null(right):
            known = _kind(right) if _null(left) else _kind(left)
            comparison = operator in ("==", "!=", "<", "<=", ">", ">=")
            return Const(Null("bool" if comparison else "float" if operator == "^" else known))
        if operator in ("==", "!=", "<", "<=", ">", ">="):
            return _compare(operator, left, right, self._where)
        return _arithmetic(operator, left, right, self._where)

    def _logical(self, node: ast.LogicalExpression, env: Mapping[str, Term], scope: Scope) -> Term:
        left = self._truth(self.term(node.left, env, scope))
        is_and = node.operator == "and"
        if isinstance(left, Const):
            # The other side is not evaluated, so its errors do not show.
            if (left.value is True) != is_and:
                return Const(not is_and)
            return self._truth(self.term(node.right, env, scope))
        right = self._truth(self.term(node.right, env, scope))
        truth = left.expr.fill_null(value=False)
        other = lift(right, "bool").expr
        if is_and:
            return Cell(pl.when(truth).then(other).otherwise(statement=False), "bool")
        return Cell(pl.when(truth).then(statement=True).otherwise(other), "bool")

    def _truth(self, term: Term) -> Cell | Const:
        if isinstance(term, Struct):
            raise NotColumnar
        kind = _kind(term)
        if kind in ("bool", ""):
            return term
        raise StaticTypeError(f"type conflict: bool != {kind}")

    def _unary(self, node: ast.UnaryExpression, env: Mapping[str, Term], scope: Scope) -> Term:
        term = self.term(node.argument, env, scope)
        if node.operator == "exists":
            match term:
                case Const(value=value):
                    return Const(not is_null(value))
                case Cell(expr=expr):
                    return Cell(expr.is_not_null(), "bool")
                case Struct():
                    return Const(value=True)
        if isinstance(term, Struct):
            raise NotColumnar
        match node.operator:
            case "not":
                checked = self._truth(term)
                if isinstance(checked, Const):
                    return Const(not checked.value if isinstance(checked.value, bool) else Null("bool"))
                return Cell(~checked.expr, "bool")
            case "-":
                if isinstance(term, Const):
                    return Const(self._constant(node, scope)) if not env else Const(operators.negate(term.value))
                if term.kind in ("int", "float"):
                    return Cell(-term.expr, term.kind)
                raise NotColumnar
            case _:
                return term

    def _conditional(self, node: ast.ConditionalExpression, env: Mapping[str, Term], scope: Scope) -> Term:
        test = self._truth(self.term(node.test, env, scope))
        if isinstance(test, Const):
            return self.term(node.consequent if test.value is True else node.alternate, env, scope)
        yes, no = self.term(node.consequent, env, scope), self.term(node.alternate, env, scope)
        if isinstance(yes, Struct) or isinstance(no, Struct):
            raise NotColumnar
        kinds = {_kind(yes), _kind(no)} - {""}
        if len(kinds) > 1:
            raise NotColumnar
        kind = kinds.pop() if kinds else ""
        if not kind:
            return Const(Null())
        return Cell(
            pl.when(test.expr.fill_null(value=False)).then(lift(yes, kind).expr).otherwise(lift(no, kind).expr), kind
        )

    def _record(self, node: ast.ObjectExpression, env: Mapping[str, Term], scope: Scope) -> Term:
        members: dict[str, Cell | Const] = {}
        if node.base is not None:
            base = self.term(node.base, env, scope)
            match base:
                case Struct(members=known):
                    members.update(known)
                    for cell in known.values():
                        if isinstance(cell, Cell):
                            self._note(cell)
                case Const(value=dict() as record):
                    members.update({k: Const(v) for k, v in record.items()})
                case _:
                    raise NotColumnar
        for item in node.properties:
            value = item.value if item.value is not None else ast.Identifier(name=item.name)
            term = self.term(value, env, scope)
            if isinstance(term, Struct):
                raise NotColumnar
            members[item.name] = term
        return Struct(members)

    def _interpolation(self, node: ast.StringExpression, env: Mapping[str, Term], scope: Scope) -> Term:
        for part in node.parts:
            if isinstance(part, ast.InterpolatedPart):
                term = self.term(part.expression, env, scope)
                if not isinstance(term, Const):
                    # A null part is an error of its row, which columns cannot place.
                    raise NotColumnar
        raise NotColumnar

    def _call(self, node: ast.CallExpression, piped: Term | None, env: Mapping[str, Term], scope: Scope) -> Term:
        callee = self.term(node.callee, env, scope)
        if not isinstance(callee, Const) or not isinstance(callee.value, Builtin | Closure):
            raise NotColumnar
        function = callee.value
        arguments: dict[str, Term] = {}
        for item in node.properties:
            value = item.value if item.value is not None else ast.Identifier(name=item.name)
            arguments[item.name] = self.term(value, env, scope)
        if piped is not None:
            pipe = next((p.name for p in function.params if p.pipe), None)
            if pipe is None:
                raise NotColumnar
            arguments[pipe] = piped
        if isinstance(function, Closure):
            self._depth += 1
            if self._depth > 100:
                raise NotColumnar
            return self.body(function, arguments)
        constants = {k: t.value for k, t in arguments.items() if isinstance(t, Const)}
        if len(constants) == len(arguments):
            try:
                return Const(self._evaluator.invoke(function, constants, Site(function.name, node.location)))
            except FluxkeepError as error:
                raise NotColumnar from error
        kernel = self._kernels.get(function.key)
        if kernel is not None:
            try:
                return kernel(arguments)
            except NotColumnar:
                return self._by_distinct(function, arguments)
        return self._by_distinct(function, arguments)

    def _by_distinct(self, function: Builtin, arguments: Mapping[str, Term]) -> Term:
        """A function of one column and constants, called once for each distinct value."""
        cells = [(name, term) for name, term in arguments.items() if isinstance(term, Cell)]
        constants = {name: term.value for name, term in arguments.items() if isinstance(term, Const)}
        kind = _result_kind(function)
        if kind is None or len(cells) != 1 or len(constants) + 1 < len(arguments) or not cells[0][1].kind:
            raise NotColumnar
        name, cell = cells[0]
        evaluator, source, target = self._evaluator, COLUMN_KINDS[cell.kind], COLUMN_KINDS[kind]

        def apply(values: pl.Series) -> pl.Series:
            distinct = values.unique()
            made: list[bool | float | str | None] = []
            for value in distinct.to_list():
                try:
                    result = evaluator.invoke_on_row(function, {**constants, name: of_column(value, source)})
                except FluxkeepError as error:
                    raise Uneven from error
                if isinstance(result, Null):
                    made.append(None)
                elif kind_of(result) == kind and isinstance(result, bool | int | float | str):
                    made.append(_plain(result))
                else:
                    raise Uneven
            pairs = pl.DataFrame([distinct.alias("v"), pl.Series("made", made, dtype=target.polars)])
            return values.to_frame("v").join(pairs, on="v", how="left", nulls_equal=True, maintain_order="left")["made"]

        return Cell(cell.expr.map_batches(apply, return_dtype=target.polars), kind)


_PURE = frozenset({"strings", "regexp", "math", "date", "types"})
_PURE_UNIVERSE = frozenset({"int", "uint", "float", "string", "bool", "time", "contains"})


def _result_kind(function: Builtin) -> str | None:
    """The type that a function of values alone always gives, where a column can hold it."""
    if function.path not in _PURE and not (function.path == "universe" and function.name in _PURE_UNIVERSE):
        return None
    package = find_package(function.path)
    signature = package.find(function.name) if package is not None else None
    if isinstance(signature, types.Function) and isinstance(signature.result, types.Basic):
        return signature.result.name if signature.result.name in COLUMN_KINDS else None
    return None


def lift(term: Term, kind: str) -> Cell:
    """A term as a column of a type.

    Raises:
        NotColumnar: No column can hold it.
    """
    match term:
        case Cell():
            return term if term.kind else Cell(pl.lit(None, COLUMN_KINDS[kind].polars), kind)
        case Const(value=Null()):
            if kind not in COLUMN_KINDS:
                raise NotColumnar
            return Cell(pl.lit(None, COLUMN_KINDS[kind].polars), kind)
        case Const(value=bool() | int() | float() | str() as value):
            own = kind_of(value)
            return Cell(literal(value), own)
    raise NotColumnar


def literal(value: bool | float | str) -> pl.Expr:
    """A constant of the dtype that its Flux type has in columns."""
    return pl.lit(_plain(value), COLUMN_KINDS[kind_of(value)].polars)


def _plain(value: bool | float | str) -> bool | float | str:
    return int(value) if isinstance(value, UInt | Time) else value


def _kind(term: Cell | Const) -> str:
    if isinstance(term, Cell):
        return term.kind
    if isinstance(term.value, Null):
        return term.value.kind
    return kind_of(term.value)


def _null(term: Cell | Const) -> bool:
    return isinstance(term, Const) and isinstance(term.value, Null)


def _match(operator: str, left: Cell | Const, right: Cell | Const) -> Term:
    if _null(left):
        return Const(Null("bool"))
    if not isinstance(right, Const) or not isinstance(right.value, Regexp) or not isinstance(left, Cell):
        raise NotColumnar
    if left.kind != "string":
        raise NotColumnar
    return Cell(matches(left.expr, right.value, wanted=operator == "=~"), "bool")


def matches(expr: pl.Expr, pattern: Regexp, *, wanted: bool = True) -> pl.Expr:
    """Whether RE2 finds the pattern; each distinct text is searched once."""

    def search(texts: pl.Series) -> pl.Series:
        distinct = texts.unique().drop_nulls()
        found = [pattern.search(text) == wanted for text in distinct]
        return texts.replace_strict(distinct, pl.Series(found, dtype=pl.Boolean), default=None, return_dtype=pl.Boolean)

    return expr.map_batches(search, return_dtype=pl.Boolean)


def _compare(operator: str, left: Cell | Const, right: Cell | Const, where: ast.SourceLocation) -> Term:
    a, b = _kind(left), _kind(right)
    equality = operator in ("==", "!=")
    if (a != b and not {a, b} <= _NUMERIC) or a not in COLUMN_KINDS or (a == "bool" and not equality):
        raise StaticTypeError(f"cannot compile @ {where}: unsupported binary expression {a} {operator} {b}")
    x, y = lift(left, a).expr, lift(right, b).expr
    if a != b:
        if "float" not in (a, b):
            # A negative int is less than every uint.
            x, y = x.cast(pl.Int128), y.cast(pl.Int128)
        else:
            x, y = x.cast(pl.Float64), y.cast(pl.Float64)
    match operator:
        case "==":
            result = x == y
        case "!=":
            result = x != y
        case "<":
            result = x < y
        case "<=":
            result = x <= y
        case ">":
            result = x > y
        case _:
            result = x >= y
    if "float" in (a, b):
        # Polars orders NaN above everything and equal to itself; in Flux nothing holds of it but `!=`.
        numbers = None
        for side, kind, term in ((x, a, left), (y, b, right)):
            if kind == "float" and isinstance(term, Cell):
                numbers = side.is_not_nan() if numbers is None else numbers & side.is_not_nan()
            elif kind == "float" and isinstance(term, Const) and term.value != term.value:
                raise NotColumnar
        if numbers is not None:
            settled = (result | ~numbers) if operator == "!=" else (result & numbers)
            # A null on one side stays null, whatever the other is.
            result = pl.when(result.is_not_null()).then(settled)
    return Cell(result, "bool")


def _arithmetic(operator: str, left: Cell | Const, right: Cell | Const, where: ast.SourceLocation) -> Term:
    a, b = _kind(left), _kind(right)
    if a != b:
        raise StaticTypeError(f"type conflict: {a} != {b}", a, b)
    if operator == "^":
        raise NotColumnar
    x, y = lift(left, a).expr, lift(right, b).expr
    if a == "string" and operator == "+":
        return Cell(pl.concat_str([x, y]), "string")
    if a not in _NUMERIC:
        raise StaticTypeError(f"cannot compile @ {where}: unsupported binary expression {a} {operator} {b}")
    match operator:
        case "+":
            return Cell(x + y, a)
        case "-":
            return Cell(x - y, a)
        case "*":
            return Cell(x * y, a)
        case "/" if a == "float":
            return Cell(x / y, a)
        case "/" | "%" if a != "float" and isinstance(right, Const) and right.value != 0:
            return _integer_division(operator, x, y, a)
    # A divisor that may be zero is an error of its row; float remainders are C's.
    raise NotColumnar


def _integer_division(operator: str, x: pl.Expr, y: pl.Expr, kind: str) -> Term:
    quotient = x // y
    if kind == "int":
        # Towards zero, not down.
        inexact = ((x - quotient * y) != 0) & ((x < 0) != (y < 0))
        quotient = quotient + inexact.cast(pl.Int64)
    return Cell(quotient if operator == "/" else x - quotient * y, kind)
