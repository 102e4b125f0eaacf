"""A full restore: killed at every step, staged and given up, and with secrets that another server sealed."""

from __future__ import annotations

import gzip
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.credentials.house import OPERATOR, House

from fluxkeep.backup import restore as restore_module
from fluxkeep.backup.restore import Restores, resume, settled
from fluxkeep.backup.snapshot import Backups
from fluxkeep.clock import ManualClock
from fluxkeep.credentials.hashing import KeyRing
from fluxkeep.credentials.services import CredentialOptions
from fluxkeep.datamodel.reader import ScanRequest
from fluxkeep.errors import Conflict, DeviceFull, FluxkeepError, InvalidInput, NotFound, Unauthorized
from fluxkeep.ids import BucketID
from fluxkeep.instants import MINUTE, Precision
from fluxkeep.lineprotocol import parse
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.resources.sealing import Seal
from fluxkeep.resources.secrets import OrgSecrets
from fluxkeep.secret import Secret
from fluxkeep.storage.engine import Engine
from fluxkeep.storage.outcomes import StoredBucket
from fluxkeep.storage.settings import StorageOptions

OTHER = "another-operator-token-0001-that-is-long-enough"
WEEK_NS = 7 * 24 * 3600 * 10**9


class Site:
    """Records and series of one server."""

    def __init__(self, folder: Path, options: CredentialOptions | None = None, seal: bytes = bytes(32)) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.seal = Seal(seal)
        # As the server starts.
        clock = ManualClock()
        store = MetaStore(folder / "influxd.bolt", clock)
        replacement = resume(store)
        store.close()
        self.house = House(folder, clock, options or CredentialOptions())
        self.engine = Engine(folder / "engine", clock, StorageOptions(background=False), replacement=replacement)
        settled(self.house.store)
        keys = self.house.options.keys
        self.backups = Backups(self.house.store, self.house.tenancy.directory, self.engine, self.seal, keys)
        self.restores = Restores(
            self.house.store, self.house.tenancy.buckets, self.engine, self.house.ids, clock, self.house.options,
            self.seal,
        )  # fmt: skip
        self.secrets = OrgSecrets(self.house.store, self.seal)

    def write(self, lines: str, bucket: BucketID | None = None) -> None:
        body = lines.encode()
        batch = parse(body, precision=Precision.NS, now_ns=0).batch
        self.engine.write(StoredBucket(bucket or self.house.bucket), batch, body, Precision.NS, 0)

    def values(self) -> list[float]:
        """Of all points of the bucket, in order of time."""
        scan = self.engine.reader(self.house.bucket).scan(ScanRequest())
        found = [pair for batch in scan.batches for pair in batch.frame.select("time", "value").iter_rows()]
        return [value for _, value in sorted(found)]

    def close(self) -> None:
        self.engine.close()
        self.house.close()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Site]:
    """Three points in two shard groups."""
    site = Site(tmp_path / "source")
    site.house.set_up()
    site.write(f"m v=1 0\nm v=2 1\nm v=3 {WEEK_NS}")
    yield site
    site.close()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Site]:
    """Other records and one other point."""
    site = Site(tmp_path / "target")
    site.house.set_up(OTHER)
    site.write("m v=9 0")
    yield site
    site.close()


class Archive:
    """What a client would have kept of a backup."""

    def __init__(self, site: Site, token: str = OPERATOR) -> None:
        taken = site.backups.metadata(site.house.access(token), Secret(token))
        self.records = taken.records
        self.shards = {
            shard.id: b"".join(site.backups.shard(site.house.access(token), shard.id)) for shard in site.engine.shards()
        }


def stage(site: Site, archive: Archive, token: str = OTHER) -> str:
    """Send everything but the last step."""
    access = site.house.access(token)
    restored = site.restores.records(
        access, io.BytesIO(archive.records), continue_with=Secret(OPERATOR), presented=Secret(token), staged=True
    )
    for identifier, tar in archive.shards.items():
        site.restores.shard(access, identifier, io.BytesIO(tar), restored.stage)
    return restored.stage


def is_as_before(site: Site) -> bool:
    site.house.access(OTHER)
    with pytest.raises(Unauthorized):
        site.house.access(OPERATOR)
    return site.values() == [9]


def is_restored(site: Site) -> bool:
    site.house.access(OPERATOR)
    with pytest.raises(Unauthorized):
        site.house.access(OTHER)
    return site.values() == [1, 2, 3]


def leftovers(site: Site) -> list[str]:
    """What must be gone after a start, and data files that the manifest does not name."""
    scratch = [path.name for path in site.folder.rglob(".*") if "restore" in path.name or "receiving" in path.name]
    return scratch + [path.name for path in site.engine._catalog.orphans()]


def test_a_staged_restore_replaces_nothing_before_its_last_step(source: Site, target: Site) -> None:
    name = stage(target, Archive(source))
    assert is_as_before(target)
    target.restores.second(target.house.access(OTHER), io.BytesIO(b""), name)
    assert is_restored(target)
    assert leftovers(target) == []
    target.write("m v=4 2")
    assert target.values() == [1, 2, 4, 3]


def test_steps_as_the_stock_client_takes_them(source: Site, target: Site) -> None:
    archive = Archive(source)
    restored = target.restores.records(target.house.access(OTHER), io.BytesIO(archive.records))
    assert restored.stage == ""
    assert restored.token == Secret("")
    assert target.values() == []
    for identifier, tar in archive.shards.items():
        target.restores.shard(target.house.access(OPERATOR), identifier, io.BytesIO(tar))
    assert is_restored(target)


KILLS = ("before the decision", "decided", "records replaced", "series dropped", "series replaced", "forgotten")


@pytest.mark.parametrize("kill", KILLS)
@pytest.mark.parametrize("staged", [True, False])
def test_a_kill_at_any_moment_leaves_all_or_nothing(
    source: Site, target: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: str, staged: bool
) -> None:
    archive = Archive(source)
    copied: list[str] = []

    def at(moment: str) -> None:
        if moment == kill:
            ignore = shutil.ignore_patterns("*.lock", "lock", "*.bolt-shm")
            shutil.copytree(target.folder, tmp_path / "killed", ignore=ignore)
            copied.append(moment)

    def between(owner: object, name: str, before: str, after: str) -> None:
        original = getattr(owner, name)

        def wrapped(*args: object, **kwargs: object) -> object:
            at(before)
            result = original(*args, **kwargs)
            at(after)
            return result

        monkeypatch.setattr(owner, name, wrapped)

    between(restore_module, "decide", "before the decision", "decided")
    between(target.engine, "_replace", "records replaced", "series replaced")
    between(restore_module, "forget_decision", "", "forgotten")
    commits: list[int] = []
    commit = target.engine._catalog.commit

    def counted(edit: object) -> None:
        commit(edit)  # type: ignore[arg-type]
        commits.append(1)
        if len(commits) == 1:
            at("series dropped")

    if staged:
        name = stage(target, archive)
        monkeypatch.setattr(target.engine._catalog, "commit", counted)
        target.restores.second(target.house.access(OTHER), io.BytesIO(b""), name)
    else:
        monkeypatch.setattr(target.engine._catalog, "commit", counted)
        target.restores.records(target.house.access(OTHER), io.BytesIO(archive.records))
    assert copied == [kill]
    monkeypatch.undo()

    again = Site(tmp_path / "killed")
    try:
        if kill == "before the decision":
            assert is_as_before(again)
        elif staged:
            assert is_restored(again)
        else:
            # The first step is whole: the backup's records, its shard groups, none of the target's points.
            assert again.values() == []
            for identifier, tar in archive.shards.items():
                again.restores.shard(again.house.access(OPERATOR), identifier, io.BytesIO(tar))
            assert is_restored(again)
        assert leftovers(again) == []
        # A second try is as good as the first.
        token = OTHER if kill == "before the decision" else OPERATOR
        again.restores.second(again.house.access(token), io.BytesIO(b""), stage(again, archive, token))
        assert is_restored(again)
        again.write("m v=5 3")
    finally:
        again.close()
    once_more = Site(tmp_path / "killed")
    assert once_more.values() == [1, 2, 5, 3]
    once_more.close()


@pytest.mark.parametrize("failing", ["decide", "replace_with"])
def test_a_full_disk_in_the_last_step_changes_nothing(
    source: Site, target: Site, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def full(*_: object) -> None:
        raise DeviceFull("no space left on device")

    name = stage(target, Archive(source))
    monkeypatch.setattr(restore_module if failing == "decide" else target.house.store, failing, full)
    with pytest.raises(DeviceFull):
        target.restores.second(target.house.access(OTHER), io.BytesIO(b""), name)
    monkeypatch.undo()
    assert is_as_before(target)
    assert leftovers(target) == []
    target.restores.second(target.house.access(OTHER), io.BytesIO(b""), stage(target, Archive(source)))
    assert is_restored(target)


def _cut(archive: Archive) -> None:
    first = min(archive.shards)
    archive.shards[first] = archive.shards[first][: len(archive.shards[first]) // 2]


def _damage(archive: Archive) -> None:
    first = min(archive.shards)
    tar = bytearray(archive.shards[first])
    tar[tar.index(b"PAR1") + 4] ^= 0xFF
    archive.shards[first] = bytes(tar)


def _foreign(archive: Archive) -> None:
    archive.shards[min(archive.shards)] = b"no tar at all" * 100


def _cut_records(archive: Archive) -> None:
    archive.records = archive.records[:-5000]


@pytest.mark.parametrize("harm", [_cut, _damage, _foreign, _cut_records])
def test_a_harmed_archive_replaces_nothing(source: Site, target: Site, harm: Callable[[Archive], None]) -> None:
    archive = Archive(source)
    harm(archive)
    with pytest.raises(InvalidInput):
        stage(target, archive)
    assert is_as_before(target)


def test_a_stage_is_given_up_for_another_or_for_resting(source: Site, target: Site) -> None:
    archive, access = Archive(source), target.house.access(OTHER)
    first = stage(target, archive)
    second = stage(target, archive)
    with pytest.raises(Conflict, match="given up"):
        target.restores.second(access, io.BytesIO(b""), first)
    target.house.clock.advance(ns=14 * MINUTE)
    target.restores.give_up_idle()
    with pytest.raises(NotFound):
        target.restores.shard(access, 99, io.BytesIO(next(iter(archive.shards.values()))), second)
    target.house.clock.advance(ns=2 * MINUTE)
    target.restores.give_up_idle()
    with pytest.raises(Conflict, match="given up"):
        target.restores.second(access, io.BytesIO(b""), second)
    assert leftovers(target) == []
    assert is_as_before(target)


def test_a_start_removes_what_was_staged(source: Site, target: Site, tmp_path: Path) -> None:
    stage(target, Archive(source))
    assert leftovers(target) != []
    shutil.copytree(target.folder, tmp_path / "again", ignore=shutil.ignore_patterns("*.lock", "lock", "*.bolt-shm"))
    again = Site(tmp_path / "again")
    assert leftovers(again) == []
    assert is_as_before(again)
    again.close()


def put_secret(site: Site) -> None:
    site.secrets.put(site.house.operator, site.house.org, {"mail": Secret("hidden-value")})


def get_secret(site: Site) -> Secret:
    return site.secrets.get(site.house.operator, site.house.org, "mail")


def restored_elsewhere(source: Site, folder: Path, token: str = OPERATOR, keys: KeyRing | None = None) -> Site:
    """A server with a key of its own, after a full restore."""
    archive = Archive(source)
    other = Site(folder, CredentialOptions(keys=keys), seal=b"\x01" * 32)
    other.house.set_up(OTHER)
    closed = other.restores.records(
        other.house.access(OTHER), io.BytesIO(archive.records), continue_with=Secret(token), presented=Secret(OTHER)
    ).closed_secrets
    other.closed = [key for _, key in closed]  # type: ignore[attr-defined]
    return other


def test_the_token_of_the_backup_opens_its_secrets_on_another_server(source: Site, tmp_path: Path) -> None:
    put_secret(source)
    other = restored_elsewhere(source, tmp_path / "other")
    assert get_secret(other) == Secret("hidden-value")
    assert other.closed == []  # type: ignore[attr-defined]
    other.close()


def test_without_the_token_it_is_said_which_secrets_are_closed(source: Site, tmp_path: Path) -> None:
    put_secret(source)
    second = source.house.mint(*source.house.operator.principal.permissions).token
    assert second is not None
    other = restored_elsewhere(source, tmp_path / "other", second.reveal())
    assert other.closed == ["mail"]  # type: ignore[attr-defined]
    with pytest.raises(FluxkeepError, match="does not open"):
        get_secret(other)
    other.close()


def test_the_key_file_opens_the_secrets_too(tmp_path: Path) -> None:
    keys = KeyRing({"token": b"k" * 32})
    source = Site(tmp_path / "source", CredentialOptions(keys=keys))
    source.house.set_up()
    put_secret(source)
    second = source.house.mint(*source.house.operator.principal.permissions).token
    assert second is not None
    other = restored_elsewhere(source, tmp_path / "other", second.reveal(), keys)
    assert get_secret(other) == Secret("hidden-value")
    other.close()
    source.close()


def test_an_archive_gives_neither_key_nor_secret_away(source: Site) -> None:
    source.seal = Seal(bytes(range(32)))
    put_secret(source)
    archive = Archive(source)
    for content in (archive.records, *archive.shards.values(), gzip.compress(archive.records)):
        for hidden in (bytes(range(32)), bytes(range(32)).hex().encode(), b"hidden-value", OPERATOR.encode()):
            assert hidden not in content
