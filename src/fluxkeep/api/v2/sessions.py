"""`/api/v2/signin` and `/api/v2/signout`: the session cookie.

Source: tokens.md §2.7; W26.
"""

from __future__ import annotations

from email.utils import formatdate

from starlette.responses import Response

from fluxkeep.api.endpoint import Call, Endpoint, Gate
from fluxkeep.api.gate import SESSION_COOKIE, read_basic, session_key
from fluxkeep.api.responses import no_content
from fluxkeep.credentials.signin import Passwords
from fluxkeep.errors import Unauthorized
from fluxkeep.instants import SECOND
from fluxkeep.secret import Secret


def endpoints(passwords: Passwords, *, secure: bool = False) -> list[Endpoint]:
    """Both endpoints.

    Args:
        passwords: What checks them.
        secure: Whether the server itself speaks TLS; only then may the cookie say so.
    """

    def sign_in(call: Call) -> Response:
        username, password = basic_of(call)
        key, session = passwords.sign_in(username, password, call.client)
        return no_content({"set-cookie": session_cookie(key, session.expires_at, secure=secure)})

    def sign_out(call: Call) -> Response:
        key = session_key(call.headers)
        if key is None:
            raise Unauthorized(reason="missing-credential")
        passwords.sign_out(key)
        return no_content({"set-cookie": session_cookie(Secret(""), 0, secure=secure)})

    return [
        Endpoint(
            method="POST",
            path="/api/v2/signin",
            handler=sign_in,
            gate=Gate.OPEN,
            own_credentials=True,
            needs="user name and password",
        ),
        Endpoint(
            method="POST",
            path="/api/v2/signout",
            handler=sign_out,
            gate=Gate.OPEN,
            own_credentials=True,
            needs="a session",
        ),
    ]


def session_cookie(key: Secret, expires_at: int, *, secure: bool) -> str:
    """The value of `Set-Cookie` for a session that ends at an instant, ns; one in the past clears it."""
    expires = formatdate(expires_at // SECOND, usegmt=True)
    cookie = f"{SESSION_COOKIE}={key.reveal()}; Path=/api/; Expires={expires}; HttpOnly; "
    return cookie + ("Secure; SameSite=Strict" if secure else "SameSite=Strict")


def basic_of(call: Call) -> tuple[str, Secret]:
    """User name and password of the request's Basic header.

    Raises:
        Unauthorized: There is none that can be read.
    """
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        raise Unauthorized(reason="missing-credential")
    return read_basic(value)
