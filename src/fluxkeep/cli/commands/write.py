"""`influx write` and `influx write dryrun`.

Sources are read as streams and sent in compressed batches; a refused batch
ends the command, batches before it stay written. Source: cli.md §2.7.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import click

from fluxkeep.cli.failures import CommandFailed, failing
from fluxkeep.cli.framework import CONTEXT, CommandGroup, Leaf, OneOf, flag
from fluxkeep.cli.progress import Progress
from fluxkeep.cli.session import Session, connected, in_bucket, in_org

BATCH_BYTES = 500_000
BATCH_SECONDS = 10.0
_RATE = re.compile(r"(\d+)\s*([kM]?B)s?\s*(?:/?\s*(\d*)\s*(sec|s|min|m))?", re.ASCII)


@click.command(
    cls=CommandGroup,
    own="send",
    name="write",
    help="Write line protocol or CSV, given as a word, in files, from URLs or on standard input.",
    context_settings=CONTEXT,
)
def write() -> None:
    """The group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Input:
    """What to read and how."""

    headers: tuple[str, ...]
    files: tuple[str, ...]
    urls: tuple[str, ...]
    words: tuple[str, ...]
    format: str | None
    compression: str | None
    encoding: str
    skip_header: int
    skip_bad_rows: bool
    errors_file: str | None
    max_line_length: int


def _inputs(function: Any) -> Any:
    for option in (
        flag("--format", type=OneOf("format", ["lp", "csv"]), help="Input format; guessed when absent."),
        flag("--header", "headers", multiple=True, help="Line to put before the data; repeatable."),
        flag("--file", "-f", "files", multiple=True, help="File to read; repeatable."),
        flag("--url", "-u", "urls", multiple=True, help="URL to read; repeatable."),
        flag("--compression", type=OneOf("compression", ["none", "gzip"]), help="Of the input; guessed when absent."),
        flag("--encoding", default="UTF-8", help="Character encoding of the input."),
        flag("--skipHeader", "skip_header", type=int, default=0, help="Skip so many lines of the last source."),
        flag("--skipRowOnError", "skip_bad_rows", is_flag=True, help="Pass over bad rows instead of stopping."),
        flag("--errors-file", help="File that bad rows are appended to."),
        flag("--max-line-length", type=int, default=16_000_000, help="Longest line, in bytes."),
        flag("--debug", is_flag=True, help="Say more about CSV columns."),
        flag("--rate-limit", help="For example `5 MB / 5 min`."),
        flag(
            "--precision",
            "-p",
            type=OneOf("precision", ["ns", "us", "ms", "s"]),
            default="ns",
            envvar="INFLUX_PRECISION",
            help="Unit of timestamps.",
        ),
    ):
        function = option(function)
    return click.argument("words", nargs=-1, metavar="[LINE PROTOCOL | - | @FILE]")(function)


def _input(values: dict[str, Any]) -> _Input:
    try:
        codecs.lookup(values["encoding"])
    except LookupError as error:
        raise CommandFailed("ianaindex: invalid encoding name") from error
    return _Input(**{name: values[name] for name in _Input.__dataclass_fields__})


@write.command(cls=Leaf, name="send", help="Write to a bucket.", hidden=True, context_settings=CONTEXT)
@connected(tables=False)
@in_org
@in_bucket()
@_inputs
def send(
    session: Session, org: str | None, org_id: str | None, bucket: str | None, bucket_id: str | None, **values: Any
) -> None:
    """Write to a bucket."""
    if not bucket and not bucket_id:
        raise CommandFailed("must specify bucket ID or bucket name")
    query = {**session.org_query(org_id, org), "bucket": bucket_id or bucket, "precision": values["precision"]}
    limiter = _Limiter(values["rate_limit"])
    skipped = _Skipped()
    given = _input(values)
    sources = list(_sources(given))
    with failing("failed to write data"), Progress("Written") as progress:
        for batch in _batches(_lines(given, sources, skipped)):
            packed = gzip.compress(batch, 5)
            limiter.wait(len(packed))
            headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"}
            with session.client.open("POST", "/api/v2/write", query, packed, headers) as answer:
                answer.read()
            progress.add(len(batch), batch.count(b"\n"))
    skipped.report()


@write.command(cls=Leaf, name="dryrun", help="Print the line protocol that would be written.", context_settings=CONTEXT)
@connected(tables=False)
@in_org
@in_bucket()
@_inputs
def dryrun(session: Session, **values: Any) -> None:  # noqa: ARG001 - takes write's flags, talks to no server
    """Print the line protocol that would be written."""
    skipped = _Skipped()
    given = _input(values)
    sources = list(_sources(given))
    out = sys.stdout.buffer
    # The reference's first source begins with the separator of sources.
    out.write(b"\n")
    for line in _lines(given, sources, skipped):
        out.write(line + b"\n")
    out.flush()
    skipped.report()


class _Skipped:
    """Counts what was passed over."""

    def __init__(self) -> None:
        self.rows = 0

    def report(self) -> None:
        if self.rows:
            click.echo(f"WARN: {self.rows} rows were skipped because of errors", err=True)


class _Limiter:
    """Keeps the average rate of bytes below a limit."""

    def __init__(self, text: str | None) -> None:
        self._bytes_per_second = 0.0
        self._began = time.monotonic()
        self._sent = 0
        if text:
            match = _RATE.fullmatch(text.strip())
            if match is None:
                raise CommandFailed(
                    f'invalid rate limit "{text}": it does not match format COUNT(B|kB|MB)/TIME(s|sec|m|min) '
                    "with / and TIME being optional"
                )
            count = int(match[1]) * {"B": 1, "kB": 1000, "MB": 1_000_000}[match[2]]
            seconds = int(match[3] or 1) * (60 if (match[4] or "s").startswith("m") else 1)
            self._bytes_per_second = count / max(seconds, 1)

    def wait(self, size: int) -> None:
        if self._bytes_per_second:
            self._sent += size
            ahead = self._sent / self._bytes_per_second - (time.monotonic() - self._began)
            if ahead > 0:
                time.sleep(ahead)


def _batches(lines: Iterator[bytes]) -> Iterator[bytes]:
    parts: list[bytes] = []
    size, began = 0, time.monotonic()
    for line in lines:
        if not line.strip():
            continue
        parts.append(line)
        size += len(line) + 1
        if size >= BATCH_BYTES or time.monotonic() - began >= BATCH_SECONDS:
            yield b"\n".join(parts) + b"\n"
            parts, size, began = [], 0, time.monotonic()
    if parts:
        yield b"\n".join(parts) + b"\n"


def _lines(given: _Input, sources: list[_Source], skipped: _Skipped) -> Iterator[bytes]:
    """Lines of line protocol, without their newlines."""
    form = given.format or ("csv" if given.headers or any(s.is_csv for s in sources) else "lp")
    texts = _read_lines(given, sources)
    if form == "lp":
        for line in texts:
            if given.skip_bad_rows and line and not _looks_like_lines(line):
                skipped.rows += 1
                click.echo(f"WARN: skipped, not line protocol: {line[:64].decode('utf-8', 'replace')!r}", err=True)
                continue
            yield line
        return
    from fluxkeep.cli.csv_lines import CsvToLines, RowError

    converter = CsvToLines(lambda note: click.echo(f"{_stamp()} {note}", err=True))
    for made in converter.convert(line.decode("utf-8", "replace") + "\n" for line in texts):
        if not isinstance(made, RowError):
            yield made.encode()
            continue
        click.echo(f"{_stamp()} {made}", err=True)
        _record(given.errors_file, made)
        if not given.skip_bad_rows:
            raise CommandFailed(str(made))
        skipped.rows += 1


def _stamp() -> str:
    return time.strftime("%Y/%m/%d %H:%M:%S")


def _record(path: str | None, error: Any) -> None:
    if path is None:
        return
    import csv

    with Path(path).open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow([f"# error : {error}"])
        csv.writer(file).writerow(error.row)


def _looks_like_lines(line: bytes) -> bool:
    return line.lstrip()[:1] == b"#" or re.match(rb"\s*[^,\s](?:[^ \\]|\\.)* +[^= ]+=", line) is not None


@dataclass(slots=True)
class _Source:
    """One stream and what its name says of it."""

    stream: IO[bytes]
    is_csv: bool
    is_packed: bool


def _sources(given: _Input) -> Iterator[_Source]:
    for name in given.files:
        try:
            stream = open(name, "rb")  # noqa: PTH123, SIM115 - closed with the process; a name as typed
        except OSError as error:
            raise CommandFailed(f'failed to open "{name}": open {name}: {(error.strerror or "").lower()}') from error
        yield _Source(stream, name.removesuffix(".gz").endswith(".csv"), name.endswith(".gz"))
    for url in given.urls:
        if not url.startswith(("http://", "https://")):
            raise CommandFailed(f'failed to open "{url}": unsupported protocol scheme')
        try:
            answer = urllib.request.urlopen(url, timeout=600)  # noqa: S310 - http and https only, see above
        except urllib.error.HTTPError as error:
            raise CommandFailed(f'failed to open "{url}": response status_code={error.code}') from error
        except OSError as error:
            raise CommandFailed(f'failed to open "{url}": {error}') from error
        kind = answer.headers.get("Content-Type", "")
        packed = url.endswith(".gz") or answer.headers.get("Content-Encoding") == "gzip"
        yield _Source(answer, url.removesuffix(".gz").endswith(".csv") or kind.startswith("text/csv"), packed)
    if len(given.words) > 1:
        raise CommandFailed(f'unknown command "{given.words[1]}" for "write"')
    if given.words and given.words[0] != "-":
        word = given.words[0]
        if word.startswith("@"):
            try:
                stream = open(word[1:], "rb")  # noqa: PTH123, SIM115 - as above
            except OSError as error:
                reason = (error.strerror or "").lower()
                raise CommandFailed(f'failed to open "{word[1:]}": open {word[1:]}: {reason}') from error
            yield _Source(stream, word.removesuffix(".gz").endswith(".csv"), word.endswith(".gz"))
        else:
            yield _Source(io.BytesIO(word.encode("utf-8", "surrogateescape")), False, False)
    elif given.words or not (given.files or given.urls):
        if not given.words and sys.stdin.isatty():
            raise CommandFailed("no data to write: give line protocol, a file, a URL, or pipe it in")
        yield _Source(sys.stdin.buffer, False, False)


def _read_lines(given: _Input, sources: list[_Source]) -> Iterator[bytes]:
    for header in given.headers:
        yield header.encode()
    for index, source in enumerate(sources):
        packed = given.compression == "gzip" if given.compression else source.is_packed
        stream: IO[bytes] = gzip.GzipFile(fileobj=source.stream) if packed else source.stream  # type: ignore[assignment]
        if codecs.lookup(given.encoding).name != "utf-8":
            stream = codecs.EncodedFile(stream, "utf-8", given.encoding)
        skip = given.skip_header if index == len(sources) - 1 else 0
        while True:
            try:
                line = stream.readline(given.max_line_length + 2)
            except (OSError, EOFError, UnicodeError) as error:
                raise CommandFailed(f"cannot read the input: {error}") from error
            if not line:
                break
            if len(line.rstrip(b"\n")) > given.max_line_length:
                raise CommandFailed("batcher: line too long")
            if skip > 0:
                skip -= 1
                continue
            yield line.rstrip(b"\n").removesuffix(b"\r") if b'"' not in line else line.rstrip(b"\n")
