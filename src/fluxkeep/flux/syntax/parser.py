"""Lexemes to tree, with recovery: one text gives one tree and all its syntax errors.

A message hangs at the node within which the parser noticed the fault, so its
position is the node's. `parse_recovering` returns the tree with its faults;
`parse` raises them all.

Recovery rules, each visible in the recorded answers: a closing bracket that is
missing is reported and nothing is skipped; any other lexeme that was expected
is reported and the one that stands there is eaten; a lexeme that begins no
statement is a statement of its own.

Source: flux.md §1, §2, §9; recorded answers in tests/golden/flux/language.txt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.syntax import ast, literals
from fluxkeep.flux.syntax.lexemes import TooDeep
from fluxkeep.flux.syntax.problems import find_problems, render
from fluxkeep.flux.syntax.scanner import Scanner
from fluxkeep.flux.syntax.types import TypeParser

_BINARY: dict[str, tuple[int, str]] = {
    "OR": (1, "or"),
    "AND": (2, "and"),
    "EQ": (4, "=="),
    "NEQ": (4, "!="),
    "LT": (4, "<"),
    "LTE": (4, "<="),
    "GT": (4, ">"),
    "GTE": (4, ">="),
    "REGEXEQ": (4, "=~"),
    "REGEXNEQ": (4, "!~"),
    "ADD": (5, "+"),
    "SUB": (5, "-"),
    "MUL": (6, "*"),
    "DIV": (6, "/"),
    "MOD": (6, "%"),
    "POW": (7, "^"),
    "PIPE_FORWARD": (8, "|>"),
}
_NOT_LEVEL = 3
_PREFIX_LEVEL = 9

_STATEMENT_STARTS = frozenset(
    "INT FLOAT STRING QUOTE REGEX TIME DURATION PIPE_RECEIVE LPAREN LBRACK LBRACE ADD SUB NOT IF EXISTS DOT".split()  # noqa: SIM905
)

_LONELY = "an attribute must precede a statement"

_N = TypeVar("_N", bound=ast.Node)


def parse(text: str) -> ast.File:
    """The tree of a script without syntax errors.

    Raises:
        InvalidInput: `compilation failed: error @1:5-1:10: …`, one paragraph for each error.
    """
    file = parse_recovering(text)
    problems = find_problems(file)
    if problems:
        raise InvalidInput("compilation failed: " + render(problems))
    return file


def parse_recovering(text: str) -> ast.File:
    """The tree of any text; faults are in it as `errors`, `BadStatement` and `BadExpression`."""
    try:
        return Parser(text).file()
    except TooDeep as error:
        location = ast.SourceLocation(error.position, error.position)
        return ast.File((ast.BadStatement("", location=location, errors=("Program is nested too deep",)),))


class Parser(TypeParser):
    """One pass over one text."""

    def __init__(self, text: str) -> None:
        super().__init__(Scanner(text))

    # --- file and statements ----------------------------------------------------------------------

    def file(self) -> ast.File:
        """The whole text."""
        start = self._peek().start
        first = len(self._comments())
        attributes = self._attributes()
        package = self._package_clause(attributes) if self._peek().kind == "PACKAGE" else None
        if package:
            attributes = self._attributes()
        imports: list[ast.ImportDeclaration] = []
        while self._peek().kind == "IMPORT":
            imports.append(self._import(attributes))
            attributes = self._attributes()
        body: list[ast.Statement] = []
        while self._more():
            body.append(self._statement(attributes))
            attributes = self._attributes()
        if attributes:
            self._fault(_LONELY)
        comments = self._comments() if body or imports or package or first else ()
        last = body[-1] if body else imports[-1] if imports else package or (attributes[-1] if attributes else None)
        if last is None:
            return ast.File((), errors=self._take(), comments=comments)
        location = ast.SourceLocation(self._scanner.position(start), last.location.end)
        return ast.File(tuple(body), tuple(imports), package, location=location, errors=self._take(), comments=comments)

    def _package_clause(self, attributes: tuple[ast.Attribute, ...]) -> ast.PackageClause:
        comments = self._comments()
        start = self._expect("PACKAGE")
        name = self._identifier()
        return self._done(ast.PackageClause, start.start, name, attributes, comments=comments)

    def _import(self, attributes: tuple[ast.Attribute, ...]) -> ast.ImportDeclaration:
        comments = self._comments()
        start = self._expect("IMPORT")
        alias = self._identifier() if self._peek().kind == "IDENT" else None
        path = self._string_literal()
        return self._done(ast.ImportDeclaration, start.start, path, alias, attributes, comments=comments)

    def _attributes(self) -> tuple[ast.Attribute, ...]:
        found: list[ast.Attribute] = []
        while self._peek().kind == "ATTRIBUTE":
            lexeme = self._next()
            params: list[ast.Expression] = []
            if self._peek().kind == "LPAREN":
                self._open("LPAREN", "RPAREN")
                while self._more():
                    before = self._peek().start
                    params.append(self._expression())
                    if self._peek().kind == "COMMA":
                        self._next()
                    if self._peek().start == before:
                        break
                self._close("RPAREN")
            found.append(self._done(ast.Attribute, lexeme.start, lexeme.text[1:], tuple(params)))
        return tuple(found)

    def _statement(self, attributes: tuple[ast.Attribute, ...]) -> ast.Statement:
        comments = self._comments()
        lexeme = self._peek_operand()
        start = attributes[0].location.start if attributes else self._scanner.position(lexeme.start)
        match lexeme.kind:
            case "IDENT":
                name = self._identifier()
                if self._peek().kind == "ASSIGN":
                    init = self._initialiser()
                    return self._done(ast.VariableAssignment, start, name, init, attributes, comments=comments)
                expression = self._suffix(name)
                return self._done(ast.ExpressionStatement, start, expression, attributes, comments=comments)
            case "OPTION":
                return self._option(start, attributes, comments)
            case "BUILTIN":
                self._next()
                name = self._identifier()
                self._expect("COLON")
                kind = self.type_expression()
                return self._done(ast.BuiltinStatement, start, name, kind, attributes, comments=comments)
            case "TESTCASE":
                return self._testcase(start, attributes, comments)
            case "RETURN":
                self._next()
                value = self._expression()
                return self._done(ast.ReturnStatement, start, value, attributes, comments=comments)
            case kind if kind in _STATEMENT_STARTS:
                expression = self._expression()
                return self._done(ast.ExpressionStatement, start, expression, attributes, comments=comments)
            case _:
                self._next()
                return self._done(ast.BadStatement, lexeme.start, lexeme.text)

    def _option(
        self, start: ast.Position, attributes: tuple[ast.Attribute, ...], comments: tuple[str, ...]
    ) -> ast.Statement:
        self._next()
        name = self._identifier()
        match self._peek().kind:
            case "ASSIGN":
                plain = self._done(ast.VariableAssignment, name.location.start, name, self._initialiser())
                return self._done(ast.OptionStatement, start, plain, attributes, comments=comments)
            case "DOT":
                self._next()
                member = self._done(ast.MemberExpression, name.location.start, name, self._identifier())
                into = self._done(ast.MemberAssignment, name.location.start, member, self._initialiser())
                return self._done(ast.OptionStatement, start, into, attributes, comments=comments)
            case _:
                self._fault("invalid option assignment suffix")
                return self._done(ast.BadStatement, start, name.name)

    def _testcase(
        self, start: ast.Position, attributes: tuple[ast.Attribute, ...], comments: tuple[str, ...]
    ) -> ast.TestCaseStatement:
        self._next()
        name = self._identifier()
        extends = None
        if self._peek().text == "extends":
            self._next()
            extends = self._string_literal()
        block = self._block(imports=True)
        return self._done(ast.TestCaseStatement, start, name, block, extends, attributes, comments=comments)

    def _initialiser(self) -> ast.Expression:
        self._expect("ASSIGN")
        return self._expression()

    def _block(self, *, imports: bool = False) -> ast.Block:
        start = self._open("LBRACE", "RBRACE")
        self._enter(start.start)
        body: list[ast.Statement] = []
        while self._more():
            attributes = self._attributes()
            if not self._more():
                self._fault(_LONELY)
            elif imports and self._peek().kind == "IMPORT":
                body.append(self._import(attributes))
            else:
                body.append(self._statement(attributes))
        self._depth -= 1
        self._close("RBRACE")
        return self._done(ast.Block, start.start, tuple(body))

    # --- operators --------------------------------------------------------------------------------

    def _expression(self) -> ast.Expression:
        lexeme = self._peek()
        self._enter(lexeme.start)
        found = self._conditional() if lexeme.kind == "IF" else self._binary(self._operand(0), 0)
        self._depth -= 1
        return found

    def _suffix(self, first: ast.Expression) -> ast.Expression:
        """The rest of an expression whose first primary was read already."""
        return self._binary(self._postfix(first), 0)

    def _conditional(self) -> ast.Expression:
        start = self._next()
        test = self._expression()
        self._expect("THEN")
        consequent = self._expression()
        self._expect("ELSE")
        alternate = self._expression()
        return self._done(ast.ConditionalExpression, start.start, test, consequent, alternate)

    def _binary(self, left: ast.Expression, level: int) -> ast.Expression:
        """Operators that bind tighter than `level`, all of them to the left."""
        while True:
            found = _BINARY.get(self._peek().kind)
            if found is None or found[0] <= level:
                return left
            its_level, operator = found
            self._next()
            right = self._binary(self._operand(its_level), its_level)
            start = left.location.start
            if operator == "|>":
                left = self._done(ast.PipeExpression, start, left, self._destination(right))
            elif its_level < _NOT_LEVEL:
                left = self._done(ast.LogicalExpression, start, operator, left, right)
            else:
                left = self._done(ast.BinaryExpression, start, operator, left, right)

    def _destination(self, right: ast.Expression) -> ast.CallExpression:
        if isinstance(right, ast.CallExpression):
            return right
        self._fault("pipe destination must be a function call")
        return ast.CallExpression(right, location=right.location, errors=self._take())

    def _operand(self, level: int) -> ast.Expression:
        """What may stand beside an operator of this level; `not` and `exists` only beside `and` and `or`."""
        lexeme = self._peek()
        if lexeme.kind in ("NOT", "EXISTS") and level < _NOT_LEVEL:
            self._next()
            self._enter(lexeme.start)
            argument = self._binary(self._operand(_NOT_LEVEL - 1), _NOT_LEVEL)
            self._depth -= 1
            return self._done(ast.UnaryExpression, lexeme.start, lexeme.text, argument)
        if lexeme.kind in ("ADD", "SUB"):
            self._next()
            self._enter(lexeme.start)
            argument = self._operand(_PREFIX_LEVEL)
            self._depth -= 1
            return self._done(ast.UnaryExpression, lexeme.start, lexeme.text, argument)
        return self._postfix(self._primary())

    def _postfix(self, found: ast.Expression) -> ast.Expression:
        while True:
            start = found.location.start
            match self._peek().kind:
                case "DOT":
                    self._next()
                    found = self._done(ast.MemberExpression, start, found, self._identifier())
                case "LPAREN":
                    found = self._call(found)
                case "LBRACK":
                    found = self._index(found)
                case _:
                    return found

    def _call(self, callee: ast.Expression) -> ast.Expression:
        self._open("LPAREN", "RPAREN")
        self._enter(callee)
        properties = self._properties()
        self._depth -= 1
        self._close("RPAREN")
        location, errors = self._span(callee.location.start), self._take()
        arguments = None
        if properties:
            within = ast.SourceLocation(properties[0].location.start, properties[-1].location.end)
            arguments = ast.ObjectExpression(tuple(properties), location=within)
        return ast.CallExpression(callee, arguments, location=location, errors=errors)

    def _index(self, found: ast.Expression) -> ast.Expression:
        start = self._open("LBRACK", "RBRACK")
        index = self._while_more(())
        self._close("RBRACK")
        if index is None:
            index = self._done(ast.BadExpression, start.start, "no expression included in brackets")
        if isinstance(index, ast.StringLiteral):
            return self._done(ast.MemberExpression, found.location.start, found, index)
        return self._done(ast.IndexExpression, found.location.start, found, index)

    # --- primaries --------------------------------------------------------------------------------

    def _primary(self) -> ast.Expression:
        lexeme = self._peek_operand()
        match lexeme.kind:
            case "IDENT":
                return self._identifier()
            case "INT":
                return self._literal(ast.IntegerLiteral, literals.integer, 0)
            case "FLOAT":
                return self._literal(ast.FloatLiteral, literals.floating, 0.0)
            case "STRING":
                return self._string_literal()
            case "QUOTE":
                return self._string_expression()
            case "REGEX":
                return self._literal(ast.RegexpLiteral, literals.regexp, "")
            case "TIME":
                return self._literal(ast.DateTimeLiteral, literals.date_time, 0)
            case "DURATION":
                return self._literal(ast.DurationLiteral, literals.duration, ())
            case "PIPE_RECEIVE":
                self._next()
                return self._done(ast.PipeLiteral, lexeme.start)
            case "LBRACK":
                return self._array_or_dict()
            case "LBRACE":
                return self._record()
            case "LPAREN":
                return self._paren()
            case "DOT":
                self._next()
                label = self._string_literal().value if self._peek().kind == "STRING" else self._identifier().name
                return self._done(ast.LabelLiteral, lexeme.start, label)
            case _:
                # Not eaten, and the messages so far are left to the nodes around.
                location = ast.SourceLocation(self._scanner.position(lexeme.start), self._scanner.position(lexeme.end))
                return ast.BadExpression(f"invalid token for primary expression: {lexeme.kind}", location=location)

    def _literal(self, kind: Callable[..., _N], read: Callable[[str], object], otherwise: object) -> _N:
        lexeme = self._next()
        try:
            value = read(lexeme.text)
        except ValueError as error:
            self._fault(str(error))
            value = otherwise
        return self._done(kind, lexeme.start, value)

    def _string_literal(self) -> ast.StringLiteral:
        lexeme = self._expect("STRING")
        value = ""
        if lexeme.kind == "STRING":
            try:
                value = literals.unescape(lexeme.text[1:-1])
            except ValueError as error:
                self._fault(str(error))
        return self._done(ast.StringLiteral, lexeme.start, value)

    def _string_expression(self) -> ast.Expression:
        start = self._next()
        self._enter(start.start)
        parts: list[ast.StringPart] = []
        while True:
            lexeme = self._next_in_string()
            match lexeme.kind:
                case "TEXT":
                    try:
                        value = literals.unescape(lexeme.text)
                    except ValueError as error:
                        self._fault(str(error))
                        value = ""
                    parts.append(self._done(ast.TextPart, lexeme.start, value))
                case "STRINGEXPR":
                    expression = self._expression()
                    self._expect("RBRACE")
                    parts.append(self._done(ast.InterpolatedPart, lexeme.start, expression))
                case "QUOTE":
                    self._depth -= 1
                    return self._done(ast.StringExpression, start.start, tuple(parts))
                case kind:
                    # The parts go, and what was wrong within them: only this message remains.
                    self._depth -= 1
                    begin, end = self._scanner.position(lexeme.start), self._scanner.position(lexeme.end)
                    self._fault(f"got unexpected token in string expression @{begin}-{end}: {kind}")
                    return self._done(ast.StringExpression, start.start, ())

    def _array_or_dict(self) -> ast.Expression:
        start = self._open("LBRACK", "RBRACK").start
        match self._peek().kind:
            case "RBRACK":
                self._close("RBRACK")
                return self._done(ast.ArrayExpression, start, ())
            case "COLON":
                self._next()
                self._close("RBRACK")
                return self._done(ast.DictExpression, start, ())
        first = self._expression()
        return self._dict_rest(start, first) if self._peek().kind == "COLON" else self._array_rest(start, first)

    def _array_rest(self, start: int, first: ast.Expression) -> ast.Expression:
        elements = [first]
        if self._peek().kind != "RBRACK":
            self._expect("COMMA")
            last = -1
            # The same lexeme twice in a row means that nothing can be read here any more.
            while self._more() and self._peek().start != last:
                last = self._peek().start
                elements.append(self._expression())
                if self._peek().kind == "COMMA":
                    self._next()
        self._close("RBRACK")
        return self._done(ast.ArrayExpression, start, tuple(elements))

    def _dict_rest(self, start: int, key: ast.Expression) -> ast.Expression:
        self._expect("COLON")
        items = [self._done(ast.DictItem, key.location.start, key, self._expression())]
        if self._peek().kind != "RBRACK":
            self._expect("COMMA")
            last = -1
            while self._more() and self._peek().start != last:
                last = self._peek().start
                key = self._expression()
                self._expect("COLON")
                items.append(self._done(ast.DictItem, key.location.start, key, self._expression()))
                if self._peek().kind == "COMMA":
                    self._next()
        self._close("RBRACK")
        return self._done(ast.DictExpression, start, tuple(items))

    def _record(self) -> ast.Expression:
        start = self._open("LBRACE", "RBRACE").start
        base = None
        properties: list[ast.Property] = []
        if self._peek().kind == "IDENT":
            name = self._identifier()
            if self._peek().text == "with":
                self._next()
                base = name
            else:
                properties.append(self._property_rest(name))
                self._after_property()
        properties += self._properties()
        self._close("RBRACE")
        return self._done(ast.ObjectExpression, start, tuple(properties), base)

    def _paren(self) -> ast.Expression:
        start = self._open("LPAREN", "RPAREN").start
        match self._peek().kind:
            case "RPAREN":
                self._close("RPAREN")
                return self._function(start, [])
            case "IDENT":
                return self._paren_name(start, self._identifier())
        inner = self._while_more(())
        if inner is None:
            inner = self._done(ast.BadExpression, start, "")
        self._close("RPAREN")
        return self._done(ast.ParenExpression, start, inner)

    def _paren_name(self, start: int, name: ast.Identifier) -> ast.Expression:
        """After `(name`: a function if a comma, `=` or `) =>` follows, else an expression."""
        match self._peek().kind:
            case "RPAREN":
                self._close("RPAREN")
                if self._peek().kind != "ARROW":
                    return self._done(ast.ParenExpression, start, name)
                return self._function(start, [ast.Parameter(name, location=name.location)])
            case "ASSIGN" | "COMMA":
                params = [self._parameter_rest(name)]
                if self._peek().kind == "COMMA":
                    self._next()
                last = -1
                while self._more() and self._peek().start != last:
                    last = self._peek().start
                    params.append(self._parameter_rest(self._identifier()))
                    if self._peek().kind == "COMMA":
                        self._next()
                self._close("RPAREN")
                return self._function(start, params)
        inner = self._while_more((), self._suffix(name))
        assert inner is not None
        self._close("RPAREN")
        return self._done(ast.ParenExpression, start, inner)

    def _parameter_rest(self, name: ast.Identifier) -> ast.Parameter:
        default = None
        if self._peek().kind == "ASSIGN":
            self._next()
            default = self._expression()
        return self._done(ast.Parameter, name.location.start, name, default)

    def _function(self, start: int, params: list[ast.Parameter]) -> ast.Expression:
        self._expect("ARROW")
        body: ast.Expression | ast.Block
        body = self._block() if self._peek().kind == "LBRACE" else self._expression()
        return self._done(ast.FunctionExpression, start, tuple(params), body)

    # --- properties of records and argument lists ------------------------------------------------

    def _properties(self) -> list[ast.Property]:
        found: list[ast.Property] = []
        faults: list[str] = []
        while self._more():
            match self._peek().kind:
                case "IDENT":
                    found.append(self._property_rest(self._identifier()))
                case "STRING":
                    found.append(self._property_rest(self._string_literal()))
                case _:
                    found.append(self._bad_property())
            if self._more() and self._peek().kind != "COMMA":
                faults.append(f"expected comma in property list, got {self._peek().kind}")
            elif self._more():
                self._next()
        self._pending += faults
        return found

    def _after_property(self) -> None:
        if self._more():
            if self._peek().kind == "COMMA":
                self._next()
            else:
                self._fault(f"expected comma in property list, got {self._peek().kind}")

    def _property_rest(self, key: ast.Identifier | ast.StringLiteral) -> ast.Property:
        value = None
        if self._peek().kind == "COLON":
            self._next()
            value = self._property_value()
        return self._done(ast.Property, key.location.start, key, value)

    def _property_value(self) -> ast.Expression | None:
        found = self._while_more(("COMMA", "COLON"))
        if found is None:
            self._fault("missing property value")
        return found

    def _bad_property(self) -> ast.Property:
        lexeme = self._peek()
        value = None
        match lexeme.kind:
            case "COLON":
                fault = "missing property key"
                self._next()
                value = self._property_value()
            case "COMMA":
                fault = "missing property in property list"
            case kind:
                fault = f"unexpected token for property key: {kind} ({lexeme.text})"
                # Read only to get past it.
                self._while_more(("COMMA", "COLON"))
                if self._peek().kind == "COLON":
                    self._next()
                    value = self._property_value()
        self._fault(fault)
        key = ast.StringLiteral("<invalid>", location=ast.NOWHERE)
        return self._done(ast.Property, lexeme.start, key, value)

    def _while_more(self, stops: tuple[str, ...], found: ast.Expression | None = None) -> ast.Expression | None:
        """Expressions up to the end of the bracket or a stop; where there are several, nothing joins them."""
        while self._peek().kind not in stops and self._more():
            one = self._expression()
            if isinstance(one, ast.BadExpression):
                lexeme = self._next()
                begin, end = self._scanner.position(lexeme.start), self._scanner.position(lexeme.end)
                self._fault(f"invalid expression @{begin}-{end}: {lexeme.text}")
            elif found is None:
                found = one
            else:
                found = self._done(ast.BinaryExpression, found.location.start, "", found, one)
        return found
