"""`influxd inspect`: looking at a stopped server's data folder.

The commands that make sense for this storage format work as the reference's,
those about its own file formats say that they do not apply. Unlike there, a
check that finds damage exits 1.

Source: cli.md §5.6.
"""

from __future__ import annotations

import gzip
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import click

from fluxkeep.cli.failures import CommandFailed
from fluxkeep.cli.offline.records import default_bolt_path
from fluxkeep.cli.offline.recovery import HintGroup
from fluxkeep.cli.output import table
from fluxkeep.clock import SystemClock
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import Conflict, InvalidInput
from fluxkeep.ids import BucketID
from fluxkeep.instants import MAX_TIME_NS, MIN_TIME_NS, format_rfc3339, parse_rfc3339

if TYPE_CHECKING:
    from fluxkeep.datamodel.reader import Reader

_FOREIGN = (
    "report-tsi", "report-db", "check-schema", "merge-schema", "dump-wal", "dump-tsm", "dump-tsi", "export-index",
    "build-tsi", "delete-tsm", "verify-seriesfile",
)  # fmt: skip


def default_engine_path() -> Path:
    """`.influxdbv2/engine` in the home folder."""
    return default_bolt_path().with_name("engine")


@click.group(cls=HintGroup, invoke_without_command=True)
def inspect() -> None:
    """Look at a data folder; the server must be stopped."""


def _engine_path(function: click.decorators.FC) -> click.decorators.FC:
    return click.option(
        "--engine-path", type=click.Path(path_type=Path), help="The data folder; default ~/.influxdbv2/engine."
    )(function)


def _existing(path: Path | None) -> Path:
    found = path or default_engine_path()
    if not found.is_dir():
        raise CommandFailed(f"{found} is no folder")
    return found


@inspect.command()
@_engine_path
def verify(engine_path: Path | None) -> None:
    """Check WAL, manifest and every data file."""
    from fluxkeep.storage.verify import verify_data, verify_wal

    folder = _existing(engine_path)
    wal = verify_wal(folder / "wal")
    data = verify_data(folder / "data")
    click.echo(f"WAL segments: {wal.files}, entries: {wal.entries}")
    click.echo(f"Data files: {data.files}, rows: {data.rows}, bytes: {data.bytes}, tombstones: {data.tombstones}")
    for path in data.orphans:
        click.echo(f"Not in the manifest, removed at the next start: {path}")
    findings = [*wal.findings, *data.findings]
    for finding in findings:
        at = f" at position {finding.offset}" if finding.offset >= 0 else ""
        click.echo(f"{finding.file}: {finding.fault}{at}", err=True)
    if findings:
        raise CommandFailed(f"{len(findings)} of the files are damaged")
    click.echo("Everything is as it was written.")


@inspect.command(name="verify-wal")
@click.option("--wal-path", type=click.Path(path_type=Path), help="The folder of the WAL.")
@click.option("--verbose", is_flag=True, help="Name every file.")
def verify_wal_(wal_path: Path | None, verbose: bool) -> None:
    """Check the WAL."""
    from fluxkeep.storage.verify import verify_wal

    began = time.monotonic()
    folder = wal_path or default_engine_path() / "wal"
    report = verify_wal(folder)
    if verbose:
        for path in sorted(folder.glob("*.wal")):
            click.echo(f"Verifying {path}")
    for finding in report.findings:
        click.echo(f"{finding.file}: {finding.fault} at position {finding.offset}", err=True)
    corrupt = sorted({finding.file.name for finding in report.findings})
    click.echo(
        f"Results:\n  Files checked: {report.files}\n  Total entries checked: {report.entries}\n"
        f"  Corrupt files found: {', '.join(corrupt) or 'None'}\nCompleted in {time.monotonic() - began:.6f}s"
    )
    if corrupt:
        raise CommandFailed(f"{len(corrupt)} corrupt files")


@inspect.command(name="verify-tsm")
@_engine_path
@click.option("--check-utf8", is_flag=True, help="Accepted; names and values are UTF-8 here.")
@click.option("--verbose", is_flag=True, help="Name every damaged file.")
def verify_tsm(engine_path: Path | None, check_utf8: bool, verbose: bool) -> None:  # noqa: ARG001
    """Check the data files."""
    from fluxkeep.storage.verify import verify_data

    began = time.monotonic()
    report = verify_data(_existing(engine_path) / "data")
    for finding in report.findings:
        click.echo(f"{finding.file}: {finding.fault}", err=True)
    click.echo(f"Broken Blocks: {len(report.findings)} / {report.files}, in {time.monotonic() - began:.6f}s", err=True)
    if report.findings:
        raise CommandFailed(f"{len(report.findings)} damaged files")


@inspect.command(name="verify-tombstone")
@_engine_path
@click.option("--verbose", is_flag=True, help="Accepted.")
@click.option("--vv", is_flag=True, help="Accepted.")
def verify_tombstone(engine_path: Path | None, verbose: bool, vv: bool) -> None:  # noqa: ARG001
    """Count the tombstones, which lie in the manifest."""
    from fluxkeep.storage.verify import verify_data

    report = verify_data(_existing(engine_path) / "data")
    click.echo(f"{report.tombstones} tombstones" if report.tombstones else "No tombstone files found")


@inspect.command(name="report-tsm")
@click.option("--data-path", type=click.Path(path_type=Path), help="The folder of data files.")
@click.option("--detailed", is_flag=True, help="Accepted.")
@click.option("--exact", is_flag=True, help="Accepted; counts are exact here.")
@click.option("--pattern", default="", help="Only files whose path contains this.")
def report_tsm(data_path: Path | None, detailed: bool, exact: bool, pattern: str) -> None:  # noqa: ARG001
    """List the data files of every shard."""
    from fluxkeep.storage.verify import load_manifest

    data = data_path or default_engine_path() / "data"
    state, _ = load_manifest(data)
    rows: list[list[str]] = []
    total = first = last = 0
    for entry in sorted(state.files.values(), key=lambda e: (e.bucket, e.shard, e.id)):
        name = f"{entry.id}.parquet"
        if pattern not in f"{entry.bucket}/autogen/{entry.shard}/{name}":
            continue
        times = [format_rfc3339(entry.first), format_rfc3339(entry.last)]
        rows.append([entry.bucket, "autogen", str(entry.shard), name, entry.measurement, str(entry.series), *times])
        total += entry.bytes
        first = min(first or entry.first, entry.first)
        last = max(last or entry.last, entry.last)
    columns = ("DB", "RP", "Shard", "File", "Measurement", "Series", "Min Time", "Max Time")
    click.echo(table(columns, rows), nl=False)
    click.echo(f"\nSummary:\n  Files: {len(rows)}\n  Bytes: {total}")
    if rows:
        click.echo(f"  Time Range: {format_rfc3339(first)} - {format_rfc3339(last)}")


@inspect.command()
@_engine_path
@click.option("--bucket-id", default="", help="Only this bucket's.")
def shards(engine_path: Path | None, bucket_id: str) -> None:
    """List the shard groups, with what they hold on disk."""
    from fluxkeep.storage.verify import load_manifest

    state, _ = load_manifest(_existing(engine_path) / "data")
    rows = []
    for shard in sorted(state.shards.values(), key=lambda shard: shard.id):
        if bucket_id and shard.bucket != bucket_id:
            continue
        files = [entry for entry in state.files.values() if entry.shard == shard.id]
        bounds = [format_rfc3339(shard.start), format_rfc3339(shard.stop)]
        sizes = [str(len(files)), str(sum(entry.rows for entry in files)), str(sum(entry.bytes for entry in files))]
        rows.append([str(shard.id), shard.bucket, *bounds, *sizes])
    click.echo(table(("ID", "Bucket ID", "Start", "Stop", "Files", "Rows", "Bytes"), rows), nl=False)


@inspect.command(name="dump-series")
@click.option("--bucket-id", required=True, help="The bucket.")
@click.option("--series", "key", required=True, help="The series as line protocol spells it: measurement,tag=value,...")
@_engine_path
@click.option("--output-path", default="-", help="File to write; - (the default) for standard output.")
@click.option("--field", multiple=True, help="Only this field; repeatable.")
@click.option("--start", default="", help="First instant, RFC 3339.")
@click.option("--end", default="", help="Last instant, RFC 3339.")
def dump_series(
    bucket_id: str, key: str, engine_path: Path | None, output_path: str, field: tuple[str, ...], start: str, end: str
) -> None:
    """Write one series as line protocol, one field a line."""
    from fluxkeep.cli.offline.series_text import parse_key, series_lines

    try:
        series = parse_key(key)
    except InvalidInput as error:
        raise CommandFailed(error.message) from error
    wanted = _range(start, end)
    with _exporting(engine_path, bucket_id, output_path, compress=False) as (reader, out):
        written = 0
        for block in series_lines(reader, wanted, series, field):
            written += out.write(block)
    if not written:
        raise CommandFailed(f"no points of {series.key} in that range")


@inspect.command(name="export-lp")
@click.option("--bucket-id", required=True, help="The bucket.")
@_engine_path
@click.option("--output-path", required=True, help="File to write; - for standard output.")
@click.option("--start", default="", help="First instant, RFC 3339.")
@click.option("--end", default="", help="Last instant, RFC 3339.")
@click.option("--measurement", multiple=True, help="Only this measurement; repeatable.")
@click.option("--compress", is_flag=True, help="Write gzip.")
@click.option("--log-level", default="info", help="Accepted.")
def export_lp(
    bucket_id: str,
    engine_path: Path | None,
    output_path: str,
    start: str,
    end: str,
    measurement: tuple[str, ...],
    compress: bool,
    log_level: str,  # noqa: ARG001
) -> None:
    """Write a bucket's points as line protocol, one field a line."""
    from fluxkeep.cli.offline.series_text import lines

    wanted = _range(start, end)
    with _exporting(engine_path, bucket_id, output_path, compress=compress) as (reader, out):
        for block in lines(reader, wanted, measurement):
            out.write(block)


def _range(start: str, end: str) -> TimeRange:
    """From the first instant to the last, both included; without one, from or to where time ends."""
    try:
        first = parse_rfc3339(start) if start else MIN_TIME_NS
        last = parse_rfc3339(end) if end else MAX_TIME_NS
    except (InvalidInput, ValueError) as error:
        raise CommandFailed(str(error)) from error
    return TimeRange(first, last + 1)


@contextmanager
def _exporting(
    engine_path: Path | None, bucket_id: str, output_path: str, *, compress: bool
) -> Iterator[tuple[Reader, IO[bytes]]]:
    """A stopped server's bucket to read, and where to write."""
    from fluxkeep import logs
    from fluxkeep.storage.engine import Engine
    from fluxkeep.storage.settings import StorageOptions

    logs.configure("warn", sys.stderr)
    folder = _existing(engine_path)
    try:
        bucket = BucketID.parse(bucket_id)
    except InvalidInput as error:
        raise CommandFailed(error.message) from error
    with ExitStack() as stack:
        try:
            engine = Engine(folder, SystemClock(), StorageOptions(background=False))
        except Conflict as error:
            raise CommandFailed(f"{folder} is in use; stop the server first") from error
        stack.callback(engine.close)
        out: IO[bytes] = sys.stdout.buffer
        if output_path != "-":
            out = stack.enter_context(
                os.fdopen(os.open(output_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
            )
        if compress:
            packed = gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=5)
            stack.callback(packed.close)
            out = cast("IO[bytes]", packed)
        yield engine.reader(bucket), out
        out.flush()


def _foreign(name: str) -> click.Command:
    @click.command(name=name, context_settings={"ignore_unknown_options": True}, hidden=True)
    @click.argument("rest", nargs=-1, type=click.UNPROCESSED)
    def command(rest: tuple[str, ...]) -> None:  # noqa: ARG001
        raise CommandFailed(f"{name} is not applicable to this storage format")

    return command


for _name in _FOREIGN:
    inspect.add_command(_foreign(_name))
