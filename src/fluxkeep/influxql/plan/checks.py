"""Whether the functions of a SELECT may stand together, and with which arguments.

`check(select)` gives what the planner needs to know and refuses with the
reference's texts, in the reference's order.

Source: influxql.md §6, §7, §9, §16; recorded in golden/influxql/functions.txt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fluxkeep.influxql.errors import QueryError
from fluxkeep.influxql.syntax.ast import (
    LITERALS,
    Binary,
    Call,
    Distinct,
    DurationLiteral,
    Expr,
    Field,
    Fill,
    IntegerLiteral,
    NumberLiteral,
    Paren,
    Regex,
    StringLiteral,
    VarRef,
    Wildcard,
)
from fluxkeep.influxql.syntax.durations import format_duration
from fluxkeep.influxql.syntax.printer import render

SELECTORS = frozenset(("max", "min", "first", "last"))
AGGREGATES = frozenset(("count", "sum", "mean", "median", "mode", "stddev", "spread"))
MATH = frozenset(
    "abs acos asin atan atan2 ceil cos exp floor ln log log2 log10 pow round sin sqrt tan".split()  # noqa: SIM905
)
MATH_PAIRS = frozenset(("atan2", "pow", "log"))
SMOOTHERS = frozenset(
    (
        "exponential_moving_average",
        "double_exponential_moving_average",
        "triple_exponential_moving_average",
        "triple_exponential_derivative",
        "relative_strength_index",
        "chande_momentum_oscillator",
        "kaufmans_efficiency_ratio",
        "kaufmans_adaptive_moving_average",
    )
)
TRANSFORMS = SMOOTHERS | frozenset(
    (
        "derivative",
        "non_negative_derivative",
        "difference",
        "non_negative_difference",
        "cumulative_sum",
        "moving_average",
        "elapsed",
    )
)
HOLT_WINTERS = frozenset(("holt_winters", "holt_winters_with_fit"))


@dataclass(slots=True)
class Checked:
    """What a SELECT's fields came to.

    Attributes:
        calls: The outermost function calls that read points, in order; math is not among them.
        has_fields: Plain fields, tags or wildcards are selected.
        only_selectors: No call but min, max, first, last, percentile, sample, top, bottom.
    """

    interval: int
    limit: int
    into: bool = False
    calls: list[Call] = field(default_factory=list)
    has_fields: bool = False
    only_selectors: bool = True
    has_distinct: bool = False
    top_or_bottom: str = ""


def check(
    fields: tuple[Field, ...], *, interval: int, limit: int, fill: Fill, inherited: bool, into: bool = False
) -> Checked:
    """Refuse what the reference refuses.

    Args:
        fields: Folded, without `time`.
        interval: Of GROUP BY time in ns, 0 without.
        limit: LIMIT, 0 without.
        fill: As written.
        inherited: The interval is that of the outer query.
        into: The statement writes.

    Raises:
        QueryError: With the reference's text.
    """
    found = Checked(interval, limit, into)
    for selected in fields:
        _FieldCheck(found).expr(selected.expr)
    _together(found, len(fields), fill, inherited)
    return found


def _together(found: Checked, count: int, fill: Fill, inherited: bool) -> None:
    if not count:
        raise QueryError("at least 1 non-time field must be queried")
    if len(found.calls) > 1 and found.top_or_bottom:
        raise QueryError(f"selector function {found.top_or_bottom}() cannot be combined with other functions")
    if not found.calls:
        if fill in (Fill.NONE, Fill.LINEAR):
            raise QueryError(f"fill({fill.value}) must be used with a function")
        if found.interval and not inherited:
            raise QueryError("GROUP BY requires at least one aggregate function")
    if found.has_distinct and (len(found.calls) != 1 or found.has_fields):
        raise QueryError("aggregate function distinct() cannot be combined with other functions or fields")
    if found.has_fields:
        if not found.only_selectors:
            raise QueryError("mixing aggregate and non-aggregate queries is not supported")
        if len(found.calls) > 1:
            raise QueryError("mixing multiple selector functions with tags or fields is not supported")


class _FieldCheck:
    """Walks one field; a wildcard is refused below an operator."""

    def __init__(self, found: Checked) -> None:
        self._found = found
        self._wildcards = True

    def expr(self, expr: Expr) -> None:
        match expr:
            case VarRef() | Wildcard() | Regex():
                self._found.has_fields = True
            case Call(name=name, args=args) if name in MATH:
                self._count(name, args, 2 if name in MATH_PAIRS else 1)
                for arg in args:
                    if not isinstance(arg, LITERALS):
                        self.expr(arg)
            case Call():
                self._found.calls.append(expr)
                self._call(expr)
            case Distinct():
                self._found.calls.append(expr.call)
                self._distinct(expr.call.args, nested=False)
            case Paren(expr=inner):
                self.expr(inner)
            case Binary(lhs=lhs, rhs=rhs):
                self._wildcards = False
                sides = [side for side in (lhs, rhs) if not isinstance(side, LITERALS)]
                if not sides:
                    raise QueryError("cannot perform a binary expression on two literals")
                for side in sides:
                    self.expr(side)
            case _:
                raise QueryError("field must contain at least one variable")

    def _call(self, call: Call) -> None:
        special = _CHECKS.get(call.name)
        if special is not None:
            special(self, call)
            return
        if call.name in AGGREGATES:
            self._found.only_selectors = False
        elif call.name not in SELECTORS:
            raise QueryError(f"undefined function {call.name}()")
        self._count(call.name, call.args, 1)
        if call.name == "count":
            match call.args[0]:
                case Call(name="distinct", args=args):
                    self._distinct(args, nested=True)
                    return
                case Distinct() as keyword:
                    self._distinct(keyword.call.args, nested=True)
                    return
        self._symbol(call.name, call.args[0])

    def _nested(self, expr: Call) -> None:
        """A call inside a transformation: it counts towards the rules, not as a column."""
        if expr.name == "distinct":
            self._distinct(expr.args, nested=True)
            return
        self._call(expr)

    @staticmethod
    def _count(name: str, args: tuple[Expr, ...], wanted: int) -> None:
        if len(args) != wanted:
            raise QueryError(f"invalid number of arguments for {name}, expected {wanted}, got {len(args)}")

    @staticmethod
    def _between(name: str, args: tuple[Expr, ...], least: int, most: int) -> None:
        if not least <= len(args) <= most:
            raise QueryError(
                f"invalid number of arguments for {name}, expected at least {least} but no more than {most},"
                f" got {len(args)}"
            )

    def _symbol(self, name: str, expr: Expr) -> None:
        match expr:
            case VarRef():
                pass
            case Wildcard():
                if not self._wildcards:
                    raise QueryError(f"unsupported expression with wildcard: {name}()")
                self._found.only_selectors = False
            case Regex():
                if not self._wildcards:
                    raise QueryError(f"unsupported expression with regex field: {name}()")
                self._found.only_selectors = False
            case _:
                raise QueryError(f"expected field argument in {name}()")

    def _inside(self, name: str, expr: Expr) -> None:
        """The argument of a transformation: a call with GROUP BY time, a field without."""
        if isinstance(expr, Call):
            if not self._found.interval:
                raise QueryError(f"{name} aggregate requires a GROUP BY interval")
            self._nested(expr)
            return
        if self._found.interval:
            raise QueryError(f"aggregate function required inside the call to {name}")
        self._symbol(name, expr)

    def percentile(self, call: Call) -> None:
        self._count(call.name, call.args, 2)
        if not isinstance(call.args[1], IntegerLiteral | NumberLiteral):
            raise QueryError("expected float argument in percentile()")
        self._symbol(call.name, call.args[0])

    def sample(self, call: Call) -> None:
        self._count(call.name, call.args, 2)
        match call.args[1]:
            case IntegerLiteral(value=size):
                if size <= 0:
                    raise QueryError(f"sample window must be greater than 1, got {size}")
            case _:
                raise QueryError("expected integer argument in sample()")
        self._symbol(call.name, call.args[0])

    def distinct(self, call: Call) -> None:
        self._distinct(call.args, nested=False)

    def _distinct(self, args: tuple[Expr, ...], *, nested: bool) -> None:
        if not args:
            raise QueryError("distinct function requires at least one argument")
        if len(args) != 1:
            raise QueryError("distinct function can only have one argument")
        if not isinstance(args[0], VarRef):
            raise QueryError("expected field argument in distinct()")
        if not nested:
            self._found.has_distinct = True
        self._found.only_selectors = False

    def top(self, call: Call) -> None:
        found = self._found
        name, args = call.name, call.args
        if found.top_or_bottom:
            raise QueryError(f"selector function {found.top_or_bottom}() cannot be combined with other functions")
        if len(args) < 2:
            raise QueryError(f"invalid number of arguments for {name}, expected at least 2, got {len(args)}")
        match args[-1]:
            case IntegerLiteral(value=size):
                if size <= 0:
                    raise QueryError(f"limit ({size}) in {name} function must be at least 1")
                if 0 < found.limit < size:
                    raise QueryError(
                        f"limit ({size}) in {name} function can not be larger than the LIMIT ({found.limit})"
                        " in the select statement"
                    )
            case other:
                raise QueryError(f"expected integer as last argument in {name}(), found {render(other)}")
        if not isinstance(args[0], VarRef):
            raise QueryError(f"expected first argument to be a field in {name}(), found {render(args[0])}")
        for arg in args[1:-1]:
            if not isinstance(arg, VarRef):
                raise QueryError(f"only fields or tags are allowed in {name}(), found {render(arg)}")
            if not found.into:
                found.has_fields = True
        found.top_or_bottom = name

    def derivative(self, call: Call) -> None:
        self._between(call.name, call.args, 1, 2)
        self._unit(call)
        self._found.only_selectors = False
        self._inside(call.name, call.args[0])

    def integral(self, call: Call) -> None:
        self._between(call.name, call.args, 1, 2)
        self._unit(call)
        self._found.only_selectors = False
        self._symbol(call.name, call.args[0])

    @staticmethod
    def _unit(call: Call) -> None:
        if len(call.args) < 2:
            return
        match call.args[1]:
            case DurationLiteral(ns=ns):
                if ns <= 0:
                    raise QueryError(f"duration argument must be positive, got {format_duration(ns)}")
            case other:
                if call.name == "integral":
                    raise QueryError("second argument must be a duration")
                raise QueryError(f"second argument to {call.name} must be a duration, got {_go_name(other)}")

    def difference(self, call: Call) -> None:
        self._count(call.name, call.args, 1)
        self._found.only_selectors = False
        self._inside(call.name, call.args[0])

    def moving_average(self, call: Call) -> None:
        self._count(call.name, call.args, 2)
        match call.args[1]:
            case IntegerLiteral(value=size):
                if size <= 1:
                    raise QueryError(f"moving_average window must be greater than 1, got {size}")
            case other:
                raise QueryError(f"second argument for moving_average must be an integer, got {_go_name(other)}")
        self._found.only_selectors = False
        self._inside(call.name, call.args[0])

    def smoother(self, call: Call) -> None:
        name, args = call.name, call.args
        self._between(name, args, 2, 3 if name.startswith("kaufmans") else 4)
        match args[1]:
            case IntegerLiteral(value=period):
                if period < 1:
                    raise QueryError(f"{name} period must be greater than or equal to 1")
            case _:
                raise QueryError(f"{name} period must be an integer")
        if len(args) > 2:
            match args[2]:
                case IntegerLiteral(value=hold):
                    if hold < 0 and hold != -1:
                        raise QueryError(f"{name} hold period must be greater than or equal to 0")
                case _:
                    raise QueryError(f"{name} hold period must be an integer")
        if len(args) > 3:
            kinds = ["exponential", "simple"] + (["none"] if name.startswith("chande") else [])
            match args[3]:
                case StringLiteral(value=kind) if kind in kinds:
                    pass
                case StringLiteral():
                    listed = " ".join(f"'{k}'" for k in kinds)
                    raise QueryError(f"{name} warmup type must be one of: {listed}")
                case _:
                    raise QueryError(f"{name} warmup type must be a string")
        self._found.only_selectors = False
        self._inside(name, args[0])

    def holt_winters(self, call: Call) -> None:
        name, args = call.name, call.args
        self._count(name, args, 3)
        for arg, word in zip(args[1:], ("second", "third"), strict=True):
            if not isinstance(arg, IntegerLiteral):
                raise QueryError(f"expected integer argument as {word} arg in {name}")
        count, season = args[1], args[2]
        assert isinstance(count, IntegerLiteral)
        assert isinstance(season, IntegerLiteral)
        if count.value <= 0:
            raise QueryError(f"second argument to {name} must be greater than 0, got {count.value}")
        if season.value < 0:
            raise QueryError(f"third argument to {name} cannot be negative, got {season.value}")
        self._found.only_selectors = False
        if not isinstance(args[0], Call):
            raise QueryError(f"must use aggregate function with {name}")
        if not self._found.interval:
            raise QueryError(f"{name} aggregate requires a GROUP BY interval")
        self._nested(args[0])


def _go_name(expr: Expr) -> str:
    name = type(expr).__name__
    return "*influxql." + {"Regex": "RegexLiteral", "Binary": "BinaryExpr", "Paren": "ParenExpr"}.get(name, name)


_CHECKS: Final[dict[str, Callable[[_FieldCheck, Call], None]]] = {
    "percentile": _FieldCheck.percentile,
    "sample": _FieldCheck.sample,
    "distinct": _FieldCheck.distinct,
    "top": _FieldCheck.top,
    "bottom": _FieldCheck.top,
    "derivative": _FieldCheck.derivative,
    "non_negative_derivative": _FieldCheck.derivative,
    "elapsed": _FieldCheck.derivative,
    "integral": _FieldCheck.integral,
    "difference": _FieldCheck.difference,
    "non_negative_difference": _FieldCheck.difference,
    "cumulative_sum": _FieldCheck.difference,
    "moving_average": _FieldCheck.moving_average,
    **dict.fromkeys(sorted(SMOOTHERS), _FieldCheck.smoother),
    **dict.fromkeys(sorted(HOLT_WINTERS), _FieldCheck.holt_winters),
}
