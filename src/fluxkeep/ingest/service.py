"""Writing and deleting for a caller: from the body of a request to points that are durable.

    permission ──▶ parse (all or nothing) ──▶ store (point by point) ──▶ what was refused

The bucket has been resolved and the body unpacked by who calls. Line protocol
with a bad line is refused whole; what storage refuses of good lines is told,
and the rest is kept.

Source: http-api.md §6, §7.1, §9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fluxkeep.access.decisions import Access
from fluxkeep.clock import Clock
from fluxkeep.datamodel.points import PointBatch
from fluxkeep.datamodel.predicates import Predicate
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import Forbidden, Internal, InvalidInput, Unprocessable
from fluxkeep.ids import BucketID
from fluxkeep.ingest.partial import Findings, PointRules, inspect, refusal_text
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol import ParseLimits, SeriesMemory, encode, parse
from fluxkeep.metrics import Metrics
from fluxkeep.storage.outcomes import StoredBucket, Write, WriteOutcome
from fluxkeep.storage.write_plan import retention_bound
from fluxkeep.tenancy.values import Bucket


class Store(Protocol):
    """What ingest needs of the store; see `storage.engine.Engine`."""

    def write_all(self, writes: Sequence[Write], /) -> list[WriteOutcome | Exception]:
        """Keep the points but those refused; durable on return."""
        ...

    def delete(self, bucket: BucketID, time_range: TimeRange, predicate: Predicate | None = None, /) -> None:
        """Forget the points; durable on return."""
        ...


@dataclass(frozen=True, slots=True)
class Writing:
    """What a caller wants to have written.

    Attributes:
        access: The caller's.
        bucket: Where to.
        body: Line protocol, unpacked.
        precision: Unit of its timestamps.
    """

    access: Access
    bucket: Bucket
    body: bytes
    precision: Precision


@dataclass(frozen=True, slots=True)
class _Checked:
    """A body that can be stored, and what is refused of it before."""

    write: Write
    findings: Findings


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

    def write(self, writing: Writing) -> None:
        """Store the points of a body; durable on return. Writing the same again changes nothing.

        Raises:
            Forbidden: No write permission; the body has not been looked at.
            InvalidInput: Lines that cannot be parsed; nothing is stored.
            Unprocessable: Points that were refused; the others are stored.
            Unavailable: No space or no room; nothing is stored.
            Internal: The device failed; the points may be found after a restart.

        Source: http-api.md §6.2, §6.4, §6.5.
        """
        (error,) = self.write_all([writing])
        if error is not None:
            raise error

    def write_all(self, writings: Sequence[Writing]) -> list[Exception | None]:
        """Store the points of several bodies, in this order, with one sync for all; durable on return.

        Returns:
            For each the error that `write` would raise.

        Raises:
            Unavailable: No room; of all of them nothing is stored.
        """
        errors: list[Exception | None] = [None] * len(writings)
        checked: dict[int, _Checked] = {}
        for number, writing in enumerate(writings):
            try:
                found = self._check(writing)
            except Exception as error:  # noqa: BLE001  # its own writer's
                errors[number] = error
                continue
            if found is not None:
                checked[number] = found
        outcomes = self._store.write_all([one.write for one in checked.values()]) if checked else []
        for (number, one), outcome in zip(checked.items(), outcomes, strict=True):
            errors[number] = self._told(one, outcome)
        return errors

    def write_points(self, access: Access, bucket: Bucket, batch: PointBatch) -> None:
        """Store points that did not come as lines, as `to()` makes them; otherwise like `write`.

        Raises:
            InvalidInput: Line protocol, in which points are kept, cannot spell them.
        """
        self.require_write(access, bucket)
        # Parsed again so that ordinals and columns are those of the text that is kept.
        self.write(Writing(access, bucket, encode(batch), Precision.NS))

    def _check(self, writing: Writing) -> _Checked | None:
        """Parse a body and apply the rules; None where there is no point in it."""
        self.require_write(writing.access, writing.bucket)
        now = self._clock.now_ns()
        parsed = parse(writing.body, precision=writing.precision, now_ns=now, limits=self._limits, memory=self._memory)
        if parsed.error_count:
            raise InvalidInput(parsed.report)
        batch = parsed.batch
        if not batch.measurements:
            return None
        bucket = writing.bucket
        stored = StoredBucket(bucket.id, bucket.retention_ns, bucket.shard_group_ns)
        findings = inspect(batch, self._rules, retention_bound(stored, now))
        write = Write(stored, batch, writing.body, writing.precision, now, findings.refused.tolist())
        return _Checked(write, findings)

    def _told(self, checked: _Checked, outcome: WriteOutcome | Exception) -> Exception | None:
        """Count what became of a write, and say what its writer is to know."""
        if isinstance(outcome, Internal):
            error = Internal(f"unexpected error writing points to database: {outcome.message}")
            error.__cause__ = outcome
            return error
        if isinstance(outcome, Exception):
            return outcome
        write = checked.write
        self._metrics.points_written.observe(outcome.accepted)
        self._metrics.points_refused.observe(write.batch.point_count - outcome.accepted)
        text = refusal_text(write.bucket, checked.findings, outcome.refusals)
        return None if text is None else Unprocessable(text)

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
