"""`experimental/prometheus`: histograms as Prometheus writes them.

Source: flux.md §14; recorded answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from fluxkeep.datamodel.tables import Block, ColumnType
from fluxkeep.errors import InvalidInput
from fluxkeep.flux.execute import integrals, shape
from fluxkeep.flux.execute.regroup import piece_of, rebuild
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value, format_value
from fluxkeep.flux.plan.graph import Transform
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.flux.stdlib.universe.mapping import convert_column
from fluxkeep.flux.stdlib.universe.scalars import to_float

PACKAGE = Package("experimental/prometheus")


@PACKAGE.function("<-tables quantile ?metricVersion ?onNonmonotonic")
def histogramQuantile(call: Call) -> Value:  # noqa: N802 - Flux's name
    """A quantile of buckets in metrics of version 1 or 2."""
    q, version = call.float("quantile"), call.int("metricVersion", 2)
    policy = call.string("onNonmonotonic", "error")
    if version not in (1, 2):
        raise InvalidInput("Invalid metricVersion. Available versions are 1 and 2.")

    def quantiles(blocks: Sequence[Block]) -> list[Block]:
        bounds = "_field" if version == 1 else "le"
        prepared = []
        for block in blocks:
            if block.find(bounds) is None:
                continue
            part = shape.take_rows(block, ~block.series("_field").is_in(["count", "sum"])) if version == 1 else block
            if part.rows.height:
                key = tuple(k for k in part.key if k not in (bounds, "le"))
                moved = rebuild(
                    [piece_of(part, (*key, "_time") if part.find("_time") is not None else key)], sort=False
                )
                for table in moved:
                    relabelled = shape.relabel(table, {bounds: "le"})
                    prepared.append(convert_column(relabelled, "le", ColumnType.FLOAT, to_float))
        merged = rebuild([piece_of(b, b.key) for b in prepared])
        answers = integrals.histogram_quantile(merged, q, "_value", "le", "_value", 0.0, policy)
        text = format_value(q) or ""
        out = []
        for block in answers:
            key = tuple(k for k in block.key if k != "_time")
            (regrouped,) = rebuild([piece_of(block, key)]) if block.table_count else (block,)
            out += shape.set_constant([regrouped], "quantile", text)
        return rebuild([piece_of(b, (*b.key, "quantile")) for b in out])

    return call.node(Transform("histogramQuantile", quantiles), call.stream())
