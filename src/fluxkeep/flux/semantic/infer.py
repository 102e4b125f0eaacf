"""The types of a script: names resolved, calls matched with signatures, operators with operands.

Hindley–Milner with rows: each expression gets a type, unknown parts are
variables, and what a name is assigned is generalised, so that a function may be
used at several types. Faults are collected and do not stop the pass.

The order of the pass is the order of the messages: callee, arguments, then what
is piped in, then the match of the call.

Source: flux.md §3, §4, §6; recorded answers in tests/golden/flux.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fluxkeep.flux.semantic import signatures
from fluxkeep.flux.semantic.structure import option_name
from fluxkeep.flux.semantic.types import (
    BOOL,
    DURATION,
    DYNAMIC,
    FLOAT,
    GENERIC,
    INT,
    REGEXP,
    STRING,
    TIME,
    UINT,
    Collection,
    Dictionary,
    Function,
    Record,
    Type,
    Var,
    generalise,
    instantiate,
    resolve,
)
from fluxkeep.flux.semantic.unify import Fault, Unifier, Wording
from fluxkeep.flux.syntax import ast

_ARITHMETIC = {
    "+": "Addable",
    "-": "Subtractable",
    "*": "Divisible",
    "/": "Divisible",
    "%": "Divisible",
    "^": "Divisible",
}
_COMPARISON = {
    "==": "Equatable",
    "!=": "Equatable",
    "<": "Comparable",
    "<=": "Comparable",
    ">": "Comparable",
    ">=": "Comparable",
}


@dataclass(slots=True)
class _Scope:
    names: dict[str, Type | signatures.Package] = field(default_factory=dict)
    outer: _Scope | None = None

    def find(self, name: str) -> Type | signatures.Package | None:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return signatures.find_predeclared(name)


class Inference:
    """One pass over the files of one script.

    Attributes:
        faults: What was found, with where.
    """

    def __init__(self) -> None:
        self.faults: list[tuple[ast.SourceLocation, Fault]] = []
        self._scope = _Scope()
        self._level = 0
        self._unifier = Unifier()

    @property
    def names(self) -> dict[str, Type | signatures.Package]:
        """What the files bind."""
        return self._scope.names

    def file(self, file: ast.File) -> None:
        """Infer a file; its names stay in scope for the next one."""
        for item in file.imports:
            self._import(item)
        for statement in file.body:
            self._statement(statement)

    def _import(self, item: ast.ImportDeclaration) -> None:
        package = signatures.find_package(item.path.value)
        if package is None:
            self._say(item, f"invalid import path {item.path.value}")
            # What is taken from it says nothing more.
            package = signatures.Package(item.path.value, "opaque")
        self._scope.names[item.name] = package

    # --- statements -------------------------------------------------------------------------------

    def _statement(self, statement: ast.Statement) -> Type | None:
        match statement:
            case ast.VariableAssignment(id=name, init=init):
                self._scope.names[name.name] = self._definition(init)
            case ast.OptionStatement(assignment=assignment):
                self._option(statement, assignment.init)
            case ast.ExpressionStatement(expression=expression):
                self._definition(expression)
            case ast.ReturnStatement(argument=argument):
                return self._infer(argument)
            case ast.BuiltinStatement(id=name):
                # Quirk: it declares nothing that a script could use. Source: recorded answer.
                self._scope.names[name.name] = Var(GENERIC)
        return None

    def _definition(self, init: ast.Expression) -> Type:
        self._level += 1
        found = self._infer(init)
        self._level -= 1
        return generalise(found, self._level)

    def _option(self, statement: ast.OptionStatement, init: ast.Expression) -> None:
        found = self._definition(init)
        declared: Type | None = None
        match statement.assignment:
            case ast.VariableAssignment(id=name):
                package = signatures.predeclared_package(name.name)
                if package and name.name in package.options:
                    declared = package.find(name.name)
                self._scope.names[name.name] = found
            case ast.MemberAssignment(
                member=ast.MemberExpression(object=ast.Identifier(name=owner) as place) as member
            ):
                of = self._scope.find(owner)
                if not isinstance(of, signatures.Package):
                    self._say(place, f"undefined identifier {owner}")
                    return
                declared = of.find(member.label)
                if declared is None:
                    self._say(place, f"record is missing label {member.label}")
                elif member.label not in of.options and not of.opaque:
                    self._say(statement, f"cannot set {option_name(statement)}, which is not an option")
        if declared is not None:
            self._equal(instantiate(declared, self._level), instantiate(found, self._level), init)

    # --- expressions ------------------------------------------------------------------------------

    def _infer(self, node: ast.Expression) -> Type:
        match node:
            case ast.Identifier():
                return self._name(node)
            case ast.MemberExpression():
                return self._member(node)
            case ast.CallExpression():
                return self._call(node, None)
            case ast.PipeExpression(argument=argument, call=call):
                return self._call(call, argument)
            case ast.FunctionExpression():
                return self._function(node)
            case ast.ObjectExpression():
                return self._record(node)
            case ast.BinaryExpression():
                return self._binary(node)
            case ast.LogicalExpression(left=left, right=right):
                for side in (left, right):
                    self._equal(BOOL, self._infer(side), side)
                return BOOL
            case ast.UnaryExpression():
                return self._unary(node)
            case ast.ParenExpression(expression=inner):
                return self._infer(inner)
            case ast.ConditionalExpression(test=test, consequent=consequent, alternate=alternate):
                self._equal(BOOL, self._infer(test), test)
                found = self._infer(consequent)
                self._equal(found, self._infer(alternate), alternate)
                return found
            case ast.ArrayExpression(elements=elements):
                element: Type = self._fresh()
                for item in elements:
                    self._equal(element, self._infer(item), item)
                return Collection("array", element)
            case ast.DictExpression(elements=items):
                key, value = self._fresh(frozenset({"Comparable"})), self._fresh()
                for pair in items:
                    self._equal(key, self._infer(pair.key), pair.key)
                    self._equal(value, self._infer(pair.value), pair.value)
                return Dictionary(key, value)
            case ast.IndexExpression(array=array, index=index):
                element = self._fresh()
                self._equal(Collection("array", element), self._infer(array), array)
                self._equal(INT, self._infer(index), index)
                return element
            case ast.StringExpression(parts=parts):
                for part in parts:
                    if isinstance(part, ast.InterpolatedPart):
                        self._able(self._infer(part.expression), "Stringable", part.expression)
                return STRING
            case _:
                return self._literal(node)

    def _literal(self, node: ast.Expression) -> Type:
        match node:
            case ast.StringLiteral():
                return STRING
            case ast.IntegerLiteral():
                return INT
            case ast.UnsignedIntegerLiteral():
                return UINT
            case ast.FloatLiteral():
                return FLOAT
            case ast.BooleanLiteral():
                return BOOL
            case ast.DurationLiteral():
                return DURATION
            case ast.DateTimeLiteral():
                return TIME
            case ast.RegexpLiteral():
                return REGEXP
            case _:
                # What is no expression in a sound tree was refused before this pass.
                return self._fresh()

    def _name(self, node: ast.Identifier) -> Type:
        found = self._scope.find(node.name)
        if found is None:
            self._say(node, f"undefined identifier {node.name}")
            return self._fresh()
        if isinstance(found, signatures.Package):
            members = ((name, found.find(name)) for name in found.names)
            fields = tuple((name, instantiate(item, self._level)) for name, item in members if item is not None)
            return Record(fields, self._fresh() if found.opaque else None)
        return instantiate(found, self._level)

    def _member(self, node: ast.MemberExpression) -> Type:
        if isinstance(node.object, ast.Identifier):
            owner = self._scope.find(node.object.name)
            if isinstance(owner, signatures.Package):
                member = owner.find(node.label)
                if member is None:
                    self._say(node.object, f"record is missing label {node.label}")
                    return self._fresh()
                return instantiate(member, self._level)
        found = self._infer(node.object)
        if resolve(found) is DYNAMIC:
            return DYNAMIC
        wanted = self._fresh()
        self._equal(Record(((node.label, wanted),), self._fresh(frozenset({"Record"}))), found, node.object)
        return wanted

    def _record(self, node: ast.ObjectExpression) -> Type:
        base: Type | None = None
        if node.base is not None:
            base = self._name(node.base)
            before = len(self.faults)
            self._able(base, "Record", node.base)
            if len(self.faults) > before:
                base = None
        fields = tuple((item.name, self._property(item)) for item in node.properties)
        return Record(fields, base)

    def _property(self, item: ast.Property) -> Type:
        if item.value is not None:
            return self._infer(item.value)
        # Without a value the key is the variable; a text as a key always has one.
        return self._name(item.key) if isinstance(item.key, ast.Identifier) else self._fresh()

    def _unary(self, node: ast.UnaryExpression) -> Type:
        found = self._infer(node.argument)
        match node.operator:
            case "not":
                self._equal(BOOL, found, node.argument)
                return BOOL
            case "exists":
                return BOOL
            case _:
                self._able(found, "Negatable", node.argument)
                return found

    def _binary(self, node: ast.BinaryExpression) -> Type:
        left, right = self._infer(node.left), self._infer(node.right)
        kind = _ARITHMETIC.get(node.operator)
        if kind is not None:
            self._equal(left, right, node.right)
            self._able(left, kind, node)
            return left
        kind = _COMPARISON.get(node.operator)
        if kind is not None:
            # Quirk: each side alone, so that `1 == "a"` fails only when it runs. Source: recorded answer.
            self._able(left, kind, node.left)
            self._able(right, kind, node.right)
        else:
            self._equal(STRING, left, node.left)
            self._equal(REGEXP, right, node.right)
        return BOOL

    def _function(self, node: ast.FunctionExpression) -> Type:
        required: dict[str, Type] = {}
        optional: dict[str, Type] = {}
        pipe: tuple[str, Type] | None = None
        scope = _Scope(outer=self._scope)
        for item in node.params:
            if item.default is None:
                found: Type = required.setdefault(item.name, self._fresh())
            elif isinstance(item.default, ast.PipeLiteral):
                found = self._fresh()
                pipe = (item.name, found)
            else:
                found = optional[item.name] = self._infer(item.default)
            scope.names[item.name] = found
        self._scope = scope
        result: Type | None = None
        if isinstance(node.body, ast.Block):
            for statement in node.body.body:
                result = self._statement(statement)
        else:
            result = self._infer(node.body)
        assert scope.outer is not None
        self._scope = scope.outer
        return Function(required, result or self._fresh(), optional, pipe)

    def _call(self, node: ast.CallExpression, argument: ast.Expression | None) -> Type:
        callee = self._infer(node.callee)
        places: dict[str, ast.Node] = {}
        given: dict[str, Type] = {}
        for item in node.properties:
            given[item.name] = self._property(item)
            places[item.name] = item.value or item
        pipe = None
        if argument is not None:
            pipe = ("<-", self._infer(argument))
            places["<-"] = argument
        result = self._fresh()
        actual = Function(given, result, pipe=pipe)
        callee = resolve(callee)
        if not isinstance(callee, Function):
            self._equal(callee, actual, node.callee)
            return result
        if argument is not None and callee.pipe:
            places.setdefault(callee.pipe[0], argument)
        for name, fault in self._unifier.unify_functions(callee, actual):
            self.faults.append((places.get(name, node).location, fault))
        return result

    # --- small change -----------------------------------------------------------------------------

    def _fresh(self, kinds: frozenset[str] = frozenset()) -> Var:
        return Var(self._level, kinds)

    def _equal(self, expected: Type, actual: Type, where: ast.Node) -> None:
        self.faults += [(where.location, fault) for fault in self._unifier.unify(expected, actual)]

    def _able(self, t: Type, kind: str, where: ast.Node) -> None:
        self.faults += [(where.location, fault) for fault in self._unifier.constrain(t, kind)]

    def _say(self, where: ast.Node, message: str) -> None:
        self.faults.append((where.location, Wording(message=message)))
