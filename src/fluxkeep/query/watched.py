"""Readers that stop answering when nobody waits for the answer any more.

Both engines read through them, so what scans is stopped in one place: before a
question, and between the batches of its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.predicates import Predicate
from fluxkeep.datamodel.reader import FieldSeries, Reader, Scan, ScanBatch, ScanRequest
from fluxkeep.datamodel.timerange import EVERYTHING, TimeRange
from fluxkeep.errors import Abandoned
from fluxkeep.ids import BucketID

Gone = Callable[[], bool]


def watched(reader_of: Callable[[BucketID], Reader], gone: Gone) -> Callable[[BucketID], Reader]:
    """The same readers; each raises Abandoned instead of an answer once `gone` says so."""
    return lambda bucket_id: WatchedReader(reader_of(bucket_id), gone)


@dataclass(frozen=True, slots=True)
class WatchedReader:
    """A `Reader`; every method raises Abandoned once `gone` says so, and otherwise as the one inside."""

    inner: Reader
    gone: Gone

    def scan(self, request: ScanRequest) -> Scan:
        """As `Reader.scan`."""
        scan = self._asked().scan(request)
        return replace(scan, batches=self._while_there(scan.batches))

    def measurements(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """As `Reader.measurements`."""
        return self._asked().measurements(time_range, predicate)

    def tag_keys(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """As `Reader.tag_keys`."""
        return self._asked().tag_keys(time_range, predicate)

    def tag_values(self, key: str, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """As `Reader.tag_values`."""
        return self._asked().tag_values(key, time_range, predicate)

    def field_keys(
        self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None
    ) -> list[tuple[str, str, FieldType]]:
        """As `Reader.field_keys`."""
        return self._asked().field_keys(time_range, predicate)

    def series(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> Sequence[FieldSeries]:
        """As `Reader.series`."""
        return self._asked().series(time_range, predicate)

    def cardinality(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> int:
        """As `Reader.cardinality`."""
        return self._asked().cardinality(time_range, predicate)

    def _asked(self) -> Reader:
        if self.gone():
            raise Abandoned
        return self.inner

    def _while_there(self, batches: Iterator[ScanBatch]) -> Iterator[ScanBatch]:
        for batch in batches:
            self._asked()
            yield batch
