"""Everything that reads bytes from disk or wire, fed by a coverage-guided fuzzer.

    python -m tests.fuzz.readers wal --runs 1000000
    python -m tests.fuzz.readers all --runs 10000000

A target takes any bytes. It may refuse them with the error that its reader
documents; any other exception, a crash, or an answer that is not what was
written ends the run with an exit code that is not 0, and the input is kept.
Inputs are raw files or, since checksums would stop nearly all of those, what
stands inside a frame that verifies, and changes to a good file.

`all` shares the runs out over the targets, one process after the other.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import struct
import subprocess
import sys
import tempfile
import types
import zlib
from collections.abc import Callable
from pathlib import Path

import atheris
import numpy as np
from tests.fuzz.lineprotocol import corpus as line_corpus
from tests.lineprotocol.same import assert_same, assert_same_batch
from tests.storage.kit import open_engine, write

from fluxkeep.datamodel.point_rows import point
from fluxkeep.errors import Corruption, InvalidInput
from fluxkeep.ids import BucketID
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol import encode, parse, pure
from fluxkeep.storage import frames, manifest, parquet_files, tombstones, wal
from fluxkeep.storage.flush import data_path, series_path
from fluxkeep.storage.frames import Frame, header, pack_frame, read_log
from fluxkeep.storage.parquet_files import DataFile
from fluxkeep.storage.series_index import SeriesIndex
from fluxkeep.storage.settings import StorageOptions
from fluxkeep.storage.tombstones import predicate_from_json, predicate_to_json
from fluxkeep.storage.verify import load_manifest

_MARK = struct.pack("<I", frames.MARK)
NOW = 1_700_000_000_123_456_789
# Of a hundred runs of `all`; a data file takes a hundred times as long as a frame.
SHARES = {"lines": 45, "wal": 30, "manifest": 15, "tombstone": 8, "parquet": 2}

Target = Callable[[bytes], None]


# --- line protocol -------------------------------------------------------------------------------


def lines(data: bytes) -> None:
    """Read by the scanner; of every sixteenth body the twin must say the same, and what is good survives encoding."""
    parsed = parse(data, precision=Precision.NS, now_ns=NOW)
    if zlib.crc32(data) % 16:
        return
    assert_same(parsed, pure.parse(data, precision=Precision.NS, now_ns=NOW))
    if any(f.name[:1] in ("\t", "\0") for m in parsed.batch.measurements for f in m.fields):
        return  # a name that has no spelling as the first field
    try:
        encoded = encode(parsed.batch)
    except InvalidInput:
        return  # a tag that only a line can hold which is read leniently
    again = parse(encoded, precision=Precision.NS, now_ns=NOW)
    assert not again.errors
    assert_same_batch(again.batch, parsed.batch)


# --- framed logs ---------------------------------------------------------------------------------


def _log(magic: bytes, data: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """A log of frames that verify, then damaged: 3 bytes say where and how, the rest are payloads."""
    where, what, payloads = data[:2], data[2:3] or b"\0", data[3:].split(b"\xff")
    log = header(magic, 1)
    written = []
    for number, payload in enumerate(payloads, 1):
        log += pack_frame(1, number, len(log), payload)
        written.append((number, payload))
    damaged = bytearray(log + bytes(64))
    damaged[int.from_bytes(where, "little") % len(damaged)] ^= what[0]
    return bytes(damaged), written


def _frames(data: bytes, magic: bytes) -> list[Frame]:
    """Frames of a log, raw or made; none may be that was not written."""
    kind, rest = data[:1], data[1:]
    if kind < b"\x80":
        try:
            return list(read_log(rest, magic, (1,), file="fuzzed").frames)
        except Corruption:
            return []
    log, written = _log(magic, rest)
    if any(_MARK in payload for _, payload in written):
        return []  # the bytes of a frame inside a payload cannot be told from a frame for certain
    try:
        found = read_log(log, magic, (1,), file="fuzzed")
    except Corruption:
        return []
    numbers = [(frame.sequence, frame.payload) for frame in found.frames]
    # One changed byte costs one frame at most, and is noticed unless it could be the torn end.
    assert [one for one in written if one in numbers] == numbers
    assert len(numbers) >= len(written) - 1
    assert len(numbers) == len(written) or found.damage or written[-1] not in numbers
    return list(found.frames)


def wal_target(data: bytes) -> None:
    """Segments and the records in them."""
    for payload in [frame.payload for frame in _frames(data, wal.MAGIC)] or [data]:
        try:
            record = wal.unpack_record(payload)
        except ValueError:
            continue
        packed = wal.pack_payload(record.payload, 1)
        again = wal.unpack_record(
            wal.pack_record(record.bucket, record.precision_ns, record.arrival_ns, record.refused, packed)
        )
        assert (again.bucket, again.precision_ns, again.arrival_ns, again.payload) == (
            record.bucket,
            record.precision_ns,
            record.arrival_ns,
            record.payload,
        )
        assert np.array_equal(again.refused, record.refused)


def manifest_target(data: bytes) -> None:
    """Manifests and the edits in them; what edits add up to is what its snapshot makes."""
    payloads = [frame.payload for frame in _frames(data, manifest.MAGIC)] or [data]
    try:
        state = manifest.state_of(payloads)
    except ValueError:
        return
    again = manifest.State()
    again.apply(state.snapshot())
    assert again == state


def tombstone(data: bytes) -> None:
    """Predicates of deletes."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        predicate = predicate_from_json(value)
    except ValueError:
        return
    assert predicate_from_json(predicate_to_json(predicate)) == predicate


# --- data files ----------------------------------------------------------------------------------


class _Parquet:
    """A good data file, of which every input is a damaged copy."""

    def __init__(self, folder: Path) -> None:
        engine = open_engine(folder / "engine", StorageOptions(background=False, row_group_rows=16))
        points = [
            point("m", {"host": h, "zone": "z"}, {"f": n / 4, "i": n, "s": f"t{n % 3}", "b": n % 2 == 0, "x": n / 7}, n)
            for h in "abc"
            for n in range(12)
        ]
        write(engine, points)
        engine.close()
        state, _ = load_manifest(folder / "engine" / "data")
        (entry,) = state.files.values()
        place = (folder / "engine" / "data", entry.bucket, entry.shard, entry.id)
        self._fields = entry.fields
        self._good = [data_path(*place).read_bytes(), series_path(*place).read_bytes()]
        self._paths = [folder / "fuzzed.parquet", folder / "fuzzed.series.parquet"]
        assert self._read(self._good)

    def __call__(self, data: bytes) -> None:
        """One file is damaged: cut, or some bytes changed."""
        which, cut = data[:1] < b"\x80", data[1:2]
        contents = list(self._good)
        chosen = bytearray(contents[which])
        if cut == b"\0":
            del chosen[int.from_bytes(data[2:4], "little") % len(chosen) :]
        elif cut == b"\1":
            chosen = bytearray(data[2:])
        else:
            for at in range(2, len(data) - 2, 3):
                chosen[int.from_bytes(data[at : at + 2], "little") % len(chosen)] ^= data[at + 2]
        contents[which] = bytes(chosen)
        self._read(contents)

    def _read(self, contents: list[bytes]) -> int:
        for path, content in zip(self._paths, contents, strict=True):
            path.write_bytes(content)
        file = DataFile(self._paths[0], self._paths[1], "fuzzed", self._fields, SeriesIndex("m"))
        try:
            places = file.series
            file.scales()
            time, columns = file.read(0, int(places.rows.sum()), [name for name, _ in self._fields])
            return len(time) + len(columns)
        except Corruption:
            return 0
        finally:
            file.close()


# --- running -------------------------------------------------------------------------------------


def _corpus(target: str) -> list[bytes]:
    record = wal.pack_record(
        BucketID("00000000000000aa"), 1, NOW, np.array([1], np.uint32), wal.pack_payload(b"m v=1 1\n" * 40, 1)
    )
    edit = manifest.Edit(
        add_shards=(manifest.ShardEntry(1, "00000000000000aa", 0, 10),),
        add_files=(
            manifest.FileEntry(
                id=1, format=1, bucket="00000000000000aa", shard=1, measurement="m", generation=2, applied=2, rows=1,
                series=1, first=0, last=5, bytes=100, data_crc=1, index_crc=2, fields=(("v", "float"),),
            ),
        ),
        add_tombstones=(manifest.TombstoneEntry(3, "00000000000000aa", 0, 9, ["and", ["==", "host", "a"]]),),
        dropped_buckets=(("00000000000000ab", 3),),
        next_file=2,
        sequence=4,
    )  # fmt: skip
    edits = manifest.encode_edit(edit)
    predicates: list[object] = [
        ["==", "host", "a"], ["exists", "b"], ["not", ["<", "v", 1.5]], ["or", ["=~", "x", "y"], ["and"]], None, True,
    ]  # fmt: skip
    match target:
        case "lines":
            return line_corpus()
        case "wal":
            log = header(wal.MAGIC, 1) + pack_frame(1, 1, 0, record)
            return [record, b"\0" + log, b"\0" + log + pack_frame(0, 0, 16, b""), b"\x80\x20\0\1" + record]
        case "manifest":
            log = header(manifest.MAGIC, 1) + pack_frame(1, 1, 0, edits)
            return [edits, b"\0" + log, b"\x80\x20\0\1" + edits, b"{}"]
        case "tombstone":
            return [json.dumps(one).encode() for one in predicates]
        case _:
            return [b"\0\2\4\0\1", b"\x80\2\4\0\1", b"\0\0\x40\0", b"\x80\0\x40\0", b"\0\1PAR1"]


def _target(name: str, folder: Path) -> Target:
    if name == "parquet":
        return _Parquet(folder)
    return {"lines": lines, "wal": wal_target, "manifest": manifest_target, "tombstone": tombstone}[name]


def _instrument(*modules: types.ModuleType) -> None:
    """Let the fuzzer see which lines of these modules an input reaches."""
    for module in modules:
        for owner in (module, *(one for one in vars(module).values() if inspect.isclass(one))):
            for one in vars(owner).values():
                if inspect.isfunction(one) and one.__module__ == module.__name__:
                    atheris.instrument_func(one)


def fuzz(name: str, runs: int, seed: int, kept: Path) -> None:
    """Run one target; ends the process."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seeded in enumerate(_corpus(name)):
        (corpus / str(number)).write_bytes(seeded)
    target = _target(name, folder)
    _instrument(sys.modules[__name__], frames, wal, manifest, tombstones, parquet_files, pure)
    arguments = [f"-runs={runs}", f"-seed={seed}", "-max_len=1024", "-rss_limit_mb=4096", "-timeout=20"]
    arguments += ["-print_final_stats=1", "-verbosity=0", f"-artifact_prefix={kept}/{name}-", str(corpus)]
    atheris.Setup([sys.argv[0], *arguments], target)
    atheris.Fuzz()


def run(name: str, runs: int, seed: int, kept: Path) -> tuple[int, str]:
    """Run one target in a process of its own; gives how many inputs it took, and what was wrong or nothing."""
    command = [sys.executable, "-m", "tests.fuzz.readers", name, "--runs", str(runs), "--seed", str(seed)]
    done = subprocess.run([*command, "--keep", str(kept)], capture_output=True, text=True, errors="replace")
    counted = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    return int(counted[1]) if counted else 0, "" if done.returncode == 0 else done.stderr[-4000:] + done.stdout[-1000:]


def main() -> int:
    """Run one target, or all of them one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=[*SHARES, "all"])
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()), help="where bad inputs are kept")
    options = parser.parse_args()
    if options.target != "all":
        fuzz(options.target, options.runs, options.seed, options.keep)
    total, bad = 0, 0
    for name, share in SHARES.items():
        taken, wrong = run(name, options.runs * share // 100, options.seed, options.keep)
        total += taken
        bad += bool(wrong)
        print(f"{name}: {taken} inputs, {wrong or 'nothing wrong'}", flush=True)
    print(f"{total} inputs, {bad} targets with a finding", flush=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())
