"""Who gets a reader: by name and by id alike, only with permission."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType
from fluxkeep.clock import ManualClock
from fluxkeep.datamodel.memory_reader import MemoryReader
from fluxkeep.datamodel.points import PointBatch
from fluxkeep.datamodel.reader import Reader
from fluxkeep.errors import Forbidden, InvalidInput, NotFound
from fluxkeep.ids import BucketID, IdGenerator, OrgID, UserID
from fluxkeep.influxql.sources import Mapping
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.query.databases import CallerDatabases
from fluxkeep.query.readers import CallerSources
from fluxkeep.secret import Secret
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import Bucket, Organization

ORG, OTHER_ORG, USER = OrgID("00000000000000a1"), OrgID("00000000000000a2"), UserID("00000000000000b1")
MINE = Bucket(id=BucketID("00000000000000c1"), org_id=ORG, name="mine", created_at=0, updated_at=0)
THEIRS = Bucket(id=BucketID("00000000000000c2"), org_id=ORG, name="theirs", created_at=0, updated_at=0)
FOREIGN = Bucket(id=BucketID("00000000000000c3"), org_id=OTHER_ORG, name="foreign", created_at=0, updated_at=0)


def _access(*permissions: Permission, active: bool = True) -> Access:
    return Access(Principal(user_id=USER, org_id=ORG, permissions=PermissionSet(permissions), active=active))


def _to(action: Action, bucket: Bucket) -> Permission:
    return Permission(action, ResourceType.BUCKETS, bucket.org_id, bucket.id)


@pytest.fixture
def tenancy(tmp_path: Path) -> Iterator[Tenancy]:
    clock = ManualClock()
    with ExitStack() as stack:
        store = MetaStore(tmp_path / "records", clock)
        stack.callback(store.close)
        made = Tenancy.open(store, IdGenerator(clock))
        with store.begin() as work:
            draft = made.directory.draft(work)
            for org_id in (ORG, OTHER_ORG):
                draft.put_organization(Organization(id=org_id, name=org_id, created_at=0, updated_at=0))
            for bucket in (MINE, THEIRS, FOREIGN):
                draft.put_bucket(bucket)
        yield made


class Given:
    """Remembers which buckets' readers were given."""

    def __init__(self) -> None:
        self.ids: list[BucketID] = []

    def __call__(self, bucket_id: BucketID) -> Reader:
        self.ids.append(bucket_id)
        return MemoryReader([])


class Done:
    """Remembers what scripts did."""

    def __init__(self) -> None:
        self.written: list[BucketID] = []

    def write(self, access: Access, bucket: Bucket, points: PointBatch) -> None:
        self.written.append(bucket.id)

    def secret(self, access: Access, org_id: OrgID, key: str) -> Secret:
        return Secret(f"{org_id}/{key}")


class TestEffects:
    def test_a_writer_writes_where_it_may(self, tenancy: Tenancy) -> None:
        done = Done()
        access = _access(_to(Action.WRITE, MINE), _to(Action.READ, THEIRS))
        sources = CallerSources(access, ORG, tenancy.directory, Given(), done)
        sources.writer(bucket="mine")(PointBatch(()))
        sources.writer(bucket_id=MINE.id)(PointBatch(()))
        assert done.written == [MINE.id, MINE.id]
        with pytest.raises(Forbidden):
            sources.writer(bucket="theirs")
        with pytest.raises(NotFound):
            sources.writer(bucket_id=FOREIGN.id)

    def test_secrets_are_those_of_the_querys_organization(self, tenancy: Tenancy) -> None:
        assert CallerSources(_access(), ORG, tenancy.directory, Given(), Done()).secret("k") == f"{ORG}/k"


class TestFlux:
    def test_by_name_and_by_id(self, tenancy: Tenancy) -> None:
        given = Given()
        sources = CallerSources(_access(_to(Action.READ, MINE)), ORG, tenancy.directory, given, Done())
        sources.reader(bucket="mine")
        sources.reader(bucket_id=MINE.id.upper())
        assert given.ids == [MINE.id, MINE.id]

    @pytest.mark.parametrize("bucket", [THEIRS, FOREIGN])
    def test_what_may_not_be_read_is_not_there(self, tenancy: Tenancy, bucket: Bucket) -> None:
        given = Given()
        sources = CallerSources(_access(_to(Action.READ, MINE)), ORG, tenancy.directory, given, Done())
        for asked in ({"bucket": bucket.name}, {"bucket_id": str(bucket.id)}):
            with pytest.raises(NotFound) as refused:
                sources.reader(**asked)
            assert refused.value.message == f'could not find bucket "{next(iter(asked.values()))}"'
        assert given.ids == []

    def test_another_organizations_bucket_is_not_there_whatever_is_held(self, tenancy: Tenancy) -> None:
        held = _access(Permission(Action.READ, ResourceType.BUCKETS))
        with pytest.raises(NotFound):
            CallerSources(held, ORG, tenancy.directory, Given(), Done()).reader(bucket_id=FOREIGN.id)

    def test_a_writer_and_an_inactive_token_read_nothing(self, tenancy: Tenancy) -> None:
        for access in (_access(_to(Action.WRITE, MINE)), _access(_to(Action.READ, MINE), active=False)):
            sources = CallerSources(access, ORG, tenancy.directory, Given(), Done())
            with pytest.raises(NotFound):
                sources.reader(bucket="mine")
            with pytest.raises(NotFound) as refused:
                sources.buckets()
            assert refused.value.message == f"no buckets found in organization {ORG}"

    def test_malformed_ids(self, tenancy: Tenancy) -> None:
        sources = CallerSources(_access(), ORG, tenancy.directory, Given(), Done())
        with pytest.raises(InvalidInput) as refused:
            sources.reader(bucket_id="x")
        assert refused.value.message == "invalid bucket id: id must have a length of 16 bytes"

    def test_listing(self, tenancy: Tenancy) -> None:
        sources = CallerSources(_access(_to(Action.READ, MINE)), ORG, tenancy.directory, Given(), Done())
        assert [info.name for info in sources.buckets()] == ["mine"]


class TestDatabases:
    def _of(self, tenancy: Tenancy, access: Access, given: Given, deleted: list[BucketID]) -> CallerDatabases:
        return CallerDatabases(access, tenancy, given, lambda _a, bucket, _r, _p: deleted.append(bucket.id))

    def test_mappings_are_those_that_may_be_read_or_written(self, tenancy: Tenancy) -> None:
        access = _access(_to(Action.READ, MINE), _to(Action.WRITE, THEIRS))
        found = self._of(tenancy, access, Given(), []).mappings()
        assert {(one.database, one.readable, one.writable) for one in found} == {
            ("mine", True, False),
            ("theirs", False, True),
        }

    def test_a_mapping_is_no_permission(self, tenancy: Tenancy) -> None:
        given, deleted = Given(), list[BucketID]()
        databases = self._of(tenancy, _access(_to(Action.READ, MINE)), given, deleted)
        forged = Mapping(database="theirs", policy="autogen", bucket=THEIRS.id, is_default=True)
        with pytest.raises(NotFound):
            databases.reader(forged)
        with pytest.raises(Forbidden):
            databases.delete(forged, None, None)  # type: ignore[arg-type]  # refused before it is looked at
        mine = next(iter(databases.mappings()))
        databases.reader(mine)
        with pytest.raises(Forbidden):
            databases.delete(mine, None, None)  # type: ignore[arg-type]  # refused before it is looked at
        assert (given.ids, deleted) == ([MINE.id], [])
