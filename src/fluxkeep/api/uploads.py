"""A request's body as a file that a handler on the pool reads while it comes in.

The loop takes the pieces from the server, the handler's thread asks it for
them; no more than a few of them are in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import zlib
from collections.abc import AsyncIterator
from typing import IO, Any

from fluxkeep.errors import InvalidInput

# How much is asked for at a time: each time is a hop between threads.
_PULL_BYTES = 1 << 20

# A client that sends nothing for so long has gone, whatever its connection says.
_SILENCE_SECONDS = 60.0

_GZIP = 31


def buffered(raw: io.RawIOBase) -> IO[bytes]:
    """A file whose `read` gives as much as was asked for, unless it ends."""
    return io.BufferedReader(raw, _PULL_BYTES)


class Upload(io.RawIOBase):
    """The body. `read` is for one thread that is not the loop's."""

    def __init__(self, chunks: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._chunks = chunks
        self._loop = loop
        self._held = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is something.

        Raises:
            InvalidInput: The client has gone before the end.
        """
        if not self._held and not self._ended:
            pulling = asyncio.run_coroutine_threadsafe(self._pull(), self._loop)
            try:
                self._held = memoryview(pulling.result(_SILENCE_SECONDS))
            except TimeoutError:
                pulling.cancel()
                self._ended = True
                raise InvalidInput("unable to read data: unexpected EOF") from None
        into = memoryview(buffer).cast("B")
        size = min(len(into), len(self._held))
        into[:size] = self._held[:size]
        self._held = self._held[size:]
        return size

    async def drain(self, bytes_max: int) -> None:
        """Take what the handler has left, up to a bound, so that the client gets to read the answer."""
        with contextlib.suppress(InvalidInput):
            while not self._ended and bytes_max > 0:
                bytes_max -= len(await self._pull())

    async def _pull(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            while size < _PULL_BYTES:
                part = await anext(self._chunks, None)
                if part is None:
                    self._ended = True
                    break
                parts.append(part)
                size += len(part)
        except BaseException:
            self._ended = True
            raise
        return b"".join(parts)


class Unpacked(io.RawIOBase):
    """A gzip body as it was before; several members after another are one body.

    Source: http-api.md §26.2.
    """

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._stream = zlib.decompressobj(_GZIP)
        self._begun = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there is something.

        Raises:
            InvalidInput: Not gzip, damaged or cut off.
        """
        into = memoryview(buffer).cast("B")
        while True:
            rest = self._stream.unconsumed_tail or self._stream.unused_data or self._packed.read(_PULL_BYTES)
            if self._stream.eof:
                if not rest:
                    return 0
                self._stream = zlib.decompressobj(_GZIP)
            elif not rest:
                raise _bad("unexpected EOF" if self._begun else "EOF")
            if not self._begun and not rest.startswith(b"\x1f\x8b"):
                raise _bad("gzip: invalid header")
            self._begun = True
            try:
                content = self._stream.decompress(rest, len(into))
            except zlib.error as error:
                raise _bad("gzip: invalid checksum" if "check" in str(error) else "gzip: invalid data") from None
            if content:
                into[: len(content)] = content
                return len(content)


def _bad(reason: str) -> InvalidInput:
    return InvalidInput(f"failed to decode gzip request body: {reason}")
