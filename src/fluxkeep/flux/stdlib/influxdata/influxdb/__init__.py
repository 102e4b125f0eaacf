"""`influxdata/influxdb`: reading buckets and listing them.

Source: flux.md §12.
"""

from __future__ import annotations

from collections.abc import Sequence

from fluxkeep.datamodel.tables import Block, Column, ColumnType, make_block
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute.run import Run
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.plan.graph import Effect
from fluxkeep.flux.plan.operations import From
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("influxdata/influxdb")


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
