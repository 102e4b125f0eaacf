"""One write transaction and the events that its commit publishes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection


class Event:
    """Something that a commit made true; rooms subclass it with frozen values."""

    __slots__ = ()


Listener = Callable[[tuple[Event, ...]], None]


@dataclass(slots=True, kw_only=True)
class UnitOfWork:
    """What a service writes through between begin and commit.

    Attributes:
        connection: Inside the write transaction; sees its own changes.
        now_ns: The transaction's one instant, for every row it stamps.
    """

    connection: Connection
    now_ns: int
    events: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        """Publish after the commit; a rollback drops it."""
        self.events.append(event)
