"""Writing and deleting for a caller: from the body of a request to points that are durable.

    permission ──▶ parse (all or nothing) ──▶ store (point by point) ──▶ what was refused

The bucket has been resolved and the body unpacked by who calls. Line protocol
with a bad line is refused whole; what storage refuses of good lines is told,
and the rest is kept.

Source: http-api.md §6, §7.1, §9.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from fluxkeep.access.decisions import Access
from fluxkeep.clock import Clock
from fluxkeep.datamodel.points import PointBatch
from fluxkeep.datamodel.predicates import Predicate
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import Forbidden, Internal, InvalidInput, Unprocessable
from fluxkeep.ids import BucketID
from fluxkeep.ingest.partial import PointRules, inspect, refusal_text
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol import ParseLimits, SeriesMemory, encode, parse
from fluxkeep.metrics import Metrics
from fluxkeep.storage.outcomes import StoredBucket, WriteOutcome
from fluxkeep.storage.write_plan import retention_bound
from fluxkeep.tenancy.values import Bucket


class Store(Protocol):
    """What ingest needs of the store; see `storage.engine.Engine`."""

    def write(
        self,
        bucket: StoredBucket,
        batch: PointBatch,
        payload: bytes,
        precision: Precision,
        now_ns: int,
        refused: Iterable[int] = (),
        /,
    ) -> WriteOutcome:
        """Keep the points but those in `refused`; durable on return."""
        ...

    def delete(self, bucket: BucketID, time_range: TimeRange, predicate: Predicate | None = None, /) -> None:
        """Forget the points; durable on return."""
        ...


class Ingest:
    """The only way for a caller's points into the store, and out of it by deletion."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        limits: ParseLimits | None = None,
        rules: PointRules | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """Take what the house has built.

        Args:
            store: Where points go.
            clock: Gives points without a timestamp theirs.
            limits: Of what is parsed.
            rules: For points.
            metrics: Counts points that were stored and that were refused.
        """
        self._store = store
        self._clock = clock
        self._limits = limits or ParseLimits()
        self._rules = rules or PointRules()
        self._metrics = metrics or Metrics()
        self._memory = SeriesMemory()

    def require_write(self, access: Access, bucket: Bucket) -> None:
        """Return only if the caller may write to the bucket; asked before a body is even unpacked.

        Raises:
            Forbidden: Source: http-api.md §6.2.
        """
        if not access.allows(bucket.to_write):
            raise Forbidden("insufficient permissions for write")

    def write(self, access: Access, bucket: Bucket, body: bytes, precision: Precision) -> None:
        """Store the points of a body; durable on return. Writing the same again changes nothing.

        Args:
            access: The caller's.
            bucket: Where to.
            body: Line protocol, unpacked.
            precision: Unit of its timestamps.

        Raises:
            Forbidden: No write permission; the body has not been looked at.
            InvalidInput: Lines that cannot be parsed; nothing is stored.
            Unprocessable: Points that were refused; the others are stored.
            Unavailable: No space or no room; nothing is stored.
            Internal: The device failed; the points may be found after a restart.

        Source: http-api.md §6.2, §6.4, §6.5.
        """
        self.require_write(access, bucket)
        now = self._clock.now_ns()
        parsed = parse(body, precision=precision, now_ns=now, limits=self._limits, memory=self._memory)
        if parsed.error_count:
            raise InvalidInput(parsed.report)
        self._store_points(bucket, parsed.batch, body, precision, now)

    def write_points(self, access: Access, bucket: Bucket, batch: PointBatch) -> None:
        """Store points that did not come as lines, as `to()` makes them; otherwise like `write`.

        Raises:
            InvalidInput: Line protocol, in which points are kept, cannot spell them.
        """
        self.require_write(access, bucket)
        body = encode(batch)
        now = self._clock.now_ns()
        # Parsed again so that ordinals and columns are those of the text that is kept.
        parsed = parse(body, precision=Precision.NS, now_ns=now, memory=self._memory)
        self._store_points(bucket, parsed.batch, body, Precision.NS, now)

    def _store_points(self, bucket: Bucket, batch: PointBatch, body: bytes, precision: Precision, now: int) -> None:
        if not batch.measurements:
            return
        stored = StoredBucket(bucket.id, bucket.retention_ns, bucket.shard_group_ns)
        findings = inspect(batch, self._rules, retention_bound(stored, now))
        try:
            outcome = self._store.write(stored, batch, body, precision, now, findings.refused.tolist())
        except Internal as error:
            raise Internal(f"unexpected error writing points to database: {error.message}") from error
        self._metrics.points_written.observe(outcome.accepted)
        self._metrics.points_refused.observe(batch.point_count - outcome.accepted)
        text = refusal_text(stored, findings, outcome.refusals)
        if text is not None:
            raise Unprocessable(text)

    def delete(self, access: Access, bucket: Bucket, time_range: TimeRange, predicate: Predicate | None) -> None:
        """Delete the points of a range, all fields of the series that match; durable on return, idempotent.

        Args:
            access: The caller's.
            bucket: Where.
            time_range: Nothing is deleted in an empty one.
            predicate: Over tags and `_measurement`; an absent tag compares as "". None for all series.

        Raises:
            Forbidden: No write permission.
            Internal: The device failed.

        Source: http-api.md §9.
        """
        if not access.allows(bucket.to_write):
            raise Forbidden("insufficient permissions to delete")
        if time_range.is_empty:
            return
        try:
            self._store.delete(bucket.id, time_range, predicate)
        except Internal as error:
            raise Internal(f"unable to delete: {error.message}: {error.message}") from error


# Source: http-api.md §7.1.
_V1_PRECISIONS = {
    "us": Precision.US,
    "u": Precision.US,
    "µ": Precision.US,
    "μ": Precision.US,
    "ms": Precision.MS,
    "s": Precision.S,
    "m": Precision.M,
    "h": Precision.H,
}


def v1_precision(text: str) -> Precision:
    """The precision of a v1 write, which is never refused: what is not known is nanoseconds.

    The reference scales explicit timestamps by `us`, `ms` and `s` only; v1 clients
    mean `u`, `m` and `h` as InfluxDB 1 did, so they are scaled too.
    """
    return _V1_PRECISIONS.get(text, Precision.NS)
