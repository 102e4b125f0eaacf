"""`/query`: InfluxQL as v1 clients send it, in the format that they accept.

Source: http-api.md §7.2, influxql.md §1; recorded in golden/http/v1-query.jsonl.
"""

from __future__ import annotations

import email.parser
import email.policy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.responses import Response

from fluxkeep.access.decisions import Access
from fluxkeep.api.endpoint import Call, Endpoint, Gate, Style, never
from fluxkeep.api.responses import whole_or_streamed
from fluxkeep.clock import Clock
from fluxkeep.errors import InvalidInput
from fluxkeep.influxql.sources import Sources

_CHUNK_SIZE = 10_000
_FORM = "application/x-www-form-urlencoded"
_FORMATS = frozenset(("application/json", "application/csv", "text/csv", "application/x-msgpack"))
Gone = Callable[[], bool]
Note = Callable[[str], None]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asks.

    Attributes:
        query: The text; None when there is none and the content type is one.
        parameters: The JSON object of bound parameters as text.
        chunk_size: Rows of a part; None for an answer in one piece.
        media: Of the answer.
    """

    query: str | None
    database: str
    policy: str
    epoch: str
    parameters: str
    chunk_size: int | None
    media: str


def endpoints(
    sources_of: Callable[[Access, Gone, Note], Sources], clock: Clock, *, memory_bytes_max: int = 0
) -> list[Endpoint]:
    """One endpoint for each method: the reference accepts any.

    Args:
        sources_of: The data that a caller may reach, in the organization of the credential, while the client is there.
        clock: What `now()` is.
        memory_bytes_max: What a query may hold; 0 for no limit.
    """

    def query(call: Call) -> Response:
        warnings: list[str] = []
        sources = sources_of(call.access, call.gone, warnings.append)
        request = read_request(call)
        return answer(request, sources, clock.now_ns(), call.gone, warnings, memory_bytes_max=memory_bytes_max)

    return [
        Endpoint(
            method=method,
            path="/query",
            handler=query,
            gate=Gate.V1,
            style=Style.C,
            needs="read:buckets@org/bucket of each bucket read; write to delete",
            packs=True,
            watches=True,
        )
        for method in METHODS
    ]


def read_request(call: Call) -> Request:
    """Parameters of the URL and of the form; the form wins.

    Raises:
        InvalidInput: No query and no content type to find one by.
    """
    values = {name: found[0] for name, found in call.query.items() if found}
    content_type = call.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == _FORM and call.method in ("POST", "PUT", "PATCH"):
        form = parse_qs(call.body.decode("utf-8", "replace"), keep_blank_values=True)
        values.update({name: found[0] for name, found in form.items()})
    text: str | None = values.get("q") or None
    if text is None:
        if not kind or "/" not in kind:
            raise InvalidInput("mime: no media type")
        if kind == "application/vnd.influxql":
            text = call.body.decode("utf-8", "replace")
        elif kind == "multipart/form-data":
            text = _multipart_field(content_type, call.body, "q")
    accept = call.headers.get("accept", "")
    return Request(
        query=text,
        database=values.get("db", ""),
        policy=values.get("rp", ""),
        epoch=values.get("epoch", ""),
        parameters=values.get("params", ""),
        chunk_size=_chunk_size(values.get("chunk_size", "")) if values.get("chunked") == "true" else None,
        media=accept if accept in _FORMATS else "application/json",
    )


def _chunk_size(text: str) -> int:
    """The size asked for; what is no positive number is the default."""
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else _CHUNK_SIZE


def _multipart_field(content_type: str, body: bytes, name: str) -> str | None:
    """One part of a multipart body, by its name."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    for part in message.iter_parts():
        if part.get_param("name", header="content-disposition") == name:
            payload = part.get_payload(decode=True)
            return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else None
    return None


def answer(
    request: Request,
    sources: Sources,
    now_ns: int,
    gone: Gone = never,
    warnings: Sequence[str] = (),
    *,
    memory_bytes_max: int = 0,
) -> Response:
    """Run a request.

    Args:
        request: What is asked.
        sources: What may be read.
        now_ns: What `now()` is.
        gone: Whether the client has left.
        warnings: Grows by what is left out while the answer is made.
        memory_bytes_max: What the query may hold; 0 for no limit.

    Raises:
        Abandoned: The client has gone.
        InvalidInput: The text or its parameters cannot be read.
    """
    # The engine brings Polars with it, which a server that has not been asked anything need not load.
    from fluxkeep.formats import v1
    from fluxkeep.influxql.engine import execute
    from fluxkeep.influxql.syntax.cursor import bind_parameters
    from fluxkeep.influxql.syntax.errors import ParseError

    results: Iterator[v1.Result] = iter(())
    if request.query is not None:
        try:
            bound = bind_parameters(request.parameters) if request.parameters else {}
        except (ValueError, ParseError) as error:
            raise InvalidInput(f"error parsing query parameters: {error}") from None
        try:
            results = execute(
                request.query,
                sources=sources,
                now_ns=now_ns,
                database=request.database,
                policy=request.policy,
                parameters=bound,
                chunk_size=request.chunk_size,
                gone=gone,
                memory_bytes_max=memory_bytes_max,
            )
        except ParseError as error:
            raise InvalidInput(f"failed to parse query: {error.message}") from None
    if request.chunk_size is None:
        results = v1.merge(results)
    pieces: Iterator[bytes]
    match request.media:
        case "application/csv" | "text/csv":
            pieces = v1.encode_csv(results, request.epoch)
        case "application/x-msgpack":
            pieces = iter((v1.encode_msgpack(results, request.epoch),))
        case _ if request.chunk_size is not None:
            pieces = v1.encode_json_chunks(results, request.epoch)
        case _:
            pieces = iter((v1.encode_json(results, request.epoch),))
    return whole_or_streamed(pieces, {"content-type": request.media}, warnings)
