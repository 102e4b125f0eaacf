"""Columns back to line protocol.

For points that did not come as lines but must be kept as such: the WAL and
`to()`. What is written parses to the same points, or is refused here.

Source: http-api.md §6.3.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.points import FieldColumn, MeasurementBatch, PointBatch, Strings
from fluxkeep.datamodel.series import Series
from fluxkeep.errors import InvalidInput
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol.parser import parse

_OF_MEASUREMENT = re.compile(r'([, ="])')
_OF_TAG = re.compile(r"([,= ])")
_OF_FIELD = re.compile(r'([,"= ])')
_OF_TEXT = re.compile(rb'(["\\])')


def encode(batch: PointBatch) -> bytes:
    """The points as lines with nanosecond timestamps, in the order of their `line`.

    Raises:
        InvalidInput: A name, a number that is no number or a time which line protocol cannot
            spell, such as a tag value that ends in a backslash.
    """
    lines = sorted(itertools.chain.from_iterable(_lines(m) for m in batch.measurements), key=lambda entry: entry[0])
    return b"".join(text for _, text in lines)


def _lines(m: MeasurementBatch) -> Iterator[tuple[int, bytes]]:
    keys = [_key(series) for series in m.series]
    columns = [_elements(column) for column in m.fields]
    rows = zip(m.line.tolist(), m.series_index.tolist(), m.time.tolist(), strict=True)
    for row, (line, series, time) in enumerate(rows):
        fields = b",".join(column[row] for column in columns if column[row])
        yield line, b"%s %s %d\n" % (keys[series], fields, time)


def _key(series: Series) -> bytes:
    head = _OF_MEASUREMENT.sub(r"\\\1", series.measurement)
    tags = (_OF_TAG.sub(r"\\\1", k) + "=" + _OF_TAG.sub(r"\\\1", v) for k, v in series.tags)
    key = ",".join((head, *tags)).encode("utf-8", "replace")
    # The grammar has more corners than rules: let the parser say whether it reads what was meant.
    read = parse(key + b" v=1 0\n", precision=Precision.NS, now_ns=0)
    if read.errors or [m.series for m in read.batch.measurements] != [(series,)]:
        raise InvalidInput(f"line protocol cannot spell the series {series.key}")
    return key


def _elements(column: FieldColumn) -> list[bytes]:
    """Row to `name=value`; empty where the row lacks the field."""
    name = _OF_FIELD.sub(r"\\\1", column.name).encode("utf-8", "replace")
    read = parse(b"m %s=1 0\n" % name, precision=Precision.NS, now_ns=0)
    if read.errors or [f.name for m in read.batch.measurements for f in m.fields] != [column.name]:
        raise InvalidInput(f'line protocol cannot spell the field "{column.name}"')
    texts = [name + b"=" + text for text in _values(column)]
    if column.valid is not None:
        texts = [text if valid else b"" for text, valid in zip(texts, column.valid.tolist(), strict=True)]
    if column.type is FieldType.FLOAT and any(text.endswith((b"=nan", b"inf")) for text in texts):
        raise InvalidInput(f'field "{column.name}" holds a number that is not finite')
    return texts


def _values(column: FieldColumn) -> Iterator[bytes]:
    values = column.values
    if isinstance(values, Strings):
        for start, stop in itertools.pairwise(values.offsets.tolist()):
            yield b'"' + _OF_TEXT.sub(rb"\\\1", values.data[start:stop]) + b'"'
        return
    suffix = {FieldType.INTEGER: b"i", FieldType.UNSIGNED: b"u"}.get(column.type, b"")
    for value in values.tolist():
        yield repr(value).encode() + suffix
