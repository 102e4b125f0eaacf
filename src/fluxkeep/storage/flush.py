"""Make a data file of sorted rows and put it on the device.

Used by flushes, whose rows come from a memtable, and by compaction, whose rows
come from data files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.storage.columns import Column, Rows
from fluxkeep.storage.files import Files, device_errors
from fluxkeep.storage.manifest import FileEntry
from fluxkeep.storage.merge import merge_rows
from fluxkeep.storage.parquet_files import FORMAT_VERSION, FileEncoder, decimal_scale
from fluxkeep.storage.series_index import SeriesIndex
from fluxkeep.storage.shards import Shard


def data_path(folder: Path, bucket: str, shard: int, identifier: int) -> Path:
    """Where a data file's rows are."""
    return folder / bucket / str(shard) / f"{identifier}.parquet"


def series_path(folder: Path, bucket: str, shard: int, identifier: int) -> Path:
    """Where a data file's index is."""
    return folder / bucket / str(shard) / f"{identifier}.series.parquet"


def flush_rows(
    files: Files,
    folder: Path,
    shard: Shard,
    index: SeriesIndex,
    identifier: int,
    sequence: int,
    chunks: Iterable[Rows],
    row_group_rows: int,
) -> FileEntry | None:
    """Write a memtable partition's chunks, older before newer, to a file; see `write_file`.

    Args:
        files, folder, shard, index, identifier, row_group_rows: See `write_file`.
        sequence: Above those of all writes in the chunks; the file's generation.
        chunks: Rows as they were written.
    """
    pieces = list(chunks)
    rows = merge_rows(pieces, index.rank()) if pieces else None
    if rows is None or not len(rows):
        return None
    types = types_of(rows.columns)
    return write_file(
        files,
        folder,
        shard,
        index,
        identifier,
        generation=sequence,
        applied=sequence,
        blocks=[rows],
        ids=np.unique(rows.ids),
        types=types,
        scales=scales_of({name: [rows.columns[name]] for name in types}),
        row_group_rows=row_group_rows,
    )


def types_of(columns: Mapping[str, Column]) -> dict[str, FieldType]:
    """The fields that have a value in some row."""
    return {n: c.type for n, c in columns.items() if c.valid is None or bool(c.valid.any())}


def scales_of(columns: Mapping[str, Iterable[Column]]) -> dict[str, int]:
    """The digits after the point of the float columns that hold decimals."""
    scales: dict[str, int] = {}
    for name, parts in columns.items():
        floats = [part for part in parts if part.type is FieldType.FLOAT]
        if floats and (scale := decimal_scale(floats)) is not None:
            scales[name] = scale
    return scales


def write_file(
    files: Files,
    folder: Path,
    shard: Shard,
    index: SeriesIndex,
    identifier: int,
    generation: int,
    applied: int,
    blocks: Iterable[Rows],
    ids: npt.NDArray[np.uint32],
    types: Mapping[str, FieldType],
    scales: Mapping[str, int],
    row_group_rows: int,
) -> FileEntry | None:
    """Encode blocks of rows and write both files, synced; not yet named by the manifest.

    Args:
        files: The file layer.
        folder: The folder of all data.
        shard: What the rows belong to.
        index: Of the measurement.
        identifier: The new file's number.
        generation: See `FileEntry`.
        applied: See `FileEntry`.
        blocks: Sorted rows, block behind block; a series lies in one block.
        ids: The series that may have rows.
        types: The fields that may have values.
        scales: See `scales_of`.
        row_group_rows: Rows of a row group.

    Returns:
        The entry to commit; None if there were no rows, and then there is no file.

    Raises:
        DeviceFull: No space; nothing is left behind.
        DeviceFailure: The device failed.
    """
    facts = {
        "bucket": str(shard.bucket),
        "shard": shard.id,
        "measurement": index.measurement,
        "generation": generation,
        "applied": applied,
    }
    encoder = FileEncoder(index, ids, types, scales, row_group_rows, facts)
    for block in blocks:
        encoder.add(block)
    encoded = encoder.finish()
    if not encoded.rows:
        return None
    data = data_path(folder, str(shard.bucket), shard.id, identifier)
    series = series_path(folder, str(shard.bucket), shard.id, identifier)
    with device_errors("writing a data file"):
        files.make_directory(data.parent)
        try:
            files.write(data, encoded.data)
            files.write(series, encoded.index)
            files.sync_directory(data.parent)
        except OSError:
            files.remove(data)
            files.remove(series)
            raise
    return FileEntry(
        id=identifier,
        format=FORMAT_VERSION,
        bucket=str(shard.bucket),
        shard=shard.id,
        measurement=index.measurement,
        generation=generation,
        applied=applied,
        rows=encoded.rows,
        series=encoded.series,
        first=encoded.first,
        last=encoded.last,
        bytes=len(encoded.data) + len(encoded.index),
        data_crc=encoded.data_crc,
        index_crc=encoded.index_crc,
        fields=encoded.fields,
    )
