"""What of a shard group a scan is to read, as of one moment."""

from __future__ import annotations

from collections.abc import Sequence

from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.storage.catalog import Catalog
from fluxkeep.storage.memtable import Memtable
from fluxkeep.storage.shards import Shard
from fluxkeep.storage.sources import ShardSources, memory_sources


def sources_of(
    catalog: Catalog,
    shard: Shard,
    time_range: TimeRange,
    measurement: str | None,
    tables: Sequence[Memtable],
    warnings: list[str],
) -> dict[str, ShardSources]:
    """By measurement, what in files and memtables may hold rows within a range; the engine's lock is held.

    Args:
        catalog: Knows the files.
        shard: The group.
        time_range: Files outside it are left out.
        measurement: One, or all.
        tables: Memtables, older first.
        warnings: Damaged files that were left out are added.
    """
    stored = catalog.stored(shard)
    partitions = [table.of_shard(shard.id) for table in tables]
    names = set(stored).union(*({p.measurement for p in ps} for ps in partitions))
    if measurement is not None:
        names &= {measurement}
    found: dict[str, ShardSources] = {}
    for name in names:
        files = []
        for one in stored.get(name, ()):
            if not time_range.overlaps(one.entry.first, one.entry.last):
                continue
            if one.entry.id in catalog.corrupt:
                warnings.append(f"a damaged data file was left out: {catalog.corrupt[one.entry.id]}")
                continue
            files.append(catalog.source(one, shard.bucket))
        memory = [
            source for ps in partitions for p in ps if p.measurement == name for source in memory_sources(*p.snapshot())
        ]
        if files or memory:
            found[name] = ShardSources(shard, files, memory)
    return found
