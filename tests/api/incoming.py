"""Requests as the server would hand them over, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from starlette.responses import Response

from fluxkeep.access.decisions import Principal
from fluxkeep.access.permissions import PermissionSet, no_permissions, operator_permissions
from fluxkeep.api.app import Application
from fluxkeep.api.endpoint import Endpoint
from fluxkeep.api.limits import Limits
from fluxkeep.errors import Forbidden, Unauthorized
from fluxkeep.ids import UserID
from fluxkeep.metrics import Metrics
from fluxkeep.secret import Secret

USER = UserID("0000000000000001")


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    query_string: str = ""
    content: bytes = b""
    client: str = "127.0.0.1"
    leaves: asyncio.Event = field(default_factory=asyncio.Event)

    async def body(self) -> bytes:
        return self.content

    async def left(self) -> None:
        await self.leaves.wait()

    async def chunks(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.content), 3):
            yield self.content[at : at + 3]


class People:
    """Knows `operator` and `weak` as tokens and as session keys, and `v1user` with `v1pass`."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def cached(self, secret: Secret) -> Principal | None:
        return None

    def token(self, secret: Secret, client: str) -> Principal:
        self.seen.append(secret.reveal())
        return self._principal(secret.reveal())

    def session(self, key: Secret, client: str) -> Principal:
        return self._principal(key.reveal())

    def v1(self, username: str, secret: Secret, client: str) -> Principal:
        if (username, secret.reveal()) == ("v1user", "v1pass"):
            return self._principal("weak")
        return self._principal(secret.reveal())

    def _principal(self, name: str) -> Principal:
        permissions: dict[str, PermissionSet] = {"operator": operator_permissions(), "weak": no_permissions()}
        if name == "inactive-user":
            raise Forbidden("User is inactive")
        if name == "inactive":
            return Principal(user_id=USER, permissions=operator_permissions(), active=False)
        if name not in permissions:
            raise Unauthorized(reason="unknown-token")
        return Principal(user_id=USER, permissions=permissions[name])


def ask(
    endpoints: Sequence[Endpoint],
    method: str,
    target: str,
    headers: dict[str, str] | None = None,
    content: bytes = b"",
    *,
    limits: Limits | None = None,
    people: People | None = None,
) -> Response:
    """One request to an application of these endpoints."""
    path, _, query = target.partition("?")
    sent = {"content-length": str(len(content)), **(headers or {})}
    if "transfer-encoding" in sent:
        del sent["content-length"]

    async def respond() -> Response:
        application = Application(endpoints, recognizer=people or People(), metrics=Metrics(), limits=limits)
        try:
            return await application.respond(Request(method, path, sent, query, content))
        finally:
            await application.stop()

    return asyncio.run(respond())
