"""What a query may hold in memory, and readers that heed it.

Both engines count by one account a query: Flux its tables, InfluxQL what it has read
and what it writes. What a store gathers before it answers is bounded by what is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.predicates import Predicate
from fluxkeep.datamodel.reader import FieldSeries, MeasurementSchema, Reader, Scan, ScanBatch, ScanRequest
from fluxkeep.datamodel.timerange import EVERYTHING, TimeRange
from fluxkeep.errors import InvalidInput


class MemoryExceeded(InvalidInput):
    """A query wants to hold more than it may."""

    code = InvalidInput.code


class MemoryAccount:
    """What a query holds; refuses to go over its limit.

    Attributes:
        bytes_max: 0 for no limit.
        used_bytes: Of what is held now.
        peak_bytes: The most there was.
    """

    def __init__(self, bytes_max: int = 0) -> None:
        self.bytes_max = bytes_max
        self.used_bytes = 0
        self.peak_bytes = 0

    def take(self, count: int) -> None:
        """Count what is held from now on.

        Raises:
            MemoryExceeded: That would be more than the limit.
        """
        self.used_bytes += count
        self.peak_bytes = max(self.peak_bytes, self.used_bytes)
        if self.bytes_max and self.used_bytes > self.bytes_max:
            raise self._refusal(self.used_bytes - count, count)

    def require(self, count: int) -> None:
        """Refuse what is being made before all of it is there; nothing is counted.

        Raises:
            MemoryExceeded: As `take`.
        """
        if self.bytes_max and self.used_bytes + count > self.bytes_max:
            raise self._refusal(self.used_bytes, count)

    def give_back(self, count: int) -> None:
        """Count what is held no longer."""
        self.used_bytes -= count

    @property
    def left_bytes(self) -> int:
        """What may still be taken, at least a byte; 0 for no limit."""
        return max(self.bytes_max - self.used_bytes, 1) if self.bytes_max else 0

    def _refusal(self, allocated: int, wanted: int) -> MemoryExceeded:
        return MemoryExceeded(
            f"memory allocation limit reached: limit {self.bytes_max} bytes, allocated: {allocated}, wanted: {wanted}"
        )


@dataclass(frozen=True, slots=True)
class CountedReader:
    """A `Reader` whose scans are counted while they are read, and refused beyond the account's limit.

    Attributes:
        keeps: Whoever reads keeps it all: it stays counted. Otherwise it is only held against the limit.
    """

    inner: Reader
    account: MemoryAccount
    keeps: bool

    def scan(self, request: ScanRequest) -> Scan:
        """As `Reader.scan`; raises MemoryExceeded, from the batches too."""
        scan = self.inner.scan(replace(request, bytes_max=self.account.left_bytes))
        return replace(scan, batches=self._counted(scan.batches))

    def _counted(self, batches: Iterator[ScanBatch]) -> Iterator[ScanBatch]:
        read = 0
        for batch in batches:
            size = int(batch.frame.estimated_size())
            if self.keeps:
                self.account.take(size)
            else:
                read += size
                self.account.require(read)
            yield batch

    def measurements(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """As `Reader.measurements`."""
        return self.inner.measurements(time_range, predicate)

    def tag_keys(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """As `Reader.tag_keys`."""
        return self.inner.tag_keys(time_range, predicate)

    def tag_values(self, key: str, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> list[str]:
        """As `Reader.tag_values`."""
        return self.inner.tag_values(key, time_range, predicate)

    def field_keys(
        self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None
    ) -> list[tuple[str, str, FieldType]]:
        """As `Reader.field_keys`."""
        return self.inner.field_keys(time_range, predicate)

    def schema(self, measurement: str) -> MeasurementSchema:
        """As `Reader.schema`."""
        return self.inner.schema(measurement)

    def series(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> Sequence[FieldSeries]:
        """As `Reader.series`."""
        return self.inner.series(time_range, predicate)

    def cardinality(self, time_range: TimeRange = EVERYTHING, predicate: Predicate | None = None) -> int:
        """As `Reader.cardinality`."""
        return self.inner.cardinality(time_range, predicate)
