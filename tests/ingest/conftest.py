"""A store in a folder, an ingest over it, and callers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType, operator_permissions
from fluxkeep.clock import ManualClock
from fluxkeep.datamodel.reader import ScanRequest
from fluxkeep.ids import BucketID, OrgID, UserID
from fluxkeep.ingest import Ingest
from fluxkeep.storage.engine import Engine
from fluxkeep.storage.settings import StorageOptions
from fluxkeep.tenancy.values import Bucket

NOW = 1_800_000_000_123_456_789
ORG = OrgID("00000000000000a1")
USER = UserID("00000000000000b1")
BUCKET = Bucket(id=BucketID("00000000000000c1"), org_id=ORG, name="golden-bucket", created_at=0, updated_at=0)


def access(permissions: PermissionSet) -> Access:
    return Access(Principal(user_id=USER, org_id=ORG, permissions=permissions))


OPERATOR = access(operator_permissions())
READER = access(PermissionSet([Permission(Action.READ, ResourceType.BUCKETS, ORG, BUCKET.id)]))


@dataclass(frozen=True)
class House:
    path: Path
    engine: Engine
    ingest: Ingest
    clock: ManualClock

    def rows(self, bucket: BucketID = BUCKET.id) -> list[tuple[str, dict[str, str], str, int, Any]]:
        """(measurement, tags, field, time, value), in order of series and time."""
        return rows_in(self.engine, bucket)


def rows_in(engine: Engine, bucket: BucketID) -> list[tuple[str, dict[str, str], str, int, Any]]:
    scan = engine.reader(bucket).scan(ScanRequest())
    found = [
        (scan.series[ordinal], time, value)
        for batch in scan.batches
        for ordinal, time, value in batch.frame.select("series", "time", "value").iter_rows()
    ]
    return sorted(
        ((s.measurement, dict(s.tags), s.field, time, value) for s, time, value in found),
        key=lambda row: (row[0], sorted(row[1].items()), row[2], row[3]),
    )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    clock = ManualClock(NOW)
    engine = Engine(tmp_path / "engine", clock, StorageOptions(background=False))
    try:
        yield House(tmp_path / "engine", engine, Ingest(engine, clock), clock)
    finally:
        engine.close()
