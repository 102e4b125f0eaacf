"""Every knob of the store, with its unit and default."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageOptions:
    """Limits and sizes; the defaults suit a machine with two cores and a gigabyte to spare.

    Attributes:
        wal_segment_bytes: Size to which a WAL segment is preallocated.
        wal_compression_level: zstd level of payloads; negative levels are faster.
        memtable_flush_bytes: A memtable of this size is sealed and flushed.
        memtable_bytes_max: Writes wait, then are refused, while memtables hold more.
        write_wait_seconds_max: How long a write waits for a flush before it is refused.
        flush_idle_seconds: A memtable that nothing was written to for so long is flushed.
        row_group_rows: Rows of one Parquet row group, the unit that a pruned read decodes.
        file_bytes_max: Compaction does not merge files beyond this size together.
        compaction_files_min: So many neighbouring files of similar size are merged.
        open_files_max: Data files kept open for reading.
        column_cache_bytes_max: Columns of data files that scans have decoded are kept up to this size.
        sort_rows_min: A scan sorts memtable rows for itself and all later ones when there are so many; fewer
            are read as they are, which costs no more.
        scan_block_values: A scan streams blocks of about so many values.
        background: Flush and compact on a thread of the engine's own; else only when called.
    """

    wal_segment_bytes: int = 32 * MIB
    wal_compression_level: int = 1
    memtable_flush_bytes: int = 96 * MIB
    memtable_bytes_max: int = 256 * MIB
    write_wait_seconds_max: float = 5.0
    flush_idle_seconds: float = 600.0
    row_group_rows: int = 131_072
    file_bytes_max: int = 64 * MIB
    compaction_files_min: int = 4
    open_files_max: int = 256
    column_cache_bytes_max: int = 128 * MIB
    sort_rows_min: int = 4_096
    scan_block_values: int = 4_000_000
    background: bool = True
