"""Endpoint and Call: what a handler is given, and how a route is declared.

A handler is a plain function from `Call` to a Starlette `Response`. It never
sees a header that carries a credential: the gate in front of it has turned
that into `call.access`, or refused. Every endpoint of the server is declared
as an `Endpoint`, so that the access matrix and its test can walk them all.
"""

from __future__ import annotations

import enum
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from starlette.responses import Response

from fluxkeep.access.decisions import Access
from fluxkeep.errors import Unauthorized


class Gate(enum.Enum):
    """Which authentication layer stands before an endpoint (tokens.md §2.9)."""

    OPEN = "open"  # layer C and the exceptions of layer A: no credential is looked at
    V2 = "v2"  # layer A: Token, Bearer or session cookie
    V1 = "v1"  # layer B: u and p, Token, Basic


class Runs(enum.Enum):
    """Where a handler runs."""

    LOOP = "loop"  # microseconds, no I/O: answered on the event loop
    POOL = "pool"  # everything else: on the bounded pool of threads


class Style(enum.Enum):
    """Which of the reference's two routers a family belongs to; they differ in 405s and slashes (http-api.md §1.3)."""

    T = "tenant"
    C = "classic"


def never() -> bool:
    """The `gone` of a call whose client is not watched."""
    return False


@dataclass(slots=True)
class Call:
    """One request as a handler sees it.

    Attributes:
        method: Upper case.
        path: As sent, without the query.
        params: Path parameters by name.
        query: Query parameters; for a repeated name all values in order.
        headers: By lower-case name, without Authorization and Cookie.
        body: The whole body, decompressed where the endpoint says so.
        upload: The body as it comes in, for an endpoint that `streams`; `body` is then empty.
        access: The caller's decisions; absent behind an open gate.
        client: Remote address without port.
        gone: Whether the client has left; asked from any thread. Calls to an `Endpoint` that
            does not say `watches` are told that it has not.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    maybe_access: Access | None = None
    client: str = ""
    gone: Callable[[], bool] = never
    upload: IO[bytes] = field(default_factory=io.BytesIO)

    @property
    def access(self) -> Access:
        """The caller's decisions.

        Raises:
            Unauthorized: The endpoint is open and the caller nobody.
        """
        if self.maybe_access is None:
            raise Unauthorized(reason="missing-credential")
        return self.maybe_access

    def first(self, name: str) -> str | None:
        """The first value of a query parameter; an empty one counts as absent."""
        values = self.query.get(name)
        return values[0] if values and values[0] else None


Handler = Callable[[Call], Response]
# Calls of several clients at once; for each its answer or the error that is to become one.
Group = Callable[[Sequence[Call]], Sequence[Response | Exception]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A route, who may pass, and where it runs.

    Attributes:
        path: With `{name}` parameters, each one segment.
        needs: The weakest permission that suffices, for the access matrix, in words or as a
            permission string such as `write:buckets@org`.
        own_credentials: The handler reads Authorization or Cookie itself (sign-in, password); it
            then finds them in `call.headers`.
        packs: The answer may be gzip where the client accepts it, and varies by that.
        watches: The handler, on the pool, asks `call.gone`; costs a task a request.
        streams: The handler, on the pool, reads `call.upload` itself, of whatever length; it checks
            the caller first.
        group: Does for several small requests at once what the handler does for one.
    """

    method: str
    path: str
    handler: Handler
    gate: Gate = Gate.V2
    runs: Runs = Runs.POOL
    style: Style = Style.T
    needs: str
    own_credentials: bool = False
    packs: bool = False
    watches: bool = False
    streams: bool = False
    group: Group | None = None
