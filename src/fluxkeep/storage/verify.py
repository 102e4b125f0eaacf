"""Checking a data folder at rest: every frame, every checksum, every name.

Nothing is changed, and nothing may be writing meanwhile. A finding is a file
and what is wrong with it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fluxkeep.errors import Corruption
from fluxkeep.storage import manifest as manifests
from fluxkeep.storage import wal as wals
from fluxkeep.storage.flush import data_path, series_path
from fluxkeep.storage.frames import read_log
from fluxkeep.storage.manifest import EDIT, State, state_of
from fluxkeep.storage.wal import unpack_record


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written."""

    file: Path
    fault: str
    offset: int = -1


@dataclass(slots=True)
class WalReport:
    """What a WAL folder holds.

    Attributes:
        files: Segments looked at.
        entries: Records that verify.
    """

    files: int
    entries: int
    findings: list[Finding]


@dataclass(slots=True)
class DataReport:
    """What the data folder holds.

    Attributes:
        files: Data files that the manifest names.
        orphans: Files that it does not; the next start removes them.
    """

    files: int
    bytes: int
    rows: int
    tombstones: int
    orphans: list[Path]
    findings: list[Finding]


def load_manifest(data: Path) -> tuple[State, list[Finding]]:
    """The state that a manifest adds up to, and its damage.

    Args:
        data: The folder of data files, which holds the manifest.

    Raises:
        Corruption: It is no manifest at all.
    """
    path = data / manifests.NAME
    state = State()
    if not path.exists():
        return state, []
    content = read_log(path.read_bytes(), manifests.MAGIC, (manifests.VERSION,), file=manifests.NAME)
    findings = [Finding(path, f"expected a frame, found {d.found}", d.offset) for d in content.damage]
    try:
        state = state_of([frame.payload for frame in content.frames if frame.kind == EDIT])
    except ValueError as error:
        findings.append(Finding(path, f"holds an edit that cannot be read: {error}"))
    return state, findings


def verify_wal(folder: Path) -> WalReport:
    """Check every segment of a WAL folder."""
    report = WalReport(0, 0, [])
    for path in sorted(folder.glob("*.wal")) if folder.is_dir() else []:
        report.files += 1
        try:
            content = read_log(path.read_bytes(), wals.MAGIC, (wals.VERSION,), file=path.name)
        except Corruption as error:
            report.findings.append(Finding(path, error.message, error.offset))
            continue
        report.findings += [Finding(path, f"corrupt entry found: {d.found}", d.offset) for d in content.damage]
        for frame in content.frames:
            try:
                if frame.kind == wals.POINTS:
                    unpack_record(frame.payload)
                report.entries += 1
            except ValueError as error:
                report.findings.append(Finding(path, f"corrupt entry found: {error}"))
    return report


def verify_data(data: Path) -> DataReport:
    """Check every file that the manifest names, and list those that it does not."""
    state, findings = load_manifest(data)
    report = DataReport(0, 0, 0, len(state.tombstones), [], findings)
    named: set[Path] = set()
    for entry in state.files.values():
        report.files += 1
        report.rows += entry.rows
        for path, crc in (
            (data_path(data, entry.bucket, entry.shard, entry.id), entry.data_crc),
            (series_path(data, entry.bucket, entry.shard, entry.id), entry.index_crc),
        ):
            named.add(path)
            fault = _fault(path, crc)
            if fault is not None:
                report.findings.append(Finding(path, fault))
            else:
                report.bytes += path.stat().st_size
    report.orphans = [path for path in _data_files(data) if path not in named]
    return report


def _fault(path: Path, crc: int) -> str | None:
    found = 0
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                found = zlib.crc32(block, found)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if found == crc else f"has checksum {found:08x}, the manifest says {crc:08x}"


def _data_files(data: Path) -> Iterator[Path]:
    yield from sorted(data.glob("*/*/*.parquet")) if data.is_dir() else ()
