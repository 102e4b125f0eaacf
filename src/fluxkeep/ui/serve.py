"""Serves the web page: static files with strict headers, and `index.html` for its routes.

The page is a client of the public API and has no rights of its own, so nothing
here knows about sessions. Files are read once, at the first request for each.

Source: ui.md §2.1, §2.3.
"""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from starlette.responses import Response

RESERVED = (
    "/api/",
    "/private/",
    "/v1",
    "/query",
    "/write",
    "/ping",
    "/health",
    "/ready",
    "/metrics",
    "/debug",
    "/docs",
)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_FOREVER = "public, max-age=31536000, immutable"
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
}
_ABSENT = "This fluxkeep was built without its web page. The HTTP API and the influx command work without it.\n"


class Pages:
    """The page's files.

    Args:
        folder: Where the bundle lies; the one in the package when None.
        disabled: Answer with a text that the page is switched off.
    """

    def __init__(self, folder: Path | None = None, *, disabled: bool = False) -> None:
        self._folder = folder or Path(__file__).parent / "dist"
        self._disabled = disabled
        self._files: dict[str, Path] | None = None
        self._tags: dict[Path, str] = {}

    def answer(self, method: str, path: str, headers: dict[str, str]) -> Response:
        """The answer to a request for a path that no API route owns.

        An existing file is sent as it is; a missing one below `/assets/`, a path that tries to climb
        out or hides a separator is 404; every other path is the page, which routes by itself.
        """
        if method not in ("GET", "HEAD"):
            return Response(None, 405, {"Allow": "GET, HEAD", **HEADERS})
        if self._disabled:
            return Response("The web page is disabled on this server.\n", 404, HEADERS, "text/plain")
        files = self._known()
        if "/index.html" not in files:
            return Response(_ABSENT, 200, HEADERS, "text/plain")
        found = files.get(path)
        if found is None:
            # The files are a closed list, so no spelling of a path leads anywhere else; odd ones are refused clearly.
            if path.startswith("/assets/") or ".." in path or "%" in path or "\\" in path or "//" in path:
                return Response("404 page not found\n", 404, HEADERS, "text/plain")
            found = files["/index.html"]
        return self._send(found, headers)

    def _known(self) -> dict[str, Path]:
        if self._files is None:
            self._files = {
                "/" + file.relative_to(self._folder).as_posix(): file
                for file in self._folder.rglob("*")
                if file.is_file() and file.suffix != ".gz" and not file.name.startswith(".")
            }
        return self._files

    def _send(self, file: Path, asked: dict[str, str]) -> Response:
        headers = dict(HEADERS)
        is_asset = file.parent.name == "assets"
        headers["Cache-Control"] = _FOREVER if is_asset else "no-cache"
        packed = file.with_name(file.name + ".gz")
        if is_asset and packed.is_file():
            headers["Vary"] = "Accept-Encoding"
            if "gzip" in asked.get("accept-encoding", ""):
                headers["Content-Encoding"] = "gzip"
                kind = _TYPES.get(file.suffix, "application/octet-stream")
                return self._conditional(packed, headers, kind, asked)
        kind = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return self._conditional(file, headers, kind, asked)

    def _conditional(self, file: Path, headers: dict[str, str], kind: str, asked: dict[str, str]) -> Response:
        content = file.read_bytes()
        tag = self._tags.get(file)
        if tag is None:
            tag = self._tags[file] = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers["ETag"] = tag
        if asked.get("if-none-match") == tag:
            return Response(None, 304, headers)
        return Response(content, 200, headers, kind)
