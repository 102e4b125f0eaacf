"""Flux queries: a request and a caller in, annotated CSV out, in pieces.

What fails before the first byte is raised; what fails later ends the answer
with an error table, as the reference does, because the status is gone.

Source: http-api.md §10.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fluxkeep.access.decisions import Access
from fluxkeep.clock import Clock
from fluxkeep.errors import Abandoned, FluxkeepError
from fluxkeep.flux.engine import Engine
from fluxkeep.ids import OrgID
from fluxkeep.logs import get_logger
from fluxkeep.query.readers import CallerSources, Effects, ReaderOf
from fluxkeep.query.watched import Gone, Note, unnoted, watched
from fluxkeep.tenancy.snapshot import Directory

JSONObject = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxQuery:
    """A query as the service takes it.

    Attributes:
        text: The script; empty only with `ast`.
        ast: A Flux package as JSON.
        extern: A Flux file as JSON whose definitions come first.
        now_ns: What `now()` is; None for the server's clock.
        annotations: In the order asked for.
        delimiter: One character.
    """

    text: str
    ast: JSONObject | None = None
    extern: JSONObject | None = None
    now_ns: int | None = None
    annotations: tuple[str, ...] = ()
    header: bool = True
    delimiter: str = ","


# Answers are sent in pieces of at least this size, but for the last.
_PIECE_BYTES = 64 * 1024


class Queries:
    """Runs queries for callers."""

    def __init__(
        self,
        directory: Directory,
        reader_of: ReaderOf,
        effects: Effects,
        clock: Clock,
        engine: Engine | None = None,
    ) -> None:
        self._directory = directory
        self._reader_of = reader_of
        self._effects = effects
        self._clock = clock
        self._engine = engine or Engine()
        self._log = get_logger("query")

    def flux(
        self, access: Access, org_id: OrgID, query: FluxQuery, gone: Gone, note: Note = unnoted
    ) -> Iterator[bytes]:
        """The answer as CSV; an empty first piece is never given.

        Everything up to the first piece happens before this returns.

        Args:
            access: Of the caller.
            org_id: Whose buckets are meant.
            query: What to run.
            gone: Whether the client has left; asked often, from the thread that runs the query.
            note: Told what the answer lacks because files are damaged.

        Raises:
            FluxkeepError: Nothing was written yet; with the reference's texts.
            Abandoned: The client has left; from the iterator too.
        """
        from fluxkeep.formats.annotated_csv import Dialect

        dialect = Dialect(annotations=query.annotations, header=query.header, delimiter=query.delimiter)
        pieces = _gathered(self._run(access, org_id, query, dialect, gone, note))
        first = next(pieces, b"")
        return self._guarded(first, pieces, dialect)

    def flux_errors(self, access: Access, org_id: OrgID, query: FluxQuery, gone: Gone | None = None) -> Iterator[bytes]:
        """Run a query for its effects; the answer is empty, or the table of an error; Abandoned as of `flux`."""
        from fluxkeep.formats.annotated_csv import Dialect, encode_error

        dialect = Dialect(annotations=query.annotations, header=query.header, delimiter=query.delimiter)
        try:
            for _ in self._run(access, org_id, query, dialect, gone):
                pass
        except FluxkeepError as error:
            yield encode_error(error.message, dialect, after_tables=False)

    def _run(
        self,
        access: Access,
        org_id: OrgID,
        query: FluxQuery,
        dialect: object,
        gone: Gone | None,
        note: Note = unnoted,
    ) -> Iterator[bytes]:
        from fluxkeep.flux.syntax.ast_json import decode_file, decode_package
        from fluxkeep.formats.annotated_csv import Dialect, encode

        assert isinstance(dialect, Dialect)
        reader_of = self._reader_of if gone is None else watched(self._reader_of, gone, note)
        sources = CallerSources(access, org_id, self._directory, reader_of, self._effects)
        now_ns = self._clock.now_ns() if query.now_ns is None else query.now_ns
        # The official Python client leaves the file's own type away.
        extern = None if query.extern is None else decode_file({"type": "File", **query.extern})
        if query.text:
            results = self._engine.run(query.text, now_ns=now_ns, sources=sources, extern=extern, gone=gone)
        else:
            package = decode_package(query.ast)
            results = self._engine.run_file(package, now_ns=now_ns, sources=sources, extern=extern, gone=gone)
        yield from encode(results, dialect)

    def _guarded(self, first: bytes, pieces: Iterator[bytes], dialect: object) -> Iterator[bytes]:
        from fluxkeep.formats.annotated_csv import Dialect, encode_error

        assert isinstance(dialect, Dialect)
        if first:
            yield first
        try:
            yield from pieces
        except Abandoned:
            raise
        except FluxkeepError as error:
            yield encode_error(error.message, dialect, after_tables=True)
        except Exception as error:  # noqa: BLE001  # the status is sent: the table is the only way left to tell
            self._log.error("query.crashed", exc_info=error)
            yield encode_error("an internal error has occurred - check server logs", dialect, after_tables=True)


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in larger pieces: each piece costs a hop between threads and a packet.

    A failure is raised behind what was made before it, unless that is nothing.
    """
    held: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size >= _PIECE_BYTES:
                yield b"".join(held)
                held, size = [], 0
    except Exception:
        if held:
            yield b"".join(held)
        raise
    if held:
        yield b"".join(held)
