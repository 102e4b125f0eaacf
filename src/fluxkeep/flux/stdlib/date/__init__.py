"""`date`: parts of times and calendar arithmetic.

Source: flux.md §13, §10.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np

from fluxkeep.compute.windows import WindowGrid, add_months_to, zone_clock
from fluxkeep.datamodel.timerange import Window
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Null, Time, Value, kind_of
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.instants import DAY, MICROSECOND, MILLISECOND, SECOND, Duration

PACKAGE = Package("date")
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
PACKAGE.values.update({name: i for i, name in enumerate(_DAYS)})
PACKAGE.values.update({name: i + 1 for i, name in enumerate(_MONTHS)})
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()


def instant(call: Call, name: str) -> int | None:
    """A time, or a duration from now; None for null."""
    value = call.value(name)
    match value:
        case Null():
            return None
        case Time():
            return int(value)
        case Duration():
            zone, fixed = call.location()
            return moved(call.evaluator.now(), value, zone, fixed)
    raise InvalidInput(f"cannot convert {kind_of(value)} to time")


def local(ns: int, zone: str, fixed: int) -> int:
    """The wall-clock reading in ns."""
    return int(zone_clock(zone).local(np.array([ns], np.int64))[0]) + fixed


def universal(reading: int, zone: str, fixed: int) -> int:
    """The instant of a wall-clock reading."""
    return int(zone_clock(zone).utc(np.array([reading - fixed], np.int64))[0])


def day_of(reading: int) -> dt.date:
    """The calendar day of a wall-clock reading."""
    return dt.date.fromordinal(_EPOCH_DAY + reading // DAY)


def _part(name: str, read: Callable[[int], int], *, zoned: bool = True) -> None:
    def run(call: Call) -> Value:
        ns = instant(call, "t")
        if ns is None:
            return Null("int")
        if not zoned:
            return read(ns)
        zone, fixed = call.location()
        return read(local(ns, zone, fixed))

    PACKAGE.function("t ?location" if zoned else "t", name)(run)


_part("second", lambda ns: ns // SECOND % 60)
_part("minute", lambda ns: ns // (60 * SECOND) % 60)
_part("hour", lambda ns: ns // (3600 * SECOND) % 24)
_part("weekDay", lambda ns: day_of(ns).isoweekday() % 7)
_part("monthDay", lambda ns: day_of(ns).day)
_part("yearDay", lambda ns: day_of(ns).timetuple().tm_yday)
_part("month", lambda ns: day_of(ns).month)
_part("year", lambda ns: day_of(ns).year)
_part("week", lambda ns: day_of(ns).isocalendar().week)
_part("quarter", lambda ns: (day_of(ns).month + 2) // 3)
_part("millisecond", lambda ns: ns % SECOND // MILLISECOND, zoned=False)
_part("microsecond", lambda ns: ns % SECOND // MICROSECOND, zoned=False)
_part("nanosecond", lambda ns: ns % SECOND, zoned=False)


@PACKAGE.function("t ?location")
def time(call: Call) -> Value:
    """A time, or a duration from now, as a time."""
    ns = instant(call, "t")
    return Null("time") if ns is None else Time(ns)


@PACKAGE.function("t unit ?location")
def truncate(call: Call) -> Value:
    """The start of the unit that holds a time."""
    ns, unit = instant(call, "t"), call.duration("unit")
    if ns is None:
        return Null("time")
    zone, fixed = call.location()
    grid = WindowGrid(Window(every=unit, period=unit, offset=Duration(0, -fixed), location=zone))
    return Time(grid.starts(grid.index(np.array([ns], np.int64)))[0])


def moved(ns: int, by: Duration, zone: str, fixed: int) -> int:
    """An instant moved on the wall clock of a location."""
    reading = np.array([local(ns, zone, fixed)], np.int64)
    if by.months:
        reading = add_months_to(reading, by.months)
    return universal(int(reading[0]) + by.ns, zone, fixed)


@PACKAGE.function("d to ?location")
def add(call: Call) -> Value:
    """A time later by a duration."""
    ns = instant(call, "to")
    zone, fixed = call.location()
    return Null("time") if ns is None else Time(moved(ns, call.duration("d"), zone, fixed))


@PACKAGE.function("d from ?location")
def sub(call: Call) -> Value:
    """A time earlier by a duration."""
    ns = instant(call, "from")
    zone, fixed = call.location()
    return Null("time") if ns is None else Time(moved(ns, -call.duration("d"), zone, fixed))


@PACKAGE.function("d n")
def scale(call: Call) -> Value:
    """A duration n times."""
    duration, n = call.duration("d"), call.int("n")
    return Duration(duration.months * n, duration.ns * n)
