"""The authentication layers in front of the routes.

Layer A guards `/api/v2*`, `/private/*` and `/v1*` before routing, so that an
unknown path without credentials is 401 and not 404. Layer B reads the v1 forms
of credentials on `/query` and `/write`. Layer C is everything else: no
credential is looked at.

The gate only finds the credential in a request; recognising it is handed in.

Source: tokens.md §2.9.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Protocol

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.errors import FluxkeepError, TooManyRequests, Unauthorized, Unavailable
from fluxkeep.logs import get_logger
from fluxkeep.secret import Secret

SESSION_COOKIE = "influxdb-oss-session"


class Recognizer(Protocol):
    """Turns a credential into the principal it stands for, or refuses."""

    def cached(self, secret: Secret) -> Principal | None:
        """The principal of a token that was seen lately, without I/O; none if it must be looked up."""
        ...

    def token(self, secret: Secret, client: str) -> Principal:
        """The principal of an API token.

        Raises:
            Unauthorized: Unknown.
            Forbidden: Its user is inactive.
        """
        ...

    def session(self, key: Secret, client: str) -> Principal:
        """The principal of a session key; raises as `token`."""
        ...

    def v1(self, username: str, secret: Secret, client: str) -> Principal:
        """The principal of a v1 user name and password, or of any name and a token; raises as `token`."""
        ...


def is_guarded(path: str) -> bool:
    """Whether layer A stands before a path."""
    return path.startswith(("/api/v2", "/private/", "/v1"))


def recognize_v2(recognizer: Recognizer, headers: Mapping[str, str], client: str) -> Access:
    """The caller of a path behind layer A.

    A token that is present and wrong never falls back to the cookie; any other
    scheme counts as no token.

    Raises:
        Unauthorized: No credential, or one that is not known.
        Forbidden: The user is inactive.
    """
    secret = v2_token(headers)
    if secret is not None:
        return Access(recognizer.token(secret, client))
    key = session_key(headers)
    if key is None:
        _log_missing(client)
        raise Unauthorized(reason="missing-credential")
    return Access(recognizer.session(key, client))


def recognize_cached(recognizer: Recognizer, headers: Mapping[str, str]) -> Access | None:
    """The caller, where the request has a v2 token that was seen lately; this may run on the event loop."""
    secret = v2_token(headers)
    principal = recognizer.cached(secret) if secret is not None else None
    return Access(principal) if principal is not None else None


def recognize_v1(
    recognizer: Recognizer, headers: Mapping[str, str], query: Mapping[str, list[str]], client: str
) -> Access:
    """The caller of `/query` or `/write`.

    Raises:
        Unauthorized: `unauthorized access` where nothing can be read as a
            credential, `Unauthorized` where what was read is refused, whatever the reason.
    """
    user = (query.get("u") or [""])[0]
    password = (query.get("p") or [""])[0]
    try:
        if user and password:
            principal = recognizer.v1(user, Secret(password), client)
        else:
            principal = _from_v1_header(recognizer, headers.get("authorization", ""), client)
    except _Unreadable:
        _log_missing(client)
        raise
    except (TooManyRequests, Unavailable):
        raise
    except FluxkeepError as error:
        raise Unauthorized("Unauthorized", reason=getattr(error, "reason", "unknown-token")) from None
    if not principal.active:
        raise Unauthorized("Unauthorized", reason="inactive-token")
    return Access(principal)


def _log_missing(client: str) -> None:
    # As the rooms log what they refuse; here nothing was there that they could look at.
    get_logger("api").info("authentication.refused", client=client, reason="missing-credential", authorization_id=None)


def session_key(headers: Mapping[str, str]) -> Secret | None:
    """The session's key in the request's cookies."""
    for part in headers.get("cookie", "").split(";"):
        name, found, value = part.strip().partition("=")
        if found and name == SESSION_COOKIE:
            return Secret(value.strip('"'))
    return None


def v2_token(headers: Mapping[str, str]) -> Secret | None:
    """What an Authorization header has as `Token` or `Bearer`; None for any other scheme."""
    authorization = headers.get("authorization", "")
    if authorization[:6].lower() == "token ":
        return Secret(authorization[6:].rstrip(" "))
    if authorization[:7].lower() == "bearer ":
        return Secret(authorization[7:].rstrip(" "))
    return None


class _Unreadable(Unauthorized):
    """Nothing in the request can be read as a v1 credential."""

    def __init__(self) -> None:
        super().__init__(reason="missing-credential")


def _from_v1_header(recognizer: Recognizer, authorization: str, client: str) -> Principal:
    words = authorization.split(" ")
    if len(words) != 2 or not words[1]:
        raise _Unreadable
    scheme, value = words
    if scheme == "Token":
        _, colon, after = value.partition(":")
        return recognizer.token(Secret(after if colon else value), client)
    if scheme.lower() == "basic":
        user, password = read_basic(value)
        return recognizer.v1(user, password, client)
    raise _Unreadable


def read_basic(value: str) -> tuple[str, Secret]:
    """User name and password of a Basic header's value.

    Raises:
        Unauthorized: Not base64 of a text with a colon.
    """
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise _Unreadable from None
    if not colon:
        raise _Unreadable
    return user, Secret(password)
