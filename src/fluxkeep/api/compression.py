"""Unpacking request bodies and packing answers; gzip is the only encoding spoken.

Source: http-api.md §1.6, §6.2.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from fluxkeep.errors import Internal, InvalidInput, TooLarge

# Below this an answer stays as it is.
PACK_BYTES_MIN = 1400

# Windows bits of a gzip stream for zlib, and a level that costs half the time of the default for a tenth more bytes.
_GZIP = 31
_MAGIC = b"\x1f\x8b"
_HEADER_BYTES = 10
_LEVEL = 4


def unpack(body: bytes, encoding: str, bytes_max: int) -> bytes:
    """A body as it was before `Content-Encoding`; other encodings than gzip are read as none.

    Several gzip members after another are one body.

    Raises:
        InvalidInput: Not gzip, from the start or behind a member, or a checksum that does not fit.
        Internal: Cut off, within a member or the header of the next; the reference's answer.
        TooLarge: More than `bytes_max` when unpacked.
    """
    if encoding.strip().lower() not in ("gzip", "x-gzip"):
        return body
    if not body.startswith(_MAGIC):
        raise InvalidInput("unable to read data: gzip: invalid header")
    parts: list[bytes] = []
    size = 0
    rest = body
    while rest:
        if not rest.startswith(_MAGIC):
            if len(rest) < _HEADER_BYTES:
                raise Internal("unable to read data: unexpected EOF")
            raise InvalidInput("unable to read data: gzip: invalid header")
        stream = zlib.decompressobj(_GZIP)
        try:
            part = stream.decompress(rest, bytes_max - size + 1)
        except zlib.error as error:
            raise InvalidInput(f"unable to read data: gzip: {_reason(str(error))}") from None
        size += len(part)
        if size > bytes_max:
            raise TooLarge("unable to read data: points batch is too large")
        parts.append(part)
        if not stream.eof:
            raise Internal("unable to read data: unexpected EOF")
        rest = stream.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _reason(text: str) -> str:
    # The library's texts: "incorrect data check", "incorrect length check", "unknown compression method", and others.
    if "data check" in text or "length check" in text:
        return "invalid checksum"
    return "invalid header" if "method" in text or "header" in text else "invalid data"


def accepts_gzip(header: str) -> bool:
    """Whether an `Accept-Encoding` names gzip (or everything) with a weight above nothing."""
    if not header:
        return False
    for item in header.split(","):
        name, _, parameters = item.strip().partition(";")
        if name.strip().lower() in ("gzip", "*"):
            weight = parameters.strip().lower().removeprefix("q=")
            return weight.strip() not in ("0", "0.0", "0.00", "0.000")
    return False


def pack(body: bytes) -> bytes:
    """A whole answer as gzip."""
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return stream.compress(body) + stream.flush()


def pack_chunks(chunks: Iterator[bytes], level: int = _LEVEL) -> Iterator[bytes]:
    """A streamed answer as gzip; what has been given can be read before the next chunk exists."""
    stream = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
    for chunk in chunks:
        packed = stream.compress(chunk) + stream.flush(zlib.Z_SYNC_FLUSH)
        if packed:
            yield packed
    yield stream.flush()
