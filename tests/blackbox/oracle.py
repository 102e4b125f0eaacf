"""What a server that is killed over and over must have kept.

Whoever changes something alone knows the one state that it must find again, and
beside it the one that the change under way at the kill would have made: whole
or not at all, and from then on the same for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

# A point's fields by name.
Fields = dict[str, int]
Points = dict[int, Fields]
Change = Callable[[Points], Points]

HOUR_NS = 3_600_000_000_000


class LossError(AssertionError):
    """The server has lost something acknowledged, or has what it must not have."""


def written(lines: Mapping[int, Fields]) -> Change:
    """A write: field by field the newest counts."""
    return lambda points: points | {time: points.get(time, {}) | fields for time, fields in lines.items()}


def deleted(doomed: Callable[[int], bool]) -> Change:
    """A delete of the times that match."""
    return lambda points: {time: fields for time, fields in points.items() if not doomed(time)}


@dataclass
class Ledger:
    """The points of one writer, who does one thing after the other."""

    points: Points = field(default_factory=dict)
    pending: Change | None = None
    # Hours that were written to or deleted from since the last look.
    touched: set[int] = field(default_factory=set)
    # What was asked for, and how it went; told with a loss.
    history: list[str] = field(default_factory=list)

    def begin(self, change: Change, times: Iterable[int], request: str = "") -> None:
        """A request with this effect is sent."""
        self.touched.update(time // HOUR_NS for time in times)
        self.pending = change
        self.history = [*self.history[-200:], request]

    def acknowledged(self) -> None:
        """It has been done."""
        assert self.pending is not None
        self.points = self.pending(self.points)
        self.pending = None
        self.history.append("- acknowledged")

    def refused(self) -> None:
        """It has been refused, so nothing of it may be found, ever."""
        self.pending = None

    def look(self, found: Points, hours: set[int] | None, who: str) -> None:
        """Compare with what a restarted server has; within some hours or everywhere.

        Raises:
            LossError: It is neither of the states that it may be.
        """

        def part(points: Points) -> Points:
            if hours is None:
                return points
            return {time: fields for time, fields in points.items() if time // HOUR_NS in hours}

        if found == part(self.points):
            if self.pending is not None and found != part(self.pending(self.points)):
                self.pending = None
        elif self.pending is not None and found == part(self.pending(self.points)):
            self.points = self.pending(self.points)
        else:
            self.history.append(f"- LOST: {_difference(part(self.points), found)}")
            raise LossError(f"{who}: {_difference(part(self.points), found)}, pending: {self.pending is not None}")
        self.pending = None
        self.history.append(f"- looked at {'everything' if hours is None else sorted(hours)}")
        self.touched.clear()


@dataclass
class Expiring:
    """Points of a bucket whose retention is turned on and off; whole hours go, none comes back.

    Attributes:
        layers: By hour, what was written between one turning on and the next. A pass drops the
            first layers together, whole.
        on: Whether it may be on; it stays so from life to life, and so a pass may come in any of them.
    """

    layers: dict[int, list[set[int]]] = field(default_factory=dict)
    pending: tuple[int, set[int]] | None = None
    on: bool = False

    def turned_on(self) -> None:
        """From now on a pass may drop everything old that there is."""
        self.on = True
        for layers in self.layers.values():
            layers.append(set())

    def turned_off(self) -> None:
        """What is found from now on stays."""
        self.on = False

    def acknowledged(self) -> None:
        """A write has been done."""
        assert self.pending is not None
        hour, times = self.pending
        self.layers.setdefault(hour, [set()])[-1] |= times
        self.pending = None

    def look(self, found: Mapping[int, set[int]], living: int) -> None:
        """Compare; hours from `living` on may never lose anything.

        Raises:
            LossError: A part of an hour is missing, or what was dropped is back.
        """
        for hour in {*self.layers, *found, *((self.pending[0],) if self.pending else ())}:
            layers = self.layers.get(hour, [set()])
            firsts = range(1) if hour >= living else range(len(layers))
            extra = self.pending[1] if self.pending is not None and self.pending[0] == hour else set()
            for first in firsts:
                rest = set().union(*layers[first:])
                here = found.get(hour, set())
                if here in (rest, rest | extra):
                    self.layers[hour] = [set(here), set()] if self.on else [set(here)]
                    break
            else:
                raise LossError(
                    f"hour {hour}: {[len(one) for one in layers]} points in layers, found {len(found.get(hour, ()))}"
                )
        self.pending = None


@dataclass
class Records:
    """Buckets or tokens: what was made is there, what was deleted is not."""

    made: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    deleting: str | None = None
    # Names whose making was never answered.
    making: set[str] = field(default_factory=set)

    def look(self, listed: Mapping[str, str], what: str) -> None:
        """Compare with a listing by name.

        Raises:
            LossError: One is missing or back.
        """
        if self.deleting is not None and self.deleting not in listed:
            self.made.pop(self.deleting)
            self.gone.add(self.deleting)
        self.deleting = None
        for name in self.making & set(listed):
            self.made[name] = listed[name]
        self.gone |= self.making - set(listed)
        self.making.clear()
        if missing := set(self.made) - set(listed):
            raise LossError(f"{what} lost: {sorted(missing)}")
        if back := set(listed) - set(self.made):
            raise LossError(f"{what} invented: {sorted(back)}")


def _difference(expected: Points, found: Points) -> str:
    lost = [time for time in expected if time not in found]
    more = [time for time in found if time not in expected]
    other = [time for time in found if time in expected and expected[time] != found[time]]
    shown = [(time, expected.get(time), found.get(time)) for time in (*lost[:2], *more[:2], *other[:2])]
    return f"{len(lost)} points lost, {len(more)} too many, {len(other)} with other values, such as {shown}"
