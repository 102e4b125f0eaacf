"""Cutting a page out of an ordered list.

Source: http-api.md §1.7, §5, §27.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from fluxkeep.ids import ID


class _HasID(Protocol):
    @property
    def id(self) -> ID: ...


T = TypeVar("T", bound=_HasID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which part of a list is wanted; the whole of it unless said otherwise.

    Attributes:
        offset: A negative one is 0.
        after: Only what follows the item of this id, in the list's own direction.
    """

    limit: int | None = None
    offset: int = 0
    after: ID | None = None
    descending: bool = False


WHOLE = Window()


def cut(items: Sequence[T], window: Window) -> list[T]:
    """The window's part of `items`, which come in ascending order.

    An `after` that is not among them stands for its place in an order by id.
    """
    ordered = items[::-1] if window.descending else items
    start = max(window.offset, 0)
    if window.after is not None:
        start += _position_after(ordered, window.after, descending=window.descending)
    return list(ordered[start:] if window.limit is None else ordered[start : start + window.limit])


def _position_after(ordered: Sequence[T], after: ID, *, descending: bool) -> int:
    for at, item in enumerate(ordered):
        if item.id == after:
            return at + 1
    # Deleted since the last page, perhaps.
    return sum(1 for item in ordered if (item.id > after if descending else item.id < after))
