"""`influxdata/influxdb`: reading buckets and listing them.

Source: flux.md §12.
"""

from __future__ import annotations

from collections.abc import Sequence

from fluxkeep.datamodel.predicates import Predicate
from fluxkeep.datamodel.reader import Reader
from fluxkeep.datamodel.tables import Block, Column, ColumnType, make_block
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.run import Run
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.plan.graph import Effect
from fluxkeep.flux.plan.operations import From, IndexRead
from fluxkeep.flux.stdlib.influxdata.influxdb import writing
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.instants import MAX_TIME_NS, MIN_TIME_NS

PACKAGE = Package("influxdata/influxdb")
PACKAGE.include(writing.PART)


@PACKAGE.function("?bucket ?bucketID ?org ?orgID ?host ?token")
def from_(call: Call) -> Value:
    """Read a bucket; the planner wants a `range` after it."""
    if call.has("host"):
        raise InvalidInput("reads from a remote host are not supported here")
    if not call.has("bucket") and not call.has("bucketID"):
        raise InvalidInput("must specify bucket or bucketID")
    if call.has("bucket") and call.has("bucketID"):
        raise InvalidInput("must specify only one of bucket or bucketID")
    bucket = call.string("bucket") if call.has("bucket") else None
    bucket_id = call.string("bucketID") if call.has("bucketID") else None
    return call.node(From(bucket, bucket_id))


_BUCKETS = (
    Column("name", ColumnType.STRING),
    Column("id", ColumnType.STRING),
    Column("organizationID", ColumnType.STRING),
    Column("retentionPolicy", ColumnType.STRING),
    Column("retentionPeriod", ColumnType.INT),
)


@PACKAGE.function("?org ?orgID ?host ?token")
def buckets(call: Call) -> Value:
    """The buckets that the caller may see."""

    def listing(_: Sequence[Sequence[Block]], run: Run) -> Sequence[Block]:
        found = list(run.evaluator.sources.buckets())
        values: dict[str, list[str] | list[int]] = {
            "name": [b.name for b in found],
            "id": [b.id for b in found],
            "organizationID": [b.org_id for b in found],
            "retentionPolicy": [""] * len(found),
            "retentionPeriod": [b.retention_ns for b in found],
        }
        return [make_block(_BUCKETS, (), [()], values, [0] * len(found))]

    return call.node(Effect("buckets", listing))


@PACKAGE.function("?bucket ?bucketID ?org ?orgID ?host ?token start ?stop ?predicate")
def cardinality(call: Call) -> Value:
    """How many series a bucket has in a range."""
    from fluxkeep.flux.stdlib.influxdata.influxdb.schema import bound, series_predicate

    now = call.evaluator.now()
    time_range = TimeRange(max(bound(call, "start", now), MIN_TIME_NS), min(bound(call, "stop", now), MAX_TIME_NS))
    predicate = series_predicate(call)
    bucket = call.string("bucket") if call.has("bucket") else None
    bucket_id = call.string("bucketID") if call.has("bucketID") else None
    return call.node(
        IndexRead(
            name="cardinality",
            source=From(bucket, bucket_id),
            time_range=time_range,
            question=lambda reader: [_cardinality(reader, time_range, predicate)],
            kind=ColumnType.INT,
        )
    )


def _cardinality(reader: Reader, time_range: TimeRange, predicate: Predicate | None) -> int:
    return reader.cardinality(time_range, predicate)
