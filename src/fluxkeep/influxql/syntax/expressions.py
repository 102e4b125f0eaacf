"""Expressions and what SELECT is made of: fields, sources, dimensions, order, limits.

Source: influxql.md §5; the texts of refusals are recorded in
golden/influxql/show-and-statements.txt.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from fluxkeep.influxql.syntax import lexemes as lx
from fluxkeep.influxql.syntax.ast import (
    Binary,
    BooleanLiteral,
    Call,
    Distinct,
    DurationLiteral,
    Expr,
    Field,
    Fill,
    IntegerLiteral,
    Measurement,
    NumberLiteral,
    Paren,
    Select,
    Source,
    Span,
    StringLiteral,
    SubQuery,
    UnsignedLiteral,
    VarRef,
    Wildcard,
    walk,
)
from fluxkeep.influxql.syntax.cursor import Cursor
from fluxkeep.influxql.syntax.durations import parse_duration
from fluxkeep.influxql.syntax.errors import ParseError, expected, told
from fluxkeep.influxql.syntax.lexemes import Lexeme
from fluxkeep.influxql.syntax.printer import quote_identifier
from fluxkeep.influxql.types import DataType

_CASTS = {
    "float": DataType.FLOAT,
    "integer": DataType.INTEGER,
    "unsigned": DataType.UNSIGNED,
    "string": DataType.STRING,
    "boolean": DataType.BOOLEAN,
}
_INT64_MAX = (1 << 63) - 1
_UINT64_MAX = (1 << 64) - 1
# Brackets, signs and calls nest; deeper than this is no query but an attack on the stack.
DEPTH_MAX = 200


class ExpressionParser:
    """Reads one expression after another from a cursor."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self._depth = 0

    def expression(self, level: int = 1) -> Expr:
        """An expression of operators that bind at least as tight as `level`."""
        first = self.cursor.next()
        self.cursor.back()
        lhs = self._unary()
        while True:
            op = self.cursor.next().kind
            binding = lx.PRECEDENCE.get(op, 0)
            if binding < level or not binding:
                self.cursor.back()
                return lhs
            rhs: Expr
            if op in lx.REGEX_OPERATORS:
                regex = self.cursor.regex()
                if regex is None:
                    raise expected(self.cursor.next(), "regex")
                rhs = regex
            else:
                rhs = self.expression(binding + 1)
            lhs = Binary(op, lhs, rhs, span=self.cursor.span(first))

    def _unary(self) -> Expr:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise ParseError(f"expression is nested too deeply: more than {DEPTH_MAX} levels")
        try:
            return self._operand()
        finally:
            self._depth -= 1

    def _operand(self) -> Expr:
        cursor = self.cursor
        first = cursor.next()
        match first.kind:
            case "(":
                inner = self.expression()
                cursor.require(")")
                return Paren(inner, span=cursor.span(first))
            case lx.IDENT:
                if cursor.scan().kind == "(":
                    return self.call(first.text, first)
                cursor.back()
                cursor.back()
                return self.reference()
            case "DISTINCT":
                return self._distinct(first)
            case lx.STRING:
                return StringLiteral(first.text, span=cursor.span(first))
            case lx.NUMBER:
                return NumberLiteral(float(first.text), span=cursor.span(first))
            case lx.INTEGER:
                return self._integer(first)
            case "TRUE" | "FALSE":
                return BooleanLiteral(first.kind == "TRUE", span=cursor.span(first))
            case lx.DURATION:
                return DurationLiteral(self._duration(first), span=cursor.span(first))
            case "*":
                return self._wildcard(first)
            case "+" | "-":
                return self._signed(first)
            case _:
                raise expected(first, "identifier", "string", "number", "bool")

    def _integer(self, lexeme: Lexeme) -> Expr:
        value = int(lexeme.text)
        span = self.cursor.span(lexeme)
        if value <= _INT64_MAX:
            return IntegerLiteral(value, span=span)
        if value <= _UINT64_MAX:
            return UnsignedLiteral(value, span=span)
        raise told("unable to parse integer", lexeme.place)

    def _duration(self, lexeme: Lexeme) -> int:
        try:
            return parse_duration(lexeme.text)
        except ValueError as error:
            raise ParseError(str(error)) from None

    def _wildcard(self, first: Lexeme) -> Expr:
        cursor = self.cursor
        if cursor.scan().kind != "::":
            cursor.back()
            return Wildcard(span=cursor.span(first))
        kind = cursor.scan()
        if kind.kind not in ("FIELD", "TAG"):
            raise expected(kind, "field", "tag")
        return Wildcard(kind.kind.lower(), span=cursor.span(first))

    def _distinct(self, first: Lexeme) -> Expr:
        cursor = self.cursor
        after = cursor.scan()
        if after.kind == "(":
            return self.call("distinct", first)
        if after.kind != lx.SPACE:
            raise expected(after, "(", "identifier")
        name = cursor.next()
        if name.kind != lx.IDENT:
            raise expected(name, "identifier")
        return Distinct(name.text, span=cursor.span(first))

    def _signed(self, sign: Lexeme) -> Expr:
        cursor = self.cursor
        factor = -1 if sign.kind == "-" else 1
        after = cursor.next()
        if after.kind not in (lx.NUMBER, lx.INTEGER, lx.DURATION, "(", lx.IDENT):
            raise expected(after, "identifier", "number", "duration", "(")
        cursor.back()
        operand = self._unary()
        span = cursor.span(sign)
        match operand:
            case NumberLiteral(value=number):
                return NumberLiteral(number * factor, span=span)
            case IntegerLiteral(value=integer):
                return IntegerLiteral(integer * factor, span=span)
            case UnsignedLiteral(value=unsigned) if factor < 0:
                if unsigned != _INT64_MAX + 1:
                    raise ParseError(f"constant -{unsigned} underflows int64")
                return IntegerLiteral(-unsigned, span=span)
            case DurationLiteral(ns=ns):
                return DurationLiteral(ns * factor, span=span)
            case UnsignedLiteral():
                return operand
            case _:
                return Binary("*", IntegerLiteral(factor, span=span), operand, span=span)

    def call(self, name: str, first: Lexeme) -> Call:
        """The arguments and the closing bracket of a function whose `(` was read."""
        cursor = self.cursor
        name = name.lower()
        args: list[Expr] = []
        regex = cursor.regex()
        if regex is not None:
            args.append(regex)
        else:
            if cursor.scan().kind == ")":
                return Call(name, span=cursor.span(first))
            cursor.back()
            args.append(self.expression())
        while cursor.next().kind == ",":
            regex = cursor.regex()
            args.append(regex if regex is not None else self.expression())
        cursor.back()
        closing = cursor.next()
        if closing.kind != ")":
            raise expected(closing, ")")
        return Call(name, tuple(args), span=cursor.span(first))

    def reference(self) -> VarRef:
        """A dotted name with an optional cast."""
        cursor = self.cursor
        first = cursor.next()
        cursor.back()
        name = ".".join(self.segments())
        type_ = DataType.UNKNOWN
        if cursor.scan().kind == "::":
            cast = cursor.scan()
            match cast.kind:
                case "FIELD":
                    type_ = DataType.ANY_FIELD
                case "TAG":
                    type_ = DataType.TAG
                case lx.IDENT if cast.text.lower() in _CASTS:
                    type_ = _CASTS[cast.text.lower()]
                case _:
                    raise expected(cast, "float", "integer", "unsigned", "string", "boolean", "field", "tag")
        else:
            cursor.back()
        return VarRef(name, type_, span=cursor.span(first))

    def segments(self) -> list[str]:
        """Up to three names parted by dots; one between two dots may be empty."""
        cursor = self.cursor
        names = [cursor.identifier()]
        while True:
            if cursor.scan().kind != ".":
                cursor.back()
                break
            char = cursor.peek_char()
            if char in ("/", ":"):
                break
            if char == ".":
                names.append("")
                continue
            names.append(cursor.identifier())
        if len(names) > 3:
            raise ParseError(f"too many segments in {'.'.join(map(quote_identifier, names))} at line 1, char 1")
        return names


class SelectParser(ExpressionParser):
    """Reads SELECT and the clauses that other statements share with it."""

    def select(self, *, subquery: bool = False, into_required: bool = False) -> Select:
        """What follows SELECT."""
        cursor = self.cursor
        start = cursor.offset
        fields = self._fields()
        into = None if subquery else self._into(required=into_required)
        cursor.require("FROM")
        sources = self.sources(subqueries=True)
        condition = self.condition()
        dimensions = self.dimensions()
        fill, fill_value = self._fill()
        ordered, descending = self.order()
        limit, offset = self.limit("LIMIT"), self.limit("OFFSET")
        slimit, soffset = self.limit("SLIMIT"), self.limit("SOFFSET")
        location = self._location()
        return Select(
            fields=fields,
            sources=sources,
            into=into,
            condition=condition,
            dimensions=dimensions,
            fill=fill,
            fill_value=fill_value,
            ordered=ordered,
            descending=descending,
            limit=limit,
            offset=offset,
            slimit=slimit,
            soffset=soffset,
            location=location,
            span=Span(start, cursor.offset),
        )

    def _fields(self) -> tuple[Field, ...]:
        fields = [self._field()]
        while self.cursor.take(","):
            fields.append(self._field())
        return tuple(fields)

    def _field(self) -> Field:
        cursor = self.cursor
        regex = cursor.regex()
        expr: Expr
        if regex is not None:
            expr = regex
        else:
            expr = self.expression()
            for node in walk(expr):
                if isinstance(node, Binary) and (node.op in lx.COMPARISONS or node.op in ("AND", "OR")):
                    raise ParseError(f"invalid operator {node.op} in SELECT field")
        alias = cursor.identifier() if cursor.take("AS") else ""
        return Field(expr, alias, span=expr.span)

    def _into(self, *, required: bool) -> Measurement | None:
        cursor = self.cursor
        lexeme = cursor.next()
        if lexeme.kind != "INTO":
            if required:
                raise expected(lexeme, "INTO")
            cursor.back()
            return None
        names = self.segments()
        if len(names) < 3 and cursor.peek_char() == ":":
            # `db.rp.:MEASUREMENT` names the source's measurement.
            cursor.require(":", "MEASUREMENT")
            names.append("")
        return _measurement(names, None)

    def sources(self, *, subqueries: bool) -> tuple[Source, ...]:
        """Measurements, patterns and subqueries parted by commas."""
        found = [self._source(subqueries)]
        while self.cursor.take(","):
            found.append(self._source(subqueries))
        return tuple(found)

    def measurements(self) -> tuple[Measurement, ...]:
        """FROM and its measurements, where statements other than SELECT have them."""
        if not self.cursor.take("FROM"):
            return ()
        return tuple(s for s in self.sources(subqueries=False) if isinstance(s, Measurement))

    def _source(self, subqueries: bool) -> Source:
        cursor = self.cursor
        regex = cursor.regex()
        if regex is not None:
            return Measurement(regex=regex.pattern, span=regex.span)
        if subqueries:
            first = cursor.next()
            if first.kind == "(":
                self._depth += 1
                if self._depth > DEPTH_MAX:
                    raise ParseError(f"expression is nested too deeply: more than {DEPTH_MAX} levels")
                cursor.require("SELECT")
                inner = self.select(subquery=True)
                cursor.require(")")
                self._depth -= 1
                return SubQuery(inner, span=cursor.span(first))
            cursor.back()
        first = cursor.next()
        cursor.back()
        names = self.segments()
        regex = cursor.regex() if len(names) < 3 else None
        source = _measurement(names, regex.pattern if regex else None)
        return Measurement(source.database, source.policy, source.name, source.regex, span=cursor.span(first))

    def condition(self) -> Expr | None:
        """WHERE and its expression."""
        return self.expression() if self.cursor.take("WHERE") else None

    def dimensions(self) -> tuple[Expr, ...]:
        """GROUP BY and its dimensions."""
        cursor = self.cursor
        if not cursor.take("GROUP"):
            return ()
        cursor.require("BY")
        found: list[Expr] = []
        while True:
            regex = cursor.regex()
            found.append(regex if regex is not None else self.expression())
            if not cursor.take(","):
                return tuple(found)

    def _fill(self) -> tuple[Fill, int | float | None]:
        cursor = self.cursor
        lexeme = cursor.next()
        cursor.back()
        if lexeme.kind != lx.IDENT or lexeme.text.lower() != "fill":
            return Fill.NULL, None
        call = self.expression()
        if not isinstance(call, Call):
            raise ParseError("fill must be a function call")
        if len(call.args) != 1:
            raise ParseError("fill requires an argument, e.g.: 0, null, none, previous, linear")
        match call.args[0]:
            case VarRef(name="null" | "none" | "previous" | "linear" as word):
                return Fill(word), None
            case IntegerLiteral(value=integer):
                return Fill.NUMBER, integer
            case NumberLiteral(value=number):
                return Fill.NUMBER, number
            case _:
                raise ParseError("expected number argument in fill()")

    def order(self) -> tuple[bool, bool]:
        """ORDER BY: whether it is there, and whether it is descending."""
        cursor = self.cursor
        if not cursor.take("ORDER"):
            return False, False
        cursor.require("BY")
        lexeme = cursor.next()
        if lexeme.kind in ("ASC", "DESC"):
            descending = lexeme.kind == "DESC"
        elif lexeme.kind == lx.IDENT:
            direction = cursor.next()
            if direction.kind not in ("ASC", "DESC"):
                cursor.back()
            descending = direction.kind == "DESC"
            if lexeme.text != "time":
                raise ParseError("only ORDER BY time supported at this time")
        else:
            raise expected(lexeme, "identifier", "ASC", "DESC")
        if cursor.take(","):
            cursor.identifier()
            raise ParseError("only ORDER BY time supported at this time")
        return True, descending

    def limit(self, word: str) -> int:
        """LIMIT, OFFSET, SLIMIT or SOFFSET and its number; 0 where absent."""
        return self.cursor.integer() if self.cursor.take(word) else 0

    def _location(self) -> str | None:
        cursor = self.cursor
        lexeme = cursor.next()
        cursor.back()
        if lexeme.kind != lx.IDENT or lexeme.text.lower() != "tz":
            return None
        call = self.expression()
        if not isinstance(call, Call):
            raise ParseError("tz must be a function call")
        if len(call.args) != 1:
            raise ParseError("tz requires exactly one argument")
        name = call.args[0]
        if not isinstance(name, StringLiteral):
            raise ParseError("expected string argument in tz()")
        return _zone(name.value)


def _zone(name: str) -> str:
    if name in ("", "UTC"):
        return "UTC"
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ParseError(f"unable to find time zone {name}") from None
    return name


def _measurement(names: list[str], regex: str | None) -> Measurement:
    """Names in front of a pattern are database and policy; otherwise the last is the measurement."""
    if regex is None and len(names) < 4:
        database, policy, name = ["", "", *names][-3:]
        return Measurement(database, policy, name)
    database, policy = ["", *names][-2:]
    return Measurement(database, policy, regex=regex)
