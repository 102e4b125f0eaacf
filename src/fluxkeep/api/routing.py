"""From a path to an endpoint: a dictionary for fixed paths, a tree of segments for the rest.

The answer for an unknown path or a wrong method depends on which of the
reference's two routers the family belongs to; `Router.missing` makes it.

Source: http-api.md §1.3, §1.6; tokens.md §2.9.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.responses import Response

from fluxkeep.api.endpoint import Endpoint, Style
from fluxkeep.api.errors import error_response
from fluxkeep.api.responses import page_not_found
from fluxkeep.errors import MethodNotAllowed, NotFound

ANY_METHOD = "*"


@dataclass(slots=True)
class Route:
    """The endpoints of one path by method."""

    path: str
    style: Style
    methods: dict[str, Endpoint] = field(default_factory=dict)

    def endpoint(self, method: str) -> Endpoint | None:
        """The endpoint for a method, or the one for any."""
        return self.methods.get(method) or self.methods.get(ANY_METHOD)


@dataclass(slots=True)
class _Node:
    fixed: dict[str, _Node] = field(default_factory=dict)
    variable: _Node | None = None
    names: tuple[str, ...] = ()
    route: Route | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """What a path leads to.

    Attributes:
        slash: The path ends in a slash that the route has not.
    """

    route: Route
    params: dict[str, str]
    slash: bool = False


_NO_PARAMS: dict[str, str] = {}


class Router:
    """All endpoints of the server."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.endpoints: list[Endpoint] = []
        self._exact: dict[str, Match] = {}
        self._tree = _Node()
        self._tenant_families: set[str] = set()
        for endpoint in endpoints:
            self._add(endpoint)

    def match(self, path: str) -> Match | None:
        """The route of a path, with one slash at its end or none."""
        found = self._exact.get(path)
        if found is not None:
            return found
        if path.endswith("/") and (found := self._match_exactly(path[:-1])) is not None:
            return Match(found.route, found.params, slash=True)
        return self._match_exactly(path)

    def missing(self, path: str, match: Match | None) -> Response:
        """The answer where `match` has no endpoint for the method, or is nothing."""
        if match is None:
            segments = path.split("/")
            if len(segments) > 4 and "/".join(segments[:4]) in self._tenant_families:
                return page_not_found()
            if path.startswith(("/api/v2", "/private/", "/v1")):
                return error_response(NotFound("path not found"))
            return page_not_found()
        if match.route.style is Style.T:
            return Response(None, 405)
        allow = ", ".join(sorted({*match.route.methods, "OPTIONS"}))
        return error_response(MethodNotAllowed(f"allow: {allow}", allow=allow))

    def redirect(self, method: str, path: str, query: str) -> Response:
        """Style C's answer to a slash too many."""
        location = path[:-1] + (f"?{query}" if query else "")
        return Response(None, 301 if method == "GET" else 308, {"location": location})

    def _match_exactly(self, path: str) -> Match | None:
        found = self._exact.get(path)
        if found is not None:
            return found
        node: _Node | None = self._tree
        values: list[str] = []
        for segment in path.split("/")[1:]:
            assert node is not None
            following = node.fixed.get(segment)
            if following is None:
                if node.variable is None or not segment:
                    return None
                values.append(segment)
                following = node.variable
            node = following
        if node is None or node.route is None:
            return None
        return Match(node.route, dict(zip(node.names, values, strict=True)) if values else _NO_PARAMS)

    def _add(self, endpoint: Endpoint) -> None:
        self.endpoints.append(endpoint)
        segments = endpoint.path.split("/")[1:]
        if endpoint.style is Style.T and len(segments) > 2 and not segments[2].startswith("{"):
            self._tenant_families.add("/" + "/".join(segments[:3]))
        node = self._tree
        names: list[str] = []
        for segment in segments:
            if segment.startswith("{"):
                names.append(segment[1:-1])
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.fixed.setdefault(segment, _Node())
        if node.route is None:
            node.route = Route(endpoint.path, endpoint.style)
            node.names = tuple(names)
        assert endpoint.method not in node.route.methods, f"{endpoint.method} {endpoint.path} is declared twice"
        assert node.names == tuple(names), f"{endpoint.path} names its parameters differently elsewhere"
        node.route.methods[endpoint.method] = endpoint
        if not names:
            self._exact[endpoint.path] = Match(node.route, _NO_PARAMS)
