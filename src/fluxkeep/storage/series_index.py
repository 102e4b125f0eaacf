"""The series of one measurement of one bucket, numbered.

An id is given to a tag set when it is first seen and holds while the process
lives; files and memtables map theirs to it. Tags are kept as columns of codes,
so that a predicate is evaluated once per distinct value and not per series.

About 400 bytes a series with ten tags: 40 of codes, the rest the dictionary
from tag set to id, whose strings are shared.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.memory_reader import matches
from fluxkeep.datamodel.points import KnownSeries, MeasurementBatch
from fluxkeep.datamodel.predicates import (
    FIELD,
    MEASUREMENT,
    And,
    Compare,
    Exists,
    Not,
    Op,
    Or,
    Predicate,
    columns_of,
)
from fluxkeep.datamodel.series import Tags

Ids = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]

_GROW = 1024
_UNKNOWN = 0xFFFFFFFF
_NO_IDS: Ids = np.empty(0, np.uint32)
# Numbers of series hold for one generation of the parser's memory; there are at most two parsers at work.
_GENERATIONS_MAX = 4
# So few series are found by their tags sooner than by their numbers: indexing arrays hands the interpreter to another
# thread each time, while the engine's lock is held.
_FEW = 16


class _TagColumn:
    """The codes of one tag key; code 0 is absence."""

    def __init__(self, capacity: int) -> None:
        self.values: list[str] = [""]
        self.codes: dict[str, int] = {"": 0}
        self.column = np.zeros(capacity, np.uint32)

    def code(self, value: str) -> int:
        """The code of a value, a new one if it is new."""
        found = self.codes.get(value)
        if found is None:
            found = self.codes[value] = len(self.values)
            self.values.append(value)
        return found


class SeriesIndex:
    """Tag sets and their ids. Safe from any thread; ids are never taken back."""

    def __init__(self, measurement: str) -> None:
        self.measurement = measurement
        self._lock = threading.Lock()
        self._ids: dict[Tags, int] = {}
        self._tags: list[Tags] = []
        self._columns: dict[str, _TagColumn] = {}
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}
        self._capacity = _GROW
        self._generations: dict[int, Ids] = {}
        self._rank: npt.NDArray[np.uint32] = np.empty(0, np.uint32)

    def __len__(self) -> int:
        return len(self._tags)

    def ids(self, tag_sets: Iterable[Tags]) -> Ids:
        """The ids of tag sets, in their order; unknown ones are added."""
        known = self._ids
        try:
            return np.array([known[tags] for tags in tag_sets], np.uint32)
        except KeyError:
            with self._lock:
                return np.array([self._add(tags) for tags in tag_sets], np.uint32)

    def ids_of(self, batch: MeasurementBatch) -> Ids:
        """The ids of a batch's series; of many, those that its generation has brought before cost no look-up."""
        known = batch.known
        if known is None or len(batch.series) < _FEW:
            return self.ids([series.tags for series in batch.series])
        with self._lock:
            remembered = self._generations.get(known.generation, _NO_IDS)
        at = known.numbers
        if len(at) and int(at.max()) < len(remembered):
            ids = remembered[at]
            if int(ids.max()) != _UNKNOWN:
                return ids
        ids = self.ids([series.tags for series in batch.series])
        if len(at):
            self._remember(known, ids)
        return ids

    def _remember(self, known: KnownSeries, ids: Ids) -> None:
        needed = int(known.numbers.max()) + 1
        with self._lock:
            former = self._generations.get(known.generation, _NO_IDS)
            if needed > len(former):
                grown = np.full(max(needed, 2 * len(former)), _UNKNOWN, np.uint32)
                grown[: len(former)] = former
                self._generations[known.generation] = former = grown
            # Who reads meanwhile sees an id or none yet.
            former[known.numbers] = ids
            while len(self._generations) > _GENERATIONS_MAX:
                del self._generations[next(iter(self._generations))]

    def _add(self, tags: Tags) -> int:
        found = self._ids.get(tags)
        if found is not None:
            return found
        new = len(self._tags)
        if new == self._capacity:
            self._capacity *= 2
            for column in self._columns.values():
                grown = np.zeros(self._capacity, np.uint32)
                grown[:new] = column.column
                column.column = grown
        shared = tuple(self._pairs.setdefault(pair, pair) for pair in tags)
        for key, value in shared:
            tag = self._columns.get(key)
            if tag is None:
                tag = self._columns[key] = _TagColumn(self._capacity)
            tag.column[new] = tag.code(value)
        self._tags.append(shared)
        self._ids[shared] = new
        return new

    def tags(self, identifier: int) -> Tags:
        """The tag set of an id."""
        return self._tags[identifier]

    def rank(self) -> npt.NDArray[np.uint32]:
        """Id to its place in the order of tag sets."""
        with self._lock:
            count = len(self._tags)
            if len(self._rank) != count:
                order = sorted(range(count), key=self._tags.__getitem__)
                rank = np.empty(count, np.uint32)
                rank[order] = np.arange(count, dtype=np.uint32)
                self._rank = rank
            return self._rank

    def codes(self, key: str, ids: Ids) -> tuple[Ids, Callable[[int], str]]:
        """The codes that these series have for a tag (0 is absence), and what codes mean."""
        tag = self._columns[key]
        return tag.column[ids], tag.values.__getitem__

    def keys(self, ids: Ids) -> list[str]:
        """The tag keys that any of these series has."""
        return [key for key, tag in list(self._columns.items()) if bool(tag.column[ids].any())]

    def values(self, key: str, ids: Ids) -> list[str]:
        """The values that these series have for a tag, unordered."""
        tag = self._columns.get(key)
        if tag is None:
            return []
        return [tag.values[code] for code in distinct(tag.column[ids], len(tag.values)).tolist() if code]

    def select(self, predicate: Predicate | None, field: str, *, absent_is_empty: bool) -> Mask:
        """Which series satisfy a predicate over tags, `_measurement` and `_field`; by id."""
        count = len(self._tags)
        if predicate is None:
            return np.ones(count, np.bool_)
        return self._evaluate(predicate, field, count, absent_is_empty)[0]

    def decide(self, node: Predicate, field: str, *, absent_is_empty: bool) -> tuple[Mask, Mask]:
        """For which series a predicate is true and for which false; for the rest it is unknown. By id."""
        return self._evaluate(node, field, len(self._tags), absent_is_empty)

    def _evaluate(self, node: Predicate, field: str, count: int, absent_is_empty: bool) -> tuple[Mask, Mask]:
        """(true, false) masks; where neither holds the result is unknown."""
        match node:
            case Not(operand):
                true, false = self._evaluate(operand, field, count, absent_is_empty)
                return false, true
            case And(operands):
                results = [self._evaluate(o, field, count, absent_is_empty) for o in operands]
                return (
                    np.logical_and.reduce([np.ones(count, np.bool_), *(t for t, _ in results)]),
                    np.logical_or.reduce([np.zeros(count, np.bool_), *(f for _, f in results)]),
                )
            case Or(operands):
                results = [self._evaluate(o, field, count, absent_is_empty) for o in operands]
                return (
                    np.logical_or.reduce([np.zeros(count, np.bool_), *(t for t, _ in results)]),
                    np.logical_and.reduce([np.ones(count, np.bool_), *(f for _, f in results)]),
                )
            case Compare(column=column) | Exists(column=column):
                return self._leaf(node, column, field, count, absent_is_empty)

    def _leaf(
        self, node: Compare | Exists, column: str, field: str, count: int, absent_is_empty: bool
    ) -> tuple[Mask, Mask]:
        if column in (MEASUREMENT, FIELD):
            text = self.measurement if column == MEASUREMENT else field
            return _broadcast(matches(node, lambda _: text, absent_is_empty), count)
        tag = self._columns.get(column)
        if tag is None:
            return _broadcast(matches(node, lambda _: None, absent_is_empty), count)
        codes = tag.column[:count]
        true = np.zeros(len(tag.values), np.bool_)
        false = np.zeros(len(tag.values), np.bool_)
        if isinstance(node, Compare) and node.op in (Op.EQ, Op.NE) and isinstance(node.literal, str) and node.literal:
            # One value of possibly a million: look it up instead of comparing each.
            code = tag.codes.get(node.literal)
            false[1:] = True
            false[0] = absent_is_empty
            if code is not None:
                true[code], false[code] = True, False
            return (true[codes], false[codes]) if node.op is Op.EQ else (false[codes], true[codes])
        # Few of many values may be in use where the predicate is asked of an older, shorter index.
        for code in distinct(codes, len(tag.values)).tolist():
            value = tag.values[code] if code else None
            result = matches(node, _constant(value), absent_is_empty)
            true[code] = result is True
            false[code] = result is False
        return true[codes], false[codes]


def distinct(numbers: npt.NDArray[Any], limit: int) -> npt.NDArray[np.int64]:
    """The distinct numbers, ascending, of numbers below a limit; far faster than sorting or hashing them."""
    seen = np.zeros(limit, np.bool_)
    seen[numbers] = True
    return np.flatnonzero(seen)


def _constant(value: str | None) -> Callable[[str], str | None]:
    return lambda _: value


def _broadcast(result: bool | None, count: int) -> tuple[Mask, Mask]:
    return np.full(count, result is True), np.full(count, result is False)


def depends_on_field(predicate: Predicate | None) -> bool:
    """Whether a predicate over series has to be evaluated per field."""
    return FIELD in columns_of(predicate)
