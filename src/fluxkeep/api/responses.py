"""Making responses: JSON as the reference's encoder writes it, plain texts and nothing.

Headers common to all answers are put on by `api/app.py`.

Source: http-api.md §1.2, §1.3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
from starlette.responses import Response

# What clients are told; they choose protocols by it (backup wants a minor version of 1 or more).
COMPATIBLE_VERSION = "v2.9.1"

JSON = "application/json; charset=utf-8"
TEXT = "text/plain; charset=utf-8"


def _plain(value: object) -> str:
    """An id as the string that it is; the encoder knows no subclasses of `str`."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"a {type(value).__name__} has no JSON form")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
# As Go's encoder: a body that a browser takes for HTML must not be HTML. These
# bytes occur in JSON only inside strings, so they can be replaced blindly.
_UNSAFE = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)


def encode_json(value: object) -> bytes:
    """Compact UTF-8 JSON of structs, mappings, lists and scalars, safe inside HTML."""
    body = _encoder.encode(value)
    for raw, escaped in _UNSAFE:
        if raw in body:
            body = body.replace(raw, escaped)
    return body


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer.

    Args:
        value: Wire structs, mappings, lists or scalars; members appear in their order.
        status: The status.
        headers: Further headers; a content type given here replaces the usual one.
    """
    return raw_json(encode_json(value), status, headers)


def raw_json(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer that is encoded already."""
    merged = {"content-type": JSON}
    if headers:
        merged.update({name.lower(): text for name, text in headers.items()})
    return Response(body, status, merged)


def no_content(headers: Mapping[str, str] | None = None) -> Response:
    """204 without a body."""
    return Response(None, 204, dict(headers) if headers else None)


def text(value: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A plain text; give it its final newline."""
    return Response(value.encode(), status, {"content-type": TEXT, **(headers or {})})


def page_not_found() -> Response:
    """What the reference's tenant families say to deeper unknown paths."""
    return text("404 page not found\n", 404)


# An answer of up to so many bytes is sent whole: one crossing to the event loop rather than one a piece.
_WHOLE_BYTES_MAX = 256 * 1024
# A header of more than some kilobytes is refused by proxies.
_WARNINGS_MAX = 8


def warning_header(warnings: Sequence[str]) -> dict[str, str]:
    """`X-Fluxkeep-Warning` of an answer that lacks something, else nothing; clients that do not know it pass it by."""
    distinct = list(dict.fromkeys(warnings))
    if not distinct:
        return {}
    shown = "; ".join(distinct[:_WARNINGS_MAX])
    if len(distinct) > _WARNINGS_MAX:
        shown += f"; and {len(distinct) - _WARNINGS_MAX} more"
    return {"x-fluxkeep-warning": shown.encode("ascii", "replace").decode()}


def _unheard(_size: int) -> None:
    """What a stream tells its size to where nobody counts."""


class Stream(Response):
    """An answer whose body arrives in pieces.

    The pieces are made on the pool of threads, one at a time, as fast as the
    client takes them; when the client goes, `chunks` is closed, so a generator
    can release what it holds in `finally`.

    Attributes:
        watcher: Waits for the client to leave; cancelled when the last piece is sent.
        sent: Told how many bytes went out, when no more will.
    """

    def __init__(self, chunks: Iterator[bytes], status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(None, status, dict(headers or {}))
        self.chunks = chunks
        self.watcher: asyncio.Task[None] | None = None
        self.sent: Callable[[int], None] = _unheard
        if "content-length" in self.headers:
            del self.headers["content-length"]


def whole_or_streamed(pieces: Iterator[bytes], headers: Mapping[str, str], warnings: Sequence[str]) -> Response:
    """A 200 from pieces: sent whole where it is short, else streamed.

    Args:
        pieces: Taken up to the limit before this returns, so that an error in them can still become a status.
        headers: Of the answer.
        warnings: What is known to be lacking once the first pieces are made; see `warning_header`.
    """
    gathered: list[bytes] = []
    size = 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size > _WHOLE_BYTES_MAX:
            return Stream(_chained(b"".join(gathered), pieces), 200, {**headers, **warning_header(warnings)})
    return Response(b"".join(gathered), 200, {**headers, **warning_header(warnings)})


def _chained(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    # Delegation passes a close on to what makes the rest.
    yield head
    yield from rest
