"""`experimental/date/boundaries`: days, weeks and months around now.

Source: flux.md §13.
"""

from __future__ import annotations

from collections.abc import Callable

from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Time, Value
from fluxkeep.flux.stdlib.date import day_of, local, moved, universal
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.instants import DAY, Duration

PACKAGE = Package("experimental/date/boundaries")
_DAY = Duration.parse("1d")


def _midnight(call: Call, days_back: int) -> int:
    """The start of the day so many days before today."""
    zone, fixed = call.location()
    reading = local(call.evaluator.now(), zone, fixed)
    return universal((reading // DAY - days_back) * DAY, zone, fixed)


def _span(call: Call, start: int, length: Duration) -> Value:
    zone, fixed = call.location()
    return {"start": Time(start), "stop": Time(moved(start, length, zone, fixed))}


def _weekday(call: Call) -> int:
    """Monday is 0."""
    zone, fixed = call.location()
    return day_of(local(call.evaluator.now(), zone, fixed)).weekday()


@PACKAGE.function("")
def yesterday(call: Call) -> Value:
    """The day before today."""
    return _span(call, _midnight(call, 1), _DAY)


def _last(day: int) -> Callable[[Call], Value]:
    def run(call: Call) -> Value:
        back = (_weekday(call) - day) % 7 or 7
        return _span(call, _midnight(call, back), _DAY)

    return run


for _number, _name in enumerate(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")):
    PACKAGE.function("", _name)(_last(_number))


@PACKAGE.function("?month_offset")
def month(call: Call) -> Value:
    """This month, or one so many months away."""
    zone, fixed = call.location()
    today = day_of(local(call.evaluator.now(), zone, fixed))
    first = _midnight(call, today.day - 1)
    return _span(call, moved(first, Duration(call.int("month_offset", 0)), zone, fixed), Duration(1))


@PACKAGE.function("?week_offset ?start_sunday")
def week(call: Call) -> Value:
    """This week from Monday or Sunday, or one so many weeks away."""
    zone, fixed = call.location()
    back = (_weekday(call) + 1) % 7 if call.bool("start_sunday", default=False) else _weekday(call)
    shift = Duration(0, call.int("week_offset", 0) * 7 * DAY)
    return _span(call, moved(_midnight(call, back), shift, zone, fixed), Duration.parse("1w"))
