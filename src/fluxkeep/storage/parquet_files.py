"""Data files: a Parquet file of rows and a Parquet file that indexes its series.

`<id>.parquet`: the tags (dictionary strings, null = absent), `time` (timestamp
in ns, UTC), the fields (null = absent), sorted by series, then time. A float
column all of whose values are decimals of a few digits is kept as DECIMAL when
dividing gives every bit back: a quarter of the size.

`<id>.series.parquet`: a row per series in the same order: the tags, `rows`,
`first`, `last`, and for each field with absent values how many the series has.

The format is described in docs/formats/parquet.md.
"""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.points import Bools, Int64s, Strings
from fluxkeep.datamodel.series import Tags
from fluxkeep.errors import Corruption
from fluxkeep.storage.columns import Column, Rows, concatenate, cut, cut_rows, strings_from_arrow, strings_to_arrow
from fluxkeep.storage.runs import SeriesPlaces
from fluxkeep.storage.series_index import SeriesIndex

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from fluxkeep.storage.file_cache import FileCache

T = TypeVar("T")

FORMAT_VERSION = 1
_METADATA_KEY = b"fluxkeep"
_LEVEL = 3
# Of floats in full precision one eighth in four compresses at all; what there is to find costs little more.
_FLOAT_LEVEL = 6
_DECIMAL_DIGITS_MAX = 4
# Unscaled decimals up to here are exact as doubles, so one division gives the value back.
_EXACT_MAX = 1 << 53
_TIME = "time"
_PAGE_BYTES_MAX = 4 << 20
_SAMPLE = 4096
_SAMPLE_ROWS = 8192
# What is tried for a column, best guess first; None is a dictionary. Walks are smallest as deltas, noise
# with its bytes split, a few values as a dictionary; docs/formats/parquet.md has figures. Texts and booleans
# are not tried: a dictionary, bits.
_CANDIDATES: dict[FieldType, tuple[str | None, ...]] = {
    FieldType.FLOAT: ("BYTE_STREAM_SPLIT", None),
    FieldType.INTEGER: ("DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", None),
    FieldType.UNSIGNED: ("DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", None),
}


class NotDecimalError(ValueError):
    """A column that was to be kept as decimals has a value that would not come back bit by bit."""


@dataclass(frozen=True, slots=True)
class EncodedFile:
    """Both files' bytes and what the manifest says of them."""

    data: memoryview
    index: memoryview
    rows: int
    series: int
    first: int
    last: int
    data_crc: int
    index_crc: int
    fields: tuple[tuple[str, str], ...]


class FileEncoder:
    """Builds one data file from sorted blocks; memory grows by the encoded bytes only."""

    def __init__(
        self,
        index: SeriesIndex,
        ids: npt.NDArray[np.uint32],
        types: Mapping[str, FieldType],
        scales: Mapping[str, int],
        row_group_rows: int,
        facts: Mapping[str, object],
    ) -> None:
        """Begin a file.

        Args:
            index: Of the measurement.
            ids: The series that may have rows, in order.
            types: The fields that may have values.
            scales: Of float fields that are decimals: digits after the point. See `decimal_scale`.
            row_group_rows: Rows of one row group.
            facts: Strings and numbers to keep in the file's metadata.
        """
        import pyarrow as pa

        self._index = index
        self._types = dict(sorted(types.items()))
        self._scales = scales
        self._row_group_rows = row_group_rows
        self._tag_keys = sorted(index.keys(ids))
        self._names = column_names(self._tag_keys, self._types)
        self._counts: dict[str, list[npt.NDArray[np.int64]]] = {name: [] for name in self._types}
        self._ids: list[npt.NDArray[np.uint32]] = []
        self._rows_of: list[Int64s] = []
        self._first: list[Int64s] = []
        self._last: list[Int64s] = []
        self._sink = pa.BufferOutputStream()
        # One dictionary of each tag for the whole file, so that blocks can share a row group.
        self._place_of = _inverse(ids)
        self._dictionaries = [self._tag_dictionary(key, ids) for key in self._tag_keys]
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        tag_type = pa.dictionary(pa.int32(), pa.string())
        schema = [pa.field(self._names[("tag", k)], tag_type) for k in self._tag_keys]
        schema.append(pa.field("time", pa.timestamp("ns", "UTC"), nullable=False))
        schema += [pa.field(self._names[("field", n)], self._arrow_type(n)) for n in self._types]
        note = {
            "version": FORMAT_VERSION,
            "tags": {k: self._names[("tag", k)] for k in self._tag_keys},
            "fields": {n: [self._names[("field", n)], t.value] for n, t in self._types.items()},
            **facts,
        }
        self._note = {_METADATA_KEY: json.dumps(note, ensure_ascii=False).encode()}
        self._schema = pa.schema(schema, metadata=self._note)
        self._writer: pq.ParquetWriter | None = None

    def _begin(self, sample: Rows) -> pq.ParquetWriter:
        """Open the Parquet file, with each column's encoding chosen by a sample of its values."""
        import pyarrow.parquet as pq

        encodings = {"time": "DELTA_BINARY_PACKED"}
        dictionaries = [self._names[("tag", key)] for key in self._tag_keys]
        split: set[str] = set()
        for name, type_ in self._types.items():
            column = sample.columns.get(name)
            best = None
            kept_as = type_ if name not in self._scales else FieldType.INTEGER
            if column is not None and kept_as in _CANDIDATES:
                array = to_arrow(column, type_, self._scales.get(name))
                best = min(_CANDIDATES[kept_as], key=partial(_encoded_size, array))
            elif kept_as in _CANDIDATES:
                best = _CANDIDATES[kept_as][0]
            if best is None:
                dictionaries.append(self._names[("field", name)])
            else:
                encodings[self._names[("field", name)]] = best
                if kept_as is FieldType.FLOAT:
                    split.add(self._names[("field", name)])
        return pq.ParquetWriter(
            self._sink,
            self._schema,
            compression="zstd",
            compression_level={column: _FLOAT_LEVEL if column in split else _LEVEL for column in self._schema.names},
            use_dictionary=dictionaries,
            column_encoding=encodings,
            store_decimal_as_integer=True,
            write_page_checksum=True,
            write_statistics=["time"],
            # A row group's column is one page, so that with its bytes split each eighth is compressed apart.
            max_rows_per_page=self._row_group_rows,
            data_page_size=_PAGE_BYTES_MAX,
        )

    def add(self, rows: Rows) -> None:
        """Append a block: sorted, behind all former ones; whole series, a series in one block only."""

        if not len(rows):
            return
        if self._writer is None:
            self._writer = self._begin(cut_rows(rows, 0, _SAMPLE_ROWS))
        edges = np.concatenate(([0], np.flatnonzero(rows.ids[1:] != rows.ids[:-1]) + 1))
        series = rows.ids[edges]
        ends = np.append(edges[1:], len(rows))
        self._ids.append(series)
        self._rows_of.append(ends - edges)
        self._first.append(rows.time[edges])
        self._last.append(rows.time[ends - 1])
        for name in self._types:
            column = rows.columns.get(name)
            if column is None:
                self._counts[name].append(np.zeros(len(series), np.int64))
            elif column.valid is None:
                self._counts[name].append(ends - edges)
            else:
                self._counts[name].append(np.add.reduceat(column.valid.astype(np.int64), edges))
        start = 0
        while start < len(rows):
            stop = min(start + self._row_group_rows - self._waiting_rows, len(rows))
            self._waiting.append(self._batch(rows, start, stop))
            self._waiting_rows += stop - start
            if self._waiting_rows == self._row_group_rows:
                self._write_group(self._writer)
            start = stop

    def _batch(self, rows: Rows, start: int, stop: int) -> pa.RecordBatch:
        """Some rows of a block as they stand in the file."""
        import pyarrow as pa

        place = self._place_of[rows.ids[start:stop]]
        arrays: list[pa.Array] = []
        for codes, missing, values in self._dictionaries:
            mask = missing[place] if missing is not None else None
            arrays.append(pa.DictionaryArray.from_arrays(pa.array(codes[place], mask=mask), values))
        arrays.append(pa.array(rows.time[start:stop]).view(pa.timestamp("ns", "UTC")))
        for name, type_ in self._types.items():
            column = rows.columns.get(name)
            if column is None:
                arrays.append(pa.nulls(stop - start, self._arrow_type(name)))
            else:
                arrays.append(to_arrow(cut(column, start, stop), type_, self._scales.get(name)))
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _write_group(self, writer: pq.ParquetWriter) -> None:
        """Write what waits as one row group."""
        import pyarrow as pa

        if self._waiting:
            # In one piece: a page ends where a chunk does.
            table = pa.Table.from_batches(self._waiting, self._schema).combine_chunks()
            writer.write_table(table, row_group_size=self._row_group_rows)
        self._waiting, self._waiting_rows = [], 0

    def finish(self) -> EncodedFile:
        """Close the file and make its index."""
        if self._writer is not None:
            self._write_group(self._writer)
            self._writer.close()
        data = memoryview(self._sink.getvalue())
        index = memoryview(self._index_bytes())
        rows = int(sum(int(r.sum()) for r in self._rows_of))
        return EncodedFile(
            data=data,
            index=index,
            rows=rows,
            series=sum(len(i) for i in self._ids),
            first=min((int(f.min()) for f in self._first), default=0),
            last=max((int(f.max()) for f in self._last), default=0),
            data_crc=zlib.crc32(data),
            index_crc=zlib.crc32(index),
            fields=tuple((name, type_.value) for name, type_ in self._types.items()),
        )

    def _index_bytes(self) -> pa.Buffer:
        import pyarrow as pa
        import pyarrow.parquet as pq

        ids = np.concatenate(self._ids) if self._ids else np.empty(0, np.uint32)
        names: list[str] = []
        arrays: list[pa.Array] = []
        for key in self._tag_keys:
            codes, missing, values = self._tag_dictionary(key, ids)
            names.append(self._names[("tag", key)])
            arrays.append(pa.DictionaryArray.from_arrays(pa.array(codes, mask=missing), values))
        empty = [np.empty(0, np.int64)]
        rows = np.concatenate(self._rows_of or empty)
        for name, parts in (("rows", self._rows_of), ("first", self._first), ("last", self._last)):
            names.append(f"#{name}")
            arrays.append(pa.array(np.concatenate(parts or empty)))
        for name, counts in self._counts.items():
            total = np.concatenate(counts or empty)
            if not np.array_equal(total, rows):
                names.append(f"#count:{name}")
                arrays.append(pa.array(total))
        table = pa.table(arrays, names=names).replace_schema_metadata(self._note)
        sink = pa.BufferOutputStream()
        pq.write_table(
            table,
            sink,
            compression="zstd",
            compression_level=_LEVEL,
            write_page_checksum=True,
            use_dictionary=[self._names[("tag", k)] for k in self._tag_keys],
            column_encoding={n: "DELTA_BINARY_PACKED" for n in names if n.startswith("#")},
            write_statistics=False,
        )
        return sink.getvalue()

    def _tag_dictionary(self, key: str, ids: npt.NDArray[np.uint32]) -> tuple[Any, Any, pa.Array]:
        """(codes, mask of absent or None, values) of one tag for series."""
        import pyarrow as pa

        codes, values = self._index.codes(key, ids)
        used, dense = np.unique(codes, return_inverse=True)
        texts = [values(code) for code in used.tolist()]
        dense = dense.astype(np.int32)
        if len(used) and used[0] == 0:
            # Code 0 is absence; it gets no dictionary entry.
            return np.maximum(dense - 1, 0), dense == 0, pa.array(texts[1:], pa.string())
        return dense, None, pa.array(texts, pa.string())

    def _arrow_type(self, name: str) -> pa.DataType:
        return arrow_type(self._types[name], self._scales.get(name))


def _inverse(ids: npt.NDArray[np.uint32]) -> npt.NDArray[np.int32]:
    """Id to its place among ids."""
    place = np.zeros(int(ids.max()) + 1 if len(ids) else 0, np.int32)
    place[ids] = np.arange(len(ids), dtype=np.int32)
    return place


def _encoded_size(array: pa.Array, encoding: str | None) -> int:
    """Bytes of a column in one encoding, compressed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if encoding == "BYTE_STREAM_SPLIT":
        # In a sample the eighths would share a compressed block, which those of a full page do not.
        codec = pa.Codec("zstd", compression_level=_LEVEL)
        array = array.drop_null()
        split = np.frombuffer(array.buffers()[1], np.uint8)[8 * array.offset :][: 8 * len(array)].reshape(-1, 8)
        return sum(len(codec.compress(split[:, i].tobytes())) for i in range(8))
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.table([array], names=["x"]),
        sink,
        compression="zstd",
        compression_level=_LEVEL,
        use_dictionary=encoding is None,
        column_encoding=None if encoding is None else {"x": encoding},
        store_decimal_as_integer=True,
        write_statistics=False,
    )
    return len(sink.getvalue())


def column_names(tag_keys: Sequence[str], fields: Mapping[str, FieldType]) -> dict[tuple[str, str], str]:
    """Column names: a tag's and a field's own, with a suffix where that is taken."""
    names: dict[tuple[str, str], str] = {}
    taken = {"time"}
    for kind, keys in (("tag", tag_keys), ("field", fields)):
        for key in keys:
            name = key
            while name in taken:
                name += f"_{kind}"
            taken.add(name)
            names[(kind, key)] = name
    return names


def decimal_scale(columns: Sequence[Column]) -> int | None:
    """Digits after the point with which every value of a float column is an exact decimal; None if there are none."""
    scale = 0
    for column in columns:
        assert not isinstance(column.values, Strings)
        values = column.values if column.valid is None else column.values[column.valid]
        found = _scale_of(values[:_SAMPLE], scale)
        found = None if found is None else _scale_of(values, found)
        if found is None:
            return None
        scale = found
    # A scale that only a later column needed must hold for all.
    for column in columns:
        assert not isinstance(column.values, Strings)
        values = column.values if column.valid is None else column.values[column.valid]
        if not _is_decimal(values, scale):
            return None
    return scale


def _scale_of(values: npt.NDArray[np.float64], least: int) -> int | None:
    for scale in range(least, _DECIMAL_DIGITS_MAX + 1):
        if _is_decimal(values, scale):
            return scale
    return None


def _is_decimal(values: npt.NDArray[np.float64], scale: int) -> bool:
    with np.errstate(invalid="ignore", over="ignore"):
        unscaled = np.rint(values * 10.0**scale)
        if not bool((np.abs(unscaled) < _EXACT_MAX).all()):
            return False
        # Bits, not values: a negative zero would come back positive.
        return bool(((unscaled + 0.0) / 10.0**scale).view(np.int64).__eq__(values.view(np.int64)).all())


def arrow_type(type_: FieldType, scale: int | None) -> pa.DataType:
    """The Arrow type of a field's column."""
    import pyarrow as pa

    if scale is not None:
        return pa.decimal64(18, scale)
    return {
        FieldType.FLOAT: pa.float64(),
        FieldType.INTEGER: pa.int64(),
        FieldType.UNSIGNED: pa.uint64(),
        FieldType.BOOLEAN: pa.bool_(),
        FieldType.STRING: pa.large_string(),
    }[type_]


def to_arrow(column: Column, type_: FieldType, scale: int | None) -> pa.Array:
    """A column for Parquet."""
    import pyarrow as pa

    if isinstance(column.values, Strings):
        return strings_to_arrow(column.values, column.valid)
    mask = None if column.valid is None else ~column.valid
    if scale is None:
        return pa.array(column.values, arrow_type(type_, None), mask=mask)
    kept = column.values if column.valid is None else column.values[column.valid]
    if not _is_decimal(kept, scale):
        raise NotDecimalError(f"a value is no decimal of {scale} digits")
    unscaled = np.rint(column.values * 10.0**scale).astype(np.int64)
    bits = None if column.valid is None else pa.py_buffer(np.packbits(column.valid, bitorder="little"))
    return pa.Array.from_buffers(arrow_type(type_, scale), len(column), [bits, pa.py_buffer(unscaled)])


def from_arrow(array: pa.ChunkedArray, type_: FieldType) -> Column:
    """A column of a Parquet file."""
    import pyarrow as pa

    whole = array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks)
    valid: Bools | None = None
    if whole.null_count:
        valid = np.asarray(whole.is_valid())
    if type_ is FieldType.STRING:
        return Column(type_, strings_from_arrow(whole), valid)
    if type_ is FieldType.BOOLEAN:
        return Column(type_, np.asarray(whole.fill_null(False) if valid is not None else whole), valid)
    buffer = whole.buffers()[1]
    if pa.types.is_decimal(whole.type):
        unscaled = np.frombuffer(buffer, np.int64)[whole.offset : whole.offset + len(whole)]
        values: npt.NDArray[Any] = unscaled / 10.0**whole.type.scale
    else:
        values = np.frombuffer(buffer, type_.numpy)[whole.offset : whole.offset + len(whole)]
    if valid is not None:
        values = np.where(valid, values, np.zeros(1, values.dtype))
    return Column(type_, values, valid)


def _places(table: pa.Table, tag_columns: Mapping[str, str], fields: Sequence[str], index: SeriesIndex) -> SeriesPlaces:
    """What an index file says; its series get ids."""
    rows: Int64s = table.column("#rows").to_numpy()
    names = set(table.column_names)
    return SeriesPlaces(
        index.ids(_tag_sets(table, tag_columns)),
        rows,
        table.column("#first").to_numpy(),
        table.column("#last").to_numpy(),
        {f: table.column(f"#count:{f}").to_numpy() if f"#count:{f}" in names else rows for f in fields},
    )


def _tag_sets(table: pa.Table, tag_columns: Mapping[str, str]) -> list[Tags]:
    """The tag set of each row."""
    keys = sorted(tag_columns)
    columns = [table.column(tag_columns[key]).to_pylist() for key in keys]
    if not keys:
        return [()] * table.num_rows
    return [
        tuple((k, v) for k, v in zip(keys, row, strict=True) if v is not None) for row in zip(*columns, strict=True)
    ]


class DataFile:
    """One data file, opened when first read. Safe from any thread.

    Attributes:
        types: Fields and their types.
        gone: Dropped; who still reads it may, but nothing of it is to be kept.
    """

    def __init__(
        self, data: Path, series: Path, name: str, fields: Sequence[tuple[str, str]], index: SeriesIndex
    ) -> None:
        self._data = data
        self._series_path = series
        self._name = name
        self._index = index
        self._lock = threading.Lock()
        self._file: pq.ParquetFile | None = None
        self._series: SeriesPlaces | None = None
        self._group_starts: Int64s = np.zeros(1, np.int64)
        self._columns: dict[str, str] = {}
        self.types = {field: FieldType(type_) for field, type_ in fields}
        self.gone = False

    @property
    def series(self) -> SeriesPlaces:
        """The index; read once and kept."""
        with self._lock:
            if self._series is None:
                self._series = self._guard(self._read_series)
            return self._series

    def read(
        self,
        start: int,
        stop: int,
        fields: Sequence[str],
        *,
        with_time: bool = True,
        cache: FileCache | None = None,
    ) -> tuple[Int64s, dict[str, Column]]:
        """The rows start..stop: times and columns of some fields; what is decoded goes into the cache, if one is given.

        Raises:
            Corruption: The file is not what was written.
        """

        def read() -> tuple[Int64s, dict[str, Column]]:
            return self._read(start, stop, fields, with_time, cache)

        with self._lock:
            return self._guard(read)

    def scales(self) -> dict[str, int]:
        """The float fields that are kept as decimals, and their digits after the point.

        Raises:
            Corruption: The file is not what was written.
        """

        def read() -> dict[str, int]:
            schema = self._open().schema_arrow
            scale_of = {f: getattr(schema.field(column).type, "scale", None) for f, column in self._columns.items()}
            return {f: scale for f, scale in scale_of.items() if scale is not None}

        with self._lock:
            return self._guard(read)

    def close(self) -> None:
        """Close the file's handle; the next read opens it again."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _read(
        self, start: int, stop: int, fields: Sequence[str], with_time: bool, cache: FileCache | None
    ) -> tuple[Int64s, dict[str, Column]]:
        file = self._open()
        first = int(np.searchsorted(self._group_starts, start, side="right")) - 1
        last = int(np.searchsorted(self._group_starts, stop, side="left"))
        wanted = {self._columns[f]: self.types[f] for f in fields}
        if with_time:
            wanted[_TIME] = FieldType.INTEGER
        parts: dict[str, list[Column]] = {column: [] for column in wanted}
        for group in range(first, last):
            offset = int(self._group_starts[group])
            size = int(self._group_starts[group + 1]) - offset
            a, b = max(start - offset, 0), min(stop - offset, size)
            for column, values in self._group(file, group, wanted, cache).items():
                parts[column].append(values if b - a == size else cut(values, a, b))
        columns = {f: concatenate(parts[self._columns[f]]) for f in fields}
        if not with_time:
            return np.empty(0, np.int64), columns
        time = concatenate(parts[_TIME]).values
        assert not isinstance(time, Strings)
        return time, columns

    def _group(
        self, file: pq.ParquetFile, group: int, wanted: Mapping[str, FieldType], cache: FileCache | None
    ) -> dict[str, Column]:
        """Columns of one row group, decoded or remembered."""
        found: dict[str, Column] = {}
        if cache is not None:
            found = {c: known for c in wanted if (known := cache.find(self, group, c)) is not None}
        missing = [column for column in wanted if column not in found]
        if missing:
            table = file.read_row_group(group, columns=missing, use_threads=len(missing) > 1)
            for column in missing:
                decoded = from_arrow(table.column(column), wanted[column])
                found[column] = decoded
                if cache is not None:
                    cache.keep(self, group, column, decoded)
        return found

    def _open(self) -> pq.ParquetFile:
        if self._file is None:
            import pyarrow.parquet as pq

            file = pq.ParquetFile(self._data, memory_map=True, page_checksum_verification=True)
            metadata = file.metadata
            note = _note(file.schema_arrow.metadata)
            self._columns = {field: column for field, (column, _) in note["fields"].items()}
            rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
            self._group_starts = np.concatenate(([0], np.cumsum(rows)))
            self._file = file
        return self._file

    def _read_series(self) -> SeriesPlaces:
        import pyarrow.parquet as pq

        table = pq.read_table(self._series_path, page_checksum_verification=True, partitioning=None)
        note = _note(table.schema.metadata)
        return _places(table, note["tags"], list(self.types), self._index)

    def _guard(self, read: Callable[[], T]) -> T:
        import pyarrow as pa

        try:
            return read()
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            raise Corruption(f"data file {self._name} can't be read: {error}", file=self._name) from error


def _note(metadata: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    note: dict[str, Any] = json.loads((metadata or {})[_METADATA_KEY])
    if note["version"] != FORMAT_VERSION:
        raise ValueError(f"format version {note['version']} is not known here")
    return note
