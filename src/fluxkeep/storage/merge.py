"""Order rows by series and time; of equal ones the newest wins, field by field.

Source: http-api.md §6.5: writing the same series, field and timestamp again
overwrites the value.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.points import Int64s, Strings
from fluxkeep.storage.columns import Column, Positions, Rows, concatenate_field, field_types, take

Rank = npt.NDArray[np.uint32]


def merge_rows(pieces: Sequence[Rows], rank: Rank) -> Rows:
    """One piece of several, sorted by the rank of the series, then time, without duplicates.

    Args:
        pieces: Older before newer; in each, later rows are newer.
        rank: Series id to its place in the order.
    """
    one = pieces[0] if len(pieces) == 1 else None
    ids = np.concatenate([p.ids for p in pieces]) if one is None else one.ids
    time = np.concatenate([p.time for p in pieces]) if one is None else one.time
    order, starts = sort_rows(ids, time, rank)
    if one is not None and order is None and starts is None:
        return one
    return _gather(pieces, ids, time, order, starts)


def _gather(
    pieces: Sequence[Rows],
    ids: npt.NDArray[np.uint32],
    time: Int64s,
    order: Positions | None,
    starts: Positions | None,
) -> Rows:
    """Pieces with concatenated ids and times in an order, column by column: only one of them is held twice."""
    columns: dict[str, Column] = {}
    for name, type_ in field_types(pieces).items():
        column = concatenate_field(pieces, name, type_)
        if starts is not None:
            column = _newest(column, order, starts)
        elif order is not None:
            column = take(column, order)
        columns[name] = column
    first = order if starts is None else starts if order is None else order[starts]
    return Rows(ids, time, columns) if first is None else Rows(ids[first], time[first], columns)


def merge_sorted(pieces: Sequence[Rows], rank: Rank) -> Rows:
    """Like `merge_rows` of pieces that are sorted and without duplicates each, older before newer.

    Pieces that follow each other in time, as files of appended points do, are
    interleaved by series and never compared.
    """
    pieces = [piece for piece in pieces if len(piece)]
    if len(pieces) == 1:
        return pieces[0]
    bounds = sorted((int(piece.time.min()), int(piece.time.max()), at) for at, piece in enumerate(pieces))
    if any(following[0] <= former[1] for former, following in itertools.pairwise(bounds)):
        return merge_rows(pieces, rank)
    pieces = [pieces[at] for _, _, at in bounds]
    ids = np.concatenate([p.ids for p in pieces])
    return _gather(pieces, ids, np.concatenate([p.time for p in pieces]), _stable_order(rank[ids]), None)


def sort_rows(ids: npt.NDArray[np.uint32], time: Int64s, rank: Rank) -> tuple[Positions | None, Positions | None]:
    """The order of rows by series and time, stable.

    Returns:
        (order, starts): `order` None if they are sorted already; `starts` the first of each
        run of equal (series, time) in that order, None if all are distinct.
    """
    place = rank[ids]
    if len(place) < 2:
        return None, None
    order: Positions | None = None
    ascending = place[1:] > place[:-1]
    same = place[1:] == place[:-1]
    if not bool((ascending | (same & (time[1:] >= time[:-1]))).all()):
        if bool((time[1:] >= time[:-1]).all()):
            order = _stable_order(place)
        else:
            by_time = np.argsort(time, kind="stable")
            order = by_time[_stable_order(place[by_time])]
        place, time = place[order], time[order]
        same = place[1:] == place[:-1]
    same &= time[1:] == time[:-1]
    if not bool(same.any()):
        return order, None
    return order, np.concatenate(([0], np.flatnonzero(~same) + 1))


def _stable_order(place: npt.NDArray[np.uint32]) -> Positions:
    # numpy sorts 16-bit keys by radix, five to ten times faster than wider ones.
    low = int(place.min())
    if int(place.max()) - low < 1 << 16:
        return np.argsort((place - np.uint32(low)).astype(np.uint16), kind="stable")
    return np.argsort(place, kind="stable")


def _newest(column: Column, order: Positions | None, starts: Positions) -> Column:
    """Of each run of equal rows the newest value that is there."""
    count = len(column)
    if column.valid is None:
        ends = np.append(starts[1:], count) - 1
        return take(column, ends if order is None else order[ends])
    valid = column.valid if order is None else column.valid[order]
    newest = np.maximum.reduceat(np.where(valid, np.arange(count), -1), starts)
    found = newest >= 0
    at = np.where(found, newest, starts)
    values = take(Column(column.type, column.values, None), at if order is None else order[at]).values
    if not isinstance(values, Strings):
        values[~found] = 0
    return Column(column.type, values, None if bool(found.all()) else found)
