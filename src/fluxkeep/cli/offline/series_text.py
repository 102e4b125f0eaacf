"""Series of a stopped server as line protocol, one field a line, by column.

Source: cli.md §5.6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.predicates import MEASUREMENT, Compare, Op, Or, Predicate
from fluxkeep.datamodel.reader import FieldSeries, Reader, ScanRequest
from fluxkeep.datamodel.series import series_key
from fluxkeep.datamodel.timerange import TimeRange


def lines(reader: Reader, time_range: TimeRange, measurements: Sequence[str] = ()) -> Iterator[bytes]:
    """Blocks of lines, series by series, by time in each.

    Args:
        reader: Of one bucket.
        time_range: Which instants.
        measurements: Only these; empty for all.
    """
    predicate: Predicate | None = None
    if measurements:
        predicate = Or(tuple(Compare(MEASUREMENT, Op.EQ, name) for name in measurements))
    scan = reader.scan(ScanRequest(time_range=time_range, predicate=predicate))
    heads = pl.Series("head", [_head(series) for series in scan.series], dtype=pl.String)
    for batch in scan.batches:
        frame = batch.frame.select(
            pl.concat_str(
                pl.col("series").replace_strict(pl.int_range(len(heads), eager=True), heads, return_dtype=pl.String),
                _value(batch.type),
                pl.lit(" "),
                pl.col("time").cast(pl.String),
            )
        )
        text = frame.to_series().str.join("\n").item()
        if text:
            yield text.encode() + b"\n"


def _head(series: FieldSeries) -> str:
    field = series.field
    for special in ",= ":
        field = field.replace(special, "\\" + special)
    return f"{series_key(series.measurement, series.tags)} {field}="


def _value(kind: FieldType) -> pl.Expr:
    value = pl.col("value")
    match kind:
        case FieldType.STRING:
            escaped = value.str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
            return pl.concat_str(pl.lit('"'), escaped, pl.lit('"'))
        case FieldType.INTEGER:
            return value.cast(pl.String) + "i"
        case FieldType.UNSIGNED:
            return value.cast(pl.String) + "u"
        case _:
            return value.cast(pl.String)
