"""Refuses what another web page makes a signed-in browser send.

`SameSite=Strict` ignores the port, so a page of any other program on the same
host sends the session's cookie along, and bodies are read whatever their
content type. Browsers say where a request comes from; a request that says
nothing is no browser's.

Source: ui.md §2.4.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping

from fluxkeep.errors import Forbidden

_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))


def refuse_cross_site(method: str, headers: Mapping[str, str], public_origin: str = "") -> None:
    """Return only if the request may carry a browser's authority.

    Asked for requests that a cookie authenticates and for those that need no credential and change
    something (setup, sign-in, sign-out).

    Args:
        method: Upper case.
        headers: By lower-case name.
        public_origin: `scheme://host:port` that browsers see where a proxy changes Host; "" for none.

    Raises:
        Forbidden: `cross-origin request rejected`.
    """
    if method in _SAFE:
        return
    site = headers.get("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise Forbidden("cross-origin request rejected")
        return
    origin = headers.get("origin")
    if origin is None or (public_origin and origin == public_origin):
        return
    if urllib.parse.urlsplit(origin).netloc != headers.get("host"):
        raise Forbidden("cross-origin request rejected")
