"""Readers that stop answering when nobody waits for the answer any more.

Both engines read through them, so what scans is stopped in one place: before a
question, and between the batches of its answer. In the same place it is noted
what an answer lacks because a file is damaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.predicates import Predicate
from fluxkeep.datamodel.reader import FieldSeries, MeasurementSchema, Noticing, Reader, Scan, ScanBatch, ScanRequest
from fluxkeep.datamodel.timerange import EVERYTHING, TimeRange
from fluxkeep.errors import Abandoned
from fluxkeep.ids import BucketID

T = TypeVar("T")
Gone = Callable[[], bool]
# Takes a warning: what is missing from an answer.
Note = Callable[[str], None]


def unnoted(_warning: str) -> None:
    """For whom warnings do not matter."""


def watched(reader_of: Callable[[BucketID], Reader], gone: Gone, note: Note = unnoted) -> Callable[[BucketID], Reader]:
    """The same readers; each raises Abandoned instead of an answer once `gone` says so, and notes what it left out."""
    return lambda bucket_id: WatchedReader(reader_of(bucket_id), gone, note)


@dataclass(frozen=True, slots=True)
class WatchedReader:
    """A `Reader`; every method raises Abandoned once `gone` says so, and otherwise as the one inside."""

    inner: Reader
    gone: Gone
    note: Note = unnoted

    def scan(self, request: ScanRequest) -> Scan:
        """As `Reader.scan`."""
        scan = self._asked().scan(request)
        for warning in scan.warnings:
            self.note(warning)
        return replace(scan, batches=self._while_there(scan.batches))

    def measurements(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """As `Reader.measurements`."""
        return self._noted(self._asked().measurements(time_range, predicate))

    def tag_keys(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """As `Reader.tag_keys`."""
        return self._noted(self._asked().tag_keys(time_range, predicate))

    def tag_values(self, key: str, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """As `Reader.tag_values`."""
        return self._noted(self._asked().tag_values(key, time_range, predicate))

    def field_keys(
        self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None
    ) -> list[tuple[str, str, FieldType]]:
        """As `Reader.field_keys`."""
        return self._noted(self._asked().field_keys(time_range, predicate))

    def schema(self, measurement: str) -> MeasurementSchema:
        """As `Reader.schema`."""
        return self._noted(self._asked().schema(measurement))

    def series(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> Sequence[FieldSeries]:
        """As `Reader.series`."""
        return self._noted(self._asked().series(time_range, predicate))

    def cardinality(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> int:
        """As `Reader.cardinality`."""
        return self._noted(self._asked().cardinality(time_range, predicate))

    def _noted(self, answer: T) -> T:
        """Pass on what was left out of an answer that has no place for it."""
        if isinstance(self.inner, Noticing):
            for warning in self.inner.noticed:
                self.note(warning)
        return answer

    def _asked(self) -> Reader:
        if self.gone():
            raise Abandoned
        return self.inner

    def _while_there(self, batches: Iterator[ScanBatch]) -> Iterator[ScanBatch]:
        for batch in batches:
            self._asked()
            yield batch
