"""Merge data files: fewer files, no overlaps, deletes applied.

Files of one measurement in one shard group are merged when enough neighbours in
age have come together, each no bigger than about what the younger ones make up
together, so that a row is rewritten a logarithmic number of times. A group that
time has passed by is merged to the end. A file that a delete touches is
rewritten on its own.

A job reads and writes block by block; killed anywhere it leaves an orphan, which
the next start removes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.columns import FieldType
from fluxkeep.datamodel.timerange import EVERYTHING
from fluxkeep.ids import BucketID
from fluxkeep.instants import HOUR
from fluxkeep.storage.catalog import Catalog, StoredFile
from fluxkeep.storage.columns import Rows
from fluxkeep.storage.files import Files
from fluxkeep.storage.flush import write_file
from fluxkeep.storage.manifest import FileEntry
from fluxkeep.storage.merge import merge_sorted
from fluxkeep.storage.parquet_files import NotDecimalError
from fluxkeep.storage.series_index import SeriesIndex
from fluxkeep.storage.settings import StorageOptions
from fluxkeep.storage.shards import Shard
from fluxkeep.storage.sources import FileSource

_SIZE_RATIO = 2


@dataclass(frozen=True, slots=True)
class Job:
    """Files to become one: neighbours in generation, older first."""

    shard: Shard
    index: SeriesIndex
    sources: Sequence[FileSource]


def plan_compaction(catalog: Catalog, options: StorageOptions, now_ns: int) -> Job | None:
    """The next thing worth doing; None if all is well."""
    for shard in catalog.all_shards():
        settled = now_ns >= shard.stop + HOUR
        for measurement, stored in catalog.stored(shard).items():
            healthy = [one for one in stored if one.entry.id not in catalog.corrupt]
            if len(healthy) < len(stored):
                # Merging past a damaged file could let an older value win over one in it.
                continue
            chosen = _deleted_from(catalog, healthy) or _neighbours(
                healthy, 2 if settled else options.compaction_files_min, options.file_bytes_max
            )
            if chosen:
                sources = [catalog.source(one, shard.bucket) for one in chosen]
                return Job(shard, catalog.index(shard.bucket, measurement), sources)
    return None


def _deleted_from(catalog: Catalog, stored: Sequence[StoredFile]) -> Sequence[StoredFile]:
    for one in stored:
        if any(
            t.sequence >= one.entry.applied and t.time_range.overlaps(one.entry.first, one.entry.last)
            for t in catalog.tombstones(BucketID(one.entry.bucket))
        ):
            return [one]
    return []


def _neighbours(stored: Sequence[StoredFile], least: int, bytes_max: int) -> Sequence[StoredFile]:
    """The youngest run of files of which none is much bigger than its younger ones together."""
    for end in range(len(stored), least - 1, -1):
        run: list[StoredFile] = []
        total = 0
        for one in reversed(stored[:end]):
            size = one.entry.bytes
            if total + size > bytes_max or (run and size > _SIZE_RATIO * total):
                break
            run.insert(0, one)
            total += size
        if len(run) >= least:
            return run
    return []


def compact(
    job: Job, files: Files, catalog: Catalog, options: StorageOptions, identifier: int, applied: int
) -> FileEntry | None:
    """Write the job's rows to one new file, not named by the manifest yet.

    Args:
        job: What to merge.
        files: The file layer.
        catalog: For the folder.
        options: Sizes.
        identifier: The new file's number.
        applied: Above every tombstone that the job's sources carry.

    Returns:
        The entry; None if no row is left.

    Raises:
        Corruption: A source is damaged.
        DeviceFull, DeviceFailure: Nothing is left behind.
    """
    types: dict[str, FieldType] = {}
    for source in job.sources:
        types.update(source.types)
    ids = np.unique(np.concatenate([source.file.series.ids for source in job.sources]))
    scales = _common_scales(job.sources, types)
    try:
        return _write(job, files, catalog, options, identifier, applied, types, ids, scales)
    except NotDecimalError:
        # A value fits its own file's digits and not those of all: the columns become floats again.
        return _write(job, files, catalog, options, identifier, applied, types, ids, {})


def _write(
    job: Job,
    files: Files,
    catalog: Catalog,
    options: StorageOptions,
    identifier: int,
    applied: int,
    types: dict[str, FieldType],
    ids: npt.NDArray[np.uint32],
    scales: dict[str, int],
) -> FileEntry | None:
    return write_file(
        files,
        catalog.folder,
        job.shard,
        job.index,
        identifier,
        generation=max(source.entry.generation for source in job.sources),
        applied=applied,
        blocks=_blocks(job, ids, sorted(types), options.scan_block_values),
        ids=ids,
        types=types,
        scales=scales,
        row_group_rows=options.row_group_rows,
    )


def _common_scales(sources: Sequence[FileSource], types: dict[str, FieldType]) -> dict[str, int]:
    """The float columns that every source keeps as decimals, with the digits that hold them all."""
    scales: dict[str, int] = {}
    for name, type_ in types.items():
        if type_ is FieldType.FLOAT:
            found = [source.file.scales().get(name) for source in sources if name in source.types]
            if all(scale is not None for scale in found):
                scales[name] = max(scale for scale in found if scale is not None)
    return scales


def _blocks(job: Job, ids: npt.NDArray[np.uint32], fields: Sequence[str], block_values: int) -> Iterator[Rows]:
    """The merged rows of series after series, about so many values at a time."""
    rank = job.index.rank()
    order = ids[np.argsort(rank[ids])]
    rows = np.zeros(len(rank), np.int64)
    for source in job.sources:
        rows[source.file.series.ids] += source.file.series.rows
    weight = np.cumsum(rows[order] * max(len(fields), 1)) // block_values
    for part in np.split(order, np.flatnonzero(np.diff(weight)) + 1):
        wanted = np.zeros(len(rank), np.bool_)
        wanted[part] = True
        pieces = [
            found
            for source in job.sources
            if (found := source.read(wanted, fields, EVERYTHING, remember=False)) is not None and len(found)
        ]
        if pieces:
            yield merge_sorted(pieces, rank)
