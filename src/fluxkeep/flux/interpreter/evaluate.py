"""Evaluation of the tree: names, operators, calls, functions, options, results.

A script is evaluated from top to bottom; streams become nodes of the query
graph, everything else is computed at once. The checker has refused unknown
names and wrong arguments before; what is raised here is what only values show.

Source: flux.md §3, §6, §8, §9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from fluxkeep.errors import Abandoned, FluxkeepError, InvalidInput, Unsupported
from fluxkeep.flux.interpreter import operators
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import (
    Builtin,
    Closure,
    Dictionary,
    Dynamic,
    Null,
    PackageValue,
    Regexp,
    Scope,
    StreamValue,
    TableValue,
    Time,
    UInt,
    Value,
    format_value,
    kind_of,
)
from fluxkeep.flux.plan.graph import Node, Site, walk
from fluxkeep.flux.semantic import signatures
from fluxkeep.flux.stdlib.registry import load_package
from fluxkeep.flux.syntax import ast
from fluxkeep.flux.syntax.parser import parse

if TYPE_CHECKING:
    from fluxkeep.datamodel.tables import Block
    from fluxkeep.flux.sources import Sources

E = TypeVar("E", bound=FluxkeepError)

_NO_STREAMS = (
    "error in query specification while starting program: this Flux script returns no streaming data. "
    'Consider adding a "yield" or invoking streaming functions directly, without performing an assignment'
)


_ROW = Site("")


def layered(error: E, prefix: str) -> FluxkeepError:
    """The same kind of error with a text before its message."""
    copy = type(error).__new__(type(error))
    copy.__dict__.update(error.__dict__)
    copy.args = (prefix + error.message,)
    copy.message = prefix + error.message
    return copy


@dataclass(slots=True)
class Program:
    """What a script asked for: its named results in order."""

    results: list[tuple[str, Node]] = field(default_factory=list)


class Evaluator:
    """Evaluates one script, once.

    Args:
        now_ns: The query's time, unless the script sets the option `now`.
        sources: Where `from` reads and what it may see.
        execute: Runs a node at once, for the `tableFind` family.
        gone: Whether nobody waits for the answer any more; None where somebody always does.
    """

    def __init__(
        self,
        *,
        now_ns: int,
        sources: Sources,
        execute: Callable[[Node, Evaluator], Sequence[Block]] | None = None,
        gone: Callable[[], bool] | None = None,
    ) -> None:
        self.sources = sources
        self.program = Program()
        self._now_ns = now_ns
        self._execute = execute
        self._gone = gone
        self._packages: dict[str, PackageValue] = {}
        self._prelude = Scope()
        self.scope = Scope(self._prelude)
        self._site = Site("")
        self._option_names: set[str] = set()
        self._in_row = False
        self._named: set[Node] = set()
        self._writes: list[tuple[str, Node]] = []
        universe = self.package("universe")
        self._prelude.names.update(universe.members)
        influxdb = self.package("influxdata/influxdb")
        self._prelude.names.update(
            {k: v for k, v in influxdb.members.items() if k in ("from", "to", "buckets", "cardinality", "wideTo")}
        )
        self._dispatch: dict[type[Any], Callable[[Any, Scope], Value]] = {
            ast.Identifier: self._identifier,
            ast.IntegerLiteral: lambda n, _: int(n.value),
            ast.UnsignedIntegerLiteral: lambda n, _: UInt(n.value),
            ast.FloatLiteral: lambda n, _: float(n.value),
            ast.BooleanLiteral: lambda n, _: bool(n.value),
            ast.StringLiteral: lambda n, _: str(n.value),
            ast.DurationLiteral: lambda n, _: n.duration,
            ast.DateTimeLiteral: lambda n, _: Time(n.value),
            ast.RegexpLiteral: lambda n, _: Regexp(n.value),
            ast.StringExpression: self._string,
            ast.ArrayExpression: lambda n, s: [self.evaluate(e, s) for e in n.elements],
            ast.DictExpression: self._dictionary,
            ast.ObjectExpression: self._record,
            ast.FunctionExpression: lambda n, s: Closure(n, s),
            ast.CallExpression: lambda n, s: self._call(n, s, None),
            ast.PipeExpression: lambda n, s: self._call(n.call, s, self.evaluate(n.argument, s)),
            ast.MemberExpression: self._member,
            ast.IndexExpression: self._index,
            ast.UnaryExpression: self._unary,
            ast.BinaryExpression: self._binary,
            ast.LogicalExpression: self._logical,
            ast.ConditionalExpression: self._conditional,
            ast.ParenExpression: lambda n, s: self.evaluate(n.expression, s),
        }

    # ------------------------------------------------------------ scripts

    def run(self, file: ast.File, extern: ast.File | None = None) -> Program:
        """Evaluate the extern's statements, then the script's.

        Raises:
            InvalidInput: Something in it has no value, or it yields no stream.
        """
        for part in (extern, file):
            if part is None:
                continue
            for declaration in part.imports:
                self.scope.names[declaration.name] = self.package(declaration.path.value)
            for statement in part.body:
                self._statement(statement, self.scope)
        self._results_of_writes()
        foreign = file.package is not None and file.package.id.name != "main"
        if foreign or not self.program.results:
            raise InvalidInput(_NO_STREAMS)
        return self.program

    def _statement(self, statement: ast.Statement, scope: Scope) -> None:
        match statement:
            case ast.VariableAssignment(id=name, init=init):
                value = self.evaluate(init, scope)
                if isinstance(value, Closure) and not value.name:
                    value = Closure(value.expression, value.scope, name.name)
                scope.names[name.name] = value
            case ast.OptionStatement(assignment=ast.VariableAssignment(id=name, init=init)):
                value = self.evaluate(init, scope)
                self._option_names.add(name.name)
                universe = self.package("universe")
                if name.name in universe.members:
                    universe.members[name.name] = value
                    self._prelude.names[name.name] = value
                    if name.name == "now":
                        self._check_now()
                else:
                    scope.names[name.name] = value
            case ast.OptionStatement(assignment=ast.MemberAssignment(member=member, init=init)):
                package = self.evaluate(member.object, scope)
                if isinstance(package, PackageValue):
                    package.members[member.label] = self.evaluate(init, scope)
            case ast.ExpressionStatement(expression=expression):
                value = self.evaluate(expression, scope)
                if isinstance(value, StreamValue) and value.node not in self._named:
                    self.program.results.append(("_result", value.node))
            case _:
                # Types of builtins and test cases have no effect when a script runs.
                return

    def _check_now(self) -> None:
        try:
            self.now()
        except FluxkeepError as error:
            raise layered(error, "error in evaluating AST while starting program: ") from error

    # ------------------------------------------------------------ surroundings

    def package(self, path: str) -> PackageValue:
        """The one instance of a package in this query; one that is described and not built is empty.

        Raises:
            InvalidInput: No such package.
        """
        found = self._packages.get(path)
        if found is None:
            try:
                found = load_package(path)
            except InvalidInput:
                if signatures.find_package(path) is None:
                    raise
                found = PackageValue(path.rsplit("/", 1)[-1], path, {})
            self._packages[path] = found
        return found

    def closure(self, text: str, **names: Value) -> Closure:
        """A function written in Flux by the library, with values bound to names."""
        statement = parse(f"f = {text}").body[0]
        assert isinstance(statement, ast.VariableAssignment)
        function = self.evaluate(statement.init, Scope(self._prelude, names))
        assert isinstance(function, Closure)
        return function

    def option(self, name: str) -> Value | None:
        """The value of a prelude option."""
        return self.package("universe").members.get(name)

    def now(self) -> int:
        """The query's time in ns."""
        option = self.option("now")
        if isinstance(option, Closure):
            value = self.invoke(option, {}, self._site)
            if not isinstance(value, Time):
                raise InvalidInput(f"now must return a time, got {kind_of(value)}")
            self._now_ns = int(value)
        return self._now_ns

    def demand(self, node: Node) -> Sequence[Block]:
        """Run a node now and return its tables."""
        if self._execute is None:
            raise InvalidInput("a stream cannot be read here")
        return self._execute(node, self)

    def add_result(self, name: str, node: Node) -> None:
        """Register a yielded stream."""
        self._named.add(node)
        self.program.results.append((name, node))

    def add_write(self, name: str, node: Node) -> None:
        """Register a node that must run even where no result demands it; alone, it is a result of its own."""
        self._named.add(node)
        self._writes.append((name, node))

    def _results_of_writes(self) -> None:
        """Writes that no other result runs become results, called by their number."""
        used = {
            id(i) for node in walk([node for _, node in (*self.program.results, *self._writes)]) for i in node.inputs
        }
        roots = {id(node) for _, node in self.program.results}
        for number, (name, node) in enumerate(self._writes):
            if id(node) not in used and id(node) not in roots:
                self.program.results.append((f"{name}{number + 1}", node))

    # ------------------------------------------------------------ expressions

    def evaluate(self, node: ast.Expression, scope: Scope) -> Value:
        """The value of an expression."""
        handler = self._dispatch.get(type(node))
        if handler is None:
            raise InvalidInput(f"error @{node.location}: unsupported expression")
        return handler(node, scope)

    def _identifier(self, node: ast.Identifier, scope: Scope) -> Value:
        found = scope.find(node.name)
        if found is None:
            if signatures.find_predeclared(node.name) is not None:
                raise Unsupported(f"error @{node.location}: {node.name} is not built yet")
            raise InvalidInput(f"error @{node.location}: undefined identifier {node.name}")
        return found

    def _string(self, node: ast.StringExpression, scope: Scope) -> Value:
        parts: list[str] = []
        for part in node.parts:
            if isinstance(part, ast.TextPart):
                parts.append(part.value)
                continue
            value = self.evaluate(part.expression, scope)
            if isinstance(value, Null):
                raise InvalidInput(f"{part.expression.location}: interpolated expression produced a null value")
            text = format_value(value)
            if text is None:
                raise InvalidInput(f"{kind_of(value)} is not Stringable")
            parts.append(text)
        return "".join(parts)

    def _dictionary(self, node: ast.DictExpression, scope: Scope) -> Value:
        entries: dict[Any, Value] = {}
        for item in node.elements:
            key = self.evaluate(item.key, scope)
            if isinstance(key, Null):
                raise InvalidInput("null value cannot be used as a dictionary key")
            entries[key] = self.evaluate(item.value, scope)
        return make_dictionary(entries)

    def _record(self, node: ast.ObjectExpression, scope: Scope) -> Value:
        record: dict[str, Value] = {}
        if node.base is not None:
            base = self._identifier(node.base, scope)
            if isinstance(base, Null):
                raise InvalidInput('null value on left hand side of "with" in record literal')
            if not isinstance(base, dict):
                raise InvalidInput(f"expected record but found {kind_of(base)}")
            record.update(base)
        for item in node.properties:
            record[item.name] = self._property(item, scope)
        return record

    def _property(self, item: ast.Property, scope: Scope) -> Value:
        if item.value is not None:
            return self.evaluate(item.value, scope)
        return self._identifier(ast.Identifier(name=item.name, location=item.location), scope)

    def _member(self, node: ast.MemberExpression, scope: Scope) -> Value:
        owner = self.evaluate(node.object, scope)
        label = node.label
        match owner:
            case dict():
                member: Value = owner.get(label, Null())
                return member
            case PackageValue(members=members) if label in members:
                return members[label]
            case PackageValue(name=name, path=path):
                described = signatures.find_package(path)
                if described is not None and described.find(label) is not None:
                    raise Unsupported(f"error @{node.location}: {path}.{label} is not built yet")
                raise InvalidInput(f"error @{node.location}: {name} has no member {label}")
            case Dynamic(inner=inner):
                found = inner.get(label, Null()) if isinstance(inner, dict) else Null()
                return found if isinstance(found, Dynamic) else Dynamic(found)
            case Null():
                raise InvalidInput("cannot access property of a null value; expected record")
            case _:
                raise InvalidInput(f"cannot access property {label} of {kind_of(owner)}")

    def _index(self, node: ast.IndexExpression, scope: Scope) -> Value:
        array, index = self.evaluate(node.array, scope), self.evaluate(node.index, scope)
        if isinstance(array, dict) and isinstance(index, str):
            found: Value = array.get(index, Null())
            return found
        if not isinstance(array, list) or not isinstance(index, int):
            raise InvalidInput(f"cannot index {kind_of(array)} by {kind_of(index)}")
        if not 0 <= index < len(array):
            raise InvalidInput(f"cannot access element {index} of array of length {len(array)}")
        element: Value = array[index]
        return element

    def _unary(self, node: ast.UnaryExpression, scope: Scope) -> Value:
        if node.operator == "exists":
            value = self.evaluate(node.argument, scope)
            if isinstance(value, Dynamic):
                value = value.inner
            return not isinstance(value, Null)
        value = self.evaluate(node.argument, scope)
        match node.operator:
            case "not":
                if isinstance(value, Null):
                    return Null("bool")
                if not isinstance(value, bool):
                    raise InvalidInput(f"type conflict: bool != {kind_of(value)}")
                return not value
            case "-":
                return operators.negate(value)
            case _:
                return value

    def _binary(self, node: ast.BinaryExpression, scope: Scope) -> Value:
        return operators.binary(node.operator, self.evaluate(node.left, scope), self.evaluate(node.right, scope))

    def _logical(self, node: ast.LogicalExpression, scope: Scope) -> Value:
        left = self.evaluate(node.left, scope)
        if not isinstance(left, bool | Null):
            raise InvalidInput(f"type conflict: bool != {kind_of(left)}")
        # A null on the left behaves as false, and the right side's value is passed on. Source: flux.md §5.
        truth = left is True
        if node.operator == "and":
            return self._truth(node.right, scope) if truth else False
        return True if truth else self._truth(node.right, scope)

    def _truth(self, node: ast.Expression, scope: Scope) -> Value:
        value = self.evaluate(node, scope)
        if not isinstance(value, bool | Null):
            raise InvalidInput(f"type conflict: bool != {kind_of(value)}")
        return value

    def _conditional(self, node: ast.ConditionalExpression, scope: Scope) -> Value:
        test = self.evaluate(node.test, scope)
        if not isinstance(test, bool | Null):
            raise InvalidInput(f"type conflict: bool != {kind_of(test)}")
        return self.evaluate(node.consequent if test is True else node.alternate, scope)

    # ------------------------------------------------------------ calls

    def _call(self, node: ast.CallExpression, scope: Scope, piped: Value | None) -> Value:
        function = self.evaluate(node.callee, scope)
        name = node.callee.name if isinstance(node.callee, ast.Identifier) else _callee_name(node.callee)
        arguments: dict[str, Value] = {}
        for item in node.properties:
            if item.name in arguments:
                raise InvalidInput(f'duplicate keyword parameter specified: "{item.name}"')
            arguments[item.name] = self._property(item, scope)
        site = Site(name, node.location)
        try:
            if piped is not None:
                arguments[_pipe_of(function)] = piped
            return self.invoke(function, arguments, site)
        except FluxkeepError as error:
            if name.startswith("_") or self._in_row:
                raise
            raise layered(error, f'error calling function "{name}" @{node.location}: ') from error

    def require_client(self) -> None:
        """Go on only while somebody waits for the answer.

        Raises:
            Abandoned: Nobody does.
        """
        if self._gone is not None and self._gone():
            raise Abandoned

    def invoke(self, function: Value, arguments: Mapping[str, Value], site: Site) -> Value:
        """Call a function value with named arguments.

        Raises:
            InvalidInput: Not a function, an argument is missing or unknown, or the function fails.
        """
        match function:
            case Builtin(run=run, name=name, params=params):
                for param in params:
                    if param.required and param.name not in arguments:
                        raise InvalidInput(f'missing required keyword argument "{param.name}"')
                return run(Call(name, arguments, site, self))
            case Closure():
                self.require_client()
                return self._invoke_closure(function, arguments)
            case _:
                raise InvalidInput(f"cannot call function, value is of type {kind_of(function)}")

    def invoke_on_row(self, function: Value, arguments: Mapping[str, Value]) -> Value:
        """Call a row function: its errors are told by the operator's place, without a layer for each call in it."""
        outer, self._in_row = self._in_row, True
        try:
            return self.invoke(function, arguments, _ROW)
        finally:
            self._in_row = outer

    def _invoke_closure(self, function: Closure, arguments: Mapping[str, Value]) -> Value:
        scope = Scope(function.scope)
        for param in function.expression.params:
            name = param.name
            if name in arguments:
                scope.names[name] = arguments[name]
            elif param.default is None or isinstance(param.default, ast.PipeLiteral):
                raise InvalidInput(f'missing required keyword argument "{name}"')
            else:
                scope.names[name] = self.evaluate(param.default, function.scope)
        body = function.expression.body
        if not isinstance(body, ast.Block):
            return self.evaluate(body, scope)
        for statement in body.body:
            if isinstance(statement, ast.ReturnStatement):
                return self.evaluate(statement.argument, scope)
            self._statement(statement, scope)
        raise InvalidInput("missing return statement in block")


def make_dictionary(entries: Mapping[Any, Value]) -> Dictionary:
    """A dictionary, its entries by key."""
    keys: list[Any] = sorted(entries)
    return Dictionary(tuple((key, entries[key]) for key in keys))


def _callee_name(callee: ast.Expression) -> str:
    if isinstance(callee, ast.MemberExpression):
        return callee.label
    return "<anonymous>"


def _pipe_of(function: Value) -> str:
    if isinstance(function, Builtin | Closure):
        for param in function.params:
            if param.pipe:
                return param.name
    raise InvalidInput("missing pipe argument")


def is_table(value: Value) -> bool:
    """Whether a value is a stream or a found table."""
    return isinstance(value, StreamValue | TableValue)
