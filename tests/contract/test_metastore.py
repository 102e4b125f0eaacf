"""What every relational store promises; an implementation joins by adding its maker to `MAKERS`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from fluxkeep.clock import ManualClock
from fluxkeep.errors import Internal
from fluxkeep.ids import BucketID, OrgID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.metastore.tables import metadata
from fluxkeep.metastore.tables.tenancy import buckets, organizations
from fluxkeep.metastore.unit_of_work import Event, UnitOfWork

Maker = Callable[[Path], MetaStore]


def sqlite(folder: Path) -> MetaStore:
    return MetaStore(folder / "influxd.bolt", ManualClock())


MAKERS: tuple[Maker, ...] = (sqlite,)
ORG = OrgID("00000000000000a1")


class Noted(Event):
    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


@pytest.fixture(params=MAKERS, ids=lambda maker: str(maker.__name__))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MetaStore]:
    store = request.param(tmp_path)
    yield store
    store.close()


def add_org(work: UnitOfWork, org: OrgID = ORG, name: str = "one") -> None:
    work.connection.execute(
        organizations.insert().values(id=org, name=name, description="", created_at=work.now_ns, updated_at=work.now_ns)
    )


def count(store: MetaStore) -> int:
    with store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(organizations)).scalar_one())


def test_a_new_store_has_every_table_empty(store: MetaStore) -> None:
    with store.read() as connection:
        for table in metadata.sorted_tables:
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0, table.name


def test_a_commit_is_seen_with_its_types(store: MetaStore) -> None:
    with store.begin() as work:
        add_org(work)
        now = work.now_ns
    with store.read() as connection:
        row = connection.execute(select(organizations)).one()
    assert row == (ORG, "one", "", now, now)
    assert type(row.id) is OrgID


def test_an_exception_leaves_nothing_and_publishes_nothing(store: MetaStore) -> None:
    heard: list[Event] = []
    store.subscribe(heard.extend)

    def stop_half_way() -> None:
        with store.begin() as work:
            add_org(work)
            work.emit(Noted("never"))
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        stop_half_way()
    assert count(store) == 0
    assert heard == []


def test_listeners_hear_of_a_commit_before_begin_returns_and_see_it_in_the_store(store: MetaStore) -> None:
    heard: list[tuple[str, int]] = []

    def listen(events: tuple[Event, ...]) -> None:
        heard.extend((event.text, count(store)) for event in events if isinstance(event, Noted))

    store.subscribe(listen)
    with store.begin() as work:
        add_org(work)
        work.emit(Noted("first"))
        work.emit(Noted("second"))
        assert heard == []
    assert heard == [("first", 1), ("second", 1)]


def test_a_reader_does_not_see_what_is_not_committed(store: MetaStore) -> None:
    with store.begin() as work:
        add_org(work)
        assert count(store) == 0
    assert count(store) == 1


def test_a_write_transaction_is_not_nested(store: MetaStore) -> None:
    with store.begin(), pytest.raises(Internal, match="nested"), store.begin():
        raise AssertionError("entered")
    with store.begin() as work:
        add_org(work)
    assert count(store) == 1


def test_writers_take_turns(store: MetaStore) -> None:
    inside = 0
    most = 0
    failures: list[BaseException] = []

    def write(first: int) -> None:
        nonlocal inside, most
        try:
            for number in range(first, first + 10):
                with store.begin() as work:
                    inside += 1
                    most = max(most, inside)
                    add_org(work, OrgID.of(number), str(number))
                    inside -= 1
        except Exception as error:  # noqa: BLE001  # a thread's failure is the test's
            failures.append(error)

    threads = [threading.Thread(target=write, args=(100 * n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert most == 1
    assert count(store) == 40


def test_references_hold_and_deleting_cascades(store: MetaStore) -> None:
    row = {
        "id": BucketID("00000000000000b1"),
        "org_id": ORG,
        "type": "user",
        "name": "b",
        "description": "",
        "retention_policy_name": "",
        "retention_ns": 0,
        "shard_group_ns": 0,
        "created_at": 0,
        "updated_at": 0,
    }
    with pytest.raises(IntegrityError), store.begin() as work:
        work.connection.execute(buckets.insert().values(row))
    with store.begin() as work:
        add_org(work)
        work.connection.execute(buckets.insert().values(row))
    with pytest.raises(IntegrityError), store.begin() as work:
        work.connection.execute(buckets.insert().values(row | {"id": BucketID("00000000000000b2")}))
    with store.begin() as work:
        work.connection.execute(organizations.delete())
    with store.read() as connection:
        assert connection.execute(select(buckets)).all() == []


def test_names_keep_every_character(store: MetaStore) -> None:
    name = "  Ünïcode\t\"'% \U0001f600 "
    with store.begin() as work:
        add_org(work, name=name)
        add_org(work, OrgID("00000000000000a2"), name.lower())
    with store.read() as connection:
        names = connection.execute(select(organizations.c.name).order_by(organizations.c.id)).scalars().all()
    assert names == [name, name.lower()]


def test_a_closed_store_opens_again_with_its_rows(tmp_path: Path) -> None:
    for maker in MAKERS:
        folder = tmp_path / maker.__name__
        first = maker(folder)
        with first.begin() as work:
            add_org(work)
        first.close()
        first.close()
        second = maker(folder)
        try:
            assert count(second) == 1
        finally:
            second.close()
