"""Series of a stopped server as line protocol, one field a line, by column.

Source: cli.md §5.6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.predicates import MEASUREMENT, And, Compare, Op, Or, Predicate
from fluxkeep.datamodel.reader import FieldSeries, Reader, Scan, ScanRequest
from fluxkeep.datamodel.series import Series, series_key
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import InvalidInput
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol import parse


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
    yield from _text(reader.scan(ScanRequest(time_range=time_range, predicate=predicate)))


def series_lines(reader: Reader, time_range: TimeRange, series: Series, fields: Sequence[str] = ()) -> Iterator[bytes]:
    """Blocks of lines of one series, field by field, by time in each.

    Args:
        reader: Of one bucket.
        time_range: Which instants.
        series: With exactly these tags.
        fields: Only these; empty for all.
    """
    columns = [(MEASUREMENT, series.measurement), *series.tags]
    predicate = And(tuple(Compare(name, Op.EQ, value) for name, value in columns))
    scan = reader.scan(ScanRequest(time_range=time_range, predicate=predicate, fields=tuple(fields) or None))
    # The predicate lets series with further tags through too.
    yield from _text(scan, [i for i, one in enumerate(scan.series) if one.tags == series.tags])


def parse_key(text: str) -> Series:
    """A series as line protocol spells it.

    Raises:
        InvalidInput: It is none.
    """
    parsed = parse(text.encode() + b" v=0 0", precision=Precision.NS, now_ns=0)
    if parsed.errors or len(parsed.batch.measurements) != 1 or len(parsed.batch.measurements[0].series) != 1:
        raise InvalidInput(f"{text!r} is no series; write it as measurement,tag=value")
    return parsed.batch.measurements[0].series[0]


def _text(scan: Scan, only: Sequence[int] | None = None) -> Iterator[bytes]:
    heads = pl.Series("head", [_head(series) for series in scan.series], dtype=pl.String)
    for batch in scan.batches:
        rows = batch.frame if only is None else batch.frame.filter(pl.col("series").is_in(only))
        frame = rows.select(
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
