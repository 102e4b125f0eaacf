"""A parser's hold on its lexemes: peek, take, expect, brackets, spans, pending messages.

Source: recorded answers in tests/golden/flux/language.txt for the wording.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from fluxkeep.flux.syntax import ast
from fluxkeep.flux.syntax.scanner import Lexeme, Scanner

_N = TypeVar("_N", bound=ast.Node)


NESTING_MAX = 80
"""Levels of brackets, functions, blocks, types and prefix operators a text may nest. Source: flux.md §1."""


class TooDeep(Exception):
    """A text nests deeper than `NESTING_MAX`; `position` is where."""

    def __init__(self, position: ast.Position) -> None:
        super().__init__()
        self.position = position


class LexemeReader:
    """Base of the parsers; a message waits in `_pending` for the first node that is finished after it."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._at = 0
        self._ahead: Lexeme | None = None
        self._pending: list[str] = []
        self._closers: Counter[str] = Counter()
        self._depth = 0

    def _peek(self) -> Lexeme:
        if self._ahead is None:
            self._ahead = self._scanner.scan(self._at)
        return self._ahead

    def _peek_operand(self) -> Lexeme:
        """As `_peek`, where a regular expression may begin."""
        lexeme = self._peek()
        if lexeme.kind == "DIV":
            self._ahead = lexeme = self._scanner.scan_operand(lexeme.start)
        return lexeme

    def _next(self) -> Lexeme:
        lexeme = self._peek()
        self._at, self._ahead = lexeme.end, None
        return lexeme

    def _next_in_string(self) -> Lexeme:
        self._ahead = None
        lexeme = self._scanner.scan_string(self._at)
        self._at = lexeme.end
        return lexeme

    def _expect(self, kind: str) -> Lexeme:
        """Take the next lexeme; another than expected is reported and taken all the same."""
        lexeme = self._next()
        if lexeme.kind == "EOF" and kind != "EOF":
            self._fault(f"expected {kind}, got EOF")
        elif lexeme.kind != kind:
            where = self._scanner.position(lexeme.start)
            self._fault(f"expected {kind}, got {lexeme.kind} ({lexeme.text}) at {where}")
        return lexeme

    def _open(self, opener: str, closer: str) -> Lexeme:
        lexeme = self._expect(opener)
        self._closers[closer] += 1
        return lexeme

    def _close(self, closer: str) -> None:
        """Take the closing bracket; another lexeme is reported and left."""
        self._closers[closer] -= 1
        kind = self._peek().kind
        if kind == closer:
            self._next()
            return
        self._fault(f"expected {closer}, got {kind}")
        if kind == "EOF":
            self._at = self._peek().end

    def _more(self) -> bool:
        """Whether neither the text nor any bracket that is open ends here."""
        kind = self._peek().kind
        return kind != "EOF" and not self._closers[kind]

    def _identifier(self) -> ast.Identifier:
        lexeme = self._expect("IDENT")
        return self._done(ast.Identifier, lexeme.start, lexeme.text)

    def _comments(self) -> tuple[str, ...]:
        """The comments between the last lexeme taken and the next one."""
        start = self._peek().start
        return self._scanner.comments(self._at, start) if start - self._at > 2 else ()

    def _fault(self, message: str) -> None:
        self._pending.append(message)

    def _take(self) -> tuple[str, ...]:
        if not self._pending:
            return ()
        taken = tuple(self._pending)
        self._pending.clear()
        return taken

    def _span(self, start: int | ast.Position) -> ast.SourceLocation:
        begin = start if isinstance(start, ast.Position) else self._scanner.position(start)
        return ast.SourceLocation(begin, self._scanner.position(self._at))

    def _done(
        self, kind: Callable[..., _N], start: int | ast.Position, *args: Any, comments: tuple[str, ...] = ()
    ) -> _N:
        """A node from `start` to the end of the last lexeme taken, with the messages that wait."""
        return kind(*args, location=self._span(start), errors=self._take(), comments=comments)

    def _enter(self, where: int | ast.Node) -> None:
        """One level deeper; whoever enters counts `_depth` down when it leaves."""
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise TooDeep(where.location.start if isinstance(where, ast.Node) else self._scanner.position(where))
