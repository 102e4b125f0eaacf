"""Type expressions: `(<-tables: stream[A], n: int) => stream[A] where A: Record`.

Read for `builtin` statements and for the signatures of our library.

Source: flux.md §2, TypeExpr.
"""

from __future__ import annotations

import re
from dataclasses import replace

from fluxkeep.flux.syntax import ast
from fluxkeep.flux.syntax.lexemes import LexemeReader

_VARIABLE = re.compile(r"[A-Z][0-9]*")


class TypeParser(LexemeReader):
    """Reads types; what is wrong becomes a message at the node."""

    def type_expression(self) -> ast.TypeExpression:
        """`mono where A: Kind + Kind, B: Kind`."""
        start = self._peek().start
        mono = self.mono_type()
        constraints: list[ast.TypeConstraint] = []
        if self._peek().text == "where":
            self._next()
            constraints.append(self._constraint())
            while self._peek().kind == "COMMA":
                self._next()
                constraints.append(self._constraint())
        return self._done(ast.TypeExpression, start, mono, tuple(constraints))

    def whole(self) -> ast.TypeExpression:
        """`type_expression`, where nothing may follow."""
        found = self.type_expression()
        self._expect("EOF")
        return replace(found, errors=found.errors + self._take())

    def _constraint(self) -> ast.TypeConstraint:
        variable = self._identifier()
        self._expect("COLON")
        kinds = [self._identifier().name]
        while self._peek().kind == "ADD":
            self._next()
            kinds.append(self._identifier().name)
        return self._done(ast.TypeConstraint, variable.location.start, variable.name, tuple(kinds))

    def mono_type(self) -> ast.MonoType:
        """One type without constraints."""
        self._enter(self._peek().start)
        found = self._mono_type()
        self._depth -= 1
        return found

    def _mono_type(self) -> ast.MonoType:
        lexeme = self._peek()
        match lexeme.kind:
            case "LBRACK":
                return self._array_or_dict_type()
            case "LBRACE":
                return self._record_type()
            case "LPAREN":
                return self._function_type()
            case "DOT":
                self._next()
                return self._done(ast.LabelType, lexeme.start, self._identifier().name)
        name = self._identifier().name
        if name in ("stream", "vector") and self._peek().kind == "LBRACK":
            self._open("LBRACK", "RBRACK")
            element = self.mono_type()
            self._close("RBRACK")
            if name == "stream":
                return self._done(ast.StreamType, lexeme.start, element)
            return self._done(ast.VectorType, lexeme.start, element)
        if _VARIABLE.fullmatch(name):
            return self._done(ast.VariableType, lexeme.start, name)
        return self._done(ast.NamedType, lexeme.start, name)

    def _array_or_dict_type(self) -> ast.MonoType:
        start = self._open("LBRACK", "RBRACK").start
        element = self.mono_type()
        if self._peek().kind == "COLON":
            self._next()
            value = self.mono_type()
            self._close("RBRACK")
            return self._done(ast.DictType, start, element, value)
        self._close("RBRACK")
        return self._done(ast.ArrayType, start, element)

    def _record_type(self) -> ast.MonoType:
        start = self._open("LBRACE", "RBRACE").start
        base = None
        properties: list[ast.PropertyType] = []
        if self._peek().kind == "IDENT" and _VARIABLE.fullmatch(self._peek().text):
            ahead = self._scanner.scan(self._peek().end)
            if ahead.text == "with":
                base = self._identifier().name
                self._next()
        while self._more():
            key = self._next()
            name = key.text[1:-1] if key.kind == "STRING" else key.text
            if key.kind not in ("STRING", "IDENT"):
                self._fault(f"expected a label, got {key.kind}")
            self._expect("COLON")
            properties.append(self._done(ast.PropertyType, key.start, name, self.mono_type()))
            if self._more():
                self._expect("COMMA")
        self._close("RBRACE")
        return self._done(ast.RecordType, start, tuple(properties), base)

    def _function_type(self) -> ast.MonoType:
        start = self._open("LPAREN", "RPAREN").start
        params: list[ast.ParameterType] = []
        while self._more():
            begin = self._peek().start
            kind = {"PIPE_RECEIVE": "<-", "QUESTION_MARK": "?"}.get(self._peek().kind, "")
            if kind:
                self._next()
            # A piped parameter may have no name.
            unnamed = kind == "<-" and self._peek().kind == "COLON"
            name = "" if unnamed else self._identifier().name
            self._expect("COLON")
            params.append(self._done(ast.ParameterType, begin, kind, name, self.mono_type()))
            if self._more():
                self._expect("COMMA")
        self._close("RPAREN")
        self._expect("ARROW")
        return self._done(ast.FunctionType, start, tuple(params), self.mono_type())
