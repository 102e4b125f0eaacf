"""The time series store: WAL, memtable, Parquet files, manifest. Knows bucket ids, never names, orgs or users."""

from fluxkeep.storage.engine import Engine
from fluxkeep.storage.outcomes import (
    BeyondRetention,
    Refusal,
    RefusedPoint,
    StoredBucket,
    TypeConflicts,
    WriteOutcome,
)
from fluxkeep.storage.settings import StorageOptions

__all__ = [
    "BeyondRetention",
    "Engine",
    "Refusal",
    "RefusedPoint",
    "StorageOptions",
    "StoredBucket",
    "TypeConflicts",
    "WriteOutcome",
]
